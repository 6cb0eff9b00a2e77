/* The DNS Tree Walk: which records stand at a domain and above it, and which of its ancestors is the Organizational
 * Domain (RFC 9989 §4.10).
 *
 * Pure.
 *
 *   T1  At most DMARC_QUERIES_MAX questions, however deep the domain is.
 *
 * Life: dmarc_walk_start; questions and answers until dmarc_walk_question says no. It may stop anywhere before. */
#ifndef AUTH_DMARC_WALK_H
#define AUTH_DMARC_WALK_H

#include "auth/dmarc_record.h"
#include "auth/question.h"
#include "base/arena.h"

enum { DMARC_QUERIES_MAX = 8 };

struct dmarc_found {
	struct text domain;
	struct dmarc_record record;
};

struct dmarc_walk {
	struct arena *arena;                         /* Borrows. */
	struct text start, target;                   /* An empty target: it has ended. */
	struct text name;                            /* Of the question. */
	struct dmarc_found found[DMARC_QUERIES_MAX]; /* From the longest domain to the shortest. */
	size_t count, asked;
	bool failed;    /* DNS did not answer, or memory ran out. */
	bool ambiguous; /* More than one record at its start. */
};

/* `domain` must outlive the walk. */
void dmarc_walk_start(struct dmarc_walk *walk, struct text domain, struct arena *arena);

/* What it waits for; false when it has ended. */
[[nodiscard]] bool dmarc_walk_question(const struct dmarc_walk *walk, struct question *out_question);

/* The answer to that question. */
void dmarc_walk_answer(struct dmarc_walk *walk, const struct answer *answer);

/* The Organizational Domain, when it has ended without failing (§4.10.2). */
struct text dmarc_walk_organization(const struct dmarc_walk *walk);

#endif
