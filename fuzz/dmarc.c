#include "target.h"

#include "auth/dmarc.h"

/* The input is the record of every name that the choice picks. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	const struct answer_record record = { .text = input };
	const struct text dkim = TEXT("c.b.test");
	struct question question;
	struct dmarc *dmarc = dmarc_new(TEXT("a.b.test"), arena);

	dmarc_identify(dmarc, &(struct dmarc_identifiers){ TEXT("x.a.b.test"), &dkim, 1 });
	for (unsigned asked = 0; dmarc_question(dmarc, &question); asked++) {
		must(asked < 30);
		const bool found = (choice >> asked % 8 & 1) != 0;

		dmarc_answer(dmarc, &(struct answer){ found ? ANSWER_FOUND : ANSWER_ABSENT, &record, found });
	}
	must(dmarc_verdict(dmarc)->result != AUTH_TEMPERROR);
}
