#include "reports/webhooks.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/must.h"
#include "crypto/hmac.h"

enum { RESPONSE_BYTES_MAX = 64 << 10, ARENA_BYTES = 16 << 10 };

_Static_assert(EVENT_KIND_COUNT <= 64, "a kind is a bit");

struct webhook {
	struct webhooks *owner;
	struct webhook_settings settings; /* In the arena. */
	struct arena *arena;
	struct loop_timer *timer;
	struct web_request *request;
	struct journal_place behind;      /* What is under way. */
	uint64_t events;                  /* How many these are. */
	int64_t wait_ms;                  /* 0: the last attempt went well. */
};

struct webhooks {
	struct webhooks_parts parts;
	struct webhook all[WEBHOOKS_MAX];
	size_t count;
	struct buffer body;
	char room[JOURNAL_RECORD_MAX];
};

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
	int length = snprintf(out_field, WEBHOOK_SIGNATURE_SIZE, "Webhook-Signature: t=%lld,v1=", (long long)time_s);

	for (size_t i = 0; i < HMAC_BYTES; i++)
		length += snprintf(out_field + length, WEBHOOK_SIGNATURE_SIZE - (size_t)length, "%02x", code[i]);
	return true;
}

static void tell(const struct webhook *webhook, enum event_kind kind, struct text reason)
{
	const struct event_sink *sink = &webhook->owner->parts.sink;
	struct event event = { .kind = kind, .time_ms = loop_unix_ms(webhook->owner->parts.loop) };

	event.fields[EVENT_FIELD_ABOUT] = webhook->settings.name;
	event.fields[EVENT_FIELD_TARGETS] = webhook->settings.url;
	if (reason.length > 0)
		event.fields[EVENT_FIELD_REASON] = reason;
	sink->report(sink->context, &event);
}

static void tell_dropped(const struct webhook *webhook, uint64_t missed)
{
	char room[64];

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

	if (missed > 0)
		tell_dropped(webhook, missed);
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

static void later(struct webhook *webhook, struct text reason)
{
	if (webhook->wait_ms == 0)
		tell(webhook, EVENT_WEBHOOK_FAILED, reason);
	webhook->wait_ms = webhook->wait_ms == 0 ? WEBHOOK_WAIT_MS_MIN : 2 * webhook->wait_ms;
	if (webhook->wait_ms > WEBHOOK_WAIT_MS_MAX)
		webhook->wait_ms = WEBHOOK_WAIT_MS_MAX;
	loop_timer_set(webhook->timer, webhook->wait_ms);
}

static void answered(void *context, const struct https_response *response)
{
	struct webhook *webhook = context;
	struct webhooks *webhooks = webhook->owner;
	char reason[64];

	webhook->request = NULL;
	if (response->end != HTTPS_ANSWERED) {
		later(webhook, response->trouble);
		return;
	}
	if (response->status / 100 != 2) {
		snprintf(reason, sizeof reason, "it answers %u%s", response->status,
		    response->status == 410 ? ", and is told nothing until a reload" : "");
		if (response->status == 410)
			tell(webhook, EVENT_WEBHOOK_FAILED, text_of(reason)); /* No timer: it rests. */
		else
			later(webhook, text_of(reason));
		return;
	}
	journal_place_put(webhooks->parts.journal, webhook->settings.name, webhook->behind);
	counters_add(webhooks->parts.counters, COUNTER_WEBHOOK_EVENTS, webhook->events);
	if (webhook->wait_ms != 0)
		tell(webhook, EVENT_WEBHOOK_WORKS, TEXT_EMPTY);
	webhook->wait_ms = 0;
	loop_timer_set(webhook->timer, webhook->events == WEBHOOK_EVENTS_MAX ? 0 : WEBHOOK_LOOK_MS);
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
		loop_timer_set(webhook->timer, WEBHOOK_LOOK_MS);
		return;
	}
	if (!https_url_split(webhook->settings.url, &host, &port)) {
		later(webhook, TEXT("its URL has no host"));
		return;
	}
	if (!buffer_append(&webhooks->body, TEXT("]")) ||
	    !webhook_sign(webhook->settings.secret, loop_unix_ms(webhooks->parts.loop) / 1000, buffer_text(&webhooks->body), field)) {
		later(webhook, TEXT("out of memory"));
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
		later(webhook, TEXT("out of memory"));
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

static void end(struct webhook *webhook)
{
	web_cancel(webhook->request);
	loop_timer_free(webhook->timer);
	if (webhook->arena != NULL)
		arena_wipe(webhook->arena);
	arena_free(webhook->arena);
}

static void end_all(struct webhooks *webhooks)
{
	while (webhooks->count > 0)
		end(&webhooks->all[--webhooks->count]);
}

void webhooks_free(struct webhooks *webhooks)
{
	if (webhooks == NULL)
		return;
	end_all(webhooks);
	buffer_done(&webhooks->body);
	free(webhooks);
}

static bool begin(struct webhook *webhook, const struct webhook_settings *settings)
{
	uint64_t missed;

	webhook->arena = arena_new(ARENA_BYTES);
	webhook->timer = loop_timer_new(webhook->owner->parts.loop, look, webhook);
	webhook->settings.kinds = settings->kinds;
	if (webhook->arena == NULL || webhook->timer == NULL || !arena_copy(webhook->arena, settings->name, &webhook->settings.name) ||
	    !arena_copy(webhook->arena, settings->url, &webhook->settings.url) ||
	    !arena_copy(webhook->arena, settings->secret, &webhook->settings.secret))
		return false;
	(void)journal_place_get(webhook->owner->parts.journal, settings->name, &missed); /* W4 */
	if (missed > 0)
		tell_dropped(webhook, missed);
	loop_timer_set(webhook->timer, WEBHOOK_LOOK_MS);
	return true;
}

void webhooks_reload(struct webhooks *webhooks, const struct webhook_settings *settings, size_t count)
{
	must(count <= WEBHOOKS_MAX);
	end_all(webhooks);
	for (size_t i = 0; i < count; i++) {
		struct webhook *webhook = &webhooks->all[webhooks->count];

		*webhook = (struct webhook){ .owner = webhooks };
		if (begin(webhook, &settings[i]))
			webhooks->count++;
		else
			end(webhook);
	}
}
