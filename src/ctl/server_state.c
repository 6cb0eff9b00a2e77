/* postroad stats, reload, upgrade, stop: the server as a whole. */
#include <stdio.h>
#include <sysexits.h>

#include "ctl/ask.h"
#include "ctl/commands.h"
#include "ctl/usage.h"

static void print_numbers(const json_t *numbers)
{
	const json_t *value;
	const char *key;

	json_object_foreach ((json_t *)numbers, key, value)
		if (json_is_integer(value))
			printf("  %-28s %lld\n", key, (long long)json_integer_value(value));
}

/* The destinations in trouble that were told, and how many there are besides. */
static void print_trouble(const json_t *queue)
{
	const json_t *trouble = json_object_get(queue, "trouble"), *destination;
	long long more = ctl_number(queue, "in_trouble");
	size_t i;

	if (json_array_size(trouble) > 0)
		puts("destinations in trouble");
	json_array_foreach (trouble, i, destination) {
		const long long same = ctl_number(destination, "same_hosts");

		more -= same > 1 ? same : 1;
		printf("  %s", ctl_string(destination, "destination", "?"));
		if (same > 1)
			printf(" and %lld more at the same hosts", same - 1);
		printf(": ");
		ctl_print_state(destination, "      ");
	}
	if (more > 0)
		printf("  and %lld more\n", more);
}

/* What attempts came to at the busiest destinations, and at all others. */
static void print_busiest(const json_t *busiest)
{
	const json_t *one;
	size_t i;

	if (json_array_size(busiest) > 1)
		printf("by destination %25s %10s %10s\n", "delivered", "deferred", "failed");
	json_array_foreach (busiest, i, one) {
		if (json_array_size(busiest) > 1)
			printf("  %-28s %9lld %10lld %10lld\n", ctl_string(one, "destination", "all others"),
			    ctl_number(one, "delivered"), ctl_number(one, "deferred"), ctl_number(one, "failed"));
	}
}

static void print_certificates(const json_t *certificates)
{
	const json_t *one;
	size_t i;

	if (json_array_size(certificates) > 0)
		puts("certificates");
	json_array_foreach (certificates, i, one)
		printf("  %-28s until %s\n", ctl_string(one, "name", "?"), ctl_string(one, "until", "?"));
}

static void print_keys(const json_t *dkim)
{
	const json_t *one;
	size_t i;

	if (json_is_object(dkim))
		puts("DKIM keys");
	print_numbers(dkim);
	json_array_foreach (json_object_get(dkim, "keys"), i, one)
		printf("  %s %s %s: %s since %s, %s\n", ctl_string(one, "domain", "?"), ctl_string(one, "selector", "?"),
		    ctl_string(one, "algorithm", "?"), ctl_string(one, "state", "?"), ctl_string(one, "since", "?"),
		    ctl_string(one, "next", "-"));
}

static void print_webhooks(const json_t *webhooks)
{
	const json_t *one;
	size_t i;

	if (json_array_size(webhooks) > 0)
		puts("webhooks");
	json_array_foreach (webhooks, i, one)
		printf("  %s: %s, waiting: %lld\n", ctl_string(one, "name", "?"), ctl_string(one, "state", "?"),
		    ctl_number(one, "waiting"));
}

/* A request of one word with nothing behind it. */
static json_t *ask_plainly(const struct ctl_place *place, const char *verb, int count, char **rest, bool *out_json, int *out_code)
{
	static const char *const none[] = { NULL };
	struct ctl_words words;
	json_t *answer = NULL;

	*out_code = EX_USAGE;
	if (!ctl_words_read(verb, none, count, rest, &words) || words.first != NULL)
		ctl_usage(verb);
	else
		answer = ctl_ask(place, words.request, false, out_code);
	*out_json = words.json;
	ctl_words_done(&words);
	return answer;
}

int ctl_stats(const struct ctl_place *place, int count, char **rest)
{
	bool json;
	int code;
	json_t *answer = ask_plainly(place, "stats", count, rest, &json, &code);

	if (answer != NULL && json) {
		json_object_del(answer, "ok");
		ctl_print_json(answer);
	} else if (answer != NULL) {
		ctl_make_printable(answer);
		printf("postroad %s\nspool\n", ctl_string(answer, "version", "?"));
		print_numbers(json_object_get(answer, "spool"));
		puts("queue");
		print_numbers(json_object_get(answer, "queue"));
		print_trouble(json_object_get(answer, "queue"));
		puts("host");
		print_numbers(json_object_get(answer, "host"));
		print_certificates(json_object_get(answer, "certificates"));
		print_keys(json_object_get(answer, "dkim"));
		print_webhooks(json_object_get(answer, "webhooks"));
		print_busiest(json_object_get(answer, "busiest"));
		puts("since the start");
		print_numbers(json_object_get(answer, "counters"));
	}
	json_decref(answer);
	return code;
}

static int tell(const struct ctl_place *place, const char *verb, const char *done, int count, char **rest)
{
	bool json;
	int code;
	json_t *answer = ask_plainly(place, verb, count, rest, &json, &code);

	if (answer != NULL && json)
		ctl_print_json(answer);
	else if (answer != NULL)
		puts(done);
	json_decref(answer);
	return code;
}

int ctl_reload(const struct ctl_place *place, int count, char **rest)
{
	return tell(place, "reload", "Reload requested; the log tells how it ended.", count, rest);
}

int ctl_upgrade(const struct ctl_place *place, int count, char **rest)
{
	return tell(place, "upgrade", "Upgrade requested; the log tells how it ended.", count, rest);
}

int ctl_stop(const struct ctl_place *place, int count, char **rest)
{
	return tell(place, "stop", "Stopping: messages on their way end first.", count, rest);
}
