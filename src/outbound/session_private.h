/* The inside of a client session, for session*.c.
 *
 * session.c         events, the table of states, trouble
 * session_reply.c   what each reply means; how a transaction begins and ends
 * session_auth.c    how we log in
 * session_send.c    what is sent, and how far ahead of the replies
 * session_result.c  recipients: which belong to this transaction, what became of them
 *
 * A transaction is a script: MAIL, RCPT for each chosen recipient, DATA or BDAT. Two cursors run along
 * it: `sending` says what goes out next, the state says which reply comes next. Without
 * PIPELINING the second is never more than a step behind. */
#ifndef OUTBOUND_SESSION_PRIVATE_H
#define OUTBOUND_SESSION_PRIVATE_H

#include "outbound/body.h"
#include "outbound/session.h"
#include "sasl/login.h"
#include "smtp/reply.h"

/* STATE(NAME, time-out, reply handler, chunk handler, "what we were doing")
 * The state names the reply that comes next. "unasked" is forbidden: a reply ends the session, a chunk is
 * our own mistake. */
#define CLIENT_STATE_LIST(STATE)                                                                  \
	STATE(CONNECTING, greeting_ms, unasked, unasked, "connecting")                            \
	STATE(GREETING, greeting_ms, greeting, unasked, "waiting for the greeting")               \
	STATE(EHLO, hello_ms, ehlo, unasked, "waiting for the answer to EHLO")                    \
	STATE(HELO, hello_ms, helo, unasked, "waiting for the answer to HELO")                    \
	STATE(STARTTLS, hello_ms, starttls, unasked, "waiting for the answer to STARTTLS")        \
	STATE(HANDSHAKE, handshake_ms, unasked, unasked, "starting TLS")                          \
	STATE(AUTH, hello_ms, auth, unasked, "logging in")                                        \
	STATE(READY, quit_ms, unasked, unasked, "idle")                                           \
	STATE(SCAN, block_ms, unasked, scan, "looking through the message")                       \
	STATE(MAIL, mail_ms, mail, body, "waiting for the answer to MAIL")                        \
	STATE(RCPT, rcpt_ms, rcpt, body, "waiting for the answer to RCPT")                        \
	STATE(DATA, data_ms, data, unasked, "waiting for the answer to DATA")                     \
	STATE(BODY, block_ms, body, body, "sending the message")                                  \
	STATE(DOT, dot_ms, dot, unasked, "waiting for the answer to the final dot")               \
	STATE(BDAT, dot_ms, bdat, body, "waiting for the answer to BDAT")                         \
	STATE(SWALLOW, rcpt_ms, swallow, unasked, "waiting for answers to a refused transaction") \
	STATE(RSET, reset_ms, rset, unasked, "waiting for the answer to RSET")                    \
	STATE(QUIT, quit_ms, quit, unasked, "waiting for the answer to QUIT")                     \
	STATE(ENDED, quit_ms, unasked, unasked, "closed")

enum client_state {
#define STATE(name, timeout, reply, chunk, prose) CLIENT_##name,
	CLIENT_STATE_LIST(STATE)
#undef STATE
};

enum client_sending { SEND_NOTHING, SEND_MAIL, SEND_RCPT, SEND_DATA, SEND_BODY };

/* Where a recipient of the delivery stands. */
enum client_mark {
	MARK_WAITING = 1,  /* For a transaction to come. */
	MARK_CHOSEN = 2,   /* In this transaction; RCPT not sent or not answered. */
	MARK_ACCEPTED = 4, /* RCPT was answered with 2yz. */
	MARK_SETTLED = 8   /* Has its outcome. */
};

enum { CLIENT_DOMAINS_MAX = 16, CLIENT_OUTPUT_MAX = 1 << 20, CLIENT_TLS_MAX = 64 };

struct client_session {
	const struct client_settings *settings;
	struct text peer;
	struct text hostname;          /* Empty: the settings'. */
	struct tls_demand demand;
	char tls[CLIENT_TLS_MAX];      /* Version and cipher; "" in clear text. */
	const struct client_login *demanded; /* NULL: no login. */
	struct sasl_login *login;      /* Under way, by */
	enum sasl_mechanism mechanism; /* this. */
	bool logged_in;
	enum client_state state;
	enum client_sending sending;
	struct capabilities capabilities;
	struct buffer out;
	struct arena *scratch;         /* For one command. */
	struct client_todo todo;
	uint32_t messages_max;         /* 0: as the settings say. */
	uint32_t transaction_count;    /* MAIL commands sent on this connection. */
	uint64_t domains[CLIENT_DOMAINS_MAX]; /* Hashes, kept when RCPTDOMAINMAX is announced. */
	uint32_t domain_count;
	char trouble_text[REPLY_TEXT_MAX];

