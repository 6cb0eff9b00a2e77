/* The outline of a configuration: which names stand where. For conf only.
 *
 * Knows just enough of libconfuse's syntax to find names, titles and braces:
 *
 *     NAME = WORD      NAME = { WORD, WORD }      NAME [TITLE] { ... }      # and // and C comments
 *
 * What it complains about (an unknown name, one that stands twice, a list where one value belongs) is
 * overwritten with blanks, so that libconfuse can read the rest and lines keep their numbers. */
#ifndef CONF_OUTLINE_H
#define CONF_OUTLINE_H

#include "conf/reading.h"

enum outline_end {
	OUTLINE_WHOLE,  /* Every place is noted. */
	OUTLINE_STRANGE, /* Stopped at something that is not this syntax: libconfuse has the words for it. */
	OUTLINE_BROKEN  /* Stopped, and has complained: what follows would make no sense. */
};

/* `text` is NUL-terminated and gets blanks. */
enum outline_end outline_read(struct reading *reading, char *text);

#endif
