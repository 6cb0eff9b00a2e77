#include "auth/test_facts.h"

#include "base/must.h"

enum { RECORDS_MAX = 40, QUESTIONS_MAX = 1000 };

void facts_answer(struct facts *facts, const struct question *question,
    void (*answer_with)(void *evaluator, const struct answer *answer), void *evaluator)
{
	struct answer_record records[RECORDS_MAX];
	struct answer answer = { .status = ANSWER_ABSENT, .records = records };

	must(++facts->asked < QUESTIONS_MAX);
	for (size_t i = 0; i < facts->count; i++) {
		const struct fact *fact = &facts->all[i];

		if (!text_equal_nocase(text_of(fact->name), question->name))
			continue;
		if (answer.status == ANSWER_ABSENT)
			answer.status = ANSWER_EMPTY;
		if (fact->type != question->type)
			continue;
		if (fact->data == NULL) {
			answer = (struct answer){ .status = ANSWER_FAILED };
			break;
		}
		must(answer.count < RECORDS_MAX);
		records[answer.count] = (struct answer_record){ .text = text_of(fact->data) };
		if (fact->type == QUESTION_A || fact->type == QUESTION_AAAA)
			must(endpoint_parse_ip(text_of(fact->data), &records[answer.count].address));
		answer.count++;
		answer.status = ANSWER_FOUND;
	}
	answer_with(evaluator, &answer);
}
