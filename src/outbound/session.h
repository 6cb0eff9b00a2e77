/* The client's side of an SMTP or LMTP connection (RFC 5321, RFC 2033), as a pure machine.
 *
 * Events go in (connected, bytes, a chunk of the body, closed, time-out, a delivery, quit);
 * what is to be done comes out as a `client_todo`. No socket, clock or file inside: the courier,
 * a transcript test and a fuzzer drive the same code.
 *
 *   O1  A delivery ends with todo.finished, once. Every recipient then has an outcome, or its
 *       outcome has code 0: it was not tried to the end on this connection (the connection
 *       died or may take no more) and may be tried on another.
 *   O2  Recipients that have an outcome before the delivery is given are left alone.
 *   O3  Bytes that end a body are announced by todo.final in the same todo: from then on the recipients
 *       at stake are in doubt until their outcome.
 *   O4  A connection that dies with recipients in doubt makes them 451 4.4.2, except when it is
 *       stale: used before, and dead without one reply to this transaction. A server closes
 *       idle connections when it likes; that is no news of this message.
 *   O5  A body that does not end, or is damaged, is never completed on the wire.
 *   O6  Nothing that was said before TLS counts behind it; bytes behind the answer to STARTTLS end the connection.
 *       Where TLS is demanded, no mail and no name of its people is said before it.
 *   O7  A demanded login comes before any mail; without it there is none. Its password is shown by PLAIN and LOGIN only under TLS, and
 *       stands in no verdict. A refusal (5yz) is no news of the message: it is for the operator, and the mail waits.
 *   O8  What the other side can make us keep or send ahead is bounded: CLIENT_GROUP_MAX unanswered
 *       commands, a reply's limits, the size of a few chunks.
 *
 * What a message needs and the server does not offer (decided before MAIL):
 *   SIZE        a body above the announced size is 552 5.3.4, not sent (RFC 1870 §6.1).
 *   SMTPUTF8    550 5.6.7 (RFC 6531 §3.5): nothing is downgraded.
 *   REQUIRETLS  550 5.7.30 of the host (RFC 8689 §4.2.1): another one may promise it.
 *   8BITMIME    a body with 8-bit bytes is 554 5.6.3 (RFC 6152 §3). Sendmail and Postfix convert to 7
 *               bits, qmail sends the bytes anyway; we do neither, and look at the whole body before
 *               we refuse: many clients say BODY=8BITMIME for bodies that are plain ASCII.
 *   DELIVERBY   is passed on with the time that is left; less than the server takes at least is 550 5.4.7 where the message is not
 *               wanted later (RFC 2852 §4.1.4). Not passed on it is marked relayed_without_deliverby.
 *   DSN         what was asked for is not passed on; a success is marked relayed_without_dsn.
 *
 * Lifecycle: new; connected; then, whenever todo.ready, send or quit; until todo.ended; free. */
#ifndef OUTBOUND_SESSION_H
#define OUTBOUND_SESSION_H

#include "route/delivery.h"
#include "smtp/capabilities.h"

struct client_session;

enum {
	CLIENT_GROUP_MAX = 100,       /* Commands sent ahead of their replies (RFC 2920 §3.1). */
	CLIENT_RECIPIENTS_MAX = 100,  /* A transaction; what each server must take (RFC 5321 §4.5.3.1.8). */
	CLIENT_SMALL_BODY_MAX = 32768 /* A body up to this goes out with its envelope when BDAT allows. */
};

/* How long we wait for each answer. RFC 5321 §4.5.3.2 names the minima, but not for EHLO, TLS, RSET and QUIT.
 * A handshake that stalls is to leave time for a connection without it. */
struct client_timeouts {
	int64_t greeting_ms, hello_ms, handshake_ms, mail_ms, rcpt_ms, data_ms, block_ms, dot_ms, reset_ms, quit_ms;
};
#define CLIENT_TIMEOUTS_DEFAULT                                                                        \
	{ .greeting_ms = 300'000, .hello_ms = 300'000, .handshake_ms = 60'000, .mail_ms = 300'000,     \
	  .rcpt_ms = 300'000, .data_ms = 120'000, .block_ms = 180'000, .dot_ms = 600'000,              \
	  .reset_ms = 20'000, .quit_ms = 5'000 }

