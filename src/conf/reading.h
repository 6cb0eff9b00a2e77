/* One reading of a file: the parsed tree, where each value stands, and what is wrong. For conf only. */
#ifndef CONF_READING_H
#define CONF_READING_H

#include <confuse.h>

#include "conf/conf.h"
#include "conf/table.h"

struct reading {
	struct arena *arena;
	struct buffer *complaints;
	const char *name;    /* Of the file, for complaints. */
	cfg_t *tree;
	struct place {       /* Where an option was written. */
		const cfg_t *section;
		const char *option;
		int line;
	} *places;
	size_t place_count;
	unsigned complaint_count;
};

enum { READING_PLACES_MAX = 10000 };

/* "FILE:LINE: ..."; line 0: the file as a whole. */
[[gnu::format(printf, 3, 4)]] void reading_complain(struct reading *reading, int line, const char *format, ...);

/* The line where an option of this section was written; 0 when it was not. */
int reading_line(const struct reading *reading, const cfg_t *section, const char *option);

/* Parse text into the tree. False: complaints tell. */
[[nodiscard]] bool reading_parse(struct reading *reading, const char *text);
void reading_done(struct reading *reading);

/* Values, with complaints for wrong ones. */
bool value_size(struct text text, uint64_t *out_bytes);
bool value_duration(struct text text, int64_t *out_ms);

#endif
