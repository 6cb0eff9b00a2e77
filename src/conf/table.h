/* The table of options (options.def), for conf only. */
#ifndef CONF_TABLE_H
#define CONF_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum option_kind {
	KIND_STRING, KIND_NAME, KIND_PATH, KIND_ENDPOINT, KIND_ENUM, KIND_BOOL, KIND_NUMBER, KIND_SIZE, KIND_DURATION,
	/* Lists from here on. */
	KIND_STRINGS, KIND_NAMES, KIND_NETWORKS, KIND_ADDRESSES, KIND_HOSTS, KIND_DURATIONS
};

/* WORD_FIRST: only the first of the words can be acted upon by this version. */
enum availability { AVAILABLE_NOW, AVAILABLE_WORD_FIRST, AVAILABLE_LATER };

struct option {
	const char *section, *name;
	enum option_kind kind;
	const char *value; /* The default; NULL: none. Lists are written with ", ". */
	const char *words;
	enum availability availability;
	const char *prose;
};

extern const struct option conf_options[];
extern const size_t conf_option_count;

struct section {
	const char *name;
	bool titled;         /* Has a title, and may be repeated. */
	const char *title;   /* For the manual: what the title is. */
	const char *prose;
};
extern const struct section conf_sections[];
extern const size_t conf_section_count;

static inline bool option_is_list(const struct option *option) { return option->kind >= KIND_STRINGS; }

/* The option or section whose name is nearest to `wrong`; NULL when none is near. */
const char *conf_nearest(const char *section, const char *wrong);

#endif
