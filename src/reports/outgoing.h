/* A message of ours on its way into the spool: an ordinary one, signed, of which no report of delivery is wanted. */
#ifndef REPORTS_OUTGOING_H
#define REPORTS_OUTGOING_H

#include "auth/signing_keys.h"
#include "dsn/report_mail.h"
#include "events/event.h"
#include "spool/spool.h"

enum {
	OUTGOING_PLACES_MAX = 8,
	OUTGOING_LIFETIME_MS = 24 * 3600 * 1000 /* RFC 8460 §5.5 */
};

struct outgoing { /* Borrows all. */
	struct signing_keys *signing;   /* NULL: it is not signed. */
	const struct report_mail *mail; /* To at most OUTGOING_PLACES_MAX. */
	uint16_t flags;                 /* Of the envelope. */
	struct arena *arena;
};

/* Put it into the change. *out_generated is to be reported when that is durable; its text is in the arena. False: no memory. */
[[nodiscard]] bool outgoing_put(
    const struct outgoing *outgoing, struct spool_change *change, struct event *out_generated);

#endif
