#include "target.h"

#include "auth/arc.h"

/* The input is a message. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	struct answer_record record = {
		.text = TEXT("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
	};
	struct body_hashes *hashes = body_hashes_new();
	struct header_index index;
	struct question question;

	must(hashes != NULL && header_index_make(input, arena, &index) == OK);
	struct arc *arc = arc_new(&index, hashes, 1, arena);
	while (arc != NULL && arc_question(arc, &question))
		arc_answer(
		    arc, &(struct answer){ choice & 1 ? ANSWER_FOUND : ANSWER_FAILED, &record, choice & 1 });
	body_hashes_add(hashes, text_from(input, header_length(input)));
	body_hashes_end(hashes);
	must(arc == NULL || arc_judge(arc, NULL)->set_count <= ARC_SETS_MAX);
	body_hashes_free(hashes);
}
