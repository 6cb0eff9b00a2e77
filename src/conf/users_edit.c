#include "conf/users.h"

static struct text name_in(struct text line)
{
	return text_part(line, 0, text_find_byte(line, ':'));
}

/* The line of this user with another password, and all else that stands in it. */
static bool put_with_password(struct text line, struct text stored, struct buffer *out)
{
	const struct text name = name_in(line);
	const struct text behind = text_from(line, name.length + 1);
	const struct text rest = text_from(behind, text_find_byte(behind, ':'));

	return buffer_append(out, name) && buffer_append(out, TEXT(":")) && buffer_append(out, stored) &&
	    buffer_append(out, rest);
}

static bool put_new(struct text text, struct text name, struct text stored, struct buffer *out)
{
	/* A last line without an end would swallow the new one. */
	const bool open = text.length > 0 && !text_ends(text, TEXT("\n"));

	return (!open || buffer_append(out, TEXT("\n"))) && buffer_append(out, name) && buffer_append(out, TEXT(":")) &&
	    buffer_append(out, stored) && buffer_append(out, TEXT("\n"));
}

enum error users_edit(
    struct text text, enum users_edit edit, struct text name, struct text stored, struct buffer *out)
{
	bool found = false, fits = true;

	for (size_t at = 0; at < text.length && fits;) {
		const struct text left = text_from(text, at);
		const size_t end = text_find_byte(left, '\n');
		const struct text line = text_part(left, 0, end < left.length ? end + 1 : end);
		const struct text body = text_part(left, 0, end);

		at += line.length;
		if (!text_equal_nocase(text_trim(name_in(body)), name)) {
			fits = buffer_append(out, line);
			continue;
		}
		found = true;
		if (edit == USERS_SET_PASSWORD)
			fits = put_with_password(body, stored, out) && buffer_append(out, text_from(line, body.length));
		else if (edit == USERS_ADD)
			return ERR_EXISTS;
	}
	if (fits && edit == USERS_ADD)
		fits = put_new(text, name, stored, out);
	else if (!found)
		return ERR_NOT_FOUND;
	return fits ? OK : ERR_NO_MEMORY;
}
