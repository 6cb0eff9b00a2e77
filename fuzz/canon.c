#include "target.h"

#include "auth/canon.h"

enum { FORMS = 4 };

static void hash(struct text body, size_t piece, uint64_t limit, uint8_t out_hashes[FORMS][DIGEST_BYTES], uint64_t *out_length)
{
	struct body_hashes *hashes = body_hashes_new();
	size_t ids[FORMS];

	must(hashes != NULL);
	for (size_t i = 0; i < FORMS; i++)
		must(body_hashes_want(hashes, i & 1 ? CANON_RELAXED : CANON_SIMPLE, i & 2 ? limit : BODY_WHOLE, &ids[i]));
	for (; body.length > 0; body = text_from(body, piece))
		body_hashes_add(hashes, text_part(body, 0, piece));
	body_hashes_end(hashes);
	for (size_t i = 0; i < FORMS; i++)
		memcpy(out_hashes[i], body_hashes_hash(hashes, ids[i]), DIGEST_BYTES);
	*out_length = body_hashes_length(hashes, ids[0]);
	body_hashes_free(hashes);
}

/* The input is a body: its hashes are the same however it comes in pieces (C2). */
void target(struct text input, unsigned choice, struct arena *arena)
{
	uint8_t whole[FORMS][DIGEST_BYTES], cut[FORMS][DIGEST_BYTES];
	uint64_t whole_length, cut_length;

	(void)arena;
	hash(input, input.length + 1, choice, whole, &whole_length);
	hash(input, 1 + choice % 16, choice, cut, &cut_length);
	must(memcmp(whole, cut, sizeof whole) == 0 && whole_length == cut_length);
	must(whole_length <= (uint64_t)input.length + 2);
}
