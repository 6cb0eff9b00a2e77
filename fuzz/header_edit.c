#include "target.h"

#include "inbound/header_edit.h"

/* What comes out of the header, and its Sender, when it goes in by pieces of this size. */
static struct text edited(struct header_edit *edit, struct text message, size_t piece_size, bool holds_sender, struct arena *arena)
{
	struct header_scan scan = { .split = true };
	struct text part, result;
	struct buffer out;

	header_edit_init(edit, TEXT("here.test"));
	edit->holds_sender = holds_sender;
	buffer_init(&out, 1 << 20);
	for (size_t at = 0; at < message.length && scan.position != HEADER_OVER; at += piece_size) {
		struct text input = text_part(message, at, piece_size);

		while (input.length > 0 && scan.position != HEADER_OVER) {
			const enum header_event event = header_scan_next(&scan, &input, &part);

			if (event == HEADER_PIECE || event == HEADER_HELD)
				must(header_edit_piece(edit, &scan, part, &out));
		}
	}
	header_scan_finish(&scan);
	must(header_edit_end(edit, &out));
	must(arena_copy(arena, buffer_text(&out), &result));
	buffer_done(&out);
	return result;
}

void target(struct text input, unsigned choice, struct arena *arena)
{
	struct header_edit *whole = arena_alloc(arena, sizeof *whole), *cut = arena_alloc(arena, sizeof *cut);
	struct text authors = TEXT_EMPTY, cut_authors = TEXT_EMPTY;

	must(whole != NULL && cut != NULL);
	const struct text out = edited(whole, input, input.length + 1, choice & 1, arena);

	must(text_equal(out, edited(cut, input, (choice >> 1) % 64 + 1, choice & 1, arena))); /* E2 */
	must(text_equal(header_edit_sender(whole), header_edit_sender(cut)));
	must(header_edit_authors(whole, &authors) == header_edit_authors(cut, &cut_authors));
	must(text_equal(authors, cut_authors));
	must((choice & 1) || header_edit_sender(whole).length == 0);
}
