/* The world's failures: negative values, one text each (errors.def).
 *
 * Low layers return them; only flow code reports them, once. 0 is success. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum error_position {
#define ERROR(name, text) ERROR_POSITION_##name,
#include "base/errors.def"
#undef ERROR
	ERROR_COUNT
};

enum error {
	OK = 0,
#define ERROR(name, text) ERR_##name = -1 - ERROR_POSITION_##name,
#include "base/errors.def"
#undef ERROR
};

/* The text of an error, without a full stop. Static. */
const char *error_text(enum error error);

/* Translate errno. Unknown values become ERR_IO; 0 is a mistake. */
[[nodiscard]] enum error error_from_errno(int number);

#endif
