#include "target.h"

#include "auth/auth_results.h"
#include "base/buffer.h"
#include "inbound/claim_filter.h"

/* Cut anywhere, the same is kept; and nothing of it, read as a header, speaks in our name. */
static void keep(struct text input, size_t piece_size, struct buffer *out)
{
	struct claim_filter filter = { .ours = TEXT("mx.test") };

	while (input.length > 0) {
		struct text piece = text_part(input, 0, piece_size);

		input = text_from(input, piece.length);
		while (piece.length > 0)
			must(buffer_append(out, claim_filter_next(&filter, &piece)));
	}
	must(buffer_append(out, claim_filter_end(&filter)));
}

void target(struct text input, unsigned choice, struct arena *arena)
{
	struct buffer whole, cut;
	struct header_field field;

	(void)arena;
	buffer_init(&whole, TARGET_ARENA_BYTES);
	buffer_init(&cut, TARGET_ARENA_BYTES);
	keep(input, input.length, &whole);
	keep(input, choice % 40 + 1, &cut);
	must(text_equal(buffer_text(&whole), buffer_text(&cut)));
	for (struct text rest = buffer_text(&whole); header_next(&rest, &field);)
		must(!text_equal_nocase(field.name, TEXT("authentication-results")) ||
		    text_find(field.whole, TEXT("\r\n")) == field.whole.length ||
		    !auth_results_claims(field.value, TEXT("mx.test")));
	buffer_done(&whole);
	buffer_done(&cut);
}
