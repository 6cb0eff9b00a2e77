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

/* 0 to 63; -1 for what stands for nothing. */
static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum error base64_decode(struct text base64, struct arena *arena, struct text *out_bytes)
{
	char *room = arena_alloc(arena, base64.length / 4 * 3 + 4);
	size_t length = 0, digits = 0, padding = 0;
	uint32_t group = 0;

	if (room == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < base64.length; i++) {
		const char c = base64.bytes[i];
		const int value = digit_value(c);

		if (is_blank(c))
			continue;
		if (c == '=') {
			padding++;
			continue;
		}
		if (value < 0 || padding > 0)
			return ERR_SYNTAX;
		group = (group << 6 | (uint32_t)value) & 0xffffff;
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
