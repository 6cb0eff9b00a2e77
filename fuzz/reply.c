#include "target.h"

#include "smtp/reply.h"

void target(struct text input, unsigned choice, [[maybe_unused]] struct arena *arena)
{
	struct text rest = input, piece;
	struct reply_parser parser;

	reply_parser_init(&parser);
	for (; rest.length > 0; rest = text_from(rest, 1 + choice)) {
		piece = text_part(rest, 0, 1 + choice);
		while (piece.length > 0) {
			const enum reply_event event = reply_parser_feed(&parser, &piece);

			if (event == REPLY_DONE)
				must(text_is_utf8(reply_verdict(&parser).text));
			if (event == REPLY_BROKEN)
				piece.length = 0;
		}
	}
}
