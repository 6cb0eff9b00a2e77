#include "conf/reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conf/outline.h"

/* Places begin with a few: most files are small. All the arrays they grow through fit into the scratch. */
enum { SCRATCH_BYTES = 4 << 20, PLACES_FIRST = 128 };

bool reading_init(struct reading *reading, struct arena *arena, const char *name, const char *folder)
{
	*reading = (struct reading){ .arena = arena, .name = name, .folder = folder, .scratch = arena_new(SCRATCH_BYTES) };
	if (reading->scratch == NULL)
		return false;
	reading->complaints = arena_array(reading->scratch, READING_COMPLAINTS_MAX, sizeof *reading->complaints);
	return reading->complaints != NULL;
}

void reading_done(struct reading *reading)
{
	if (reading->tree != NULL)
		cfg_free(reading->tree);
	arena_free(reading->scratch);
	*reading = (struct reading){ 0 };
}

bool reading_add_place(struct reading *reading, const struct place *place)
{
	if (reading->place_count == reading->place_room) {
		const size_t doubled = reading->place_room > 0 ? 2 * reading->place_room : PLACES_FIRST;
		const size_t room = doubled < READING_PLACES_MAX ? doubled : READING_PLACES_MAX;
		struct place *grown = room > reading->place_count ? arena_array(reading->scratch, room, sizeof *grown) : NULL;

		if (grown == NULL)
			return false;
		for (size_t i = 0; i < reading->place_count; i++)
			grown[i] = reading->places[i];
		reading->places = grown;
		reading->place_room = room;
	}
	reading->places[reading->place_count++] = *place;
	return true;
}

/* -- complaints -------------------------------------------------------------- */

