#include "web/metrics.h"

#include "events/counters.h"

/* Backslash and line end are escaped in help, a quotation mark in values as well. */
static bool put_escaped(struct text text, bool is_value, struct buffer *out)
{
	bool ok = true;

	for (size_t i = 0; ok && i < text.length; i++) {
		const char c = text.bytes[i];

		if (c == '\n')
			ok = buffer_append(out, TEXT("\\n"));
		else if (c == '\\' || (c == '"' && is_value))
			ok = buffer_print(out, "\\%c", c);
		else
			ok = buffer_append(out, text_part(text, i, 1));
	}
	return ok;
}

static bool put_head(const char *name, const char *suffix, const char *type, const char *prose, struct buffer *out)
{
	return buffer_print(out, "# HELP postroad_%s%s ", name, suffix) && put_escaped(text_of(prose), false, out) &&
	    buffer_print(out, "\n# TYPE postroad_%s%s %s\n", name, suffix, type);
}

/* Metrics have no hyphens. */
static const char *metric_name(const char *word, char room[64])
{
	size_t length = 0;

	for (; word[length] != '\0' && length < 63; length++)
		room[length] = word[length] == '-' ? '_' : word[length];
	room[length] = '\0';
	return room;
}

static bool put_counters(const json_t *counters, struct buffer *out)
{
	bool ok = true;
	char room[64];

	for (unsigned i = 0; ok && i < COUNTER_COUNT; i++) {
		const char *word = counter_word((enum counter)i), *name = metric_name(word, room);

		ok = put_head(name, "_total", "counter", counter_prose((enum counter)i), out) &&
		    buffer_print(out, "postroad_%s_total %lld\n", name,
		        (long long)json_integer_value(json_object_get(counters, word)));
	}
	return ok;
}

static const struct {
	const char *group, *member, *name, *type, *prose;
} numbers[] = {
	{ "spool", "messages", "queue_messages", "gauge", "messages in the queue" },
	{ "spool", "recipients", "queue_recipients", "gauge", "recipients that wait" },
	{ "spool", "history", "history_messages", "gauge", "finished messages whose life is remembered" },
	{ "spool", "commits", "spool_commits_total", "counter", "flushes of the spool" },
	{ "spool", "changes", "spool_changes_total", "counter", "changes that these flushes made durable" },
	{ "queue", "active_domains", "queue_active_domains", "gauge", "domains with mail that is due" },
	{ "queue", "destinations", "queue_destinations", "gauge", "destinations that the queue knows" },
	{ "queue", "deliveries", "queue_deliveries", "gauge", "deliveries under way" },
	{ "queue", "unsettled", "queue_unsettled", "gauge", "deliveries that ended and are not yet written down" },
	{ "queue", "paced", "queue_paced", "gauge", "domains whose mail waits for a rate, each once for each sender and priority" },
	{ "queue", "in_trouble", "queue_destinations_in_trouble", "gauge", "destinations that do not take mail now" },
	{ "host", "spool_free_bytes", "spool_free_bytes", "gauge", "room on the disk of the spool" },
	{ "host", "spool_disk_bytes", "spool_disk_bytes", "gauge", "size of the disk of the spool" },
	{ "host", "memory_bytes", "host_memory_bytes", "gauge", "memory of the machine" },
	{ "host", "memory_free_bytes", "host_memory_unused_bytes", "gauge", "memory of the machine that nobody uses, not even as a cache of files" },
	{ "host", "descriptors", "descriptors", "gauge", "descriptors that the mail process has open, about" },
	{ "host", "descriptors_limit", "descriptors_limit", "gauge", "descriptors that it may have open" },
	{ "host", "processors", "host_processors", "gauge", "processors of the machine" },
};

static bool put_numbers(const json_t *stats, struct buffer *out)
{
	bool ok = true;

	for (size_t i = 0; ok && i < sizeof numbers / sizeof numbers[0]; i++) {
		const json_t *value = json_object_get(json_object_get(stats, numbers[i].group), numbers[i].member);

		if (json_is_integer(value))
			ok = put_head(numbers[i].name, "", numbers[i].type, numbers[i].prose, out) &&
			    buffer_print(out, "postroad_%s %lld\n", numbers[i].name, (long long)json_integer_value(value));
	}
	return ok;
}

