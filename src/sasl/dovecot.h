/* Lines of Dovecot's authentication protocol, version 1, the side of a client: what its auth service says, and what
 * may be said to it (https://doc.dovecot.org, "Dovecot Authentication Protocol").
 *
 * Pure. A line is words between tabs; within a word, \001 stands before what would end it.
 *
 *   D1  What is read is another program's: each part is looked at before it counts, and a part that is not known is
 *       passed over.
 *   D2  Whatever is printed is one line, whoever chose its parts. */
#ifndef SASL_DOVECOT_H
#define SASL_DOVECOT_H

#include "sasl/message.h"

enum {
	DOVECOT_LINE_MAX = 32768, /* That we take. */
	DOVECOT_REQUEST_MAX = 16000 /* That it takes: it hangs up on longer ones, and all logins under way with them. */
};

enum dovecot_word {
	DOVECOT_VERSION, /* number: the major one. */
	DOVECOT_MECH,
	DOVECOT_DONE,
	DOVECOT_CONT,
	DOVECOT_OK,
	DOVECOT_FAIL,
	DOVECOT_OTHER
};

struct dovecot_line {
	enum dovecot_word word;
	uint32_t number;               /* Of the request, with CONT, OK and FAIL. */
	bool known;                    /* MECH: it is one that we can offer, */
	enum sasl_mechanism mechanism; /* this one. */
	struct text bytes;             /* CONT: the challenge. OK: what comes with success. In the arena. */
	struct text user;              /* OK: a name, not empty, without control characters. In the arena. */
	bool refused;                  /* OK: proven, and yet not to be let in (nologin). */
	bool temporary;                /* FAIL: it could not be checked. */
	struct text reason;            /* FAIL: for the log. Static; may be empty. */
};

/* ERR_SYNTAX: no line of this protocol. ERR_NO_MEMORY. */
[[nodiscard]] enum error dovecot_line_read(struct text line, struct arena *arena, struct dovecot_line *out_line);

/* The first words of a connection; each has a process number of its own, and no two at one time the same. */
[[nodiscard]] bool dovecot_print_hello(struct buffer *out, uint32_t process);

/* A login begins, goes on, or is given up. False: no memory, or longer than Dovecot takes. */
[[nodiscard]] bool dovecot_print_begin(
    struct buffer *out, uint32_t number, const struct sasl_request *request, struct arena *arena);
[[nodiscard]] bool dovecot_print_step(struct buffer *out, uint32_t number, struct text response, struct arena *arena);
[[nodiscard]] bool dovecot_print_cancel(struct buffer *out, uint32_t number);

#endif
