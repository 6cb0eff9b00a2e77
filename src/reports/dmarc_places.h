/* Who gets reports of DMARC about a domain: the addresses of its record, and of those in other organizations only the ones that say
 * that they want them (RFC 9990 §4, RFC 9991 §3).
 *
 * Pure and resumable, like the evaluators of auth.
 *
 *   P1  An address of somebody else counts only with a record of his own that asks for it, so that nobody floods him by a record about
 *       himself. Without an answer it does not count for now.
 *   P2  At most DMARC_PLACES_MAX addresses are looked at; each costs at most DMARC_QUERIES_MAX + 1 questions, and all of them
 *       another DMARC_QUERIES_MAX.
 *
 * Life: dmarc_places_start; questions and answers until dmarc_places_question says no. All of it lives in the arena. */
#ifndef REPORTS_DMARC_PLACES_H
#define REPORTS_DMARC_PLACES_H

#include "auth/dmarc_walk.h"
#include "dsn/report_place.h"

enum { DMARC_PLACES_MAX = 8 };

enum dmarc_report_kind { DMARC_AGGREGATE, DMARC_FAILURE };

struct dmarc_places {
	struct arena *arena;
	enum dmarc_report_kind kind;
	struct text domain;
	enum { PLACES_RECORD, PLACES_ORGANIZATION, PLACES_WALK, PLACES_PERMISSION, PLACES_DONE } stage;
	struct dmarc_walk own, other; /* From the domain; from an address's. */
	struct text permission;       /* The name to ask for it. */
	struct report_place places[DMARC_PLACES_MAX];
	size_t count;                 /* Those before `next` are what was found. */
	size_t next;
	bool failed;                  /* Something had no answer. */
};

/* `domain`, which is lower case and where the policy was found, must outlive it. */
void dmarc_places_start(
    struct dmarc_places *places, enum dmarc_report_kind kind, struct text domain, struct arena *arena);

/* What it waits for; false when it has ended. */
[[nodiscard]] bool dmarc_places_question(const struct dmarc_places *places, struct question *out_question);

/* The answer to that question. */
void dmarc_places_answer(struct dmarc_places *places, const struct answer *answer);

#endif
