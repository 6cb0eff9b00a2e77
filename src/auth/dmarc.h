/* May the author's domain be believed, and what does it ask for if not? (DMARC, RFC 9989.)
 *
 * Pure and resumable. Finding the policy can begin as soon as the author is known; what SPF and DKIM found is given
 * when it is there.
 *
 *   M1  A temporary failure never reads as a fail: it is a temperror unless what did get an answer aligns.
 *   M2  Questions are bounded: 8 for each of the author and the identifiers, and one for the author's existence.
 *
 * Life: dmarc_new; questions and answers; dmarc_identify, once, at any time; when it was called and dmarc_question says no,
 * dmarc_verdict. All of it lives in the arena. */
#ifndef AUTH_DMARC_H
#define AUTH_DMARC_H

#include "auth/dmarc_record.h"
#include "auth/question.h"
#include "auth/result.h"
#include "base/arena.h"

enum { DMARC_IDENTIFIERS_MAX = 10 };

struct dmarc_identifiers {       /* Borrows until the verdict. */
	struct text spf;         /* The domain that passed SPF; empty: none did. */
	const struct text *dkim; /* d= of signatures that passed. */
	size_t dkim_count;       /* At most DMARC_IDENTIFIERS_MAX of them count. */
};

struct dmarc_verdict {           /* Borrows. */
	enum auth_result result; /* Of none, pass, fail, temperror, permerror. */
	struct text author;
	struct text domain;            /* Where the policy was found; empty: nowhere. */
	struct text organization;      /* Of the author; empty when it did not matter. */
	enum dmarc_policy policy;      /* What holds for this author, with sp, np and t; */
	enum dmarc_policy untested;    /* without t. */
	enum dmarc_policy disposition; /* What is asked for this message. */
	bool spf_aligned, dkim_aligned;
	const struct dmarc_record *record; /* NULL: none. */
	const char *reason;                /* Static; NULL: nothing to add. */
};

struct dmarc;

/* `author` is a domain in A-label form. NULL: no memory. */
[[nodiscard]] struct dmarc *dmarc_new(struct text author, struct arena *arena);

/* What it waits for; false when it has all it needs, or needs dmarc_identify first. */
[[nodiscard]] bool dmarc_question(const struct dmarc *dmarc, struct question *out_question);

/* The answer to that question. */
void dmarc_answer(struct dmarc *dmarc, const struct answer *answer);

/* What passed. */
void dmarc_identify(struct dmarc *dmarc, const struct dmarc_identifiers *identifiers);

/* Only after its end. */
const struct dmarc_verdict *dmarc_verdict(const struct dmarc *dmarc);

#endif
