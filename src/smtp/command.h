/* One line from a client: what it asks for (RFC 5321 §4.1, RFC 2033, and the extensions
 * RFC 1870, 2852, 3030, 3461, 4865, 4954, 6152, 6531, 6710, 8689; Postfix's XCLIENT).
 *
 * Pure. What is wrong with a line comes out as the very reply it deserves, so that a session
 * needs to know no grammar.
 *
 *   C1  A line without fault has every part its verb needs; parts not given are 0 or empty.
 *   C2  A fault is a 4yz (no memory) or 5yz verdict with static text.
 *   C3  Parts borrow from the line or live in the arena.
 *
 * Strict, with two exceptions that every widely used server makes and that old scripts rely
 * on: spaces behind the colon of MAIL FROM: and RCPT TO:, and a mailbox without its angle
 * brackets. RFC 5321 §4.1.1.2 knows neither. */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "base/endpoint.h"
#include "mail/address.h"
#include "mail/envelope.h"
#include "mail/verdict.h"

#define COMMAND_VERBS(X)                                                                          \
	X(HELO) X(EHLO) X(LHLO) X(MAIL) X(RCPT) X(DATA) X(BDAT) X(RSET) X(NOOP) X(VRFY) X(EXPN)   \
	X(HELP) X(QUIT) X(STARTTLS) X(AUTH) X(XCLIENT)

enum command_verb {
#define X(verb) COMMAND_##verb,
	COMMAND_VERBS(X)
#undef X
	COMMAND_UNKNOWN, /* Whatever else. */
	COMMAND_VERB_COUNT
};

enum {
	COMMAND_LINE_MAX = 2048,   /* CRLF included. RFC 5321 §4.5.3.1.4 grants 512, and each extension adds
	                            * its own (RFC 1870: 26, RFC 3461: 31+500, RFC 4954: 500, RFC 6531: 10). */
	COMMAND_AUTH_LINE_MAX = 12288 + 2, /* The same for AUTH with an initial response (RFC 4954 §4). */
	COMMAND_NAME_MAX = 255,    /* Of HELO, EHLO, LHLO: a domain. */
	COMMAND_ENVID_MAX = 100,   /* RFC 3461 §4.4, encoded. */
	COMMAND_CLAIM_MAX = 64,    /* A key, and a mark. */
	COMMAND_ORCPT_MAX = 500    /* RFC 3461 §4.2, encoded. */
};

struct command_mail {
	struct address reverse_path;
	uint64_t size;                 /* SIZE=; 0: not given. */
	bool body_8bit;                /* BODY=8BITMIME */
	bool smtputf8;                 /* SMTPUTF8 */
	enum dsn_return dsn_return;    /* RET= */
	struct text envelope_id;       /* ENVID=, decoded. */
	struct text submitter;         /* AUTH=, decoded: "<>" or a mailbox. */
	bool holds;                    /* HOLDFOR= or HOLDUNTIL= */
	uint32_t hold_s;               /* HOLDFOR=; 0: */
	int64_t hold_until_ms;         /* HOLDUNTIL=, Unix time. */
	bool by;                       /* BY= */
	int32_t by_s;                  /* From now; <= 0: it is late already. */
	bool by_return;                /* Mode R: return it then; else N: tell the sender, and go on. */
	bool by_trace;                 /* T */
	bool requires_tls;             /* REQUIRETLS */
	bool prioritises;              /* MT-PRIORITY= */
	int8_t priority;
	struct text claim_key;         /* XCLAIM=KEY.MARK, of our own programs: the message is put once for a key, */
	struct text claim_mark;        /* and this says which one it was. Letters and digits. */
};

struct command_rcpt {
	struct address forward_path;   /* Not null; without a domain only <postmaster>. */
	uint8_t notify;                /* NOTIFY=: enum dsn_notify bits. */
	struct text original;          /* ORCPT= decoded: "rfc822;user@example.org". */
};

struct command_bdat {
	uint64_t size;                 /* Octets that follow the line. */
	bool last;
};

struct command_xclient {               /* What was not told is as it was. */
	bool tells_client, tells_port, tells_login;
	struct endpoint client;        /* ADDR=, without port; of no family: it is not known. */
	uint16_t port;                 /* PORT=; 0: it is not known. */
	struct text login;             /* LOGIN=, decoded; empty: nobody logged in. */
};

struct command {
	enum command_verb verb;
	struct verdict fault;          /* Its code is 0 for a good line; else the reply. */
	union {
		struct text argument;  /* All other verbs: what stood behind, trimmed. HELO etc.: the name. */
		struct command_mail mail;
		struct command_rcpt rcpt;
		struct command_bdat bdat;
		struct command_xclient xclient;
	};
};

/* Parse a line without its CRLF. allow_utf8: RCPT may name an internationalised mailbox,
 * because MAIL said SMTPUTF8 (RFC 6531 §3.4). */
void command_parse(struct text line, bool allow_utf8, struct arena *arena, struct command *out_command);

const char *command_verb_word(enum command_verb verb); /* "MAIL"; "?" for COMMAND_UNKNOWN. */

#endif
