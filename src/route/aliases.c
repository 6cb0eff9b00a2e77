#include "route/aliases.h"

#include <stdlib.h>


/* A cursor that stands on a token, or on the newline that ends an entry. */
struct reader {
	struct text content;
	size_t at;
	uint32_t line;
	struct text file_name;
	struct arena *arena;
	struct text *out_complaint;
};

/* -- Bytes and lines -------------------------------------------------------------- */

static bool at_end(const struct reader *reader)
{
	return reader->at >= reader->content.length;
}

/* The byte under the cursor; newline also at the end of the file. */
static char peek(const struct reader *reader)
{
	return at_end(reader) ? '\n' : reader->content.bytes[reader->at];
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void skip_line(struct reader *reader)
{
	while (peek(reader) != '\n')
		reader->at++;
}

/* Over blank lines and comments to the next line with something on it, whose first blanks are skipped.
 * Returns whether it had any: then it goes on where the line before stopped. */
static bool skip_to_content(struct reader *reader)
{
	bool indented = false;

	while (!at_end(reader)) {
		const char c = peek(reader);

		if (c == '\n') {
			indented = false;
			reader->line++;
			reader->at++;
		} else if (is_blank(c)) {
			indented = true;
			reader->at++;
		} else if (c == '#') {
			skip_line(reader);
		} else {
			break;
		}
	}
	return indented;
}

/* Blanks, and line ends that a continuation line follows. */
static void skip_blanks(struct reader *reader)
{
	while (is_blank(peek(reader)) && !at_end(reader))
		reader->at++;
	if (peek(reader) != '\n' || at_end(reader))
		return;
	struct reader ahead = *reader;

	if (skip_to_content(&ahead) && !at_end(&ahead)) {
		reader->at = ahead.at;
		reader->line = ahead.line;
	}
}

/* `about`: what is quoted in the complaint; empty: nothing. */
static enum error complain(const struct reader *reader, struct text about, const char *what)
{
	struct text quoted = TEXT_EMPTY;

	if (about.length > 0 &&
	    !arena_print(reader->arena, &quoted, "\"%.*s\": ", TEXT_FORMAT(text_part(about, 0, 80))))
		return ERR_NO_MEMORY;
	if (!arena_print(reader->arena, reader->out_complaint, "%.*s:%u: %.*s%s", TEXT_FORMAT(reader->file_name),
		(unsigned)reader->line, TEXT_FORMAT(quoted), what))
		return ERR_NO_MEMORY;
	return ERR_SYNTAX;
}

/* -- Names ---------------------------------------------------------------------------- */

/* The rest of the line up to a comma or blank, to quote in a complaint. */
static struct text around(const struct reader *reader)
{
	struct text rest = text_from(reader->content, reader->at);

	rest = text_part(rest, 0, text_find_byte(rest, '\n'));
	return text_trim(text_part(rest, 0, text_find_byte(rest, ',')));
}

static bool is_local_byte(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && memchr("\"(),:;<>@[\\]", c, 12) == NULL;
}

/* Behind the opening quote; takes the closing one. Backslash makes any character plain. */
static enum error read_quoted(struct reader *reader, struct text *out_local)
{
	char room[ADDRESS_LOCAL_MAX];
	size_t length = 0;

	reader->at++;
	while (peek(reader) != '"') {
		if (peek(reader) == '\\')
			reader->at++;
		const char c = peek(reader);

		if ((unsigned char)c < ' ' || c == 0x7f)
			return complain(reader, TEXT_EMPTY, "a quoted name must end, with a \", on its line");
		if (length == sizeof room)
			return complain(reader, TEXT_EMPTY, "a local part has at most 64 bytes");
		room[length++] = c;
		reader->at++;
	}
	reader->at++;
	if (length == 0)
		return complain(reader, TEXT_EMPTY, "an empty name in quotes");
	return arena_copy(reader->arena, (struct text){ room, length }, out_local) ? OK : ERR_NO_MEMORY;
}

/* Leaves *out_local empty when there is none, as in "@example.org". */
static enum error read_local(struct reader *reader, struct text *out_local)
{
	const size_t start = reader->at;

	if (peek(reader) == '"')
		return read_quoted(reader, out_local);
	while (is_local_byte(peek(reader)))
		reader->at++;
	const struct text local = text_part(reader->content, start, reader->at - start);

	if (local.length > ADDRESS_LOCAL_MAX)
		return complain(reader, local, "a local part has at most 64 bytes");
	return arena_copy(reader->arena, local, out_local) ? OK : ERR_NO_MEMORY;
}

static enum error read_domain(struct reader *reader, struct text *out_domain)
{
	const size_t start = ++reader->at;
	const bool literal = peek(reader) == '[';

	while (peek(reader) != '\n' && !is_blank(peek(reader)) && peek(reader) != ',' &&
	    (literal ? reader->content.bytes[reader->at - 1] != ']' : peek(reader) != ':'))
		reader->at++;
	const struct text domain = text_part(reader->content, start, reader->at - start);

	if (!address_domain_valid(domain, true))
		return complain(reader, domain, "not a domain; write user@example.org");
	const enum error error = address_domain_to_ascii(domain, reader->arena, out_domain);

	return error == ERR_SYNTAX ? complain(reader, domain, "a domain without an ASCII form (IDNA)") : error;
}

/* local, local@domain, or @domain; an empty address when the cursor stands on something else. */
static enum error read_address(struct reader *reader, struct address *out_address)
{
	struct address address = { 0 };
	enum error error = read_local(reader, &address.local);

	if (error == OK && peek(reader) == '@')
		error = read_domain(reader, &address.domain);
	if (error == OK)
		*out_address = address;
	return error;
}

/* -- Targets -------------------------------------------------------------------------- */

/* Things sendmail knows and this server does not: said by name, with the way out. */
static enum error refuse_foreign(const struct reader *reader)
{
	struct text rest = text_from(reader->content, reader->at);

	if (text_starts(rest, TEXT("\"")))
		rest = text_from(rest, 1);
	if (text_starts(rest, TEXT("|")))
		return complain(reader, around(reader),
		    "programs are no targets; write a pipe section into the configuration, and name its address here");
	if (text_starts(rest, TEXT("/")))
		return complain(reader, around(reader),
		    "files are not supported as targets; name a mailbox or an address");
	if (text_starts_nocase(rest, TEXT(":include:")))
		return complain(reader, around(reader),
		    ":include: is not supported; list the addresses here, separated by commas");
	return OK;
}

static enum error read_target(struct reader *reader, struct alias_target *out_target)
{
	struct alias_target target = { 0 };
	enum error error = refuse_foreign(reader);

	if (error != OK)
		return error;
	if (peek(reader) == '\\') {
		target.final = true;
		reader->at++;
	}
	const size_t start = reader->at;

	error = read_address(reader, &target.address);
	if (error != OK)
		return error;
	if (target.address.local.length == 0) {
		reader->at = start;
		return complain(reader, around(reader), "not an address; write name or name@example.org");
	}
	skip_blanks(reader);
	if (peek(reader) != ',' && peek(reader) != '\n')
		return complain(reader, around(reader),
		    "unexpected; targets are separated by commas, comments stand on lines of their own, "
		    "names with spaces in quotes");
	*out_target = target;
	return OK;
}

/* To the next target; a comma too many is no mistake. False: the entry is over. */
static bool skip_to_target(struct reader *reader)
{
	skip_blanks(reader);
	while (peek(reader) == ',') {
		reader->at++;
		skip_blanks(reader);
	}
	return peek(reader) != '\n';
}

/* `room` holds ALIASES_TARGET_MAX of them. */
static enum error read_targets(struct reader *reader, struct alias_target *room, struct alias *alias)
{
	size_t count = 0;

	while (skip_to_target(reader)) {
		if (count == ALIASES_TARGET_MAX)
			return complain(reader, TEXT_EMPTY, "more than 1000 targets; split it into several aliases");
		const enum error error = read_target(reader, &room[count]);

		if (error != OK)
			return error;
		count++;
	}
	if (count == 0)
		return complain(reader, TEXT_EMPTY, "an alias without a target; write name: target, target");
	struct alias_target *targets = arena_array(reader->arena, count, sizeof *targets);

	if (targets == NULL)
		return ERR_NO_MEMORY;
	memcpy(targets, room, count * sizeof *targets);
	alias->targets = targets;
	alias->target_count = count;
	return OK;
}

/* -- Entries and the table ------------------------------------------------------------- */

static enum error read_name(struct reader *reader, struct alias *alias)
{
	struct address name;
	const enum error error = read_address(reader, &name);

	if (error != OK)
		return error;
	alias->line = reader->line;
	if (name.local.length == 0 && name.domain.length == 0)
		return complain(reader, around(reader), "not a name; write name: target, target");
	while (is_blank(peek(reader)) && !at_end(reader))
		reader->at++;
	if (peek(reader) != ':')
		return complain(reader, name.local, "a name must be followed by a colon; write name: target, target");
	reader->at++;

	char *local = arena_alloc(reader->arena, name.local.length);

	if (local == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < name.local.length; i++)
		local[i] = byte_lower(name.local.bytes[i]);
	alias->local = (struct text){ local, name.local.length };
	alias->domain = name.domain;
	return OK;
}

static int compare(const void *a, const void *b)
{
	const struct alias *left = a, *right = b;
	const int order = text_compare(left->local, right->local);

	return order != 0 ? order : text_compare(left->domain, right->domain);
}

static int compare_with_lines(const void *a, const void *b)
{
	const struct alias *left = a, *right = b;
	const int order = compare(a, b);

	return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}

static enum error sort(struct reader *reader, struct alias *entries, size_t count)
{
	if (count > 1)
		qsort(entries, count, sizeof *entries, compare_with_lines);
	for (size_t i = 1; i < count; i++) {
		const struct alias *first = &entries[i - 1], *again = &entries[i];
		struct text name;

		if (compare(first, again) != 0)
			continue;
		reader->line = again->line;
		if (!arena_print(reader->arena, &name, "%.*s%s%.*s", TEXT_FORMAT(again->local),
			again->domain.length > 0 ? "@" : "", TEXT_FORMAT(again->domain)))
			return ERR_NO_MEMORY;
		return complain(reader, name, "this name is given twice; put all its targets on one line");
	}
	return OK;
}

static size_t count_lines(struct text content)
{
	size_t count = 1;

	for (size_t i = 0; i < content.length; i++)
		count += content.bytes[i] == '\n';
	return count;
}

static enum error read_entries(struct reader *reader, struct aliases *out_aliases)
{
	struct alias *entries = arena_array(reader->arena, count_lines(reader->content), sizeof *entries);
	struct alias_target *room = arena_array(reader->arena, ALIASES_TARGET_MAX, sizeof *room);
	size_t count = 0;

	if (entries == NULL || room == NULL)
		return ERR_NO_MEMORY;
	for (skip_to_content(reader); !at_end(reader); skip_to_content(reader)) {
		enum error error = read_name(reader, &entries[count]);

		if (error == OK)
			error = read_targets(reader, room, &entries[count]);
		if (error != OK)
			return error;
		count++;
	}
	const enum error error = sort(reader, entries, count);

	if (error == OK)
		*out_aliases = (struct aliases){ entries, count };
	return error;
}

enum error aliases_parse(struct text content, struct text file_name, struct arena *arena,
    struct aliases *out_aliases, struct text *out_complaint)
{
	struct reader reader = {
		.content = content, .line = 1, .file_name = file_name, .arena = arena, .out_complaint = out_complaint
	};

	return read_entries(&reader, out_aliases);
}

const struct alias *aliases_find(const struct aliases *aliases, struct text local, struct text domain)
{
	char room[ADDRESS_LOCAL_MAX];

	if (aliases->count == 0 || local.length > sizeof room)
		return NULL;
	for (size_t i = 0; i < local.length; i++)
		room[i] = byte_lower(local.bytes[i]);
	const struct alias key = { .local = { room, local.length }, .domain = domain };

	return bsearch(&key, aliases->entries, aliases->count, sizeof *aliases->entries, compare);
}
