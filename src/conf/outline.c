#include "conf/outline.h"

#include <string.h>

enum token { TOKEN_END, TOKEN_WORD, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_EQUALS, TOKEN_APPEND, TOKEN_COMMA, TOKEN_STRANGE };

struct scan {
	struct reading *reading;
	char *bytes;
	size_t at;
	int line;
	/* The token that was read last. */
	enum token token;
	size_t start;
	int token_line;
	struct text word; /* Without its quotes. */
};

/* -- tokens ------------------------------------------------------------------ */

static void skip_bytes(struct scan *scan, size_t count)
{
	for (; count > 0 && scan->bytes[scan->at] != '\0'; count--)
		scan->line += scan->bytes[scan->at++] == '\n';
}

static void skip_space(struct scan *scan)
{
	for (;;) {
		const char *here = scan->bytes + scan->at;

		if (*here == ' ' || *here == '\t' || *here == '\r' || *here == '\n') {
			skip_bytes(scan, 1);
		} else if (*here == '#' || (here[0] == '/' && here[1] == '/')) {
			skip_bytes(scan, strcspn(here, "\n"));
		} else if (here[0] == '/' && here[1] == '*') {
			const char *end = strstr(here + 2, "*/");

			skip_bytes(scan, end ? (size_t)(end + 2 - here) : strlen(here));
		} else {
			return;
		}
	}
}

static enum token quoted_token(struct scan *scan, char quote)
{
	const size_t inside = scan->at + 1;

	skip_bytes(scan, 1);
	while (scan->bytes[scan->at] != quote) {
		if (scan->bytes[scan->at] == '\\')
			skip_bytes(scan, 1);
		if (scan->bytes[scan->at] == '\0')
			return TOKEN_STRANGE;
		skip_bytes(scan, 1);
	}
	scan->word = (struct text){ scan->bytes + inside, scan->at - inside };
	skip_bytes(scan, 1);
	return TOKEN_WORD;
}

static enum token bare_token(struct scan *scan)
{
	const size_t length = strcspn(scan->bytes + scan->at, " \t\r\n\"'{}()=+,#*");

	scan->word = (struct text){ scan->bytes + scan->at, length };
	skip_bytes(scan, length);
	return length > 0 ? TOKEN_WORD : TOKEN_STRANGE;
}

static enum token next_token(struct scan *scan)
{
	static const char signs[] = "{}=,";
	static const enum token tokens[] = { TOKEN_OPEN, TOKEN_CLOSE, TOKEN_EQUALS, TOKEN_COMMA };

	skip_space(scan);
	scan->start = scan->at;
	scan->token_line = scan->line;

	const char c = scan->bytes[scan->at];
	const char *sign = c != '\0' ? strchr(signs, c) : NULL;

	if (c == '\0')
		return scan->token = TOKEN_END;
	if (sign != NULL) {
		scan->at++;
		return scan->token = tokens[sign - signs];
	}
	if (c == '+' && scan->bytes[scan->at + 1] == '=') {
		scan->at += 2;
		return scan->token = TOKEN_APPEND;
	}
	return scan->token = c == '"' || c == '\'' ? quoted_token(scan, c) : bare_token(scan);
}

static void blank(struct scan *scan, size_t start)
{
	for (size_t i = start; i < scan->at; i++)
		if (scan->bytes[i] != '\n')
			scan->bytes[i] = ' ';
}

static enum outline_end missing_brace(struct scan *scan, int line)
{
	reading_complain(scan->reading, line, "what begins here has no end (hint: a } is missing)");
	return OUTLINE_BROKEN;
}

/* -- places ------------------------------------------------------------------ */

static enum outline_end note(struct scan *scan, struct place place)
{
	struct reading *reading = scan->reading;

	if (reading_add_place(reading, &place))
		return OUTLINE_WHOLE;
	reading_complain(reading, place.line, "more than %d options (hint: leave the rest out)", READING_PLACES_MAX);
	return OUTLINE_BROKEN;
}

