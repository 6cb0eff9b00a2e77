/* A message from a file or from standard input, in pieces, with CRLF line ends whatever it had.
 *
 * Life: message_file_open, message_file_body until its end, message_file_close. */
#ifndef CTL_MESSAGE_FILE_H
#define CTL_MESSAGE_FILE_H

#include <stdio.h>

#include "base/buffer.h"
#include "ctl/progress.h"

enum { MESSAGE_HEADER_MAX = 8 << 20, MESSAGE_PIECE = 32 << 10 };

struct message_file {
	FILE *file;
	const char *name;     /* For complaints. */
	struct buffer header; /* With the empty line behind it, if there is one. */
	struct progress progress; /* Of a body that takes long. */
	uint64_t body_bytes;  /* Read so far. */
	bool has_body;        /* There was that line. */
	bool after_cr;
	bool was_crlf; /* How the first line ended. */
	char in[MESSAGE_PIECE], out[2 * MESSAGE_PIECE];
};

/* "-" or NULL is standard input. Reads the header. Returns an exit code; but for EX_OK it has been said why. */
int message_file_open(struct message_file *message, const char *name);

/* The next piece of the body; empty at the end. Borrows until the next call. False: it cannot be read (that was said). */
[[nodiscard]] bool message_file_body(struct message_file *message, struct text *out_piece);

void message_file_close(struct message_file *message); /* Also of one that did not open. */

#endif
