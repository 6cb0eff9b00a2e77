/* Reading the header of a message (RFC 5322 §2.2), with CRLF or LF line ends.
 *
 * Pure, tolerant: what is no field is skipped. Results borrow from the text. */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/arena.h"

struct header_field {
	struct text name;  /* Without colon and the space before it. */
	struct text value; /* As it stands, folding included, without the final line end. */
	struct text whole; /* Name, value and line end. */
};

/* Take the next field off *rest. False at the empty line that ends the header (it stays in *rest)
 * or at the end of the text. A line that is no field is given with an empty name. */
bool header_next(struct text *rest, struct header_field *out_field);

/* Length of the header with the empty line behind it; the text's length when none is there. */
size_t header_length(struct text message);

/* The first field of that name; false if there is none. */
bool header_find(struct text message, struct text name, struct text *out_value);

size_t header_count(struct text message, struct text name);

/* A value without folding and surrounding blanks; false: no memory. */
[[nodiscard]] bool header_unfold(struct text value, struct arena *arena, struct text *out_value);

#endif
