/* "webhooks": how those fare who are told of deliveries. */
#include "admin/admin_private.h"
#include "io/loop.h"

static json_t *time_or_null(int64_t unix_ms)
{
	return unix_ms != 0 ? admin_time(unix_ms) : json_null();
}

static json_t *age_json(int64_t now_ms, int64_t since_ms)
{
	return json_integer(since_ms != 0 && since_ms < now_ms ? now_ms - since_ms : 0);
}

static json_t *events_json(uint64_t kinds)
{
	json_t *events = json_array();

	for (unsigned kind = 0; kind < EVENT_KIND_COUNT; kind++)
		if ((kinds >> kind & 1) != 0)
			json_array_append_new(events, json_string(event_kind_word((enum event_kind)kind)));
	return events;
}

/* {"time", "status": a number, or null without an answer, "error": words, or null}; null before the first attempt. */
static json_t *last_json(const struct webhook_past *past)
{
	if (past->asked_ms == 0)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "time", admin_time(past->asked_ms), "status",
	    past->status != 0 ? json_integer(past->status) : json_null(), "error",
	    past->trouble[0] != '\0' ? admin_string(text_of(past->trouble)) : json_null());
}

static json_t *webhook_json(const struct webhook_status *status, int64_t now_ms)
{
	static const char *const words[] = { [WEBHOOK_WORKS] = "works", [WEBHOOK_FAILS] = "fails", [WEBHOOK_STOPPED] = "stopped",
		[WEBHOOK_UNUSABLE] = "unusable" };
	const struct webhook_settings *settings = status->settings;
	const struct webhook_past *past = &status->past;
	json_t *webhook = json_pack("{s:o, s:o, s:o, s:s, s:o}", "name", admin_string(settings->name), "url",
	    admin_string(settings->url), "events", events_json(settings->kinds), "state", words[status->state], "problem",
	    settings->problem ? json_string(settings->problem) : json_null());

	json_object_set_new(webhook, "waiting", json_integer((json_int_t)status->waiting));
	json_object_set_new(webhook, "oldest", time_or_null(status->oldest_ms));
	json_object_set_new(webhook, "oldest_age_ms", age_json(now_ms, status->oldest_ms));
	json_object_set_new(webhook, "under_way", json_boolean(status->under_way));
	json_object_set_new(webhook, "next", time_or_null(status->next_ms));
	json_object_set_new(webhook, "last", last_json(past));
	json_object_set_new(webhook, "worked", time_or_null(past->worked_ms));
	json_object_set_new(webhook, "failing_since", time_or_null(past->failing_since_ms));
	json_object_set_new(webhook, "failing_age_ms", age_json(now_ms, past->failing_since_ms));
	json_object_set_new(webhook, "taken", json_integer((json_int_t)past->taken));
	json_object_set_new(webhook, "dropped", json_integer((json_int_t)past->dropped));
	return webhook;
}

json_t *admin_webhooks(const struct admin_settings *settings)
{
	struct webhook_status statuses[WEBHOOKS_MAX];
	const size_t count = settings->webhooks ? webhooks_status(settings->webhooks, statuses) : 0;
	json_t *webhooks = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(webhooks, webhook_json(&statuses[i], loop_unix_ms(settings->loop)));
	return webhooks;
}
