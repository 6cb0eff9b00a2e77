#include "conf/table.h"

#include "base/must.h"

const struct option conf_options[] = {
#define OPTION(section_, name_, kind_, value_, words_, availability_, example_, prose_)                          \
	{ .section = section_, .name = name_, .kind = KIND_##kind_, .value = value_, .words = words_,            \
	  .availability = availability_, .example = example_, .prose = prose_ },
#include "conf/options.def"
#undef OPTION
};
const size_t conf_option_count = sizeof conf_options / sizeof conf_options[0];

const struct section conf_sections[] = {
#define SECTION(name_, title_, example_, prose_) \
	{ .name = name_, .title = title_, .example = example_, .prose = prose_ },
#include "conf/sections.def"
#undef SECTION
};
const size_t conf_section_count = sizeof conf_sections / sizeof conf_sections[0];

const char *availability_why(enum availability availability)
{
	static const char *const reasons[AVAILABILITY_COUNT] = {
#define AVAILABILITY(name, why) [name] = why,
#include "conf/availability.def"
#undef AVAILABILITY
	};

	must(availability < AVAILABILITY_COUNT);
	return reasons[availability];
}

const struct option *conf_option_find(const char *section, struct text name)
{
	for (size_t i = 0; i < conf_option_count; i++)
		if (text_equal(text_of(conf_options[i].section), text_of(section)) &&
		    text_equal(text_of(conf_options[i].name), name))
			return &conf_options[i];
	return NULL;
}

const struct section *conf_section_find(struct text name)
{
	for (size_t i = 0; i < conf_section_count; i++)
		if (text_equal(text_of(conf_sections[i].name), name))
			return &conf_sections[i];
	return NULL;
}

/* -- did you mean ------------------------------------------------------------ */

enum { NAME_LENGTH_MAX = 40, NEAR_MAX = 3 };

/* Levenshtein's distance, with one row of its table. Case and "_" for "-" cost nothing. */
static unsigned distance(struct text a, struct text b)
{
	unsigned row[NAME_LENGTH_MAX + 1];

	if (a.length > NAME_LENGTH_MAX || b.length > NAME_LENGTH_MAX)
		return NAME_LENGTH_MAX;
	for (unsigned k = 0; k <= b.length; k++)
		row[k] = k;
	for (unsigned i = 0; i < a.length; i++) {
		const char c = a.bytes[i] == '_' ? '-' : byte_lower(a.bytes[i]);
		unsigned diagonal = row[0];

		row[0] = i + 1;
		for (size_t k = 1; k <= b.length; k++) {
			const unsigned change = diagonal + (c != b.bytes[k - 1]);
			const unsigned shift = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;

			diagonal = row[k];
			row[k] = change < shift ? change : shift;
		}
	}
	return row[b.length];
}

/* Longer words may be more wrong: a third of their letters, and never all of them. */
static unsigned near_of(struct text wrong)
{
	const size_t third = (wrong.length + 2) / 3;

	return (unsigned)(third < NEAR_MAX ? third : NEAR_MAX);
}

const char *conf_nearest(const char *section, struct text wrong)
{
	const char *nearest = NULL;
	unsigned least = near_of(wrong) + 1;

	for (size_t i = 0; i < conf_option_count; i++) {
		const unsigned d = distance(wrong, text_of(conf_options[i].name));

		if (d < least && text_equal(text_of(conf_options[i].section), text_of(section))) {
			least = d;
			nearest = conf_options[i].name;
		}
	}
	for (size_t i = 0; section[0] == '\0' && i < conf_section_count; i++) {
		const unsigned d = distance(wrong, text_of(conf_sections[i].name));

		if (d < least) {
			least = d;
			nearest = conf_sections[i].name;
		}
	}
	return nearest;
}