/* Seconds of milliseconds, without rounding. */
static bool put_seconds(long long ms, struct buffer *out)
{
	return buffer_print(out, "%lld.%03lld", ms / 1000, ms % 1000);
}

/* Buckets are cumulative, and one has no bound. */
static bool put_histogram(const char *word, const char *prose, const json_t *times, struct buffer *out)
{
	const json_t *bounds = json_object_get(times, "bounds"), *counts = json_object_get(times, "counts");
	char room[64];
	const char *name = metric_name(word, room);
	long long sum = 0;
	bool ok = put_head(name, "_seconds", "histogram", prose, out);

	for (size_t i = 0; ok && i < json_array_size(counts); i++) {
		const json_t *bound = json_array_get(bounds, i);

		sum += json_integer_value(json_array_get(counts, i));
		ok = buffer_print(out, "postroad_%s_seconds_bucket{le=\"", name) &&
		    (bound ? put_seconds(json_integer_value(bound), out) : buffer_append(out, TEXT("+Inf"))) &&
		    buffer_print(out, "\"} %lld\n", sum);
	}
	return ok && buffer_print(out, "postroad_%s_seconds_sum ", name) &&
	    put_seconds(json_integer_value(json_object_get(times, "sum_ms")), out) &&
	    buffer_print(out, "\npostroad_%s_seconds_count %lld\n", name, sum);
}

static bool put_histograms(const json_t *all, struct buffer *out)
{
	bool ok = true;

	for (unsigned i = 0; ok && i < HISTOGRAM_COUNT; i++) {
		const char *word = histogram_word((enum histogram)i);
		const json_t *times = json_object_get(all, word);

		ok = times == NULL || put_histogram(word, histogram_prose((enum histogram)i), times, out);
	}
	return ok;
}

static bool put_outcome(const json_t *destination, const char *outcome, struct buffer *out)
{
	const json_t *name = json_object_get(destination, "destination");
	const struct text shown = json_is_string(name) ? (struct text){ json_string_value(name), json_string_length(name) } : TEXT("other");

	return buffer_append(out, TEXT("postroad_outcomes_total{destination=\"")) && put_escaped(shown, true, out) &&
	    buffer_print(out, "\",outcome=\"%s\"} %lld\n", outcome, (long long)json_integer_value(json_object_get(destination, outcome)));
}

/* A destination is "example.net", "mailbox" or "via HOST": none is called "other", which has no dot. */
static bool put_outcomes(const json_t *busiest, struct buffer *out)
{
	bool ok = !json_is_array(busiest) ||
	    put_head("outcomes", "_total", "counter", "what attempts came to for recipients, by the busiest destinations", out);

	for (size_t i = 0; ok && i < json_array_size(busiest); i++) {
		const json_t *destination = json_array_get(busiest, i);

		ok = put_outcome(destination, "delivered", out) && put_outcome(destination, "deferred", out) &&
		    put_outcome(destination, "failed", out);
	}
	return ok;
}

/* Two may have the same name, but not the same place in the configuration. */
static bool put_certificates(const json_t *certificates, struct buffer *out)
{
	bool ok = json_array_size(certificates) == 0 ||
	    put_head("certificate_expiry", "_timestamp_seconds", "gauge", "when a certificate of ours ends, in Unix time", out);

	for (size_t i = 0; ok && i < json_array_size(certificates); i++) {
		const json_t *one = json_array_get(certificates, i);

		ok = buffer_print(out, "postroad_certificate_expiry_timestamp_seconds{certificate=\"%zu\",name=\"", i + 1) &&
		    put_escaped(text_of(json_string_value(json_object_get(one, "name"))), true, out) &&
		    buffer_print(out, "\"} %lld\n", (long long)json_integer_value(json_object_get(one, "not_after_s")));
	}
	return ok;
}

static bool put_label(const char *before, const json_t *object, const char *member, struct buffer *out)
{
	const char *value = json_string_value(json_object_get(object, member));

	return buffer_append(out, text_of(before)) && put_escaped(text_of(value), true, out);
}

/* How many there are of each state; a state that the answer does not have is left out. */
static bool put_key_states(const json_t *dkim, struct buffer *out)
{
	const json_t *value;
	const char *state;
	bool ok = put_head("dkim_keys", "", "gauge", "keys of DKIM, by state", out);

	json_object_foreach ((json_t *)dkim, state, value)
		if (ok && json_is_integer(value))
			ok = buffer_print(out, "postroad_dkim_keys{state=\"%s\"} %lld\n", state, (long long)json_integer_value(value));
	return ok;
}