void reading_complain(struct reading *reading, int line, const char *format, ...)
{
	char sentence[1024];
	struct text copy = TEXT("not enough memory to say what is wrong");
	va_list list;
	size_t at = reading->complaint_count;

	if (at == READING_COMPLAINTS_MAX)
		return;
	va_start(list, format);
	vsnprintf(sentence, sizeof sentence, format, list);
	va_end(list);
	/* Values may hold anything; a complaint is one line. */
	for (char *c = sentence; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	(void)!arena_copy(reading->scratch, text_of(sentence), &copy);
	for (; at > 0 && reading->complaints[at - 1].line > line; at--)
		reading->complaints[at] = reading->complaints[at - 1];
	reading->complaints[at] = (struct complaint){ line, copy };
	reading->complaint_count++;
}

void reading_report(const struct reading *reading, struct buffer *out)
{
	for (size_t i = 0; i < reading->complaint_count; i++)
		(void)!buffer_print(out, "%s:%d: %.*s\n", reading->name, reading->complaints[i].line,
		    TEXT_FORMAT(reading->complaints[i].sentence));
	if (reading->complaint_count == READING_COMPLAINTS_MAX)
		(void)!buffer_print(out, "%s:1: more is wrong than is told here\n", reading->name);
}

const struct place *reading_place(
    const struct reading *reading, const char *section, unsigned ordinal, const struct option *option)
{
	for (size_t i = 0; i < reading->place_count; i++) {
		const struct place *place = &reading->places[i];

		if (place->option == option && place->ordinal == ordinal &&
		    text_equal(text_of(place->section), text_of(section)))
			return place;
	}
	return NULL;
}

/* -- libconfuse -------------------------------------------------------------- */

/* What would be right, by the beginning of libconfuse's words. */
static const char *hint_for(const char *sentence)
{
	static const struct {
		const char *words, *hint;
	} hints[] = {
		{ "missing equal sign", "name = value" },
		{ "missing opening brace", "name { ... }" },
		{ "missing title", "like listen \"0.0.0.0:25\" { role = mx }" },
		{ "found duplicate title", "keep one of them" },
		{ "premature end", "a quote or a } is missing" },
		{ "unexpected closing brace", "a { is missing, or there is one } too many" },
		{ "unexpected token", "values with blanks or signs want quotes, lists want commas" },
		{ "unterminated", "a quote is missing" },
	};

	for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
		if (text_starts(text_of(sentence), text_of(hints[i].words)))
			return hints[i].hint;
	return "postroad.conf(5) shows the syntax";
}

/* libconfuse calls this without any context, so the sentence is left in the section it is about, where the tree has
 * room for a comment; complain_as_confuse finds it there. */
[[gnu::format(printf, 2, 0)]] static void keep_sentence(cfg_t *section, const char *format, va_list list)
{
	char sentence[512];

	if (section->comment != NULL)
		return; /* The first one is the reason of the others. */
	vsnprintf(sentence, sizeof sentence, format, list);
	section->comment = strdup(sentence);
}

static void complain_as_confuse(struct reading *reading, const cfg_t *section)
{
	if (section->comment != NULL)
		reading_complain(reading, section->line, "%s (hint: %s)", section->comment, hint_for(section->comment));
}

static void complain_for_confuse(struct reading *reading)
{
	complain_as_confuse(reading, reading->tree);
	for (size_t i = 0; i < conf_section_count; i++)
		for (unsigned k = 0; k < cfg_size(reading->tree, conf_sections[i].name); k++)
			complain_as_confuse(reading, cfg_getnsec(reading->tree, conf_sections[i].name, k));
}

/* A list's default as libconfuse wants it, so that += adds to it; NULL: no memory. */
static char *list_default(struct arena *arena, const struct option *option)
{
	struct text rest = text_of(option->value), item, whole = TEXT("{");

	for (bool first = true; text_cut(&rest, ',', &item); first = false)
		if (!arena_print(arena, &whole, "%.*s%s\"%.*s\"", TEXT_FORMAT(whole), first ? "" : ", ",
		        TEXT_FORMAT(text_trim(item))))
			return NULL;
	return arena_print(arena, &whole, "%.*s}", TEXT_FORMAT(whole)) ? (char *)(uintptr_t)whole.bytes : NULL;
}

/* libconfuse's options of one section, with room for `more` and the end mark; NULL: no memory. */
static cfg_opt_t *options_of(struct arena *arena, const char *section, size_t more, size_t *out_count)
{
	cfg_opt_t *options = arena_array(arena, conf_option_count + more + 1, sizeof *options);
	size_t count = 0;

	for (size_t i = 0; options != NULL && i < conf_option_count; i++) {
		const struct option *option = &conf_options[i];

		if (!text_equal(text_of(option->section), text_of(section)))
			continue;
		if (option_is_list(option))
			options[count++] = (cfg_opt_t)CFG_STR_LIST(option->name, list_default(arena, option), CFGF_NONE);
		else
			options[count++] = (cfg_opt_t)CFG_STR(option->name, option->value, CFGF_NONE);
	}
	if (options != NULL)
		options[count] = (cfg_opt_t)CFG_END();
	*out_count = count;
	return options;
}

/* The whole grammar, from the tables. */
static cfg_opt_t *grammar(struct arena *arena)
{
	size_t count, inner_count;
	cfg_opt_t *root = options_of(arena, "", conf_section_count, &count);

	for (size_t i = 0; root != NULL && i < conf_section_count; i++) {
		const struct section *section = &conf_sections[i];
		const cfg_flag_t flags = section->title ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES : CFGF_NONE;
		cfg_opt_t *inner = options_of(arena, section->name, 0, &inner_count);

		if (inner == NULL)
			return NULL;
		root[count++] = (cfg_opt_t)CFG_SEC(section->name, inner, flags);
	}
	if (root != NULL)
		root[count] = (cfg_opt_t)CFG_END();
	return root;
}

/* The text, with a number behind each title that stood before. Places come in the order of the text. NULL: no memory. */
static const char *tell_titles_apart(struct reading *reading, const char *text)
{
	struct buffer out;
	struct text copy = text_of(text);
	size_t at = 0;
	bool fits = true;

	buffer_init(&out, strlen(text) + READING_PLACES_MAX * 8 + 1);
	for (size_t i = 0; fits && i < reading->place_count; i++) {
		const struct place *place = &reading->places[i];

		if (place->repeats_at == 0)
			continue;
		fits = buffer_append(&out, text_part(text_of(text), at, place->repeats_at - at)) &&
		    buffer_print(&out, "%c%u", TITLE_END, place->ordinal);
		at = place->repeats_at;
	}
	if (at > 0)
		fits = fits && buffer_append(&out, text_from(text_of(text), at)) &&
		    arena_copy(reading->scratch, buffer_text(&out), &copy);
	buffer_done(&out);
	return fits ? copy.bytes : NULL;
}

bool reading_parse(struct reading *reading, char *text)
{
	cfg_opt_t *root = grammar(reading->scratch);
	const enum outline_end end = outline_read(reading, text);
	const char *told_apart = tell_titles_apart(reading, text);

	reading->tree = root && told_apart ? cfg_init(root, CFGF_NONE) : NULL;
	if (reading->tree == NULL) {
		reading_complain(reading, 1, "not enough memory to read it");
		return false;
	}
	if (end == OUTLINE_BROKEN)
		return false;
	cfg_set_error_function(reading->tree, keep_sentence);
	const int result = cfg_parse_buf(reading->tree, told_apart);

	complain_for_confuse(reading);
	if ((result != CFG_SUCCESS || end != OUTLINE_WHOLE) && reading->complaint_count == 0)
		reading_complain(reading, 1, "cannot be understood (hint: postroad.conf(5) shows the syntax)");
	return result == CFG_SUCCESS && end == OUTLINE_WHOLE; /* R1 */
}
