/* A small world for tests of evaluators: facts that the DNS knows, and asking until the evaluator is content. */
#ifndef AUTH_TEST_FACTS_H
#define AUTH_TEST_FACTS_H

#include "auth/question.h"

struct fact {
	enum question_type type;
	const char *name;
	const char *data; /* An address, a text, a name; NULL: the look-up fails. */
};

struct facts {
	const struct fact *all;
	size_t count;
	size_t asked; /* Questions so far. */
};

#define FACTS(list)                                                      \
	{                                                                \
		.all = (list), .count = sizeof(list) / sizeof((list)[0]) \
	}

/* Answer one question. */
void facts_answer(struct facts *facts, const struct question *question,
    void (*answer)(void *evaluator, const struct answer *answer), void *evaluator);

/* Ask and answer until `x` has no more questions. */
#define facts_satisfy(facts, prefix, x)                                                     \
	do {                                                                                \
		struct question question_;                                                  \
		while (prefix##_question((x), &question_))                                  \
			facts_answer((facts), &question_,                                   \
			    (void (*)(void *, const struct answer *))prefix##_answer, (x)); \
	} while (0)

#endif
