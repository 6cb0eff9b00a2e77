/*                  "."                CR                LF
 *     LINE_START ───────► DOT ────────────► DOT_CR ───────────► the end
 *        ▲  │ other        │ other            │ other: that CR stood alone
 *        │  ▼              ▼                  ▼
 *     LF └─ CR ◄──────── INSIDE ◄─────────────┘
 *              CR
 *
 * INSIDE is where the time goes: it runs over whole lines with memchr and gives one piece for as
 * many lines as the input holds, until a dot must be dropped or something is wrong. */
#include "inbound/body_scan.h"

#include "base/must.h"

static const struct text crlf = { "\r\n", 2 };

/* Eight bytes at a time: this looks at every byte of every message. */
static bool has_bit8(const char *bytes, size_t length)
{
	uint64_t all = 0, eight;
	size_t at = 0;

	for (; at + sizeof eight <= length; at += sizeof eight) {
		memcpy(&eight, bytes + at, sizeof eight);
		all |= eight;
	}
	for (; at < length; at++)
		all |= (unsigned char)bytes[at];
	return (all & 0x8080808080808080u) != 0;
}

/* Bytes of one line, without its end. */
static void measure_line(struct body_scan *scan, size_t length)
{
	if (length > BODY_LINE_MAX - scan->line_length) {
		scan->found |= BODY_LONG_LINE;
		scan->line_length = BODY_LINE_MAX;
	} else {
		scan->line_length += (uint32_t)length;
	}
}

static void line_ends(struct body_scan *scan)
{
	scan->position = BODY_LINE_START;
	scan->line_length = 0;
}

/* How many bytes of `input` go on as they are: up to the first that needs a decision. */
static size_t run_length(struct body_scan *scan, struct text input)
{
	size_t at = 0;

	while (at < input.length) {
		const struct text rest = text_from(input, at);

		if (scan->position == BODY_LINE_START && scan->dots && rest.bytes[0] == '.')
			break;
		const struct text words = text_part(rest, 0, text_find_line_end(rest));

		measure_line(scan, words.length);
		scan->position = BODY_INSIDE;
		at += words.length;
		/* Only "words CR LF", all of it here, lets the run go on into the next line. */
		if (!text_starts(text_from(rest, words.length), crlf))
			break;
		at += 2;
		line_ends(scan);
	}
	if (!(scan->found & BODY_8BIT) && has_bit8(input.bytes, at))
		scan->found |= BODY_8BIT;
	return at;
}

/* The byte after a run: a CR, an LF or a dot that opens a line. */
static void take_special(struct body_scan *scan, char byte, struct text *out_piece)
{
	if (byte == '.') {
		must(scan->position == BODY_LINE_START && scan->dots);
		scan->position = BODY_DOT;
	} else if (byte == '\r') {
		scan->position = BODY_CR;
	} else {
		must(byte == '\n');
		scan->found |= BODY_BARE_LF;
		*out_piece = crlf;
		/* Not LINE_START: a dot behind it is no end and was not stuffed (B1). */
		scan->position = BODY_INSIDE;
		scan->line_length = 0;
	}
}

/* The byte that decides what the ones before it meant. True: it is taken, too. */
static bool decide(struct body_scan *scan, char byte, enum body_event *event, struct text *out_piece)
{
	switch (scan->position) {
	case BODY_DOT:
		scan->position = byte == '\r' ? BODY_DOT_CR : BODY_INSIDE; /* The dot was stuffing. */
		return byte == '\r';
	case BODY_DOT_CR:
		if (byte == '\n') {
			*event = BODY_END;
			return true;
		}
		scan->found |= BODY_BARE_CR;
		scan->position = BODY_INSIDE;
		return false;
	case BODY_CR:
		if (byte == '\n') {
			*out_piece = crlf;
			line_ends(scan);
			return true;
		}
		scan->found |= BODY_BARE_CR;
		scan->position = BODY_INSIDE;
		return false;
	case BODY_LINE_START:
	case BODY_INSIDE:
		break;
	}
	return false;
}

enum body_event body_scan_next(struct body_scan *scan, struct text *input, struct text *out_piece)
{
	enum body_event event = BODY_PIECE;

	while (input->length > 0) {
		struct text piece = TEXT_EMPTY;

		if (decide(scan, input->bytes[0], &event, &piece)) {
			*input = text_from(*input, 1);
			if (event == BODY_END)
				return BODY_END;
		} else if (scan->position == BODY_LINE_START || scan->position == BODY_INSIDE) {
			const size_t length = run_length(scan, *input);

			piece = text_part(*input, 0, length);
			*input = text_from(*input, length);
			if (length == 0) {
				take_special(scan, input->bytes[0], &piece);
				*input = text_from(*input, 1);
			}
		}
		if (piece.length > 0) {
			*out_piece = piece;
			return BODY_PIECE;
		}
	}
	return BODY_MORE;
}

void body_scan_finish(struct body_scan *scan)
{
	must(!scan->dots);
	if (scan->position == BODY_CR)
		scan->found |= BODY_BARE_CR;
	scan->position = BODY_LINE_START;
}
