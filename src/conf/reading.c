/* libconfuse reads every value as a string or a list of strings; what they mean is decided afterwards, so that one
 * reading finds as many mistakes as it can. */
#include "conf/reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum { SECTION_OPTIONS_MAX = 32 };

/* libconfuse's callbacks carry no context: the reading that runs on this thread. */
static _Thread_local struct reading *current;

void reading_complain(struct reading *reading, int line, const char *format, ...)
{
	char sentence[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(sentence, sizeof sentence, format, list);
	va_end(list);
	reading->complaint_count++;
	/* A full buffer already holds more complaints than anyone reads. */
	if (line > 0)
		(void)!buffer_print(reading->complaints, "%s:%d: %s\n", reading->name, line, sentence);
	else
		(void)!buffer_print(reading->complaints, "%s: %s\n", reading->name, sentence);
}

int reading_line(const struct reading *reading, const cfg_t *section, const char *option)
{
	for (size_t i = reading->place_count; i > 0; i--)
		if (reading->places[i - 1].section == section && strcmp(reading->places[i - 1].option, option) == 0)
			return reading->places[i - 1].line;
	return 0;
}

static int note_place(cfg_t *section, cfg_opt_t *option)
{
	struct reading *reading = current;

	if (reading == NULL)
		return 0; /* A default, set before the reading begins. */
	if (reading->place_count == READING_PLACES_MAX) {
		cfg_error(section, "too many options");
		return -1;
	}
	reading->places[reading->place_count++] =
	    (struct place){ .section = section, .option = cfg_opt_name(option), .line = section->line };
	return 0;
}

/* libconfuse's own words, with a hint where we have one. */
static void confuse_complains(cfg_t *section, const char *format, va_list list)
{
	char sentence[512], wrong[64] = "";

	vsnprintf(sentence, sizeof sentence, format, list);
	if (sscanf(sentence, "no such option '%63[^']'", wrong) == 1) {
		const char *where = section->name && strcmp(section->name, "root") != 0 ? section->name : "";
		const char *nearest = conf_nearest(where, wrong);

		reading_complain(current, section->line, "unknown option \"%s\"%s%s (hint: %s%s%s)", wrong,
		    where[0] ? " in section " : "", where, nearest ? "did you mean \"" : "postroad.conf(5) lists all options",
		    nearest ? nearest : "", nearest ? "\"?" : "");
		return;
	}
	reading_complain(current, section->line, "%s", sentence);
}

/* A list's default as libconfuse reads it. It has to know it: an empty list that was written looks to us like
 * one that was not. */
static char *list_default(struct reading *reading, const struct option *option)
{
	struct text rest = text_of(option->value), item, whole = TEXT("{");

	for (bool first = true; text_cut(&rest, ',', &item); first = false)
		if (!arena_print(reading->arena, &whole, "%.*s%s\"%.*s\"", TEXT_FORMAT(whole), first ? "" : ", ",
		        TEXT_FORMAT(text_trim(item))))
			return NULL;
	return arena_print(reading->arena, &whole, "%.*s}", TEXT_FORMAT(whole)) ? (char *)(uintptr_t)whole.bytes : NULL;
}

static void fill_section(struct reading *reading, cfg_opt_t *out, size_t max, const char *section)
{
	size_t count = 0;

	for (size_t i = 0; i < conf_option_count; i++) {
		const struct option *option = &conf_options[i];

		if (strcmp(option->section, section) != 0)
			continue;
		must(count + 1 < max);
		if (option_is_list(option))
			out[count++] = (cfg_opt_t)CFG_STR_LIST(option->name, list_default(reading, option), CFGF_NONE);
		else
			out[count++] = (cfg_opt_t)CFG_STR(option->name, NULL, CFGF_NODEFAULT);
		out[count - 1].validcb = note_place;
	}
	out[count] = (cfg_opt_t)CFG_END();
}

/* libconfuse takes the end of the file for the end of a section; a missing brace would swallow what follows. */
static bool braces_are_closed(struct reading *reading, const char *text)
{
	int line = 1, depth = 0;
	char quote = '\0';

	for (const char *c = text; *c != '\0'; c++) {
		line += *c == '\n';
		if (quote != '\0') {
			if (*c == '\\' && c[1] != '\0')
				c++;
			else if (*c == quote)
				quote = '\0';
		} else if (*c == '"' || *c == '\'') {
			quote = *c;
		} else if (*c == '#' || (*c == '/' && c[1] == '/')) {
			c += strcspn(c, "\n") - 1;
		} else if (*c == '/' && c[1] == '*') {
			const char *end = strstr(c + 2, "*/");

			for (; end != NULL && c < end; c++)
				line += *c == '\n';
			c += end == NULL;
		} else {
			depth += (*c == '{') - (*c == '}');
		}
	}
	if (depth > 0)
		reading_complain(reading, line, "the file ends inside a section or list (hint: a } is missing)");
	return depth <= 0;
}

bool reading_parse(struct reading *reading, const char *text)
{
	cfg_opt_t sections[16][SECTION_OPTIONS_MAX], root[SECTION_OPTIONS_MAX + 16];
	size_t count = 0;

	must(conf_section_count <= 16);
	fill_section(reading, root, SECTION_OPTIONS_MAX, "");
	while (root[count].name != NULL)
		count++;
	for (size_t i = 0; i < conf_section_count; i++) {
		const cfg_flag_t flags = conf_sections[i].titled ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES : CFGF_NONE;

		fill_section(reading, sections[i], SECTION_OPTIONS_MAX, conf_sections[i].name);
		root[count] = (cfg_opt_t)CFG_SEC(conf_sections[i].name, sections[i], flags);
		root[count++].validcb = note_place;
	}
	root[count] = (cfg_opt_t)CFG_END();

	reading->places = calloc(READING_PLACES_MAX, sizeof *reading->places);
	reading->tree = reading->places ? cfg_init(root, CFGF_NONE) : NULL;
	if (reading->tree == NULL) {
		reading_complain(reading, 0, "out of memory");
		return false;
	}
	cfg_set_error_function(reading->tree, confuse_complains);
	current = reading;
	const int result = cfg_parse_buf(reading->tree, text);

	current = NULL;
	if (result != CFG_SUCCESS && reading->complaint_count == 0)
		reading_complain(reading, 0, "cannot be read");
	return result == CFG_SUCCESS && braces_are_closed(reading, text);
}

void reading_done(struct reading *reading)
{
	if (reading->tree != NULL)
		cfg_free(reading->tree);
	free(reading->places);
}

/* Digits at the start, and the unit that follows them. */
static bool split_number(struct text text, uint64_t *out_number, struct text *out_unit)
{
	size_t digits = 0;

	while (digits < text.length && byte_is_digit(text.bytes[digits]))
		digits++;
	*out_unit = text_from(text, digits);
	return text_to_u64(text_part(text, 0, digits), out_number);
}

bool value_size(struct text text, uint64_t *out_bytes)
{
	uint64_t number;
	struct text unit;

	if (!split_number(text, &number, &unit))
		return false;
	const unsigned shift = text_equal_nocase(unit, TEXT("K")) ? 10
	    : text_equal_nocase(unit, TEXT("M"))              ? 20
	    : text_equal_nocase(unit, TEXT("G"))              ? 30
							      : 0;

	if ((shift == 0 && unit.length > 0) || number > UINT64_MAX >> shift)
		return false;
	*out_bytes = number << shift;
	return true;
}

bool value_duration(struct text text, int64_t *out_ms)
{
	static const struct {
		struct text unit;
		int64_t ms;
	} units[] = {
		{ TEXT("ms"), 1 }, { TEXT("s"), 1000 }, { TEXT("m"), 60000 }, { TEXT("h"), 3600000 }, { TEXT("d"), 86400000 }
	};
	uint64_t number;
	struct text unit;

	if (!split_number(text, &number, &unit))
		return false;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (text_equal(unit, units[i].unit) && number <= (uint64_t)(INT64_MAX / units[i].ms)) {
			*out_ms = (int64_t)number * units[i].ms;
			return true;
		}
	}
	return false;
}
