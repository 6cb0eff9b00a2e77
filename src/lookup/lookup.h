/* Asks the DNS what an evaluator of src/auth wants to know, until it knows enough.
 *
 *   L1  `done` is never called inside lookup_start, and exactly once unless cancelled.
 *   L2  One question is open at a time; evaluators bound how many there are.
 *
 * Life: lookup_start gives one; it ends with `done`, or with lookup_cancel, whichever comes first. */
#ifndef LOOKUP_LOOKUP_H
#define LOOKUP_LOOKUP_H

#include "auth/question.h"
#include "dns/dns.h"

/* How to speak with one kind of evaluator. Static. */
struct lookup_kind {
	bool (*question)(const void *evaluator, struct question *out_question);
	void (*answer)(void *evaluator, const struct answer *answer);
};
extern const struct lookup_kind lookup_spf, lookup_iprev, lookup_dkim, lookup_arc, lookup_dmarc, lookup_dns_list;

struct lookup_listener { /* Borrows `context`. */
	void (*done)(void *context);
	/* Each question when its answer is here; may be NULL. */
	void (*heard)(void *context, const struct question *question, enum answer_status status);
	void *context;
};

struct lookup;

/* The evaluator has a question. Borrows all, `dns` and the evaluator until the end. NULL: no memory. */
[[nodiscard]] struct lookup *lookup_start(
    struct dns *dns, const struct lookup_kind *kind, void *evaluator, const struct lookup_listener *listener);

/* `done` will not come. NULL is fine. */
void lookup_cancel(struct lookup *lookup);

#endif
