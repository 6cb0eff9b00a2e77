#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/hex.h"
#include "crypto/hmac.h"
#include "reports/webhooks_private.h"

enum { RESPONSE_BYTES_MAX = 64 << 10, ARENA_BYTES = 16 << 10 };

_Static_assert(EVENT_KIND_COUNT <= 64, "a kind is a bit");

int64_t webhook_wait_ms(int64_t before_ms)
{
	if (before_ms >= WEBHOOK_WAIT_MS_MAX / 2)
		return WEBHOOK_WAIT_MS_MAX;
	return before_ms == 0 ? WEBHOOK_WAIT_MS_MIN : 2 * before_ms;
}

bool webhook_sign(struct text secret, int64_t time_s, struct text body, char out_field[WEBHOOK_SIGNATURE_SIZE])
{
	struct buffer signed_text;
	uint8_t code[HMAC_BYTES];

	buffer_init(&signed_text, WEBHOOK_BODY_MAX + 32);
	const bool ok = buffer_print(&signed_text, "%lld.", (long long)time_s) && buffer_append(&signed_text, body) &&
	    hmac(secret, buffer_text(&signed_text), code);

	buffer_done(&signed_text);
	if (!ok)
		return false;
	const int length = snprintf(out_field, WEBHOOK_SIGNATURE_SIZE, "Webhook-Signature: t=%lld,v1=", (long long)time_s);

	must(length > 0 && length + 2 * HMAC_BYTES < WEBHOOK_SIGNATURE_SIZE);
	hex_print(code, HMAC_BYTES, out_field + length);
	return true;
}

static int64_t now_ms(const struct webhook *webhook)
{
	return loop_unix_ms(webhook->owner->parts.loop);
}

static void plan(struct webhook *webhook, int64_t delay_ms)
{
	webhook->next_ms = now_ms(webhook) + delay_ms;
	loop_timer_set(webhook->timer, delay_ms);
}

static void tell(const struct webhook *webhook, enum event_kind kind, struct text reason)
{
	const struct event_sink *sink = &webhook->owner->parts.sink;
	struct event event = { .kind = kind, .time_ms = now_ms(webhook) };

	event.fields[EVENT_FIELD_ABOUT] = webhook->settings.name;
	event.fields[EVENT_FIELD_TARGETS] = webhook->settings.url;
	if (reason.length > 0)
		event.fields[EVENT_FIELD_REASON] = reason;
	sink->report(sink->context, &event);
}

static void drop(struct webhook *webhook, uint64_t missed)
{
	char room[64];

	if (missed == 0)
		return;
	webhook->past.dropped += missed;
	snprintf(room, sizeof room, "%llu events", (unsigned long long)missed);
	tell(webhook, EVENT_WEBHOOK_DROPPED, text_of(room));
}

static bool append_event(struct webhooks *webhooks, const struct event *event)
{
	struct buffer *body = &webhooks->body;
	const size_t before = body->length;

	if (buffer_append(body, body->length > 1 ? TEXT(",\n") : TEXT_EMPTY) && event_print_json(event, body) &&
	    body->length < WEBHOOK_BODY_MAX)
		return true;
	body->length = before;
	return false;
}

/* The next batch into the body, from the webhook's place on. */
static void gather(struct webhook *webhook)
{
	struct webhooks *webhooks = webhook->owner;
	uint64_t missed;
	struct journal_place place = journal_place_get(webhooks->parts.journal, webhook->settings.name, &missed);
	struct event event;
	struct text stored;
	queue_id id;

	drop(webhook, missed);
	buffer_clear(&webhooks->body);
	(void)!buffer_append(&webhooks->body, TEXT("["));
	webhook->events = 0;
	webhook->behind = place;
	while (webhook->events < WEBHOOK_EVENTS_MAX && journal_read(webhooks->parts.journal, &place, webhooks->room, &id, &stored)) {
		if (event_decode(id, stored, &event) == OK && (webhook->settings.kinds >> event.kind & 1) != 0) {
			if (append_event(webhooks, &event))
				webhook->events++;
			else if (webhook->events > 0)
				break; /* It is the first of the next batch. */
		}
		webhook->behind = place;
	}
}

/* An attempt has ended. The trouble empty: well. */
static void note(struct webhook *webhook, unsigned status, struct text trouble)
{
	struct webhook_past *past = &webhook->past;

	past->asked_ms = now_ms(webhook);
	past->status = status;
	snprintf(past->trouble, sizeof past->trouble, "%.*s", TEXT_FORMAT(trouble));
	if (trouble.length == 0) {
		past->worked_ms = past->asked_ms;
		past->failing_since_ms = 0;
	} else if (past->failing_since_ms == 0) {
		past->failing_since_ms = past->asked_ms;
	}
}

static void later(struct webhook *webhook, unsigned status, struct text reason)
{
	if (webhook->past.failing_since_ms == 0)
		tell(webhook, EVENT_WEBHOOK_FAILED, reason);
	note(webhook, status, reason);
	webhook->wait_ms = webhook_wait_ms(webhook->wait_ms);
	plan(webhook, webhook->wait_ms);
}

/* No timer: it rests. Told each time, for it is the last word of this webhook. */
static void stop(struct webhook *webhook, unsigned status, struct text reason)
{
	tell(webhook, EVENT_WEBHOOK_FAILED, reason);
	note(webhook, status, reason);
	webhook->stopped = true;
}

