#include "target.h"

#include "auth/spf.h"

/* Every answer is the input: as text, as hosts, as none, as a failure. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	struct answer_record record = { .text = input,
		.address = { .family = ENDPOINT_IP4, .ip = { 192, 0, 2, 1 } } };
	struct spf_request request = {
		.sender = TEXT("a-b@x.test"), .helo = TEXT("h.test"), .client = record.address
	};
	struct question question;
	struct spf *spf = spf_new(&request, arena);

	for (unsigned asked = 0; spf != NULL && spf_question(spf, &question); asked++) {
		must(asked < 300);
		const bool found = question.type == QUESTION_TXT || (choice >> asked % 8 & 1) != 0;

		spf_answer(spf, &(struct answer){ found ? ANSWER_FOUND : ANSWER_EMPTY, &record, found });
	}
	must(spf == NULL || spf_verdict(spf)->lookups <= SPF_TERMS_MAX);
}
