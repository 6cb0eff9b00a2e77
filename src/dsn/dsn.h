/* Delivery status notifications: what a sender is told about a message (RFC 3464, RFC 3461).
 *
 * Pure: facts in, a complete message out. One report speaks of every recipient that one
 * delivery settled, each with its own action; its subject names the worst of them.
 *
 *   N1  The report is well-formed whatever a stranger wrote into a reply, an address, an ENVID or the
 *       original: no line of it begins with a stranger's bytes outside the returned original, none is
 *       longer than 998 bytes, every line ends with CRLF, and the boundary occurs nowhere else.
 *   N2  It is 7-bit, unless an address in it or the returned original is not.
 *   N3  It never holds more of the original than was given, and given is at most DSN_ORIGINAL_MAX. */
#ifndef DSN_DSN_H
#define DSN_DSN_H

#include "base/buffer.h"
#include "mail/envelope.h"

/* A report of 100 recipients with answers of PUT_WORDS_MAX each, three times said, and the original. */
enum { DSN_ORIGINAL_MAX = 64 << 10, DSN_REPORT_MAX = 1 << 20 };

enum dsn_action {               /* RFC 3464 §2.3.3 */
	DSN_FAILED,
	DSN_DELAYED,
	DSN_EXPANDED,
	DSN_RELAYED,            /* To a host that sends no reports. */
	DSN_DELIVERED
};

struct dsn_recipient {
	struct address address;
	struct text original;   /* ORCPT decoded; may be empty. */
	enum dsn_action action;
	bool expired;           /* Failed because its time ran out: `verdict` is the last of many. */
	struct verdict verdict; /* The remote's own words, or ours when its host is empty. */
	int64_t attempted_ms;   /* Unix time of the last attempt; 0: none was made. */
	int64_t retry_until_ms; /* Delayed: when it will be given up. */
};

struct dsn_report {                   /* Borrows all. */
	struct text hostname;         /* Of the reporting MTA: us. */
	queue_id id;                  /* Of the report: it becomes its Message-ID. */
	int64_t now_ms;
	struct address to;            /* Who is told: the reverse-path, or a postmaster. */
	const struct envelope *envelope; /* Of the original. */
	const struct dsn_recipient *recipients;
	size_t recipient_count;       /* >= 1 */
	struct text original;         /* The original from its first byte on. */
	bool original_complete;       /* That is all of it. */
};

/* Append the report to `out`. With RET=FULL, a failure and a complete original the original is returned
 * whole, else its header only (RFC 3461 §4.3). False: no memory, or the limit of `out`, which is
 * as before then. */
[[nodiscard]] bool dsn_compose(const struct dsn_report *report, struct buffer *out);

/* What its envelope has to declare: ENVELOPE_BOUNCE, and ENVELOPE_8BIT, ENVELOPE_SMTPUTF8 where they
 * are true of the composed message. */
uint16_t dsn_envelope_flags(const struct dsn_report *report, struct text message);

#endif
