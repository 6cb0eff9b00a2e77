#include "mailbox/path.h"

#include "base/must.h"

/* What a letter stands for; false for one that stands for nothing. */
static bool part_of(char letter, const struct mailbox_parts *parts, struct text *out_part)
{
	switch (letter) {
	case 'u':
	case 'n': /* Dovecot's word for the local part. */
		*out_part = parts->user;
		return true;
	case 'd':
		*out_part = parts->domain;
		return true;
	case 't':
		*out_part = parts->detail;
		return true;
	case '%':
		*out_part = TEXT("%");
		return true;
	default:
		return false;
	}
}

static enum error part_judge(char letter, struct text part)
{
	if (part.length == 0)
		return letter == 't' ? OK : ERR_DENIED;
	if (part.length > MAILBOX_PART_MAX)
		return ERR_TOO_LARGE;
	if (part.bytes[0] == '.')
		return ERR_DENIED;
	for (size_t i = 0; i < part.length; i++) {
		const unsigned char byte = (unsigned char)part.bytes[i];

		if (byte == '/' || byte < ' ' || byte == 127)
			return ERR_DENIED;
	}
	return OK;
}

const char *mailbox_template_complaint(struct text path_template)
{
	const struct mailbox_parts parts = { 0 };
	bool has_user = false;
	struct text part;

	if (path_template.length == 0 || path_template.bytes[0] != '/')
		return "the path must be absolute";
	if (text_find_byte(path_template, '\0') < path_template.length)
		return "the path must not hold a NUL";
	for (size_t i = 0; i < path_template.length; i++) {
		if (path_template.bytes[i] != '%')
			continue;
		if (++i == path_template.length || !part_of(path_template.bytes[i], &parts, &part))
			return "after % only u (user), n (the same), d (domain), t (detail) and % are known";
		has_user |= path_template.bytes[i] == 'u' || path_template.bytes[i] == 'n';
	}
	return has_user ? NULL : "the path must hold %u, or all users would share one mailbox";
}

static enum error append(char *room, size_t *length, struct text bytes)
{
	if (bytes.length > MAILBOX_PATH_MAX - *length)
		return ERR_TOO_LARGE;
	if (bytes.length > 0)
		memcpy(room + *length, bytes.bytes, bytes.length);
	*length += bytes.length;
	return OK;
}

static enum error expand(struct text path_template, const struct mailbox_parts *parts, char *room, size_t *out_length)
{
	struct mailbox_parts named = *parts;
	size_t length = 0;

	if (parts->junk)
		named.detail = TEXT_EMPTY;
	for (size_t i = 0; i < path_template.length; i++) {
		struct text piece = text_part(path_template, i, 1);
		enum error error = OK;

		if (piece.bytes[0] == '%') {
			must(part_of(path_template.bytes[++i], &named, &piece));
			error = part_judge(path_template.bytes[i], piece); /* E1 */
		}
		if (error == OK)
			error = append(room, &length, piece);
		if (error != OK)
			return error;
	}
	*out_length = length;
	return OK;
}

enum error mailbox_path_expand(struct text path_template, const struct mailbox_parts *parts,
    char room[MAILBOX_PATH_MAX + 1], struct text *out_path)
{
	size_t length;

	if (mailbox_template_complaint(path_template) != NULL)
		return ERR_SYNTAX;

	const enum error error = expand(path_template, parts, room, &length);

	if (error != OK)
		return error;
	if (parts->junk && append(room, &length, TEXT("/" MAILBOX_JUNK)) != OK)
		return ERR_TOO_LARGE;
	room[length] = '\0';
	*out_path = (struct text){ room, length };
	return OK;
}

/* The place of the first slash whose folder's name holds a user. */
static size_t shared_template(struct text path_template)
{
	size_t slash = 0;

	for (size_t i = 0; i + 1 < path_template.length; i++) {
		if (path_template.bytes[i] == '/')
			slash = i;
		if (path_template.bytes[i] == '%' && strchr("un", path_template.bytes[++i]) != NULL)
			break;
	}
	return slash;
}

size_t mailbox_path_shared(struct text path_template, const struct mailbox_parts *parts)
{
	char room[MAILBOX_PATH_MAX + 1];
	size_t length;

	return expand(text_part(path_template, 0, shared_template(path_template)), parts, room, &length) == OK ? length : 0;
}
