/* Reports of a day to those who ask for them: what the tallies of the spool (spool/tally.h) hold about a domain is composed,
 * packed, and mailed or handed to a web server, when the day is over.
 *
 *   R1  A report that is mailed enters the spool in the change that drops its tallies: once, whatever happens. One that a web server
 *       takes may be handed in twice when a crash comes before its tallies are dropped; its name is then the same.
 *   R2  Who asks for none, or for none that we can hand in, gets none: the tallies are dropped.
 *   R3  Each domain has its own moment in the REPORTS_SPREAD_MS after the end of the day. What cannot be looked up or handed in is tried
 *       again every REPORTS_RETRY_MS, and given up when the day is over for longer than REPORTS_PATIENCE_MS.
 *   R4  At most REPORTS_AT_ONCE are under way. What is counted meanwhile is not lost: its set is not dropped, but read again.
 *
 * One for a spool, on one thread. Life: new, settings, free; the port is closed before. */
#ifndef REPORTS_REPORTS_H
#define REPORTS_REPORTS_H

#include "auth/signing_keys.h"
#include "events/sink.h"
#include "mail/address.h"
#include "route/web.h"
#include "spool/tally.h"

enum {
	REPORTS_AT_ONCE = 4,
	REPORTS_LOOK_MS = 10 * 60 * 1000,
	REPORTS_RETRY_MS = 60 * 60 * 1000,
	REPORTS_SPREAD_MS = 4 * 60 * 60 * 1000,   /* RFC 8460 §4.1 */
	REPORTS_PATIENCE_MS = REPORTS_SPREAD_MS + 24 * 60 * 60 * 1000, /* RFC 8460 §5.5 */
	REPORTS_FETCH_MS_MAX = 60 * 1000
};

struct reports_parts {                  /* Borrows all; they must outlive it. */
	struct loop *loop;
	struct spool *spool;
	struct spool_port *port;
	struct queue_id_source *ids;
	struct web *web;
	struct event_sink sink;
	int64_t (*now_unix_ms)(void *context); /* NULL: the loop's wall clock. */
	void *now_context;
};

struct reports_settings {               /* Borrows; must outlive their use. */
	struct text hostname;
	struct text organization;       /* As whom we report; empty: the hostname. */
	struct address contact;         /* Who is asked about reports, and whom they are from. */
	bool tls, dmarc;                /* Whether there are reports of these; if not, what was counted for them is dropped. */
};

struct reports;

/* It looks for what is to be done from now on, and every REPORTS_LOOK_MS. NULL: no memory. */
[[nodiscard]] struct reports *reports_new(const struct reports_parts *parts, const struct reports_settings *settings);
void reports_free(struct reports *reports); /* NULL is fine. Who waits for reports_send hears nothing. */

void reports_reload(struct reports *reports, const struct reports_settings *settings);

/* From now on names are asked of this one (borrows); and reports are signed with these keys (shares; NULL: with none). */
void reports_set_dns(struct reports *reports, struct dns *dns);
void reports_set_signing(struct reports *reports, struct signing_keys *keys);

struct reports_sum {                    /* What became of the sets that were looked at. */
	uint32_t sent, unwanted, given_up;
	uint32_t later;                 /* They wait for another attempt. */
};
typedef void reports_sent(void *context, const struct reports_sum *sum);

/* Report the days from `first` to `last` now, each domain at once. `sent` is called once, later. False: others are being sent. */
[[nodiscard]] bool reports_send(
    struct reports *reports, uint32_t first, uint32_t last, reports_sent *sent, void *context);

#endif
