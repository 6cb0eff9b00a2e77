/* The envelope: who sent a message, to whom, and what they asked for.
 *
 * All text borrows; whoever makes an envelope says from what arena. */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include "base/endpoint.h"
#include "mail/address.h"
#include "mail/flow.h"
#include "mail/priority.h"
#include "mail/queue_id.h"
#include "mail/verdict.h"

/* NOTIFY of RFC 3461 §4.1; 0 means not given (failure and delay). */
enum dsn_notify {
	DSN_NOTIFY_NEVER = 1,
	DSN_NOTIFY_SUCCESS = 2,
	DSN_NOTIFY_FAILURE = 4,
	DSN_NOTIFY_DELAY = 8
};

enum dsn_return { DSN_RETURN_UNSPECIFIED, DSN_RETURN_FULL, DSN_RETURN_HEADERS }; /* RET, §4.3 */

enum recipient_flag {
	RECIPIENT_HELD = 1,     /* By an operator: not tried until released. */
	RECIPIENT_EXPANDED = 2, /* Came out of an alias: aliases are not looked up again. */
	RECIPIENT_WARNED = 4,   /* Its sender was told of the delay. */
	RECIPIENT_QUARANTINED = 8, /* Held, because its message ended the process twice. */
	RECIPIENT_PAUSED = 16,  /* Held, because an operator paused where it goes or whence it comes. */
	RECIPIENT_EXPIRED = 32, /* An operator: as if its time had run out. */
	RECIPIENT_BOUNCED = 64  /* An operator: back to its sender. */
};

/* What operators decide; a delivery under way does not change it. */
enum {
	RECIPIENT_ENDED = RECIPIENT_EXPIRED | RECIPIENT_BOUNCED,
	RECIPIENT_STEERED = RECIPIENT_HELD | RECIPIENT_PAUSED | RECIPIENT_ENDED
};

struct recipient {
	/* Fixed when it enters the spool. */
	uint32_t index; /* Unique within its message, for ever. */
	struct address address;
	struct text original; /* ORCPT decoded, "rfc822;user@example.org"; empty: none. */
	uint8_t notify;       /* enum dsn_notify bits. */
	struct flow flow;     /* Of its message; put by the spool. */
	/* Delivery state; only the queue changes it. */
	uint8_t flags; /* enum recipient_flag bits. */
	uint32_t attempt_count;
	int64_t due_ms;      /* Unix time of the next attempt. */
	struct verdict last; /* Last answer; code 0 before the first attempt. */
	struct text via;     /* The host an operator sends it to; empty: where the routes say. */
};

enum envelope_flag {
	ENVELOPE_SMTPUTF8 = 1, /* Demanded by MAIL or by an address (RFC 6531). */
	ENVELOPE_8BIT = 2,     /* BODY=8BITMIME, or 8-bit bytes seen in the body. */
	ENVELOPE_BOUNCE = 4,   /* Made by us: a DSN. */
	ENVELOPE_REQUIRETLS = 8, /* Under TLS all the way, or not at all (RFC 8689). */
	ENVELOPE_JUNK = 16, /* Its author's domain disowns it: into a mailbox's folder for such. */
	ENVELOPE_BY_RETURN = 256, /* With deliver_by_ms: later it is not wanted at all. */
	ENVELOPE_BY_TRACE = 512,  /* The sender wants to hear of each server that takes it over. */
	ENVELOPE_TLS_WAIVED = 1024 /* To arrive matters more than TLS: policies of its recipients' domains hold for nothing (RFC 8689 §5). */
};

struct envelope {
	queue_id id;
	int64_t arrived_ms; /* Unix time. */
	int64_t expires_ms; /* Unix time when it is given up. */
	int64_t held_until_ms; /* Not tried before (RFC 4865); 0: at once. */
	int64_t deliver_by_ms; /* When it ought to be there (RFC 2852); 0: whenever. */
	uint16_t flags;
	int8_t priority; /* RFC 6710: PRIORITY_MIN to PRIORITY_MAX; 0: nobody asked for one. */
	enum dsn_return dsn_return;
	struct address reverse_path;
	struct text envelope_id; /* ENVID decoded; empty: none. */
	struct text client;      /* "helo.name[192.0.2.1]"; for log, trace and reports. */
	struct text user;        /* Authenticated user, or "uid 1000" of sendmail; may be empty. */
	uint64_t body_size;      /* Bytes stored, trace header included. */
	uint32_t chunk_count;
};

/* When its way through the queue begins: on arrival, or when it is held no longer. */
static inline int64_t envelope_start_ms(const struct envelope *envelope)
{
	return envelope->held_until_ms > envelope->arrived_ms ? envelope->held_until_ms : envelope->arrived_ms;
}

/* What it demands of TLS, as its sender said it; empty: nothing. */
static inline struct text envelope_tls_demand(const struct envelope *envelope)
{
	return envelope->flags & ENVELOPE_REQUIRETLS ? TEXT("REQUIRETLS")
	    : envelope->flags & ENVELOPE_TLS_WAIVED  ? TEXT("TLS-Required: No")
	                                             : TEXT_EMPTY;
}

/* An envelope with its recipients. */
struct message {
	struct envelope envelope;
	struct recipient *recipients;
	uint32_t recipient_count;
};

#endif
