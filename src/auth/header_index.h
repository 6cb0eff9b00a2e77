/* The fields of a message's header, found once for all who look at them.
 *
 * Pure. Borrows the header; the list lives in the arena. */
#ifndef AUTH_HEADER_INDEX_H
#define AUTH_HEADER_INDEX_H

#include "base/error.h"
#include "mail/header.h"

enum { HEADER_FIELDS_MAX = 10000 };

struct header_index {
	const struct header_field *fields; /* In their order; lines that are no field have an empty name. */
	size_t count;
};

/* `header` has CRLF line ends; what follows its empty line does not matter. ERR_TOO_LARGE: more than
 * HEADER_FIELDS_MAX; ERR_NO_MEMORY. */
[[nodiscard]] enum error header_index_make(
    struct text header, struct arena *arena, struct header_index *out_index);

/* How many fields of that name. */
size_t header_index_count(const struct header_index *index, struct text name);

#endif