static void complain_unknown(struct scan *scan, const char *section, struct text name, int line)
{
	const char *nearest = conf_nearest(section, name);
	const struct option *above = section[0] ? conf_option_find("", name) : NULL;
	const char *where = section[0] ? " in section " : "";

	if (above != NULL)
		reading_complain(scan->reading, line, "unknown option \"%.*s\"%s%s (hint: it belongs outside of any section)",
		    TEXT_FORMAT(name), where, section);
	else if (nearest != NULL)
		reading_complain(scan->reading, line, "unknown option \"%.*s\"%s%s (hint: did you mean \"%s\"?)",
		    TEXT_FORMAT(name), where, section, nearest);
	else
		reading_complain(scan->reading, line, "unknown option \"%.*s\"%s%s (hint: postroad.conf(5) lists all options)",
		    TEXT_FORMAT(name), where, section);
}

/* -- NAME = VALUE ------------------------------------------------------------ */

/* Behind the sign. *out_list: the value is in braces. */
static enum outline_end skip_value(struct scan *scan, bool *out_list)
{
	const int line = scan->line;

	*out_list = next_token(scan) == TOKEN_OPEN;
	if (!*out_list)
		return scan->token == TOKEN_WORD ? OUTLINE_WHOLE : OUTLINE_STRANGE;
	do
		next_token(scan);
	while (scan->token == TOKEN_WORD || scan->token == TOKEN_COMMA);
	if (scan->token == TOKEN_END)
		return missing_brace(scan, line);
	return scan->token == TOKEN_CLOSE ? OUTLINE_WHOLE : OUTLINE_STRANGE;
}

struct item {
	const char *section;
	unsigned ordinal;
	struct text name;
	size_t start;
	int line;
};

/* The complaint that a known option deserves where it stands; false: none. */
static bool option_is_wrong(struct scan *scan, const struct item *item, const struct option *option, bool append, bool list)
{
	struct reading *reading = scan->reading;
	const struct place *before = reading_place(reading, item->section, item->ordinal, option);

	if (list && !option_is_list(option))
		reading_complain(reading, item->line, "%s takes one value (hint: leave out the braces)", option->name);
	else if (append && !option_is_list(option))
		reading_complain(reading, item->line, "%s takes one value (hint: = in place of +=)", option->name);
	else if (before != NULL && !append)
		reading_complain(reading, item->line, "%s stands in line %d already (hint: keep one of them)", option->name,
		    before->line);
	else
		return false;
	return true;
}

static enum outline_end read_option(struct scan *scan, const struct item *item)
{
	const struct option *option = conf_option_find(item->section, item->name);
	const struct section *section = item->section[0] ? NULL : conf_section_find(item->name);
	const bool append = scan->token == TOKEN_APPEND;
	bool list;
	const enum outline_end end = skip_value(scan, &list);

	if (end != OUTLINE_WHOLE)
		return end;
	if (section != NULL)
		reading_complain(scan->reading, item->line, "%s is a section (hint: %s %s{ ... })", section->name, section->name,
		    section->title ? "\"...\" " : "");
	else if (option == NULL)
		complain_unknown(scan, item->section, item->name, item->line);
	else if (!option_is_wrong(scan, item, option, append, list))
		return note(scan, (struct place){ .section = item->section, .ordinal = item->ordinal, .option = option, .line = item->line });
	blank(scan, item->start);
	return OUTLINE_WHOLE;
}

/* -- NAME [TITLE] { ... } ---------------------------------------------------- */

/* Behind its opening brace, to the closing one. */
static enum outline_end skip_section(struct scan *scan, int line)
{
	for (unsigned depth = 1; depth > 0;) {
		next_token(scan);
		depth += scan->token == TOKEN_OPEN;
		depth -= scan->token == TOKEN_CLOSE;
		if (scan->token == TOKEN_END)
			return missing_brace(scan, line);
		if (scan->token == TOKEN_STRANGE)
			return OUTLINE_STRANGE;
	}
	return OUTLINE_WHOLE;
}

/* Another section of this name: the same one (out_same), or how many of them there are. */
static unsigned sections_before(const struct reading *reading, const struct section *section, struct text title,
    const struct place **out_same)
{
	unsigned count = 0;

	*out_same = NULL;
	for (size_t i = 0; i < reading->place_count; i++) {
		const struct place *place = &reading->places[i];

		if (place->option != NULL || !text_equal(text_of(place->section), text_of(section->name)))
			continue;
		count++;
		if (section->title == NULL || text_equal(place->title, title))
			*out_same = place;
	}
	return count;
}

