/* Reports of single messages that failed DMARC, to who asks for them (RFC 9991).
 *
 *   F1  A stranger decides how many messages fail: at most FAILURES_AN_HOUR reports leave in an hour, FAILURES_OF_DOMAIN about one domain,
 *       and FAILURES_AT_ONCE are made at a time. What is beyond is counted, and no more.
 *   F2  Nobody waits for them, and none is tried twice: one that cannot be made is forgotten.
 *
 * One for a lane, on its thread. Life: new, dns, settings; free; the port is closed before. */
#ifndef REPORTS_FAILURES_H
#define REPORTS_FAILURES_H

#include "auth/signing_keys.h"
#include "base/rate_table.h"
#include "dns/dns.h"
#include "dsn/failure_report.h"
#include "events/counters.h"
#include "events/sink.h"
#include "io/loop.h"
#include "spool/spool.h"

enum { FAILURES_AT_ONCE = 8, FAILURES_AN_HOUR = 100, FAILURES_OF_DOMAIN = 10 };

struct failures_parts {                 /* Borrows all; they must outlive it. */
	struct loop *loop;
	struct spool_port *port;
	struct queue_id_source *ids;
	struct rate_table *rates;       /* Of all lanes. */
	struct event_sink sink;
	struct counters *counters;      /* NULL: nobody counts. */
};

struct failures_settings {              /* Borrows; must outlive their use. */
	bool on;
	struct text hostname;
	struct text organization;       /* May be empty. */
	struct address contact;         /* Whom they are from. */
};

struct failures;

/* NULL: no memory. */
[[nodiscard]] struct failures *failures_new(const struct failures_parts *parts, const struct failures_settings *settings);
void failures_free(struct failures *failures); /* NULL is fine. */

void failures_reload(struct failures *failures, const struct failures_settings *settings);

/* From now on names are asked of this one (borrows; one before it is retired, not freed); and reports are signed with these keys
 * (shares; NULL: with none). */
void failures_set_dns(struct failures *failures, struct dns *dns);
void failures_set_signing(struct failures *failures, struct signing_keys *keys);

/* This message failed. Copies what it needs. */
void failures_report(struct failures *failures, const struct auth_failure *failure);

#endif
