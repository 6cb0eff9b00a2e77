/* The parts of a message (RFC 2045, RFC 2046): those that are no plain words are looked into. */
#include "base/base64.h"
#include "base/hex.h"
#include "mail/header.h"
#include "reports/unpack_private.h"

enum { BOUNDARY_MAX = 70, DECODED_MAX = 32 << 20 };

/* -- Header fields ------------------------------------------------------------------------------------------ */

/* The value of a parameter of Content-Type (RFC 2045 §5.1), without quotes; empty if there is none. Comments are not known. */
static struct text parameter(struct text value, struct text name)
{
	struct text rest = text_from(value, text_find_byte(value, ';'));

	while (rest.length > 0) {
		rest = text_trim(text_from(rest, 1));

		const size_t equals = text_find_byte(rest, '=');
		const struct text key = text_trim(text_part(rest, 0, equals));
		struct text found = text_trim(text_from(rest, equals + 1));
		const bool quoted = text_starts(found, TEXT("\""));
		const size_t end = quoted ? text_find_byte(text_from(found, 1), '"') + 1 : text_find_byte(found, ';');

		if (text_equal_nocase(key, name))
			return quoted ? text_part(found, 1, end - 1) : text_trim(text_part(found, 0, end));
		found = text_from(found, end);
		rest = text_from(found, text_find_byte(found, ';'));
	}
	return TEXT_EMPTY;
}

static struct text field(struct text part, struct text name)
{
	struct text value;

	return header_find(part, name, &value) ? value : TEXT_EMPTY;
}

/* -- Encodings ------------------------------------------------------------------------------------------------ */

/* Quoted-printable (RFC 2045 §6.7); what is none of it stays as it is. */
static bool decode_quoted(struct text body, struct arena *arena, struct text *out_bytes)
{
	char *room = arena_alloc(arena, body.length + 1);
	size_t length = 0;

	if (room == NULL)
		return false;
	for (size_t i = 0; i < body.length; i++) {
		const struct text rest = text_from(body, i);
		const int high = rest.length > 2 ? hex_value(rest.bytes[1]) : -1;
		const int low = high >= 0 ? hex_value(rest.bytes[2]) : -1;

		if (text_starts(rest, TEXT("=\r\n"))) {
			i += 2;
		} else if (text_starts(rest, TEXT("=\n"))) {
			i += 1;
		} else if (rest.bytes[0] == '=' && low >= 0) {
			room[length++] = (char)(high * 16 + low);
			i += 2;
		} else {
			room[length++] = rest.bytes[0];
		}
	}
	*out_bytes = (struct text){ room, length };
	return true;
}

static enum error decode(struct text part, struct text body, struct arena *arena, struct text *out_bytes)
{
	const struct text encoding = field(part, TEXT("Content-Transfer-Encoding"));

	*out_bytes = body;
	if (text_equal_nocase(encoding, TEXT("base64")))
		return base64_decode(body, arena, out_bytes);
	if (text_equal_nocase(encoding, TEXT("quoted-printable")))
		return decode_quoted(body, arena, out_bytes) ? OK : ERR_NO_MEMORY;
	return OK;
}

/* -- Parts -------------------------------------------------------------------------------------------------------- */

/* What people read, and what is not attached: "{" begins many a letter. */
static bool is_words(struct text part, struct text type)
{
	return (type.length == 0 || text_starts_nocase(type, TEXT("text/plain")) || text_starts_nocase(type, TEXT("text/html"))) &&
	    !text_starts_nocase(field(part, TEXT("Content-Disposition")), TEXT("attachment"));
}

static void take_leaf(struct unpacker *unpacker, struct text part, struct text type)
{
	const struct text body = text_from(part, header_length(part));
	struct arena *arena;
	struct text bytes;

	if (is_words(part, type))
		return;
	arena = arena_new(DECODED_MAX);
	if (arena == NULL) {
		unpacker->no_memory = true;
		return;
	}
	if (decode(part, body, arena, &bytes) != OK)
		unpack_broken(unpacker, "an attachment cannot be decoded");
	else
		(void)unpack_content(unpacker, bytes);
	arena_free(arena);
}

/* Where the next line of the delimiter begins, and where it ends; at the end of `body` if there is none. */
static size_t find_delimiter(struct text body, struct text boundary, size_t *out_end, bool *out_last)
{
	size_t at = 0;

	*out_last = true;
	while (at < body.length) {
		const struct text line = text_part(text_from(body, at), 0, text_find_byte(text_from(body, at), '\n'));
		const struct text behind = text_from(line, 2 + boundary.length);

		if (text_starts(line, TEXT("--")) && text_starts(text_from(line, 2), boundary) &&
		    (text_trim(behind).length == 0 || text_starts(behind, TEXT("--")))) {
			*out_last = text_starts(behind, TEXT("--"));
			*out_end = at + line.length + 1;
			return at;
		}
		at += line.length + 1;
	}
	*out_end = body.length;
	return body.length;
}

/* A multipart whose parts are still to come: a stack of these is the way down. */
struct level {
	struct text rest, boundary;
	bool over;
};

static bool open_level(struct text part, struct text type, struct level *level)
{
	bool last;
	size_t begin;

	level->boundary = parameter(type, TEXT("boundary"));
	level->rest = text_from(part, header_length(part));
	if (level->boundary.length == 0 || level->boundary.length > BOUNDARY_MAX)
		return false;
	(void)find_delimiter(level->rest, level->boundary, &begin, &last);
	level->rest = text_from(level->rest, begin);
	level->over = last;
	return true;
}

static struct text next_part(struct level *level)
{
	bool last;
	size_t end;
	const size_t at = find_delimiter(level->rest, level->boundary, &end, &last);
	const struct text part = text_part(level->rest, 0, at);

	level->rest = text_from(level->rest, end);
	level->over = last;
	return part;
}

/* A part: one level down, or a leaf. False: too many of them. */
static bool take_part(struct unpacker *unpacker, struct text part, struct level *levels, unsigned *depth)
{
	struct text type = field(part, TEXT("Content-Type"));

	if (unpacker->parts++ == UNPACK_PARTS_MAX) {
		unpack_broken(unpacker, "the message has too many parts");
		return false;
	}
	if (text_starts_nocase(type, TEXT("message/rfc822"))) { /* Forwarded as a whole. */
		part = text_from(part, header_length(part));
		type = field(part, TEXT("Content-Type"));
	}
	if (!text_starts_nocase(type, TEXT("multipart/")))
		take_leaf(unpacker, part, type);
	else if (*depth == UNPACK_DEPTH_MAX)
		unpack_broken(unpacker, "the parts of the message are nested too deep");
	else if (open_level(part, type, &levels[*depth]))
		++*depth;
	return true;
}

void unpack_message(struct unpacker *unpacker, struct text message)
{
	struct level levels[UNPACK_DEPTH_MAX];
	unsigned depth = 0;
	bool goes_on = take_part(unpacker, message, levels, &depth);

	while (goes_on && depth > 0) {
		struct level *level = &levels[depth - 1];

		if (level->over)
			depth--;
		else
			goes_on = take_part(unpacker, next_part(level), levels, &depth);
	}
}
