/* Webhooks: events of the journal (spool/webhook_journal.h) posted to those who want to be told, signed.
 *
 *   W1  At least once and in order: a place in the journal moves only when a 2xx answer has come. A batch that is posted again may
 *       have grown, but begins with the same events.
 *   W2  One request of a webhook is under way at a time, of WEBHOOK_EVENTS_MAX events and WEBHOOK_BODY_MAX bytes.
 *   W3  After anything but 2xx it is tried again, later each time, WEBHOOK_WAIT_MS_MAX at most. 410 stops it until a reload.
 *   W4  A webhook that is new is told what happens from then on.
 *   W5  What there is to tell of one (struct webhook_past) outlives a reload, as long as its name stays; not the process.
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
	WEBHOOK_SIGNATURE_SIZE = 128,
	WEBHOOK_TROUBLE_SIZE = 160
};

struct webhook_settings {    /* Copied. */
	struct text name, url, secret;
	uint64_t kinds;      /* A bit for each enum event_kind that it wants. */
	const char *problem; /* Why it cannot be told (static): it is only shown. NULL: it can. */
};

struct webhooks_parts {      /* Borrows all; they must outlive it. */
	struct loop *loop;
	struct web *web;
	struct webhook_journal *journal;
	struct event_sink sink;
	struct counters *counters;
};

struct webhook_past {             /* A value. Times are Unix time; 0: never since the start. */
	int64_t asked_ms;         /* When the last attempt ended, */
	unsigned status;          /* what was answered (0: nothing), */
	char trouble[WEBHOOK_TROUBLE_SIZE]; /* and what was wrong; empty: it went well. */
	int64_t worked_ms;        /* When it last took events. */
	int64_t failing_since_ms; /* 0: it does not fail. */
	uint64_t taken;           /* Events. */
	uint64_t dropped;         /* Events that gave way to newer ones before it took them, also such as only other webhooks want. */
};

enum webhook_state {
	WEBHOOK_WORKS,            /* Or was not tried yet. */
	WEBHOOK_FAILS,
	WEBHOOK_STOPPED,          /* By its 410. */
	WEBHOOK_UNUSABLE          /* settings.problem tells. */
};

struct webhook_status {           /* Borrows until the next turn of the loop. */
	const struct webhook_settings *settings;
	enum webhook_state state;
	struct webhook_past past;
	bool under_way;
	uint64_t waiting;         /* Events that it wants and has not taken; those under way are among them. */
	int64_t oldest_ms;        /* When the oldest of these happened, in Unix time; 0: none waits. */
	int64_t next_ms;          /* When it is told next, in Unix time; 0: nothing waits, or now, or never. */
};

struct webhooks;

/* NULL: no memory. */
[[nodiscard]] struct webhooks *webhooks_new(const struct webhooks_parts *parts);
void webhooks_free(struct webhooks *webhooks); /* NULL is fine. */

/* In place of those before, WEBHOOKS_MAX at most; what was under way is posted again. */
void webhooks_reload(struct webhooks *webhooks, const struct webhook_settings *settings, size_t count);

/* How each of them fares. Reads all that waits for the slowest: some milliseconds, when the journal is full. Gives how many. */
size_t webhooks_status(struct webhooks *webhooks, struct webhook_status out_status[WEBHOOKS_MAX]);

/* W3: how long to wait after a failure, when it was so long before it (0: not at all). Pure. */
int64_t webhook_wait_ms(int64_t before_ms);

/* The header field of a body: `Webhook-Signature: t=UNIX,v1=HEX`. False: no memory. Pure. */
[[nodiscard]] bool webhook_sign(struct text secret, int64_t time_s, struct text body, char out_field[WEBHOOK_SIGNATURE_SIZE]);

#endif
