#include "base/text.h"

#include <xxhash.h>

#include "base/must.h"

bool text_equal_nocase(struct text a, struct text b)
{
	if (a.length != b.length)
		return false;
	for (size_t i = 0; i < a.length; i++)
		if (byte_lower(a.bytes[i]) != byte_lower(b.bytes[i]))
			return false;
	return true;
}

bool text_starts_nocase(struct text whole, struct text prefix)
{
	return whole.length >= prefix.length && text_equal_nocase(text_part(whole, 0, prefix.length), prefix);
}

bool text_ends(struct text whole, struct text suffix)
{
	return whole.length >= suffix.length &&
	    text_equal(text_from(whole, whole.length - suffix.length), suffix);
}

uint64_t text_hash(struct text text, uint64_t seed)
{
	return XXH3_64bits_withSeed(text.bytes, text.length, seed);
}

uint64_t text_hash_nocase(struct text text, uint64_t seed)
{
	char piece[64];

	for (struct text rest = text; rest.length > 0; rest = text_from(rest, sizeof piece)) {
		const size_t length = rest.length < sizeof piece ? rest.length : sizeof piece;

		for (size_t i = 0; i < length; i++)
			piece[i] = byte_lower(rest.bytes[i]);
		seed = XXH3_64bits_withSeed(piece, length, seed);
	}
	return seed;
}

int text_compare(struct text a, struct text b)
{
	const size_t common = a.length < b.length ? a.length : b.length;
	const int order = common > 0 ? memcmp(a.bytes, b.bytes, common) : 0;

	if (order != 0)
		return order;
	return (a.length > b.length) - (a.length < b.length);
}

size_t text_find_byte_last(struct text whole, char byte)
{
	const char *at = whole.length > 0 ? memrchr(whole.bytes, byte, whole.length) : NULL;

	return at ? (size_t)(at - whole.bytes) : whole.length;
}

/* In steps: to look for one of the two to the end would read a text that is full of the other once for each. */
size_t text_find_line_end(struct text whole)
{
	enum { STEP = 128 };
	size_t at = 0;

	while (at < whole.length) {
		const struct text step = text_part(whole, at, STEP);
		const struct text line = text_part(step, 0, text_find_byte(step, '\n'));
		const size_t end = text_find_byte(line, '\r');

		at += end;
		if (end < step.length)
			break;
	}
	return at;
}

size_t text_find(struct text whole, struct text part)
{
	if (part.length == 0)
		return 0;
	const char *at =
	    whole.length >= part.length ? memmem(whole.bytes, whole.length, part.bytes, part.length) : NULL;

	return at ? (size_t)(at - whole.bytes) : whole.length;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct text text_trim(struct text whole)
{
	while (whole.length > 0 && is_blank(whole.bytes[0]))
		whole = text_from(whole, 1);
	while (whole.length > 0 && is_blank(whole.bytes[whole.length - 1]))
		whole.length--;
	return whole;
}

bool text_cut(struct text *rest, char separator, struct text *out_piece)
{
	if (rest->bytes == NULL)
		return false;

	const size_t at = text_find_byte(*rest, separator);

	*out_piece = text_part(*rest, 0, at);
	*rest = at < rest->length ? text_from(*rest, at + 1) : TEXT_EMPTY;
	return true;
}

bool text_to_u64(struct text digits, uint64_t *out_value)
{
	uint64_t value = 0;

	if (digits.length == 0)
		return false;
	for (size_t i = 0; i < digits.length; i++) {
		const uint64_t digit = (uint64_t)(unsigned char)digits.bytes[i] - '0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out_value = value;
	return true;
}

/* How many bytes at the start are below 128: looked at by eight, because nearly all text is of them. */
static size_t ascii_length(struct text whole)
{
	size_t length = 0;
	uint64_t eight;

	for (; length + sizeof eight <= whole.length; length += sizeof eight) {
		memcpy(&eight, whole.bytes + length, sizeof eight);
		if ((eight & 0x8080808080808080) != 0)
			break;
	}
	while (length < whole.length && (unsigned char)whole.bytes[length] < 128)
		length++;
	return length;
}

bool text_is_ascii(struct text whole)
{
	return ascii_length(whole) == whole.length;
}

/* Length of the well-formed sequence at the start of `rest`, 0 if there is none. */
static size_t utf8_sequence(struct text rest)
{
	const unsigned char *b = (const unsigned char *)rest.bytes;
	const unsigned char lead = b[0];
	const size_t length = lead < 0x80  ? 1
	    : lead >= 0xc2 && lead <= 0xdf ? 2
	    : lead >= 0xe0 && lead <= 0xef ? 3
	    : lead >= 0xf0 && lead <= 0xf4 ? 4
					   : 0;

	if (length == 0 || rest.length < length)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	if ((lead == 0xe0 && b[1] < 0xa0) || (lead == 0xed && b[1] > 0x9f) || (lead == 0xf0 && b[1] < 0x90) ||
	    (lead == 0xf4 && b[1] > 0x8f))
		return 0;
	return length;
}

bool text_is_utf8(struct text whole)
{
	for (;;) {
		whole = text_from(whole, ascii_length(whole));
		if (whole.length == 0)
			return true;

		const size_t length = utf8_sequence(whole);

		if (length == 0)
			return false;
		must(length <= whole.length);
		whole = text_from(whole, length);
	}
}