static void took(struct webhook *webhook, unsigned status)
{
	journal_place_put(webhook->owner->parts.journal, webhook->settings.name, webhook->behind);
	counters_add(webhook->owner->parts.counters, COUNTER_WEBHOOK_EVENTS, webhook->events);
	if (webhook->past.failing_since_ms != 0)
		tell(webhook, EVENT_WEBHOOK_WORKS, TEXT_EMPTY);
	note(webhook, status, TEXT_EMPTY);
	webhook->past.taken += webhook->events;
	webhook->wait_ms = 0;
	plan(webhook, webhook->events == WEBHOOK_EVENTS_MAX ? 0 : WEBHOOK_LOOK_MS);
}

static void answered(void *context, const struct https_response *response)
{
	struct webhook *webhook = context;
	char reason[64];

	webhook->request = NULL;
	if (response->end != HTTPS_ANSWERED) {
		later(webhook, 0, response->trouble);
	} else if (response->status / 100 == 2) {
		took(webhook, response->status);
	} else if (response->status == 410) {
		stop(webhook, response->status, TEXT("it answers 410, and is told nothing until a reload"));
	} else {
		snprintf(reason, sizeof reason, "it answers %u", response->status);
		later(webhook, response->status, text_of(reason));
	}
}

static void look(void *context)
{
	struct webhook *webhook = context;
	struct webhooks *webhooks = webhook->owner;
	char field[WEBHOOK_SIGNATURE_SIZE];
	struct text host;
	uint16_t port;

	gather(webhook);
	if (webhook->events == 0) {
		journal_place_put(webhooks->parts.journal, webhook->settings.name, webhook->behind);
		plan(webhook, WEBHOOK_LOOK_MS);
		return;
	}
	if (!https_url_split(webhook->settings.url, &host, &port)) {
		later(webhook, 0, TEXT("its URL has no host"));
		return;
	}
	if (!buffer_append(&webhooks->body, TEXT("]")) ||
	    !webhook_sign(webhook->settings.secret, now_ms(webhook) / 1000, buffer_text(&webhooks->body), field)) {
		later(webhook, 0, TEXT("out of memory"));
		return;
	}
	const struct https_order order = { .url = webhook->settings.url,
		.content_type = TEXT("application/json"),
		.header = text_of(field),
		.content = buffer_text(&webhooks->body),
		.response_bytes_max = RESPONSE_BYTES_MAX,
		.time_ms_max = WEBHOOK_ANSWER_MS_MAX };

	webhook->request = web_ask(webhooks->parts.web, &order, answered, webhook);
	if (webhook->request == NULL)
		later(webhook, 0, TEXT("out of memory"));
}

struct webhooks *webhooks_new(const struct webhooks_parts *parts)
{
	struct webhooks *webhooks = calloc(1, sizeof *webhooks);

	if (webhooks == NULL)
		return NULL;
	webhooks->parts = *parts;
	buffer_init(&webhooks->body, WEBHOOK_BODY_MAX + 16);
	return webhooks;
}

/* What is under way is posted again by who comes after it. */
static void rest(struct webhook *webhook)
{
	web_cancel(webhook->request);
	loop_timer_free(webhook->timer);
	webhook->request = NULL;
	webhook->timer = NULL;
}

static void end(struct webhook *webhook)
{
	rest(webhook);
	if (webhook->arena != NULL)
		arena_wipe(webhook->arena);
	arena_free(webhook->arena);
}

void webhooks_free(struct webhooks *webhooks)
{
	if (webhooks == NULL)
		return;
	while (webhooks->count > 0)
		end(&webhooks->all[--webhooks->count]);
	buffer_done(&webhooks->body);
	free(webhooks);
}

static bool begin(struct webhook *webhook, const struct webhook_settings *settings)
{
	uint64_t missed;

	webhook->arena = arena_new(ARENA_BYTES);
	webhook->timer = loop_timer_new(webhook->owner->parts.loop, look, webhook);
	webhook->settings.kinds = settings->kinds;
	webhook->settings.problem = settings->problem;
	if (webhook->arena == NULL || webhook->timer == NULL || !arena_copy(webhook->arena, settings->name, &webhook->settings.name) ||
	    !arena_copy(webhook->arena, settings->url, &webhook->settings.url) ||
	    !arena_copy(webhook->arena, settings->secret, &webhook->settings.secret))
		return false;
	(void)journal_place_get(webhook->owner->parts.journal, settings->name, &missed); /* W4 */
	drop(webhook, missed);
	if (settings->problem == NULL)
		plan(webhook, WEBHOOK_LOOK_MS);
	return true;
}

/* W5 */
static struct webhook_past past_of(const struct webhook *all, size_t count, struct text name)
{
	for (size_t i = 0; i < count; i++)
		if (text_equal(all[i].settings.name, name))
			return all[i].past;
	return (struct webhook_past){ 0 };
}

void webhooks_reload(struct webhooks *webhooks, const struct webhook_settings *settings, size_t count)
{
	struct webhook old[WEBHOOKS_MAX];
	size_t old_count = webhooks->count;

	must(count <= WEBHOOKS_MAX);
	for (size_t i = 0; i < old_count; i++) {
		rest(&webhooks->all[i]); /* Where it stands: its timer and its request know it by that. */
		old[i] = webhooks->all[i];
	}
	webhooks->count = 0;
	for (size_t i = 0; i < count; i++) {
		struct webhook *webhook = &webhooks->all[webhooks->count];

		*webhook = (struct webhook){ .owner = webhooks, .past = past_of(old, old_count, settings[i].name) };
		if (begin(webhook, &settings[i]))
			webhooks->count++;
		else
			end(webhook);
	}
	while (old_count > 0)
		end(&old[--old_count]);
}
