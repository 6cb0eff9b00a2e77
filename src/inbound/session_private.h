/* What the files of the session share; see session.h for what it is, session.c for its table. */
#ifndef INBOUND_SESSION_PRIVATE_H
#define INBOUND_SESSION_PRIVATE_H

#include "inbound/body_scan.h"
#include "inbound/header_edit.h"
#include "inbound/header_scan.h"
#include "inbound/session.h"
#include "smtp/command.h"

/* STATE(NAME, "what is true in it"). The first five take commands; their order is the table's. */
#define SESSION_STATES(STATE)                                                       \
	STATE(CONNECTED, "the banner was said, the client has no name yet")         \
	STATE(READY, "greeted, no transaction")                                     \
	STATE(SENDER, "MAIL was accepted, no recipient yet")                        \
	STATE(RECIPIENTS, "at least one recipient was accepted")                    \
	STATE(CHUNKS, "a BDAT without LAST was accepted")                           \
	STATE(NEW, "nothing was said")                                              \
	STATE(JUDGING, "client, sender, recipient or message wait for their verdict") \
	STATE(BEGINNING, "DATA or the first BDAT waits for the word to begin")      \
	STATE(TEXT, "the lines behind DATA")                                        \
	STATE(CHUNK, "the octets behind BDAT")                                      \
	STATE(SECURING, "a handshake of TLS is under way")                          \
	STATE(RESPONSE, "a challenge was said, the client has to respond")          \
	STATE(PROVING, "what a client said of his password waits for its answer")    \
	STATE(STORING, "the message waits to be durable")                           \
	STATE(CLOSED, "all was said")

enum session_state {
#define STATE(name, prose) STATE_##name,
	SESSION_STATES(STATE)
#undef STATE
	STATE_COUNT,
	STATE_COMMANDS = STATE_CHUNKS + 1 /* States below it take commands. */
};

enum { MESSAGE_ID_MAX = QUEUE_ID_TEXT_SIZE + COMMAND_NAME_MAX + sizeof "<@>" };

/* From MAIL to the reply that ends it; lives in its own arena and dies with it. */
struct transaction {
	struct message message;        /* Envelope and the accepted recipients. */
	uint32_t recipient_capacity;
	bool refused_any;              /* A recipient was refused. */
	bool overflowed;               /* There were more than fit. */
	bool begun;                    /* BEGIN was answered 2yz; COMMIT or ABANDON is owed. */
	bool chunked;                  /* By BDAT. */
	bool held_for, by;             /* The envelope's held_until_ms, deliver_by_ms count from the sender's verdict, until it is there. */
	bool prioritised;              /* MAIL said how urgent it is. */
	bool lowered;                  /* It asked for more than it gets. */
	bool followed;                 /* Something stood behind DATA before its answer. */
	struct recipient pending;      /* While JUDGING. */
	struct verdict ruin;           /* code != 0: the message will be refused with this. */
	uint64_t wire_bytes;           /* Of the text so far. */
	uint32_t header_bytes, chunk_count;
	struct body_scan body;
	struct header_scan header;
	struct header_edit *edit;      /* Of our own users' mail; NULL: the header is passed on as it is. */
	bool header_done;              /* What we add to it was added. */
	struct text claim_key, claim_mark; /* Empty: none. */
	struct text message_id;        /* That we made; empty when the client brought one. */
	char message_id_room[MESSAGE_ID_MAX]; /* Kept free: recipients may have taken all the rest of the arena. */
};

/* The octets of the BDAT under way. */
struct chunk {
	uint64_t left;
	uint64_t size;
	bool last;
	struct verdict refusal;        /* code != 0: they are dropped, this is said behind them. */
	enum session_state after;      /* Where it was sent; a refused one leads back there. */
};

/* What is known of TLS, in one block with its text. */
struct secured {
	struct text tls, certificate;
	bool binding;
	char bytes[];
};

/* Who logged in, in one block with his name. */
struct login {
	bool proven;                   /* False: the client has yet to hear what came with success. */
	bool told;                     /* By XCLIENT. */
	size_t length;
	char name[];
};

struct session {
	const struct session_settings *settings;
	struct session_peer peer;
	enum session_state state;
	enum session_question question; /* While JUDGING. */
	bool extended;                 /* EHLO or LHLO: enhanced codes are said (RFC 2034 §4). */
	bool leaving;                  /* A shutdown was asked for. */
	bool skipping;                 /* The rest of a line that was too long. */
	bool mute;                     /* A reply found no memory: nothing can follow it. */
	struct secured *secured;       /* NULL: clear text. */
	struct login *login;           /* NULL: nobody logged in. */
	uint32_t error_count, junk_count, failed_login_count;
	uint32_t mistake_count;        /* As error_count, but of the whole session. */
	uint32_t put_off_count;        /* Commands answered 4yz since the last message. */
	uint64_t dropped_bytes;        /* Of text that was refused, since the last message. */
	struct arena *arena;           /* The transaction's; NULL without one. */
	struct transaction *transaction;
	struct chunk chunk;
	uint8_t helo_length;
	char helo[COMMAND_NAME_MAX];
};