/* Routes of one title are told apart by their senders. */
static bool section_repeats(const struct section *section)
{
	return text_equal(text_of(section->name), TEXT("route"));
}

/* The complaint that a section deserves for how it begins; false: none. */
static bool section_is_wrong(struct scan *scan, const struct item *item, bool titled, const struct place *same)
{
	struct reading *reading = scan->reading;
	const struct section *section = conf_section_find(item->name);
	const struct option *option = conf_option_find("", item->name);

	if (section == NULL && option != NULL)
		reading_complain(reading, item->line, "%s is no section (hint: %s = ...)", option->name, option->name);
	else if (section == NULL)
		complain_unknown(scan, "", item->name, item->line);
	else if (section->title != NULL && !titled)
		reading_complain(reading, item->line, "%s wants a title (hint: %s \"%s\" { ... })", section->name, section->name,
		    section->example);
	else if (section->title == NULL && titled)
		reading_complain(reading, item->line, "%s takes no title (hint: %s { ... })", section->name, section->name);
	else if (same != NULL && !section_repeats(section))
		reading_complain(reading, item->line, "%s%s%.*s%s stands in line %d already (hint: keep one of them)",
		    section->name, titled ? " \"" : "", TEXT_FORMAT(same->title), titled ? "\"" : "", same->line);
	else
		return false;
	return true;
}

static enum outline_end read_items(struct scan *scan, const char *section, unsigned ordinal, int line);

/* Behind the opening brace. */
static enum outline_end read_section(struct scan *scan, const struct item *item, bool titled, struct text title)
{
	const struct section *section = conf_section_find(item->name);
	const struct place *same = NULL;
	const unsigned ordinal = section ? sections_before(scan->reading, section, title, &same) : 0;
	enum outline_end end;

	if (section_is_wrong(scan, item, titled, same)) {
		end = skip_section(scan, item->line);
		if (end == OUTLINE_WHOLE)
			blank(scan, item->start);
		return end;
	}
	end = note(scan, (struct place){ .section = section->name,
	                     .ordinal = ordinal,
	                     .title = title,
	                     .repeats_at = same ? (size_t)(title.bytes + title.length - scan->bytes) : 0,
	                     .line = item->line });
	return end == OUTLINE_WHOLE ? read_items(scan, section->name, ordinal, item->line) : end;
}

/* -- all --------------------------------------------------------------------- */

static enum outline_end read_item(struct scan *scan, const struct item *item)
{
	struct text title = TEXT_EMPTY;
	bool titled = false;

	next_token(scan);
	if (scan->token == TOKEN_EQUALS || scan->token == TOKEN_APPEND)
		return read_option(scan, item);
	if (scan->token == TOKEN_WORD) {
		titled = true;
		title = scan->word;
		next_token(scan);
	}
	if (scan->token != TOKEN_OPEN)
		return OUTLINE_STRANGE;
	if (item->section[0] == '\0')
		return read_section(scan, item, titled, title);
	/* Sections do not nest: the one around it was not closed. */
	reading_complain(scan->reading, item->line, "section \"%.*s\" begins inside section %s (hint: a } is missing before it)",
	    TEXT_FORMAT(item->name), item->section);
	return OUTLINE_BROKEN;
}

/* To the closing brace of the section that began in `line`, or to the end of the text. */
static enum outline_end read_items(struct scan *scan, const char *section, unsigned ordinal, int line)
{
	enum outline_end end = OUTLINE_WHOLE;

	while (end == OUTLINE_WHOLE) {
		next_token(scan);
		if (scan->token == TOKEN_END)
			return section[0] == '\0' ? OUTLINE_WHOLE : missing_brace(scan, line);
		if (scan->token == TOKEN_CLOSE && section[0] != '\0')
			return OUTLINE_WHOLE;
		if (scan->token != TOKEN_WORD)
			return OUTLINE_STRANGE;
		end = read_item(scan, &(struct item){ section, ordinal, scan->word, scan->start, scan->token_line });
	}
	return end;
}

enum outline_end outline_read(struct reading *reading, char *text)
{
	struct scan scan = { .reading = reading, .bytes = text, .line = 1 };

	return read_items(&scan, "", 0, 1);
}
