#include "auth/spf_macro.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth/domain.h"
#include "base/buffer.h"
#include "base/must.h"

/* One piece of a macro-string. */
struct piece {
	char letter;  /* In lower case; 0: `literal` stands for itself. */
	bool escaped; /* Written as a capital: URL-escape the value. */
	bool reversed;
	unsigned keep; /* Labels from the right; 0: all. */
	struct text delimiters;
	struct text literal;
};

/* The part in braces, after the letter: digits, "r", delimiters. */
static bool read_transformers(struct text inside, struct piece *piece)
{
	size_t at = 0;
	unsigned keep = 0;

	while (at < inside.length && byte_is_digit(inside.bytes[at]) && keep <= DOMAIN_LABELS_MAX)
		keep = 10 * keep + (unsigned)(inside.bytes[at++] - '0');
	while (at < inside.length && byte_is_digit(inside.bytes[at]))
		at++;
	if (at > 0 && keep == 0)
		return false;
	piece->keep = keep;
	if (at < inside.length && byte_lower(inside.bytes[at]) == 'r') {
		piece->reversed = true;
		at++;
	}
	piece->delimiters = text_from(inside, at);
	for (; at < inside.length; at++)
		if (memchr(".-+,/_=", inside.bytes[at], 7) == NULL)
			return false;
	return true;
}

static bool read_expansion(struct text *rest, enum spf_place place, struct piece *piece)
{
	const size_t end = text_find_byte(*rest, '}');
	const struct text inside = text_part(*rest, 2, end - 2);

	if (end >= rest->length || inside.length == 0)
		return false;
	piece->letter = byte_lower(inside.bytes[0]);
	piece->escaped = piece->letter != inside.bytes[0];
	if (memchr("slodiphv", piece->letter, 8) == NULL &&
	    (place != SPF_IN_EXPLANATION || memchr("crt", piece->letter, 3) == NULL))
		return false;
	*rest = text_from(*rest, end + 1);
	return read_transformers(text_from(inside, 1), piece);
}

/* Take the next piece off a string that is not empty. False: a mistake. */
static bool next_piece(struct text *rest, enum spf_place place, struct piece *out_piece)
{
	struct piece piece = { 0 };
	size_t length = 0;

	if (rest->bytes[0] == '%') {
		const char second = rest->length > 1 ? rest->bytes[1] : '\0';

		if (second == '{' && !read_expansion(rest, place, &piece))
			return false;
		if (second != '{') {
			piece.literal = second == '%' ? TEXT("%") : second == '_' ? TEXT(" ") : TEXT("%20");
			*rest = text_from(*rest, 2);
		}
		*out_piece = piece;
		return second == '{' || second == '%' || second == '_' || second == '-';
	}
	while (length < rest->length && rest->bytes[length] != '%') {
		const char c = rest->bytes[length++];

		if ((c < '!' || c > '~') && !(c == ' ' && place == SPF_IN_EXPLANATION))
			return false;
	}
	piece.literal = text_part(*rest, 0, length);
	*rest = text_from(*rest, length);
	*out_piece = piece;
	return true;
}

bool spf_macro_check(struct text text, enum spf_place place)
{
	struct piece piece;

	while (text.length > 0)
		if (!next_piece(&text, place, &piece))
			return false;
	return true;
}

/* Letters, digits and hyphens, not at its ends, and not digits alone (RFC 7208 §12, toplabel). */
static bool is_top_label(struct text label)
{
	bool has_other = false;

	if (label.length == 0 || label.bytes[0] == '-' || label.bytes[label.length - 1] == '-')
		return false;
	for (size_t i = 0; i < label.length; i++) {
		if (!byte_is_alnum(label.bytes[i]) && label.bytes[i] != '-')
			return false;
		has_other |= !byte_is_digit(label.bytes[i]);
	}
	return has_other;
}

bool spf_domain_spec_check(struct text text)
{
	struct text rest = text, name;
	struct piece piece = { 0 };

	while (rest.length > 0)
		if (!next_piece(&rest, SPF_IN_DOMAIN, &piece))
			return false;
	if (piece.letter != 0)
		return true;
	name = domain_without_dot(piece.literal);
	const size_t dot = text_find_byte_last(name, '.');

	return dot < name.length && is_top_label(text_from(name, dot + 1));
}

