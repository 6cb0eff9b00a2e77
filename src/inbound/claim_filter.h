/* Takes away Authentication-Results that a stranger wrote in our name (RFC 8601 §5), as a message streams through.
 *
 * Pure. Holds one name and the begin of one value, however long the header is.
 *
 *   C1  What is kept, one piece behind the other, is the message without those fields, folded lines and all.
 *   C2  A field goes when its authserv-id is ours, or cannot be read, or does not come soon enough to be held.
 *   C3  What is kept does not depend on how the input was cut up.
 *   C4  From the first empty line on, nothing is looked at any more. */
#ifndef INBOUND_CLAIM_FILTER_H
#define INBOUND_CLAIM_FILTER_H

#include "base/text.h"

enum { CLAIM_HELD_MAX = 1280, CLAIM_NAME_MAX = 64 };

enum claim_position {
	CLAIM_LINE_START, /* Before the first byte of a line. */
	CLAIM_NAME,       /* In what may become the name; it is held. */
	CLAIM_VALUE,      /* In a value whose begin is held. */
	CLAIM_KEPT,       /* In a line that stays, */
	CLAIM_GONE,       /* and in one that goes. */
	CLAIM_RETURN,     /* Before a CR that begins a line, */
	CLAIM_FEED,       /* and behind it: only with LF is the line the empty one. */
	CLAIM_OVER
};

struct claim_filter { /* A value; all 0 but for `ours` is the start. */
	struct text ours; /* Borrows. Our authserv-id, at most 255 bytes. */
	enum claim_position position;
	enum claim_position field; /* What a folded line goes on with: VALUE, KEPT or GONE. */
	size_t name_length;        /* Of what is held: up to the colon. */
	size_t held_length;
	char held[CLAIM_HELD_MAX];
};

/* Take some of *input. Gives what is kept of the message next; empty: nothing yet, or the input is used up. Borrows from the
 * input, or from the filter until the next call. */
struct text claim_filter_next(struct claim_filter *filter, struct text *input);

/* No more input: what is kept of what was held. */
struct text claim_filter_end(struct claim_filter *filter);

#endif
