#include "smtp/xtext.h"

#include "base/hex.h"

static bool stands_for_itself(char c)
{
	return c >= '!' && c <= '~' && c != '+' && c != '=';
}

bool xtext_encode(struct text plain, struct arena *arena, struct text *out_xtext)
{
	static const char digits[] = "0123456789ABCDEF";
	char *room = arena_array(arena, plain.length + 1, 3);
	size_t length = 0;

	if (room == NULL)
		return false;
	for (size_t i = 0; i < plain.length; i++) {
		const unsigned char byte = (unsigned char)plain.bytes[i];

		if (stands_for_itself(plain.bytes[i])) {
			room[length++] = plain.bytes[i];
			continue;
		}
		room[length++] = '+';
		room[length++] = digits[byte >> 4];
		room[length++] = digits[byte & 15];
	}
	*out_xtext = (struct text){ room, length };
	return true;
}

/* The byte behind "+HH" at the start of `rest`; -1 if there is none. */
static int hex_pair(struct text rest)
{
	if (rest.length < 3)
		return -1;
	const int high = hex_value(rest.bytes[1]), low = hex_value(rest.bytes[2]);

	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

enum error xtext_decode(struct text xtext, struct arena *arena, struct text *out_plain)
{
	char *room = arena_alloc(arena, xtext.length + 1);
	size_t length = 0;

	if (room == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < xtext.length;) {
		if (stands_for_itself(xtext.bytes[i])) {
			room[length++] = xtext.bytes[i++];
			continue;
		}
		const int byte = xtext.bytes[i] == '+' ? hex_pair(text_from(xtext, i)) : -1;

		if (byte < 0)
			return ERR_SYNTAX;
		room[length++] = (char)byte;
		i += 3;
	}
	*out_plain = (struct text){ room, length };
	return OK;
}

/* UTF-8 of a character into `room` (4 bytes); its length, 0 for what is none. */
static size_t put_character(uint32_t character, char *room)
{
	if (character < 0x80) {
		room[0] = (char)character;
		return 1;
	}
	if (character < 0x800) {
		room[0] = (char)(0xc0 | character >> 6);
		room[1] = (char)(0x80 | (character & 0x3f));
		return 2;
	}
	if (character < 0x10000) {
		room[0] = (char)(0xe0 | character >> 12);
		room[1] = (char)(0x80 | (character >> 6 & 0x3f));
		room[2] = (char)(0x80 | (character & 0x3f));
		return character >= 0xd800 && character <= 0xdfff ? 0 : 3;
	}
	room[0] = (char)(0xf0 | character >> 18);
	room[1] = (char)(0x80 | (character >> 12 & 0x3f));
	room[2] = (char)(0x80 | (character >> 6 & 0x3f));
	room[3] = (char)(0x80 | (character & 0x3f));
	return character <= 0x10ffff ? 4 : 0;
}

/* "\x{HEX}" with two to six digits at the start of `rest`. Its length, 0 if it is none. */
static size_t embedded_character(struct text rest, uint32_t *out_character)
{
	const size_t end = text_find_byte(text_part(rest, 0, 10), '}');
	uint32_t character = 0;

	if (!text_starts(rest, TEXT("\\x{")) || end >= rest.length || end < 5 || end > 9)
		return 0;
	for (size_t i = 3; i < end; i++) {
		if (hex_value(rest.bytes[i]) < 0)
			return 0;
		character = character * 16 + (uint32_t)hex_value(rest.bytes[i]);
	}
	*out_character = character;
	return end + 1;
}

enum error xtext_decode_address(
    struct text xtext, bool allow_utf8, struct arena *arena, struct text *out_plain)
{
	char *room = arena_alloc(arena, xtext.length + 1);
	size_t length = 0;

	if (room == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < xtext.length;) {
		const char c = xtext.bytes[i];
		const struct text rest = text_from(xtext, i);
		uint32_t character = 0;
		size_t used = 1, put = 0;

		if (c == '\\') {
			/* Its text is shorter than its source: `room` holds it. */
			used = embedded_character(rest, &character);
			put = used > 0 ? put_character(character, room + length) : 0;
		} else if (c == '+' && hex_pair(rest) >= 0 && hex_pair(rest) < 128) {
			room[length] = (char)hex_pair(rest);
			used = 3;
			put = 1;
		} else if (stands_for_itself(c) || (allow_utf8 && (unsigned char)c > 127)) {
			room[length] = c;
			put = 1;
		}
		if (put == 0)
			return ERR_SYNTAX;
		i += used;
		length += put;
	}
	const struct text plain = { room, length };

	if (!text_is_utf8(plain))
		return ERR_SYNTAX;
	*out_plain = plain;
	return OK;
}