bool spf_macro_needs_name(struct text text)
{
	struct piece piece;

	while (text.length > 0 && next_piece(&text, SPF_IN_EXPLANATION, &piece))
		if (piece.letter == 'p')
			return true;
	return false;
}

/* -- expanding --------------------------------------------------------------- */

static bool value_of(
    char letter, const struct spf_values *values, struct arena *arena, struct text *out_value)
{
	const bool is_ip6 = values->client->family == ENDPOINT_IP6;
	char room[ENDPOINT_TEXT_MAX];

	switch (letter) {
	case 's':
		*out_value = values->sender;
		return true;
	case 'l':
		*out_value = values->local;
		return true;
	case 'o':
		*out_value = values->sender_domain;
		return true;
	case 'd':
		*out_value = values->domain;
		return true;
	case 'h':
		*out_value = values->helo;
		return true;
	case 'r':
		*out_value = values->receiver;
		return true;
	case 'p':
		*out_value = values->validated;
		return true;
	case 'v':
		*out_value = is_ip6 ? TEXT("ip6") : TEXT("in-addr");
		return true;
	case 'i':
		return domain_dotted_address(values->client->ip, is_ip6, arena, out_value);
	case 'c':
		return arena_copy(arena, endpoint_print_ip(values->client, room), out_value);
	default:
		must(letter == 't'); /* It was checked. */
		return arena_print(arena, out_value, "%lld", (long long)values->now_s);
	}
}

/* Where a part of the value begins and ends. */
struct span {
	size_t start, end;
};

/* Split at the delimiters, turn around, keep the right-hand parts, join with dots (§7.3). */
static bool transform(
    struct text value, const struct piece *piece, struct arena *arena, struct text *out_value)
{
	const struct text delimiters = piece->delimiters.length > 0 ? piece->delimiters : TEXT(".");
	struct span *parts = arena_array(arena, value.length + 1, sizeof *parts);
	char *room = arena_alloc(arena, value.length + 1);
	size_t count = 0, length = 0;

	if (parts == NULL || room == NULL)
		return false;
	for (size_t i = 0; i <= value.length; i++) {
		if (i < value.length && memchr(delimiters.bytes, value.bytes[i], delimiters.length) == NULL)
			continue;
		parts[count].end = i;
		if (++count <= value.length)
			parts[count].start = i + 1;
	}
	for (size_t i = piece->keep > 0 && piece->keep < count ? count - piece->keep : 0; i < count; i++) {
		const struct span part = parts[piece->reversed ? count - 1 - i : i];

		if (length > 0 || i > (piece->keep > 0 && piece->keep < count ? count - piece->keep : 0))
			room[length++] = '.';
		memcpy(room + length, value.bytes + part.start, part.end - part.start);
		length += part.end - part.start;
	}
	*out_value = (struct text){ room, length };
	return true;
}

/* All but the unreserved characters of RFC 3986 as %XX. */
static bool append_escaped(struct buffer *out, struct text value)
{
	for (size_t i = 0; i < value.length; i++) {
		const char c = value.bytes[i];
		const bool plain = byte_is_alnum(c) || memchr("-._~", c, 4) != NULL;

		if (plain ? !buffer_append(out, text_part(value, i, 1))
			  : !buffer_print(out, "%%%02X", (unsigned char)c))
			return false;
	}
	return true;
}

static bool append_piece(
    struct buffer *out, const struct piece *piece, const struct spf_values *values, struct arena *arena)
{
	struct text value = piece->literal;

	if (piece->letter == 0)
		return buffer_append(out, value);
	if (!value_of(piece->letter, values, arena, &value))
		return false;
	if ((piece->keep > 0 || piece->reversed || piece->delimiters.length > 0) &&
	    !transform(value, piece, arena, &value))
		return false;
	return piece->escaped ? append_escaped(out, value) : buffer_append(out, value);
}

bool spf_macro_expand(
    struct text text, const struct spf_values *values, struct arena *arena, struct text *out_expansion)
{
	struct piece piece;
	struct buffer out;
	bool ok = true;

	buffer_init(&out, SPF_EXPANSION_MAX);
	while (ok && text.length > 0) {
		ok = next_piece(&text, SPF_IN_EXPLANATION, &piece);
		must(ok); /* It was checked. */
		ok = append_piece(&out, &piece, values, arena);
	}
	ok = ok && arena_copy(arena, buffer_text(&out), out_expansion);
	buffer_done(&out);
	return ok;
}
