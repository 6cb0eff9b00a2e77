#include "dsn/put.h"

enum {
	LINE_COLUMNS = 76,    /* RFC 5322 §2.1.1: 78 should not be exceeded, */
	WORD_BYTES_MAX = 900, /* and 998 must not. */
	LINE_BYTES_MAX = 998
};

bool put_clean(struct text words, bool allow_utf8, struct arena *arena, struct text *out_clean)
{
	const bool utf8 = allow_utf8 && text_is_utf8(words);
	size_t length = words.length;

	if (length > PUT_WORDS_MAX) {
		length = PUT_WORDS_MAX;
		/* Not inside a UTF-8 sequence. */
		while (utf8 && length > 0 && ((unsigned char)words.bytes[length] & 0xC0) == 0x80)
			length--;
	}

	char *clean = arena_alloc(arena, length + 1);

	if (clean == NULL)
		return false;
	for (size_t i = 0; i < length; i++) {
		const unsigned char byte = (unsigned char)words.bytes[i];

		clean[i] = byte < 0x20 || byte == 0x7F ? ' ' : byte >= 0x80 && !utf8 ? '?' : (char)byte;
	}
	*out_clean = text_trim((struct text){ clean, length });
	return true;
}

/* Cut the next word off *words; blanks before it are dropped. False: there is none. */
static bool next_word(struct text *words, struct text *out_word)
{
	size_t start = 0, end;

	while (start < words->length && words->bytes[start] == ' ')
		start++;
	for (end = start; end < words->length && words->bytes[end] != ' ' && end - start < WORD_BYTES_MAX;)
		end++;
	/* A cut falls between characters: never before a continuation byte of UTF-8. */
	while (end < words->length && end > start + 1 && ((unsigned char)words->bytes[end] & 0xC0) == 0x80)
		end--;
	*out_word = text_part(*words, start, end - start);
	*words = text_from(*words, end);
	return out_word->length > 0;
}

bool put_folded(struct buffer *out, struct text start, struct text words, struct text indent)
{
	struct text word;
	size_t column = start.length;
	bool fresh = true; /* Nothing but `start` was put. */
	bool ok = buffer_append(out, start);

	while (ok && next_word(&words, &word)) {
		if (column + 1 + word.length > LINE_COLUMNS && (!fresh || column > indent.length + 1)) {
			ok = buffer_append(out, TEXT("\r\n")) && buffer_append(out, indent);
			column = indent.length;
		}
		const bool blank = column > 0 && out->bytes[out->start + out->length - 1] != ' ';

		ok = ok && (!blank || buffer_append(out, TEXT(" "))) && buffer_append(out, word);
		column += blank + word.length;
		fresh = false;
	}
	return ok && buffer_append(out, TEXT("\r\n"));
}

/* One line without its end, cut where it grows too long. */
static bool put_line(struct buffer *out, struct text line)
{
	size_t column = 0;

	while (line.length > 0) {
		size_t run = 0;

		while (run < line.length && column + run < LINE_BYTES_MAX && line.bytes[run] != '\0' && line.bytes[run] != '\r')
			run++;
		if (!buffer_append(out, text_part(line, 0, run)))
			return false;
		column += run;
		line = text_from(line, run);
		if (line.length > 0 && column == LINE_BYTES_MAX) {
			if (!buffer_append(out, TEXT("\r\n ")))
				return false;
			column = 1;
		} else {
			line = text_from(line, 1);
		}
	}
	return buffer_append(out, TEXT("\r\n"));
}

bool put_lines(struct buffer *out, struct text original)
{
	struct text line;

	if (text_ends(original, TEXT("\n")))
		original.length--;
	else if (original.length == 0)
		return true;
	while (text_cut(&original, '\n', &line)) {
		if (text_ends(line, TEXT("\r")))
			line.length--;
		if (!put_line(out, line))
			return false;
	}
	return true;
}
