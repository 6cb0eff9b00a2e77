/* Replies of an SMTP or LMTP server (RFC 5321 §4.2), from pieces of any size.
 *
 * Pure. Reads "250-first", "250 last", "250" alone, line ends CRLF or LF, and enhanced codes
 * (RFC 2034). Whatever a hostile server sends, what comes out is bounded and printable.
 *
 *   Y1  One reply is at most REPLY_LINES_MAX lines and REPLY_BYTES_MAX bytes; a longer one, a longer
 *       line, or a line without a code breaks the parser for good: the connection has lost its rhythm.
 *   Y2  The text of a reply is UTF-8 without control characters and at most REPLY_TEXT_MAX bytes
 *       long; the rest is cut off.
 *   Y3  The enhanced code is all 0, or of the same class as the code.
 *
 * Lifecycle: reply_parser_init; feed until REPLY_DONE; read the reply; feed on. Nothing to release. */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "mail/verdict.h"

enum {
	REPLY_LINE_MAX = 2048,  /* RFC 5321 §4.5.3.1.5 says 512; real servers exceed it. */
	REPLY_LINES_MAX = 128,
	REPLY_BYTES_MAX = 65536,
	REPLY_TEXT_MAX = 1000
};

enum reply_event {
	REPLY_MORE,   /* The piece is used up, the line is not complete. */
	REPLY_LINE,   /* A line that is not the last; see reply_line. */
	REPLY_DONE,   /* The last line: the reply is complete. */
	REPLY_BROKEN  /* Not SMTP, or too much of it; stays so. */
};

struct reply_parser { /* A value; only its functions look inside. */
	char line[REPLY_LINE_MAX];
	char text[REPLY_TEXT_MAX];
	struct text words;            /* Of the last complete line; borrows from `line`. */
	struct enhanced_code enhanced;
	size_t line_length, text_length, byte_count;
	uint32_t line_count;
	uint16_t code;
	bool done, broken;
};

void reply_parser_init(struct reply_parser *parser);

/* Take the next line, or what there is of it, off the front of *piece. */
[[nodiscard]] enum reply_event reply_parser_feed(struct reply_parser *parser, struct text *piece);

/* The words of the line just read, as they came, without code. Borrows until the next feed. */
struct text reply_line(const struct reply_parser *parser);

/* How many lines of this reply were read, the last one included. */
uint32_t reply_line_count(const struct reply_parser *parser);

/* The complete reply, `host` empty; its code is 200 to 599. Text borrows until the next feed. */
struct verdict reply_verdict(const struct reply_parser *parser);

#endif
