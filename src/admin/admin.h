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

#include "dns/dns.h"
#include "events/counters.h"
#include "events/sink.h"
#include "queue/survey.h"
#include "route/hosts.h"
#include "route/router.h"
#include "spool/spool.h"

enum {
	ADMIN_PAGE_MAX = 500,
	ADMIN_PAGE_DEFAULT = 100,
	ADMIN_RECIPIENTS_MAX = 10000,
	ADMIN_TRACE_MAX = 20,
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
	struct spool_port *port;
	struct router *router;
	const struct hosts_settings *hosts;
	struct event_sink sink;
	void (*sum_counters)(void *context, struct counters *out_sum);
	/* Ask the queues: `surveyed` is called once, on this thread, but not after admin_free. False: no memory. */
	bool (*survey)(void *context, const struct admin_question *question, admin_surveyed *surveyed,
	    void *surveyed_context);
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

/* "queue list", "queue show", "trace", answered from a spool alone. Gives the answer,
 * or NULL when the request is none of these. */
json_t *admin_ask(struct spool *spool, const json_t *request);

/* {"ok": false, ...}; gives. */
[[gnu::format(printf, 2, 3)]] json_t *admin_failure(int exit_code, const char *format, ...);

#endif