	/* The delivery in hand; NULL when there is none. */
	struct delivery *delivery;
	struct text host;              /* `peer` in the delivery's arena. */
	uint8_t *marks;                /* enum client_mark of each recipient, in the delivery's arena. */

	/* The transaction. */
	uint32_t unanswered;           /* Replies that are still to come. */
	uint32_t send_cursor;          /* Recipients before it: RCPT was sent. */
	uint32_t reply_cursor;         /* Recipients before it: RCPT (LMTP: also the dot) was answered. */
	uint32_t accepted_count;
	uint32_t chunk;                /* The next of the body. */
	struct body_writer body;
	bool reused;                   /* The connection served a transaction before. */
	bool replied;                  /* At least one reply came. */
	bool data_sent;                /* DATA is under way and may be answered by 354. */
	bool committed;                /* The end of the body was written and not answered. */
	bool oddly_accepted;           /* A recipient was accepted after MAIL was refused. */

	struct reply_parser parser;
};

/* -- session.c -------------------------------------------------------------- */

/* The connection is lost or useless: ends the delivery and the session. */
void client_session_trouble(struct client_session *session, const struct verdict *verdict);
/* The same, where the trouble is what we demand of it. */
void client_session_unsafe(struct client_session *session, const struct verdict *verdict);

/* The same in words of ours: 451 4.subject.detail. */
[[gnu::format(printf, 4, 5), gnu::nonnull(4)]] void client_session_trouble_print(
    struct client_session *session, unsigned subject, unsigned detail, const char *format, ...);

/* The same because of a reply that has no place here. */
void client_session_out_of_step(struct client_session *session, const struct verdict *reply);

/* The delivery is over, whatever became of it. */
void client_session_finish(struct client_session *session);

void client_stop_sending(struct client_session *session);
void client_end(struct client_session *session); /* In order. */

/* -- session_reply.c -------------------------------------------------------- */

typedef void client_reply_handler(struct client_session *session, const struct verdict *reply);
client_reply_handler client_reply_unasked, client_reply_greeting, client_reply_ehlo, client_reply_helo, client_reply_starttls,
    client_reply_auth, client_reply_mail, client_reply_rcpt, client_reply_data, client_reply_body, client_reply_dot,
    client_reply_bdat, client_reply_swallow, client_reply_rset, client_reply_quit;

/* The connection is open, in clear text or not: wait for the greeting, or say who we are. */
void client_await_greeting(struct client_session *session);
void client_say_hello(struct client_session *session);
void client_await_handshake(struct client_session *session);

/* The server waits for MAIL: go on with the delivery, wait for one, or leave. */
void client_rest(struct client_session *session);
void client_say_quit(struct client_session *session);

/* MAIL for the next recipients of the delivery; finishes it when there are none, or no more transactions. */
void client_begin_transaction(struct client_session *session);

/* The message cannot go this way at all. */
void client_refuse_all(struct client_session *session, const struct verdict *verdict);

/* -- session_auth.c --------------------------------------------------------- */

/* The server knows us, and there is no more TLS to come: log in where that is demanded, then rest. */
void client_introduced(struct client_session *session);

/* -- session_send.c --------------------------------------------------------- */

bool client_uses_bdat(const struct client_session *session);

/* Send as many commands as may be sent now; ask for a chunk if one may be sent. */
void client_send_more(struct client_session *session);

/* One command line; false after trouble. */
bool client_send_line(struct client_session *session, struct text line);
bool client_send_hello(struct client_session *session, struct text verb);

/* The next chunk of the body, by DATA or BDAT; asks for another or ends the body. */
void client_send_chunk(struct client_session *session, struct text bytes);

/* -- session_result.c ------------------------------------------------------- */

/* Mark recipients for the next transaction; returns how many. */
uint32_t client_choose_recipients(struct client_session *session);

/* The first recipient from `position` on with this mark; recipient_count if none. */
uint32_t client_next_marked(const struct client_session *session, uint32_t position, unsigned marks);

/* Until the moment by which it was wanted; negative: since. */
int64_t client_seconds_left(const struct client_session *session);

/* Why this message cannot go to this server at all; code 0 if it can. */
struct verdict client_unsuitable(const struct client_session *session);

/* Give recipients their outcome: one, or all that carry one of `marks`. */
void client_settle(struct client_session *session, uint32_t position, const struct verdict *verdict);
void client_settle_marked(
    struct client_session *session, unsigned marks, const struct verdict *verdict, bool pressure);

#endif