static bool put_key_state(const json_t *key, struct buffer *out)
{
	return put_label("postroad_dkim_key_state{domain=\"", key, "domain", out) && put_label("\",selector=\"", key, "selector", out) &&
	    put_label("\",algorithm=\"", key, "algorithm", out) && put_label("\",state=\"", key, "state", out) &&
	    buffer_append(out, TEXT("\"} 1\n"));
}

static bool put_key_next(const json_t *key, struct buffer *out)
{
	const json_t *next_s = json_object_get(key, "next-at-s");

	return !json_is_integer(next_s) ||
	    (put_label("postroad_dkim_key_next_timestamp_seconds{domain=\"", key, "domain", out) &&
	        put_label("\",selector=\"", key, "selector", out) &&
	        buffer_print(out, "\"} %lld\n", (long long)json_integer_value(next_s)));
}

static bool put_keys(const json_t *dkim, struct buffer *out)
{
	const json_t *keys = json_object_get(dkim, "keys");
	bool ok = !json_is_object(dkim) || put_key_states(dkim, out);

	if (json_array_size(keys) == 0)
		return ok;
	ok = ok && put_head("dkim_key_state", "", "gauge", "always 1; its label tells the state of a key of DKIM", out);
	for (size_t i = 0; ok && i < json_array_size(keys); i++)
		ok = put_key_state(json_array_get(keys, i), out);
	ok = ok && put_head("dkim_key_next", "_timestamp_seconds", "gauge",
	    "when time brings the next step of a key's plan, in Unix time", out);
	for (size_t i = 0; ok && i < json_array_size(keys); i++)
		ok = put_key_next(json_array_get(keys, i), out);
	return ok;
}

static const struct {
	const char *member, *name, *suffix, *type, *prose;
	bool is_ms;
} webhook_numbers[] = {
	{ "waiting", "webhook_waiting_events", "", "gauge", "events that a webhook wants and has not taken", false },
	{ "oldest_age_ms", "webhook_oldest_age", "_seconds", "gauge", "how long the oldest of them has waited; 0: none waits", true },
	{ "dropped", "webhook_dropped_events", "_total", "counter", "events that gave way to newer ones before a webhook took them", false },
};

static bool put_webhooks(const json_t *webhooks, struct buffer *out)
{
	bool ok = true;

	for (size_t k = 0; json_array_size(webhooks) > 0 && k < sizeof webhook_numbers / sizeof webhook_numbers[0]; k++) {
		const char *name = webhook_numbers[k].name, *suffix = webhook_numbers[k].suffix;

		ok = ok && put_head(name, suffix, webhook_numbers[k].type, webhook_numbers[k].prose, out);
		for (size_t i = 0; ok && i < json_array_size(webhooks); i++) {
			const json_t *one = json_array_get(webhooks, i);
			const json_int_t value = json_integer_value(json_object_get(one, webhook_numbers[k].member));

			ok = buffer_print(out, "postroad_%s%s", name, suffix) && put_label("{webhook=\"", one, "name", out) &&
			    buffer_append(out, TEXT("\"} ")) &&
			    (webhook_numbers[k].is_ms ? put_seconds(value, out) : buffer_print(out, "%lld", (long long)value)) &&
			    buffer_append(out, TEXT("\n"));
		}
	}
	return ok;
}

bool web_metrics_print(const json_t *stats, struct buffer *out)
{
	const char *version = json_string_value(json_object_get(stats, "version"));

	return put_head("build_info", "", "gauge", "always 1; its label tells the version", out) &&
	    buffer_append(out, TEXT("postroad_build_info{version=\"")) && put_escaped(text_of(version), true, out) &&
	    buffer_append(out, TEXT("\"} 1\n")) && put_numbers(stats, out) &&
	    put_outcomes(json_object_get(stats, "busiest"), out) && put_certificates(json_object_get(stats, "certificates"), out) &&
	    put_keys(json_object_get(stats, "dkim"), out) &&
	    put_webhooks(json_object_get(stats, "webhooks"), out) && put_histograms(json_object_get(stats, "times"), out) &&
	    put_counters(json_object_get(stats, "counters"), out);
}
