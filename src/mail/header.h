/* Reading the header of a message (RFC 5322 §2.2), with CRLF or LF line ends.
 *
 * Pure, tolerant: what is no field is skipped over, never a reason to stop. Results borrow from the text.
 *
 *     while (header_next(&rest, &field))
 *             ...                          // rest now begins with the empty line, or is at the end
 *
 *   H1  Every call takes a line at least, so the loop ends, and the header is read once.
 *   H2  The fields' `whole` parts, one after the other, are the header byte for byte. */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/arena.h"

struct header_field {      /* A value; borrows. */
	struct text name;  /* Without colon and the space before it; empty: the line is no field. */
	struct text value; /* As it stands, folding included, without the final line end. */
	struct text whole; /* Name, value and line end. */
};

/* Take the next field off *rest. False at the empty line that ends the header (it stays in *rest)
 * or at the end of the text. A line that is no field is given with an empty name. */
[[nodiscard]] bool header_next(struct text *rest, struct header_field *out_field);

/* Length of the header with the empty line behind it; the text's length when none is there. */
size_t header_length(struct text message);

/* The value of the first field of that name, surrounding blanks cut off; false if there is none. */
[[nodiscard]] bool header_find(struct text message, struct text name, struct text *out_value);

/* How many fields of that name the header holds. */
size_t header_count(struct text message, struct text name);

/* A value without folding and surrounding blanks; false: no memory. */
[[nodiscard]] bool header_unfold(struct text value, struct arena *arena, struct text *out_value);

#endif
