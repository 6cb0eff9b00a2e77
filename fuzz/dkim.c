#include "target.h"

#include "auth/dkim.h"

/* The input is a message; the choice says what the keys' answers are. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	struct answer_record record = {
		.text = TEXT("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
	};
	struct body_hashes *hashes = body_hashes_new();
	struct header_index index;
	struct question question;
	size_t count = 0;

	must(hashes != NULL && header_index_make(input, arena, &index) == OK);
	struct dkim *dkim = dkim_new(&index, hashes, 1, arena);
	while (dkim != NULL && dkim_question(dkim, &question))
		dkim_answer(
		    dkim, &(struct answer){ choice & 1 ? ANSWER_FOUND : ANSWER_FAILED, &record, choice & 1 });
	body_hashes_add(hashes, text_from(input, header_length(input)));
	body_hashes_end(hashes);
	must(dkim == NULL || dkim_judge(dkim, NULL, &count) != NULL);
	must(count <= DKIM_SIGNATURES_MAX);
	body_hashes_free(hashes);
}
