/* The tables of options and sections (options.def, sections.def), for conf only. */
#ifndef CONF_TABLE_H
#define CONF_TABLE_H

#include "base/text.h"

enum option_kind {
	KIND_STRING, KIND_NAME, KIND_PATH, KIND_ENDPOINT, KIND_ENUM, KIND_BOOL, KIND_NUMBER, KIND_SIZE, KIND_DURATION,
	KIND_RATE,
	/* Lists from here on. */
	KIND_STRINGS, KIND_NAMES, KIND_NETWORKS, KIND_ADDRESSES, KIND_HOSTS, KIND_DURATIONS, KIND_PATHS
};

enum availability {
	NOW,
#define AVAILABILITY(name, why) name,
#include "conf/availability.def"
#undef AVAILABILITY
	AVAILABILITY_COUNT
};

struct option {
	const char *section, *name;
	enum option_kind kind;
	const char *value; /* The default; NULL: none. */
	const char *words;
	enum availability availability;
	const char *example, *prose;
};
extern const struct option conf_options[];
extern const size_t conf_option_count;

struct section {
	const char *name, *title, *example, *prose;
};
extern const struct section conf_sections[];
extern const size_t conf_section_count;

static inline bool option_is_list(const struct option *option) { return option->kind >= KIND_STRINGS; }

/* What a reader can try: the example, or else the default; NULL if there is neither. */
static inline const char *option_example(const struct option *option)
{
	return option->example ? option->example : option->value;
}

/* Why it cannot be had; NULL for NOW. */
const char *availability_why(enum availability availability);

/* NULL: there is none. */
const struct option *conf_option_find(const char *section, struct text name);
const struct section *conf_section_find(struct text name);

/* The option of this section (or, at the top level, section) whose name is nearest to `wrong`; NULL when
 * none is near. */
const char *conf_nearest(const char *section, struct text wrong);

#endif
