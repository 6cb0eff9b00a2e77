/* What-if: mail that waits, and mail that was, against a configuration.
 *
 * The facts of a message (who handed it in, from whom, for whom) are one JSON object, and what a configuration makes of them
 * is another one. So the running server tells what is in force, `postroad check --replay` makes the same of a new
 * configuration with the same code, and what differs is what would change.
 *
 *   P1  Nobody is asked: no DNS, no host. What only they tell (SPF, lists, where MX records lead) is not judged.
 *   P2  A message tells at most REPLAY_RECIPIENTS_MAX of its recipients.
 *   P3  A request holds up the lane no longer than REPLAY_MS and one message: then it says how many of its messages are done. */
#ifndef ADMIN_REPLAY_H
#define ADMIN_REPLAY_H

#include <jansson.h>

#include "auth/signing_keys.h"
#include "conf/conf.h"
#include "route/router.h"
#include "spool/spool.h"

enum {
	REPLAY_RECIPIENTS_MAX = 100,
	REPLAY_IDS_MAX = 100,           /* Of one request. */
	REPLAY_MS = 20,
	REPLAY_LIMIT_DEFAULT = 2000,
	REPLAY_LIMIT_MAX = 10000        /* Messages that wait, and as many of the history. */
};

struct replay_side {                   /* Borrows all. */
	const struct conf *conf;
	const struct router *router;
	const struct signing_keys *signing; /* NULL: nothing is signed. */
	int64_t now_ms;
};

/* {"id", "arrived_ms", "waiting", "ours", "sender", "user", "client", "size", "recipients": how many it came for, "to":
 * [{"address", "waiting", "expanded", "via"}], "omitted"}. NULL: nothing is known of it. Uses up the arena. Gives. */
json_t *replay_facts(struct spool *spool, queue_id id, struct arena *arena);

/* {"refused", "limited", "signed": texts or null; "rates": [{"what", "who", "count", "period_ms", "amount"}]: what is taken of which
 * buckets; "mailboxes": where they are; "to": for each recipient {"key": equal where the way is, "way": the same for all that go it,
 * "refused", "mailbox"}}. Gives. */
json_t *replay_judge(const struct replay_side *side, const json_t *facts);

/* "replay list": {"waiting": IDs, the oldest first; "history": IDs, the newest first; "more_waiting"}. Of each at most "limit". */
json_t *admin_replay_list(struct spool *spool, const json_t *request);

/* "replay" of "ids": {"cases": [{"facts", "judged"}], "done": how many IDs}. */
json_t *admin_replay(struct spool *spool, const struct replay_side *side, const json_t *request);

#endif
