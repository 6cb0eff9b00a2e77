/* What `mail` asks of the mailbox role and the pipe role, and what it hears: messages of their channel.
 *
 * Pure. Numbers are little-endian; decoding checks every bound, since the other side is another
 * process with other rights. Decoded texts borrow from the bytes.
 *
 * A small body is part of the request; a larger one travels with it as a descriptor, read with pread so that
 * many requests may share it. */
#ifndef MAILBOX_REQUEST_H
#define MAILBOX_REQUEST_H

#include "base/error.h"
#include "mail/verdict.h"
#include "mailbox/path.h"

enum {
	MAILBOX_TEXT_MAX = 1024,
	MAILBOX_ORIGINAL_MAX = 512,
	MAILBOX_BODY_MAX = 10 << 10, /* Of a body within a request: most mail. A memory file costs five system calls. */
	MAILBOX_MESSAGE_MAX = 16 << 10
};

struct mailbox_request {
	uint64_t number;            /* Comes back in the answer. */
	uint64_t body_size;
	struct text body;           /* Of body_size, unless that is more than MAILBOX_BODY_MAX. */
	struct mailbox_parts parts;
	struct text return_path;    /* Without brackets; empty: the null path. */
	struct text delivered_to;
	struct text original;       /* ORCPT without its type; empty: not known. The pipe role's. */
};

struct mailbox_answer {
	uint64_t number;
	struct verdict verdict;     /* Its host is the mailbox's path, as far as it is known. */
};

/* Give the length written to `room`; 0: a text is longer than MAILBOX_TEXT_MAX. */
[[nodiscard]] size_t mailbox_request_encode(const struct mailbox_request *request, char room[MAILBOX_MESSAGE_MAX]);
[[nodiscard]] size_t mailbox_answer_encode(const struct mailbox_answer *answer, char room[MAILBOX_MESSAGE_MAX]);

/* ERR_SYNTAX: not one, or return_path or delivered_to would break the header they are put into. */
[[nodiscard]] enum error mailbox_request_decode(struct text bytes, struct mailbox_request *out_request);
[[nodiscard]] enum error mailbox_answer_decode(struct text bytes, struct mailbox_answer *out_answer);

#endif
