/* One pass over the value, token by token. What may be an address is gathered without its folding and comments, and
 * goes through the strict parser of the envelope when its item is over.
 *
 *     phrase ──"<"──► angle ──">"──► after
 *       │ ":" begins a group: forget the phrase      │ only blanks and comments
 *       └───────── "," ";" or the end ───────────────┘ finish the item
 *
 * Blanks vanish around "." and "@" (RFC 5322 §4.4, obs-local-part) and are kept as one space elsewhere: "a b@c"
 * must not become somebody's "ab@c". */
#include "mail/address_list.h"

#include "base/must.h"

enum place { IN_PHRASE, IN_ANGLE, AFTER_ANGLE };

struct list_reader {
	struct text rest;
	enum place place;
	char *item; /* Gathered so far; room for all of the value. */
	size_t length;
	bool has_at; /* An "@" outside quotes. */
};

static void begin_item(struct list_reader *reader, enum place place)
{
	reader->place = place;
	reader->item += reader->length;
	reader->length = 0;
	reader->has_at = false;
}

static void gather(struct list_reader *reader, char c)
{
	reader->item[reader->length++] = c;
}

/* Nested comments are counted, not descended into: their depth costs nothing. */
static bool skip_comment(struct text *rest)
{
	size_t depth = 0;

	do {
		const char c = rest->bytes[0];

		if (c == '(')
			depth++;
		else if (c == ')')
			depth--;
		else if (c == '\\')
			*rest = text_from(*rest, 1);
		*rest = text_from(*rest, 1);
	} while (depth > 0 && rest->length > 0);
	return depth == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool joins(char c)
{
	return c == '.' || c == '@';
}

/* CFWS, before something or at the end. */
static enum error skip_blanks(struct list_reader *reader)
{
	const size_t before = reader->rest.length;

	while (reader->rest.length > 0) {
		if (is_blank(reader->rest.bytes[0]))
			reader->rest = text_from(reader->rest, 1);
		else if (reader->rest.bytes[0] != '(')
			break;
		else if (!skip_comment(&reader->rest))
			return ERR_SYNTAX;
	}
	if (reader->rest.length == before || reader->length == 0 || reader->rest.length == 0)
		return OK;
	if (!joins(reader->rest.bytes[0]) && !joins(reader->item[reader->length - 1]) &&
	    memchr("<>,;:", reader->rest.bytes[0], 5) == NULL)
		gather(reader, ' ');
	return OK;
}

/* A quoted string or a domain literal, kept as it is but for its folding. */
static enum error take_enclosed(struct list_reader *reader, char end)
{
	do {
		const char c = reader->rest.bytes[0];

		if (c != '\r' && c != '\n')
			gather(reader, c);
		reader->rest = text_from(reader->rest, 1);
		if (c == '\\' && reader->rest.length > 0) {
			gather(reader, reader->rest.bytes[0]);
			reader->rest = text_from(reader->rest, 1);
		}
	} while (reader->rest.length > 0 && reader->rest.bytes[0] != end);
	if (reader->rest.length == 0)
		return ERR_SYNTAX;
	gather(reader, end);
	reader->rest = text_from(reader->rest, 1);
	return OK;
}

/* One token after blanks, inside an item. False: the item ends here. */
static bool take_token(struct list_reader *reader, enum error *out_error)
{
	const char c = reader->rest.bytes[0];

	*out_error = OK;
	if (reader->place != IN_ANGLE && (c == ',' || c == ';'))
		return false;
	if (reader->place == AFTER_ANGLE) {
		*out_error = ERR_SYNTAX;
		return false;
	}
	if (c == '"' || c == '[') {
		*out_error = take_enclosed(reader, c == '"' ? '"' : ']');
		return *out_error == OK;
	}
	reader->rest = text_from(reader->rest, 1);
	if (reader->place == IN_ANGLE && c == '>') {
		reader->place = AFTER_ANGLE;
	} else if (reader->place == IN_PHRASE && (c == '<' || c == ':')) {
		begin_item(reader, c == '<' ? IN_ANGLE : IN_PHRASE);
	} else {
		reader->has_at |= c == '@';
		gather(reader, c);
	}
	return true;
}

static enum error finish_item(const struct list_reader *reader, struct text default_domain,
    struct arena *arena, struct address *out_address)
{
	struct text item = { reader->item, reader->length };

	if (reader->place == IN_ANGLE || item.length == 0)
		return ERR_SYNTAX;
	if (!reader->has_at &&
	    !arena_print(arena, &item, "%.*s@%.*s", TEXT_FORMAT(item), TEXT_FORMAT(default_domain)))
		return ERR_NO_MEMORY;
	return address_parse(item, true, arena, out_address);
}

/* Up to the separator or the end. */
static enum error read_item(struct list_reader *reader)
{
	enum error error;

	begin_item(reader, IN_PHRASE);
	do {
		error = skip_blanks(reader);
	} while (error == OK && reader->rest.length > 0 && take_token(reader, &error));
	return error;
}

enum error address_list_parse(struct text value, struct text default_domain, struct arena *arena,
    struct address *list, size_t max, size_t *count)
{
	struct list_reader reader = { .rest = value, .item = arena_alloc(arena, value.length + 1) };
	enum error error = reader.item == NULL ? ERR_NO_MEMORY : OK;
	size_t found = *count;

	must(found <= max);
	while (error == OK && reader.rest.length > 0) {
		error = read_item(&reader);
		reader.rest = text_from(reader.rest, 1);
		/* Nothing between separators is nothing (obs-addr-list, RFC 5322 §4.4). */
		if (error != OK || (reader.length == 0 && reader.place == IN_PHRASE))
			continue;
		if (found == max)
			error = ERR_TOO_LARGE;
		else
			error = finish_item(&reader, default_domain, arena, &list[found]);
		found += error == OK;
	}
	if (error == OK)
		*count = found;
	return error;
}
