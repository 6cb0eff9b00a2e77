/* What becomes of the header of a message that our own users hand in, as it streams through (RFC 6409 §8): addresses
 * without a domain get ours, and what nobody but the sender shall see (Bcc, RFC 5322 §3.6.3) goes.
 *
 * Pure. Holds one address of a field at a time, whatever the length of its list.
 *
 *   E1  All that is not Bcc, Resent-Bcc or a domain put behind a lone local part comes out as it went in, but for Sender when
 *       that is held back: then its first field is kept, for who decides what becomes of it when From is known.
 *   E2  What comes out does not depend on how the input was cut up.
 *   E3  An address that is longer than what is held, or that cannot be understood, stays as it is; so do all when
 *       HEADER_EDIT_ADDED_MAX bytes were added. */
#ifndef INBOUND_HEADER_EDIT_H
#define INBOUND_HEADER_EDIT_H

#include "base/buffer.h"
#include "inbound/header_scan.h"

enum {
	HEADER_EDIT_HELD_MAX = 1024,
	HEADER_EDIT_ADDED_MAX = 16 << 10,  /* A thousand local parts with a domain of usual length. */
	HEADER_EDIT_AUTHORS_MAX = 2048,
	HEADER_EDIT_SENDER_MAX = 1024
};

/* One item of an address list, from behind a separator up to the next. */
struct header_edit_item {
	enum { ANGLE_NONE, ANGLE_OPEN, ANGLE_CLOSED } angle;
	unsigned comment_depth, word_count;
	size_t word_start, word_end;       /* Of the last word, in what is held. */
	bool quoted, literal, escaped, gap;
	bool qualified;                    /* There is a domain, */
	bool spoiled;                      /* or no sense, or too much of it. */
};

struct header_edit {
	struct text domain;                /* Borrows. What goes behind a lone local part. */
	bool holds_sender;                 /* Sender is held back; set behind header_edit_init. */
	enum header_field field;           /* We are in. */
	bool in_name;                      /* Before its colon. */
	struct header_edit_item item;
	size_t held_length, added;
	unsigned author_field_count;       /* From fields, */
	size_t authors_length;             /* and the value of the first; more than there is room for: it was longer. */
	unsigned sender_field_count;       /* The same of Sender fields, with their name and line end, while they are held back. */
	size_t sender_length;
	char held[HEADER_EDIT_HELD_MAX];
	char authors[HEADER_EDIT_AUTHORS_MAX];
	char sender[HEADER_EDIT_SENDER_MAX];
};

void header_edit_init(struct header_edit *edit, struct text domain);

/* The next piece of the header, as the scan gave it (header_scan.h H4). False: `out` is full. */
[[nodiscard]] bool header_edit_piece(
    struct header_edit *edit, const struct header_scan *scan, struct text piece, struct buffer *out);

/* The header is over. False: `out` is full. */
[[nodiscard]] bool header_edit_end(struct header_edit *edit, struct buffer *out);

/* The value of the only From field, as it came out; nothing when there is none. False: there are several, or it is
 * longer than anybody's. */
bool header_edit_authors(const struct header_edit *edit, struct text *out_value);

/* The first Sender field that was held back, with its line end; empty: there was none, or it is longer than anybody's. */
struct text header_edit_sender(const struct header_edit *edit);

#endif
