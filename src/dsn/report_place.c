#include "dsn/report_place.h"

#include "base/hex.h"

/* RFC 3986 §2: nothing but unreserved, reserved and escaped bytes. */
static bool is_uri_byte(char c)
{
	return byte_is_alnum(c) || (c != '\0' && strchr("-._~:/?#[]@!$&'()*+,;=%", c) != NULL);
}

static enum error unescape(struct text escaped, struct arena *arena, struct text *out_plain)
{
	char *plain = arena_alloc(arena, escaped.length + 1);
	size_t length = 0;

	if (plain == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < escaped.length; i++) {
		char byte = escaped.bytes[i];

		if (byte == '%') {
			const struct text digits = text_part(escaped, i + 1, 2);

			if (digits.length < 2 || hex_value(digits.bytes[0]) < 0 || hex_value(digits.bytes[1]) < 0)
				return ERR_SYNTAX;
			byte = (char)(hex_value(digits.bytes[0]) * 16 + hex_value(digits.bytes[1]));
			i += 2;
		}
		plain[length++] = byte;
	}
	*out_plain = (struct text){ plain, length };
	return OK;
}

static enum error parse_mail(struct text rest, struct arena *arena, struct report_place *place)
{
	struct text plain;
	enum error error = unescape(text_part(rest, 0, text_find_byte(rest, '?')), arena, &plain);

	if (error == OK)
		error = address_parse(plain, true, arena, &place->address);
	if (error == OK && (place->address.local.length == 0 || place->address.domain.length == 0))
		error = ERR_SYNTAX;
	return error == ERR_TOO_LARGE ? ERR_SYNTAX : error;
}

enum error report_place_parse(struct text uri, struct arena *arena, struct report_place *out_place)
{
	struct report_place place = { .kind = REPORT_BY_MAIL };
	enum error error = OK;

	if (uri.length == 0 || uri.length > REPORT_PLACE_MAX)
		return ERR_SYNTAX;
	for (size_t i = 0; i < uri.length; i++)
		if (!is_uri_byte(uri.bytes[i]))
			return ERR_SYNTAX;
	if (text_starts_nocase(uri, TEXT("mailto:"))) {
		error = parse_mail(text_from(uri, sizeof "mailto:" - 1), arena, &place);
	} else if (text_starts_nocase(uri, TEXT("https://"))) {
		place.kind = REPORT_BY_WEB;
		error = arena_copy(arena, uri, &place.url) ? OK : ERR_NO_MEMORY;
	} else {
		error = text_find_byte(uri, ':') < uri.length ? ERR_UNSUPPORTED : ERR_SYNTAX;
	}
	if (error == OK)
		*out_place = place;
	return error;
}
