/* The DKIM signatures of a message (RFC 6376, RFC 8301, RFC 8463).
 *
 * Pure and resumable. The body is never held: its hashes come out of one set (auth/canon.h) that the message streams through.
 *
 *   D1  At most DKIM_SIGNATURES_MAX signatures, from the top, are looked at.
 *   D2  A pass says: unchanged in what is signed, by the domain's will. rsa-sha1, RSA keys under 1024 bits, and signatures
 *       that leave out From never pass.
 *
 * Life: dkim_new when the header is complete; the body through the set; questions and answers whenever they come; when both have
 * ended, dkim_judge. All of it lives in the arena. */
#ifndef AUTH_DKIM_H
#define AUTH_DKIM_H

#include "auth/signature.h"

enum { DKIM_SIGNATURES_MAX = 10 };

struct dkim_finding {            /* About one signature. Borrows. */
	enum auth_result result; /* Of pass, fail, temperror, permerror. */
	const char *reason;      /* Static; NULL: nothing to add. */
	const struct signature
	    *signature;          /* With its domain, selector and algorithm, as far as they can be read. */
	uint64_t unsigned_bytes; /* Of a pass with l=: how much of the body it does not cover. */
};

struct dkim;

/* Borrows `index` and `hashes` until dkim_judge. `now_s` is for x=. NULL: no memory. */
[[nodiscard]] struct dkim *dkim_new(
    const struct header_index *index, struct body_hashes *hashes, int64_t now_s, struct arena *arena);

/* What it waits for: keys. False when it has all it needs. */
[[nodiscard]] bool dkim_question(const struct dkim *dkim, struct question *out_question);

/* The answer to that question. */
void dkim_answer(struct dkim *dkim, const struct answer *answer);

/* After the end of the body and of the questions, once. `ring` may keep the keys; NULL: nobody does. Findings in the order of the header; *out_count may be 0. */
const struct dkim_finding *dkim_judge(struct dkim *dkim, struct key_ring *ring, size_t *out_count);

/* Signatures that nobody looked at (D1). */
size_t dkim_ignored(const struct dkim *dkim);

#endif
