/* The Authenticated Received Chain of a message (RFC 8617): what those before us found, sealed by each.
 *
 * Pure and resumable, like auth/dkim.h, with whose body hashes it shares one set.
 *
 *   C1  At most ARC_SETS_MAX sets; more are a broken chain (§5.2, step 1).
 *   C2  A chain passes as a whole: every set complete, every seal right, the newest signature over the message right.
 *
 * Life: arc_new when the header is complete; questions and answers; when those and the body have ended, arc_judge. */
#ifndef AUTH_ARC_H
#define AUTH_ARC_H

#include "auth/signature.h"

enum { ARC_SETS_MAX = 50 };

struct arc_verdict {             /* Borrows. */
	enum auth_result result; /* The chain validation status: none, pass or fail. */
	const char *reason;      /* Static; NULL: nothing to add. */
	unsigned set_count;      /* Instances; the one at fault when `at` is not 0. */
	unsigned at;
	bool is_temporary;   /* A fail because DNS did not answer: trying again later may help. */
	struct text domain;  /* Of the newest seal. */
	struct text results; /* The newest ARC-Authentication-Results, after its instance. */
};

struct arc;

/* Borrows `index` and `hashes` until arc_judge. NULL: no memory. */
[[nodiscard]] struct arc *arc_new(
    const struct header_index *index, struct body_hashes *hashes, int64_t now_s, struct arena *arena);

/* What it waits for: keys. False when it has all it needs. */
[[nodiscard]] bool arc_question(const struct arc *arc, struct question *out_question);

/* The answer to that question. */
void arc_answer(struct arc *arc, const struct answer *answer);

/* After the end of the body and of the questions, once. `ring`: as for dkim_judge. */
const struct arc_verdict *arc_judge(struct arc *arc, struct key_ring *ring);

#endif
