#include "mail/header.h"

/* The next line with its end. */
static struct text line_of(struct text rest)
{
	const size_t end = text_find_byte(rest, '\n');

	return text_part(rest, 0, end < rest.length ? end + 1 : end);
}

static bool is_empty_line(struct text line)
{
	return text_equal(line, TEXT("\r\n")) || text_equal(line, TEXT("\n"));
}

static bool is_folded(struct text rest)
{
	return rest.length > 0 && (rest.bytes[0] == ' ' || rest.bytes[0] == '\t');
}

static struct text without_line_end(struct text text)
{
	if (text.length > 0 && text.bytes[text.length - 1] == '\n')
		text.length--;
	if (text.length > 0 && text.bytes[text.length - 1] == '\r')
		text.length--;
	return text;
}

/* What stands before the colon of a field, or nothing: ftext only (RFC 5322 §3.6.8), so that neither an mbox
 * "From " line nor an indented line passes for a field. Blanks before the colon are obsolete (§4.5) but
 * read by many, so they do not hide a field here either. */
static struct text field_name(struct text before_colon)
{
	while (
	    before_colon.length > 0 && memchr(" \t", before_colon.bytes[before_colon.length - 1], 2) != NULL)
		before_colon.length--;
	for (size_t i = 0; i < before_colon.length; i++)
		if (before_colon.bytes[i] <= ' ' || before_colon.bytes[i] > '~')
			return TEXT_EMPTY;
	return before_colon;
}

bool header_next(struct text *rest, struct header_field *out_field)
{
	struct text after = *rest;
	const struct text first = line_of(after);

	if (first.length == 0 || is_empty_line(first))
		return false;
	after = text_from(after, first.length);
	while (is_folded(after))
		after = text_from(after, line_of(after).length);

	const struct text whole = text_part(*rest, 0, rest->length - after.length);
	const size_t colon = text_find_byte(first, ':');
	struct header_field field = { .whole = whole };

	if (colon < first.length)
		field.name = field_name(text_part(first, 0, colon));
	if (field.name.length > 0)
		field.value = without_line_end(text_from(whole, colon + 1));
	*out_field = field;
	*rest = after;
	return true;
}

size_t header_length(struct text message)
{
	struct text rest = message;
	struct header_field field;

	while (header_next(&rest, &field))
		;
	return message.length - rest.length + line_of(rest).length;
}

bool header_find(struct text message, struct text name, struct text *out_value)
{
	struct header_field field;

	while (header_next(&message, &field)) {
		if (text_equal_nocase(field.name, name)) {
			*out_value = text_trim(field.value);
			return true;
		}
	}
	return false;
}

size_t header_count(struct text message, struct text name)
{
	struct header_field field;
	size_t count = 0;

	while (header_next(&message, &field))
		count += text_equal_nocase(field.name, name);
	return count;
}

bool header_unfold(struct text value, struct arena *arena, struct text *out_value)
{
	char *bytes = arena_alloc(arena, value.length + 1);
	size_t length = 0;

	if (bytes == NULL)
		return false;
	for (size_t i = 0; i < value.length; i++)
		if (value.bytes[i] != '\r' && value.bytes[i] != '\n')
			bytes[length++] = value.bytes[i];
	*out_value = text_trim((struct text){ bytes, length });
	return true;
}
