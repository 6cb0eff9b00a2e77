#include "base/base64.h"

#include "base/must.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_encode(struct text bytes, struct arena *arena, struct text *out_base64)
{
	const size_t length = base64_length(bytes.length);
	char *room = arena_alloc(arena, length + 1), *at = room;

	if (room == NULL)
		return false;
	for (size_t i = 0; i < bytes.length; i += 3) {
		uint32_t group = 0;

		for (size_t k = 0; k < 3; k++)
			group = group << 8 | (i + k < bytes.length ? (uint8_t)bytes.bytes[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			*at++ = i + k <= bytes.length ? alphabet[group >> (18 - 6 * k) & 63] : '=';
	}
	must((size_t)(at - room) == length);
	*out_base64 = (struct text){ room, length };
	return true;
}

/* What a byte stands for: 1 to 64 for the digits 0 to 63, 0 for nothing. Signatures and keys of strangers are decoded for
 * each message: comparing costs four times what looking up does. */
enum { BLANK = 65, PADDING };
static const uint8_t meanings[256] = {
	['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, ['+'] = 63, ['/'] = 64,
	[' '] = BLANK, ['\t'] = BLANK, ['\r'] = BLANK, ['\n'] = BLANK, ['='] = PADDING
};

enum error base64_decode(struct text base64, struct arena *arena, struct text *out_bytes)
{
	char *room = arena_alloc(arena, base64.length / 4 * 3 + 4);
	size_t length = 0, digits = 0, padding = 0;
	uint32_t group = 0;

	if (room == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < base64.length; i++) {
		const unsigned meaning = meanings[(uint8_t)base64.bytes[i]];

		if (meaning == BLANK)
			continue;
		if (meaning == PADDING) {
			padding++;
			continue;
		}
		if (meaning == 0 || padding > 0)
			return ERR_SYNTAX;
		group = (group << 6 | (meaning - 1)) & 0xffffff;
		if (digits++ % 4 != 0)
			room[length++] = (char)(uint8_t)(group >> (6 - 2 * ((digits - 1) % 4)));
	}
	/* One digit is no byte; and padding, where there is any, fills the group. */
	if (digits % 4 == 1 || (padding > 0 && (padding > 2 || (digits + padding) % 4 != 0)))
		return ERR_SYNTAX;
	*out_bytes = (struct text){ room, length };
	return OK;
}

enum error base64_decode_strict(struct text base64, struct arena *arena, struct text *out_bytes)
{
	struct text bytes, again;
	const enum error error = base64_decode(base64, arena, &bytes);

	if (error != OK)
		return error;
	if (!base64_encode(bytes, arena, &again))
		return ERR_NO_MEMORY;
	if (!text_equal(base64, again))
		return ERR_SYNTAX;
	*out_bytes = bytes;
	return OK;
}

/* The same digits in the other alphabet, padded, then the strict way. */
enum error base64url_decode(struct text base64url, struct arena *arena, struct text *out_bytes)
{
	const size_t padding = (4 - base64url.length % 4) % 4;
	char *room = arena_alloc(arena, base64url.length + padding + 1);

	if (room == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < base64url.length; i++) {
		const char c = base64url.bytes[i];

		if (c == '+' || c == '/' || c == '=')
			return ERR_SYNTAX;
		room[i] = c == '-' ? '+' : c == '_' ? '/' : c;
	}
	memset(room + base64url.length, '=', padding);
	return base64_decode_strict((struct text){ room, base64url.length + padding }, arena, out_bytes);
}
