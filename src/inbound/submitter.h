/* What somebody may do who has logged in: in whose name he sends, and how often.
 *
 * Pure, but for the table of rates, which is shared by all lanes. Who has not logged in is not asked here: clients are
 * trusted for their address, and sendmail(1) for its user.
 *
 *   M1  A message counts when its sender is accepted, a recipient when it is. What is refused counts nothing.
 *   M2  The null path is free: receipts and other notices must be (RFC 8098 §2.1, RFC 5321 §6.1). */
#ifndef INBOUND_SUBMITTER_H
#define INBOUND_SUBMITTER_H

#include "base/rate_table.h"
#include "route/router.h"

/* Kinds of keys in the table. */
enum submitter_rate_kind { RATE_OF_USER_MESSAGES = 1, RATE_OF_USER_RECIPIENTS };

enum submitter_check {
	SUBMITTER_FREE,     /* Anybody sends as anybody. */
	SUBMITTER_ENVELOPE, /* The reverse-path must be his own. */
	SUBMITTER_BOTH      /* And all addresses of the From field. */
};

struct submitter_rates { /* A value. */
	struct rate messages, recipients;
};

struct submitter_user {
	struct text name;
	struct submitter_rates rates;
};

struct submitter_rules {
	enum submitter_check check;
	struct submitter_rates rates;       /* Of who has none of his own among: */
	const struct submitter_user *users;
	size_t user_count;
};

/* All of it into the arena. False: no memory. */
[[nodiscard]] bool submitter_rules_copy(
    const struct submitter_rules *rules, struct arena *arena, struct submitter_rules *out_rules);

enum { SUBMITTER_REPLY_MAX = 200 };

struct submitter {                        /* Borrows all. */
	const struct submitter_rules *rules;
	const struct router *router;
	struct rate_table *rates;         /* NULL: nobody counts. */
	struct text name;                 /* As he logged in. */
	int64_t now_ms;                   /* Monotonic. */
	bool is_foreign, is_too_fast;     /* Why he was refused, for the counters; set. */
	char *reply;                      /* Room of SUBMITTER_REPLY_MAX, for the text of verdicts. */
};

struct verdict submitter_sender(struct submitter *submitter, const struct address *sender);
struct verdict submitter_recipient(struct submitter *submitter);

/* Are these, a value of a From or Sender field, all his own? What cannot be understood is not. */
bool submitter_owns(struct submitter *submitter, struct text addresses);

/* `authors`: the value of the only From field, empty when there is none; bytes NULL: there are several, or one too long. */
struct verdict submitter_authors(struct submitter *submitter, struct text authors);

#endif
