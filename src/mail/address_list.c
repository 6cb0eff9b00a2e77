/* One pass copies the value without folding and comments; then it is cut at the commas, semicolons and
 * group colons that stand outside quotes and angle brackets. */
#include "mail/address_list.h"

#include "base/must.h"

enum { COMMENT_DEPTH_MAX = 16 };

static enum error strip_comments(struct text value, struct arena *arena, struct text *out_plain)
{
	char *bytes = arena_alloc(arena, value.length + 1);
	size_t length = 0;
	unsigned depth = 0;
	bool quoted = false;

	if (bytes == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < value.length; i++) {
		const char c = value.bytes[i];
		const bool escaped = c == '\\' && (quoted || depth > 0) && i + 1 < value.length;

		if (depth == 0 && c == '"')
			quoted = !quoted;
		if (!quoted && c == '(' && ++depth > COMMENT_DEPTH_MAX)
			return ERR_SYNTAX;
		if (depth == 0 && c != '\r' && c != '\n')
			bytes[length++] = c;
		if (escaped) {
			i++;
			if (depth == 0)
				bytes[length++] = value.bytes[i];
		} else if (!quoted && c == ')' && depth > 0) {
			depth--;
		}
	}
	if (quoted || depth > 0)
		return ERR_SYNTAX;
	*out_plain = (struct text){ bytes, length };
	return OK;
}

/* Index of the next separator outside quotes and brackets. */
static size_t find_separator(struct text plain)
{
	bool quoted = false, bracketed = false;

	for (size_t i = 0; i < plain.length; i++) {
		const char c = plain.bytes[i];

		if (c == '\\' && quoted)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '<' || c == '>' || c == '[' || c == ']'))
			bracketed = c == '<' || c == '[';
		else if (!quoted && !bracketed && (c == ',' || c == ';' || c == ':'))
			return i;
	}
	return plain.length;
}

static enum error add_one(struct text item, struct text default_domain, struct arena *arena, struct address *out_address)
{
	const size_t open = text_find_byte_last(item, '<');
	struct text spec = item;

	if (open < item.length) {
		const struct text inside = text_from(item, open + 1);

		spec = text_part(inside, 0, text_find_byte(inside, '>'));
	}
	spec = text_trim(spec);
	const enum error error = address_parse(spec, true, arena, out_address);

	if (error == OK && out_address->domain.length > 0)
		return OK;
	if (spec.length == 0)
		return ERR_SYNTAX;

	struct text completed;

	if (!arena_print(arena, &completed, "%.*s@%.*s", TEXT_FORMAT(spec), TEXT_FORMAT(default_domain)))
		return ERR_NO_MEMORY;
	return address_parse(completed, true, arena, out_address);
}

enum error address_list_parse(struct text value, struct text default_domain, struct arena *arena,
    struct address *list, size_t max, size_t *count)
{
	struct text rest;
	enum error error = strip_comments(value, arena, &rest);

	while (error == OK && rest.length > 0) {
		const size_t at = find_separator(rest);
		const struct text item = text_trim(text_part(rest, 0, at));
		const bool group_name = at < rest.length && rest.bytes[at] == ':';

		rest = text_from(rest, at + 1);
		if (group_name || item.length == 0)
			continue;
		if (*count == max)
			return ERR_TOO_LARGE;
		error = add_one(item, default_domain, arena, &list[*count]);
		*count += error == OK;
	}
	return error;
}