struct client_settings {                 /* Borrows; must outlive the session. */
	struct text hostname;            /* Ours, for EHLO. */
	struct client_timeouts timeouts;
	uint32_t messages_max;           /* Transactions a connection is used for; MAILMAX may lower it. */
	bool lmtp;
};

struct client_login {             /* Borrows. Of the lengths that sasl/login.h takes, no NUL among the bytes. */
	struct text user, password;
};

struct client_todo {
	struct text write;        /* Send these bytes. Borrows until the next event or client_session_did. */
	bool final;               /* They end a body (O3). */
	bool want_chunk;          /* Give chunk `chunk` of the body by client_session_chunk. */
	uint32_t chunk;
	bool start_tls;           /* Write, then begin a handshake; client_session_secured or _tls_failed follows. */
	bool tls_not_offered;     /* News: TLS was wanted, and the server does not offer it, or refused. */
	bool finished;            /* The delivery is over; it is not touched any more. */
	bool ready;               /* Takes a delivery or quit. */
	bool ended;               /* Write, then close. No event may follow but free. */
	bool stale;               /* With ended: dead before the first reply of a later transaction (O4). */
	bool unsafe;              /* With ended: TLS is not what is demanded. */
	bool clear_text_may_do;   /* With ended: TLS failed, but was not demanded. */
	bool logged_in;           /* The host has taken the login. */
	bool login_failed;        /* With ended: it has not, or could not be asked. */
	bool login_refused;       /* With login_failed: it said no for good (5yz), and so will others that know this login. */
	struct verdict trouble;   /* With ended: why, if it was not in order; else code 0. Borrows from the session or its caller. */
	int64_t timeout_ms;       /* > 0: from now on, this long without progress is a time-out. 0: no news. */
};

/* `peer`: "mx.example.net[192.0.2.1]", borrowed. NULL: no memory. */
[[nodiscard]] struct client_session *client_session_new(
    const struct client_settings *settings, struct text peer, struct tls_demand tls);
void client_session_free(struct client_session *session);

/* Say this in EHLO instead of the settings' hostname. Only before client_session_connected; borrows, for the life of the session. */
void client_session_introduce_as(struct client_session *session, struct text hostname);

/* Demand a login. Only before client_session_connected; borrows, for the life of the session. */
void client_session_demand_login(struct client_session *session, const struct client_login *login);

/* Fewer transactions than the settings allow; 0: as many. */
void client_session_limit_messages(struct client_session *session, uint32_t messages_max);

/* -- Events ----------------------------------------------------------------- */

void client_session_connected(struct client_session *session);
void client_session_bytes(struct client_session *session, struct text bytes);
void client_session_closed(struct client_session *session, enum error reason);

/* The handshake of todo.start_tls came to its end: "TLSv1.3 TLS_AES_256_GCM_SHA384", or why not. Copied. */
void client_session_secured(struct client_session *session, struct text tls);
void client_session_tls_failed(struct client_session *session, struct text reason);
void client_session_timed_out(struct client_session *session);

/* The chunk that todo.want_chunk asked for. Borrows during the call. */
void client_session_chunk(struct client_session *session, struct text bytes);

/* The chunk cannot be had: all recipients without outcome get `verdict`, the connection ends (O5). */
void client_session_chunk_failed(struct client_session *session, const struct verdict *verdict);

/* Deliver. Only when todo.ready. Borrows `delivery` until todo.finished; fills its outcomes
 * and takes memory for their text from its arena. */
void client_session_send(struct client_session *session, struct delivery *delivery);

/* May some of its recipients go over this connection, after the domains that it has seen (RCPTDOMAINMAX)? */
bool client_session_has_room(const struct client_session *session, const struct delivery *delivery);

/* Say good-bye. Only when todo.ready. */
void client_session_quit(struct client_session *session);

/* -- What to do ------------------------------------------------------------- */

/* Borrows; changes with each event. Chunks may be given, one after another, before anything is done. */
const struct client_todo *client_session_todo(struct client_session *session);

/* All of it was done: bytes are written, news is taken note of. */
void client_session_did(struct client_session *session);

/* Is recipient `position` (in delivery->message->recipients) part of the body that todo.final ends? */
bool client_session_at_stake(const struct client_session *session, uint32_t position);

/* What the server offers; all 0 before its answer to EHLO. */
const struct capabilities *client_session_capabilities(const struct client_session *session);

#endif
