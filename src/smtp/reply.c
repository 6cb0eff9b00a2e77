#include "smtp/reply.h"

#include "base/must.h"

static const struct text line_joint = { " / ", 3 };

void reply_parser_init(struct reply_parser *parser)
{
	/* The two rooms are left as they are: nothing reads beyond their lengths. */
	parser->words = TEXT_EMPTY;
	parser->enhanced = (struct enhanced_code){ 0 };
	parser->line_length = parser->text_length = parser->byte_count = 0;
	parser->line_count = 0;
	parser->code = 0;
	parser->done = parser->broken = false;
}

/* "250", "250 words" or "250-words"; *out_code is 200 to 599. */
static bool split_line(struct text line, uint16_t *out_code, bool *out_last, struct text *out_words)
{
	if (line.length < 3 || line.bytes[0] < '2' || line.bytes[0] > '5')
		return false;
	if (!byte_is_digit(line.bytes[1]) || !byte_is_digit(line.bytes[2]))
		return false;
	if (line.length > 3 && line.bytes[3] != ' ' && line.bytes[3] != '-')
		return false;
	*out_code = (uint16_t)((line.bytes[0] - '0') * 100 + (line.bytes[1] - '0') * 10 + (line.bytes[2] - '0'));
	*out_last = line.length == 3 || line.bytes[3] == ' ';
	*out_words = text_from(line, 4);
	return true;
}

/* One to three digits at the front of *rest (RFC 3463 §2). */
static bool take_number(struct text *rest, uint16_t *out_number)
{
	size_t length = 0;
	unsigned number = 0;

	while (length < rest->length && byte_is_digit(rest->bytes[length])) {
		if (length == 3)
			return false;
		number = number * 10 + (unsigned)(rest->bytes[length++] - '0');
	}
	if (length == 0)
		return false;
	*rest = text_from(*rest, length);
	*out_number = (uint16_t)number;
	return true;
}

static bool take_dot(struct text *rest)
{
	if (rest->length == 0 || rest->bytes[0] != '.')
		return false;
	*rest = text_from(*rest, 1);
	return true;
}

/* "5.1.1 words": cut off *words. A code of another class than the reply's is only words (RFC 2034 §4). */
static bool take_enhanced(struct text *words, unsigned class, struct enhanced_code *out_enhanced)
{
	struct text rest = *words;
	struct enhanced_code found;

	if (!take_number(&rest, &found.class) || found.class != class || !take_dot(&rest))
		return false;
	if (!take_number(&rest, &found.subject) || !take_dot(&rest) || !take_number(&rest, &found.detail))
		return false;
	if (rest.length > 0 && rest.bytes[0] != ' ')
		return false;
	*words = text_trim(rest);
	*out_enhanced = found;
	return true;
}

static void add_text(struct reply_parser *parser, struct text words)
{
	const struct text fitting = text_part(words, 0, sizeof parser->text - parser->text_length);

	if (fitting.length > 0)
		memcpy(parser->text + parser->text_length, fitting.bytes, fitting.length);
	parser->text_length += fitting.length;
}

/* Y2. What goes to logs, reports and terminals must not steer them: C0 controls, DEL, and the C1
 * controls, which UTF-8 spells C2 80 to C2 9F. */
static void make_printable(struct reply_parser *parser)
{
	char *text = parser->text;
	size_t length = parser->text_length;

	/* A character that the limit cut in two. */
	if (length == sizeof parser->text) {
		while (length > 0 && ((unsigned char)text[length - 1] & 0xC0) == 0x80)
			length--;
		if (length > 0 && (unsigned char)text[length - 1] >= 0xC0)
			length--;
		parser->text_length = length;
	}

	const bool utf8 = text_is_utf8((struct text){ text, length });

	for (size_t i = 0; i < length; i++) {
		const unsigned char byte = (unsigned char)text[i];

		if (byte == '\t')
			text[i] = ' ';
		else if (byte < 32 || byte == 127 || (byte > 127 && !utf8))
			text[i] = '?';
		else if (byte == 0xC2 && (unsigned char)text[i + 1] < 0xA0)
			text[i] = text[i + 1] = '?';
	}
}

static enum reply_event finish_line(struct reply_parser *parser)
{
	struct text line = { parser->line, parser->line_length };
	struct text words;
	bool last;

	if (text_ends(line, TEXT("\r")))
		line.length--;
	parser->line_length = 0;
	parser->line_count++;
	if (parser->line_count > REPLY_LINES_MAX || !split_line(line, &parser->code, &last, &words)) {
		parser->broken = true;
		return REPLY_BROKEN;
	}
	parser->words = words;

	words = text_trim(words);
	take_enhanced(&words, parser->code / 100, &parser->enhanced);
	if (words.length > 0 && parser->text_length > 0)
		add_text(parser, line_joint);
	add_text(parser, words);
	if (!last)
		return REPLY_LINE;

	/* Lines of one reply should carry one code; when they do not, the last one counts. */
	if (parser->enhanced.class != parser->code / 100)
		parser->enhanced = (struct enhanced_code){ 0 };
	make_printable(parser);
	parser->done = true;
	return REPLY_DONE;
}

enum reply_event reply_parser_feed(struct reply_parser *parser, struct text *piece)
{
	if (parser->done)
		reply_parser_init(parser);
	if (parser->broken)
		return REPLY_BROKEN;

	const size_t end = text_find_byte(*piece, '\n');
	const bool complete = end < piece->length;
	const size_t used = complete ? end + 1 : end;

	parser->byte_count += used;
	if (end > sizeof parser->line - parser->line_length || parser->byte_count > REPLY_BYTES_MAX) {
		parser->broken = true;
		return REPLY_BROKEN;
	}
	if (end > 0)
		memcpy(parser->line + parser->line_length, piece->bytes, end);
	parser->line_length += end;
	*piece = text_from(*piece, used);
	return complete ? finish_line(parser) : REPLY_MORE;
}

struct text reply_line(const struct reply_parser *parser)
{
	return parser->words;
}

uint32_t reply_line_count(const struct reply_parser *parser)
{
	return parser->line_count;
}

struct verdict reply_verdict(const struct reply_parser *parser)
{
	must(parser->done);
	return (struct verdict){
		.code = parser->code,
		.enhanced = parser->enhanced,
		.text = { parser->text, parser->text_length },
	};
}
