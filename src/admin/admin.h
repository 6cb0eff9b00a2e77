/* Every operator action and question, once: the CLI, the control socket and the
 * web interface all come through here, with the same words.
 *
 * A request is a JSON object {"do": "queue list", ...}; so is its answer: {"ok": true, ...} or
 * {"ok": false, "error": "one sentence", "exit": sysexits code}.
 *
 * Questions about the queue and its history (admin_ask) need only a readable spool, so the
 * CLI can ask them while no server runs. Actions (admin_request) need the server's lane.
 *
 *   A1  An answer to an action is given after the change is durable.
 *   A2  No answer holds more than ADMIN_PAGE_MAX messages, nor goes on to another one after
 *       ADMIN_RECIPIENTS_MAX recipients; "next" says where to go on. */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include <jansson.h>

#include "admin/replay.h"
#include "dns/dns.h"
#include "events/counters.h"
#include "events/feed.h"
#include "events/sink.h"
#include "keys/plan.h"
#include "queue/survey.h"
#include "reports/reports.h"
#include "reports/webhooks.h"
#include "route/hosts.h"
#include "route/router.h"
#include "spool/spool.h"
#include "tls/tls.h"

enum {
	ADMIN_PAGE_MAX = 500,
	ADMIN_PAGE_DEFAULT = 100,
	ADMIN_RECIPIENTS_MAX = 10000,
	ADMIN_TRACE_MAX = 20,
	ADMIN_TRACE_LOOKED_AT_MAX = 2000, /* Messages, for a fact that no index leads to; some 20 ms. */
	ADMIN_TRACE_WORDS_MIN = 3,
	ADMIN_TAILS_MAX = 16, /* Requests that wait for events at one time. */
	ADMIN_KEYS_MAX = 100, /* Of DKIM that "stats" tells. */
	ADMIN_EXPLAIN_MAX = 100 /* Destinations of an alias; each may cost DNS queries. */
};

/* A question to the queues: of all lanes, for what is in trouble; or of the one that delivers the mail of `domain`,
 * for `destination`. Borrows during the call. The answer comes at once or later, and borrows during its call. */
struct admin_question {
	struct text domain, destination;
};
typedef void admin_surveyed(void *context, const struct queue_survey *survey);

/* What the requests of one server act upon. Borrows all; router is taken anew by admin_set_router. */
struct admin_settings {
	struct loop *loop;
	struct spool *spool;
	const char *spool_folder;      /* NULL: in memory. */
	struct spool_port *port;
	struct router *router;
	const struct hosts_settings *hosts;
	struct event_sink sink;
	struct reports *reports; /* NULL: none are sent. */
	struct webhooks *webhooks; /* NULL: there are none. */
	struct feed *feed;       /* NULL: events are not kept for who looks on. */
	void (*sum_counters)(void *context, struct counters *out_sum);
	const struct counters *(*lane_counters)(void *context, unsigned lane); /* NULL behind the last one. */
	/* Ask the queues: `surveyed` is called once, on this thread, but not after admin_free. False: no memory. */
	bool (*survey)(void *context, const struct admin_question *question, admin_surveyed *surveyed,
	    void *surveyed_context);
	/* What is in force, but for the router. Borrows until the next turn of the loop. NULL: it cannot be told. */
	void (*in_force)(void *context, struct replay_side *out_side);
	/* Those that clients see. Borrows until the next turn of the loop. NULL: it cannot be told. */
	size_t (*certificates)(void *context, const struct tls_certificate_facts **out_facts);
	/* The plan of the keys that sign (NULL: none do), and the times that it keeps. Borrows until the next turn of the loop. NULL: it
	 * cannot be told. */
	const struct key_plan *(*keys)(void *context, struct plan_settings *out_settings);
	/* The proxy by which the mail of a pool leaves. False: it has none. NULL: no pool has. */
	bool (*pool_proxy)(void *context, struct text pool, struct endpoint *out_proxy);
	/* Ask the supervisor: false when it cannot be reached. */
	bool (*reload)(void *context);
	bool (*upgrade)(void *context);
	bool (*stop)(void *context);
	void *context;
};

struct admin;

/* Copies the settings; shares the router. NULL: no memory. What is still open when it is freed is
 * answered with a failure; its changes stay with the port, which must be closed without another poll. */
[[nodiscard]] struct admin *admin_new(const struct admin_settings *settings);
void admin_free(struct admin *admin);

/* From now on this router (shared). */
void admin_set_router(struct admin *admin, struct router *router);

/* The answer is given (the receiver releases it) later or at once, exactly once. `uid` of the caller for the history. */
typedef void admin_answered(void *context, json_t *answer);
void admin_request(struct admin *admin, const json_t *request, uint32_t uid, admin_answered *answered, void *context);

/* "queue list", "queue show", "queue pauses", "trace", "reports", "replay list", answered from a spool alone. Gives the answer,
 * or NULL when the request is none of these. */
json_t *admin_ask(struct spool *spool, const json_t *request);

/* A DKIM key as "stats" and `postroad dkim list --json` tell it; `next` as of key_plan_next. Gives. */
json_t *admin_key(const struct planned_key *key, const struct plan_settings *settings, int64_t now_s, struct text next);

/* {"ok": false, ...}; gives. */
[[gnu::format(printf, 2, 3)]] json_t *admin_failure(int exit_code, const char *format, ...);

#endif
