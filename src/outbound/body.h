/* A message body on its way into DATA or BDAT: line ends, leading dots, the end (RFC 5321 §4.5.2).
 *
 * Pure. Takes the body in pieces cut anywhere and appends what goes on the wire.
 *
 *   B1  What goes out ends with CRLF and holds CR and LF only as CRLF, also where the stored body does
 *       not (RFC 5321 §2.3.8): a lone LF becomes CRLF, a lone CR a space. A receiver that takes
 *       one of them for a line end could otherwise be made to see a final dot inside the body.
 *   B2  With dots, no line but the last is a lone dot; taking away one dot at the start of
 *       each line gives the body back.
 *   B3  The result does not depend on where the pieces were cut. */
#ifndef OUTBOUND_BODY_H
#define OUTBOUND_BODY_H

#include "base/buffer.h"

struct body_writer { /* A value. */
	bool dots;       /* For DATA: double leading dots and end with a lone one. */
	bool line_start;
	bool carriage;   /* A CR was read and waits for what follows. */
};

void body_writer_init(struct body_writer *writer, bool dots);

/* Append the wire form of `piece`. False: `out` is at its limit; part of it may be appended. */
[[nodiscard]] bool body_write(struct body_writer *writer, struct text piece, struct buffer *out);

/* Append what ends the body. An empty body stays empty but for the dot. False as above. */
[[nodiscard]] bool body_finish(struct body_writer *writer, struct buffer *out);

#endif