/* A handler of a table's cell. */
struct session_step {
	struct session *session;
	const struct session_event *event;
	const struct command *command; /* In handlers of commands, */
	bool followed;                 /* and whether anything stands behind its line. */
	struct session_output *output;
};
typedef void command_handler(struct session_step *step);

/* Bytes are taken by the state they come in; returns how many. */
typedef size_t event_handler(struct session_step *step);

/* -- session_reply.c: what is said ------------------------------------------ */

/* One line: code, enhanced code if they are in use, text. */
void say(struct session_step *step, struct verdict verdict);
/* Lines as they are, CRLF included. */
[[gnu::format(printf, 2, 3)]] void say_format(struct session_step *step, const char *format, ...);
/* The first line; from then on commands are taken. */
void say_banner(struct session_step *step);
/* The answer to EHLO or LHLO. */
void say_capabilities(struct session_step *step);
/* Abandon what is under way, say it, close. */
void say_goodbye(struct session_step *step, struct verdict verdict);
/* Say it and count it: after too many permanent ones the session is over. So whoever calls
 * these two does nothing behind them that needs the session to go on. */
void complain(struct session_step *step, struct verdict verdict);
/* The same, and the log hears of it: mail was refused. `recipient` NULL: all of it. */
void refuse(struct session_step *step, struct verdict verdict, const struct address *recipient);
/* The reply to a whole message: one, or with LMTP one for each recipient (RFC 2033 §4.2). */
void say_of_message(struct session_step *step, struct verdict verdict);
/* A new action, all 0 but its kind. */
struct session_action *act(struct session_step *step, enum session_action_kind kind);

/* JUDGING, until the answer to this question is there. */
struct session_action *await_verdict(struct session_step *step, enum session_question question);

/* -- session_greeting.c: commands that concern no message --------------------- */

#define TOO_MUCH_TALK VERDICT(421, 4, 7, 0, "Too many commands without a message")

command_handler greet, greet_plain, reset, noop, verify, help, quit, refuse_fault, refuse_unknown,
    refuse_not_offered, refuse_early;
event_handler client_judged;

/* -- session_tls.c: the way into TLS ----------------------------------------------- */

#define TLS_FIRST VERDICT(530, 5, 7, 0, "Say STARTTLS first")

command_handler start_tls, refuse_tls_now;
event_handler handshake_judged, tls_started, refuse_clear_text;
bool may_start_tls(const struct session *session);
/* Whoever wants TLS all the way has come by it (RFC 8689 §2). */
bool offers_requiretls(const struct session *session);
/* This command must not be served before TLS. */
bool lacks_tls(const struct session *session, enum command_verb verb);

/* -- session_auth.c: who the client is, by his password ----------------------------- */

command_handler begin_auth, refuse_auth_now;
event_handler take_response, auth_answered;
/* What EHLO offers: a set of mechanisms, 0: no AUTH. */
unsigned offered_mechanisms(const struct session *session);
bool is_logged_in(const struct session *session);

/* -- session_xclient.c: for whom a front end speaks ---------------------------------- */

command_handler take_xclient, refuse_xclient_now;

/* -- session_envelope.c: MAIL, RCPT --------------------------------------------- */

command_handler begin_transaction, add_recipient, refuse_nested, refuse_no_sender, refuse_chunks_open;
event_handler sender_judged, recipient_judged;

/* May the client have a message held until later? */
bool may_hold(const struct session *session);
/* Forget the transaction; what was begun is abandoned. */
void end_transaction(struct session_step *step);
/* A transaction is over: on to the next. */
void become_ready(struct session_step *step);

/* -- session_data.c: DATA, BDAT, the text and its end ------------------------------ */

command_handler begin_data, refuse_data, refuse_data_no_sender, begin_chunk, next_chunk, refuse_chunk;
/* DATA was refused, and text stands behind it: the end. */
void leave_early_text(struct session_step *step);
event_handler message_begun, take_text, take_chunk, message_judged, message_stored;

/* -- session_priority.c: how urgent a message is (RFC 6710, RFC 6758) -------------------- */

/* What MAIL asked for. */
void note_priority(struct session *session, const struct command_mail *mail);
/* The header is known: it counts where MAIL said nothing. */
void settle_priority(struct session *session);
/* The word that ends a transaction, which tells of a lower priority than was asked for. */
struct verdict verdict_with_priority(struct session_step *step, struct verdict verdict);

/* -- session_header.c: what is put on top and into the header ------------------------ */

/* Pieces passed on while a header is edited must not be longer: what comes out lies in the step's arena. */
enum { SESSION_EDIT_UNIT = 4096 };

/* A message begins: what is put on top of it. */
void begin_header(struct session_step *step);
/* Pass a piece of message text on, watching the header while it lasts. */
void pass_text(struct session_step *step, struct text piece);
/* The text is over. */
void finish_text(struct session_step *step);
/* From here on the text goes nowhere, and `verdict` ends the transaction. The first ruin counts. */
void ruin(struct session_step *step, struct verdict verdict);

#endif
