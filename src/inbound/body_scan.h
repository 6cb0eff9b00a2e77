/* The text of a message as it comes over the wire: where it ends, what is wrong with it.
 *
 * Pure. Cuts the input into pieces that belong to the message, without copying.
 *
 *   B1  DATA ends at CRLF . CRLF, or at . CRLF when it is empty; nothing else ends it, in
 *       particular no sequence with a CR or LF of its own (RFC 5321 §4.1.1.4, §2.3.8).
 *   B2  The pieces, one behind the other, are the message: unstuffed (§4.5.2), every line but a last
 *       one of BDAT ending in CRLF, and without a CR or LF of its own.
 *   B3  A CR of its own is found and left out; an LF of its own is found and becomes CRLF. Whether
 *       that is forgiven is the caller's decision.
 *   B4  The pieces do not depend on how the input was cut up, but for their number. */
#ifndef INBOUND_BODY_SCAN_H
#define INBOUND_BODY_SCAN_H

#include "base/text.h"

/* RFC 5321 §4.5.3.1.6 wants 1000 with CRLF. Newsletters exceed it daily and peers take them; a line
 * beyond this bound is nobody's text. */
enum { BODY_LINE_MAX = 65536 };

enum body_finding {
	BODY_BARE_CR = 1,
	BODY_BARE_LF = 2,
	BODY_LONG_LINE = 4,
	BODY_8BIT = 8
};

enum body_position { /* Where in a line the next byte stands. */
	BODY_LINE_START,
	BODY_DOT,        /* Behind a dot that opened a line. */
	BODY_DOT_CR,     /* Behind a CR behind it. */
	BODY_INSIDE,
	BODY_CR          /* Behind a CR that was not yet given out. */
};

struct body_scan { /* A value. {.dots = true} for DATA, {.dots = false} for all chunks of a BDAT. */
	bool dots;
	enum body_position position;
	uint8_t found;          /* enum body_finding bits, so far. */
	uint32_t line_length;   /* Without CRLF; stops at BODY_LINE_MAX. */
};

enum body_event {
	BODY_PIECE, /* *out_piece is the next part of the message; not empty. */
	BODY_MORE,  /* The input is used up. */
	BODY_END    /* Behind the final dot; what is left of the input is no part of the message. */
};

/* Take the next piece off *input. It borrows from the input, or is static. */
enum body_event body_scan_next(struct body_scan *scan, struct text *input, struct text *out_piece);

/* After the last octet of BDAT LAST: a CR that nothing followed counts as one of its own. */
void body_scan_finish(struct body_scan *scan);

#endif
