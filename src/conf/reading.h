/* One reading of a file: the tree of its values, where each one stands, and what is wrong. For conf only.
 *
 * Two readers go over the text. The outline (outline.c) knows names and places only: it finds what libconfuse would
 * stop at or pass over (unknown names, things that stand twice, a missing brace) and puts blanks in its place. Then
 * libconfuse reads the values, each as a string or a list of strings; what they mean is decided afterwards
 * (part.c). It takes sections of one title for one section; where they are not, it is given titles with a number behind
 * TITLE_END. So one reading finds as many mistakes as it can.
 *
 *   R1  A file is accepted only if both readers came to its end and nobody complained.
 *   R2  Complaints are given in the order of their lines, at most READING_COMPLAINTS_MAX of them. */
#ifndef CONF_READING_H
#define CONF_READING_H

#include <confuse.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "conf/table.h"

enum { READING_PLACES_MAX = 10000, READING_COMPLAINTS_MAX = 100, TITLE_END = '\x1f' };

/* Where an option, or a section (option NULL), is written. */
struct place {
	const char *section;         /* "": the top level. */
	unsigned ordinal;            /* Of its section among those of the same name. */
	const struct option *option;
	struct text title;           /* Of a section, as written. */
	size_t repeats_at;           /* > 0: the title stood before. Where it ends in the text. */
	int line;
};

struct complaint {
	int line;
	struct text sentence;
};

struct reading {
	struct arena *arena;         /* Borrows; results live in it, */
	struct arena *scratch;       /* and everything else in here. */
	const char *name;            /* Of the file, for complaints. */
	const char *folder;          /* Relative paths begin there. */
	cfg_t *tree;
	struct place *places;
	size_t place_count, place_room;
	struct complaint *complaints;
	size_t complaint_count;
};

/* False: no memory. After it reading_done, whatever happens. */
[[nodiscard]] bool reading_init(struct reading *reading, struct arena *arena, const char *name, const char *folder);
void reading_done(struct reading *reading);

/* Read the values of `text` (NUL-terminated, changed by the outline). False: complaints tell why. */
[[nodiscard]] bool reading_parse(struct reading *reading, char *text);

/* Note where something stands. False: no room for more. */
[[nodiscard]] bool reading_add_place(struct reading *reading, const struct place *place);

/* One sentence; in brackets at its end a hint what would be right. */
[[gnu::format(printf, 3, 4)]] void reading_complain(struct reading *reading, int line, const char *format, ...);

/* Append "FILE:LINE: sentence", a line each. A full buffer holds more complaints than anyone reads. */
void reading_report(const struct reading *reading, struct buffer *out);

/* NULL: it is not written. */
const struct place *reading_place(
    const struct reading *reading, const char *section, unsigned ordinal, const struct option *option);

#endif
