/* The header of a message as it streams through: which fields it has, and where it ends.
 *
 * Pure. Buffers no more than one field name, so a header of any size costs the same.
 *
 *   H1  The pieces given out, one behind the other, are the header; with what is held and what is
 *       left of the input when it is over they are the message.
 *   H2  The header is over before the first line that is no field: an empty one, or text that
 *       somebody put there without one. What is to be added to the header can be added there.
 *   H3  The pieces do not depend on how the input was cut up, but for their number.
 *   H4  With `split` a piece belongs to one field, which the scan names. */
#ifndef INBOUND_HEADER_SCAN_H
#define INBOUND_HEADER_SCAN_H

#include "base/text.h"

enum {
	HEADER_NAME_MAX = 128,      /* A name longer than this is no field. */
	HEADER_MESSAGE_ID_MAX = 256, /* What the log wants to know of it. */
	HEADER_PRIORITY_MAX = 16,
	HEADER_TLS_REQUIRED_MAX = 8
};

enum header_position {
	HEADER_LINE_START,
	HEADER_NAME,  /* In what may become a field name; it is held. */
	HEADER_VALUE,
	HEADER_OVER
};

enum header_field {
	HEADER_OTHER,
	HEADER_RECEIVED,
	HEADER_DATE,
	HEADER_MESSAGE_ID,
	HEADER_FROM,
	HEADER_SENDER,
	HEADER_ADDRESSES, /* To, Cc and others that hold a list of them. */
	HEADER_PRIORITY,
	HEADER_TLS_REQUIRED,
	HEADER_BCC        /* That, and Resent-Bcc. */
};

struct header_scan { /* A value; all 0 is the start, but for `split`. */
	bool split;
	enum header_position position;
	enum header_field field;         /* The one we are in. */
	bool started;                    /* There was one field at least. */
	bool empty_line;                 /* When over: what follows is the empty line. */
	bool has_date, has_message_id, has_from, has_sender, has_priority;
	bool piece_begins;               /* The last piece with `split`: the begin of a field, */
	enum header_field piece_field;   /* and which. */
	uint32_t ahead;                  /* Of the input, known to be the name of a field; given with the next piece. */
	uint32_t received_count, field_count;
	uint32_t held_length, message_id_length;
	char held[HEADER_NAME_MAX];
	char message_id[HEADER_MESSAGE_ID_MAX];
	uint8_t priority_length;
	char priority[HEADER_PRIORITY_MAX];
	uint8_t tls_required_length;
	char tls_required[HEADER_TLS_REQUIRED_MAX]; /* Of all such fields together. */
};

enum header_event {
	HEADER_PIECE, /* *out_piece borrows from the input. */
	HEADER_HELD,  /* *out_piece borrows from the scan: copy it before the next call. */
	HEADER_MORE,  /* The input is used up. */
	HEADER_END    /* The header is over; scan->held, then the input, come behind it. */
};

/* Take the next piece of the header off *input, which is message text with CRLF only. */
enum header_event header_scan_next(struct header_scan *scan, struct text *input, struct text *out_piece);

/* No more input: whatever is held is no field. */
void header_scan_finish(struct header_scan *scan);

struct text header_scan_held(const struct header_scan *scan);

/* Of the first Message-ID, trimmed; empty if there is none. */
struct text header_scan_message_id(const struct header_scan *scan);

/* How the value of the first MT-Priority (RFC 6758) begins; empty if there is none. */
struct text header_scan_priority(const struct header_scan *scan);

/* Is there a "TLS-Required: No" (RFC 8689 §5), and no other such field? */
bool header_scan_waives_tls(const struct header_scan *scan);

#endif
