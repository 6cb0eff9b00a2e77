/* Webhooks: events of the journal (spool/webhook_journal.h) posted to those who want to be told, signed.
 *
 *   W1  At least once and in order: a place in the journal moves only when a 2xx answer has come. A batch that is posted again may
 *       have grown, but begins with the same events.
 *   W2  One request of a webhook is under way at a time, of WEBHOOK_EVENTS_MAX events and WEBHOOK_BODY_MAX bytes.
 *   W3  After anything but 2xx it is tried again, later each time, WEBHOOK_WAIT_MS_MAX at most. 410 stops it until a reload.
 *   W4  A webhook that is new is told what happens from then on.
 *
 * One for a server, on one thread. Life: new, reload, free. */
#ifndef REPORTS_WEBHOOKS_H
#define REPORTS_WEBHOOKS_H

#include "events/counters.h"
#include "events/sink.h"
#include "route/web.h"
#include "spool/webhook_journal.h"

enum {
	WEBHOOKS_MAX = 16,
	WEBHOOK_EVENTS_MAX = 100,
	WEBHOOK_BODY_MAX = 256 << 10,
	WEBHOOK_LOOK_MS = 500,
	WEBHOOK_WAIT_MS_MIN = 1000,
	WEBHOOK_WAIT_MS_MAX = 5 * 60 * 1000,
	WEBHOOK_ANSWER_MS_MAX = 30 * 1000,
	WEBHOOK_SIGNATURE_SIZE = 128
};

struct webhook_settings {    /* Copied. */
	struct text name, url, secret;
	uint64_t kinds;      /* A bit for each enum event_kind that it wants. */
};

struct webhooks_parts {      /* Borrows all; they must outlive it. */
	struct loop *loop;
	struct web *web;
	struct webhook_journal *journal;
	struct event_sink sink;
	struct counters *counters;
};

struct webhooks;

/* NULL: no memory. */
[[nodiscard]] struct webhooks *webhooks_new(const struct webhooks_parts *parts);
void webhooks_free(struct webhooks *webhooks); /* NULL is fine. */

/* In place of those before, WEBHOOKS_MAX at most; what was under way is posted again. */
void webhooks_reload(struct webhooks *webhooks, const struct webhook_settings *settings, size_t count);

/* The header field of a body: `Webhook-Signature: t=UNIX,v1=HEX`. False: no memory. Pure. */
[[nodiscard]] bool webhook_sign(struct text secret, int64_t time_s, struct text body, char out_field[WEBHOOK_SIGNATURE_SIZE]);

#endif
