/* How the evaluators of this folder ask and hear: a question goes out as a value, its answer comes back as one.
 *
 *     while (spf_question(spf, &question))      // waiting for an answer
 *             spf_answer(spf, &answer);         // from wherever it was found
 *
 * Nothing here knows who answers: src/lookup asks the DNS, a test its table. */
#ifndef AUTH_QUESTION_H
#define AUTH_QUESTION_H

#include "base/endpoint.h"

enum question_type { QUESTION_A, QUESTION_AAAA, QUESTION_MX, QUESTION_TXT, QUESTION_PTR };

struct question {
	enum question_type type;
	struct text name; /* Borrows from the evaluator, until it ends. May be no possible name at all. */
};

enum answer_status {
	ANSWER_FOUND,  /* With at least one record. */
	ANSWER_EMPTY,  /* The name exists, but has no such record. */
	ANSWER_ABSENT, /* NXDOMAIN, or no possible name. */
	ANSWER_FAILED  /* No answer, a broken one, or one that DNSSEC refuses: try again later. */
};

struct answer_record {
	struct endpoint address; /* A, AAAA */
	struct text text;        /* TXT: its strings joined; MX and PTR: the host's name. */
	uint16_t preference;     /* MX */
};

struct answer { /* Borrows; evaluators copy what they keep. */
	enum answer_status status;
	const struct answer_record *records;
	size_t count;
};

#endif
