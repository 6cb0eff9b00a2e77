/* The server's side of one SMTP or LMTP connection (RFC 5321, RFC 2033).
 *
 * Pure: events go in, replies and actions come out; no socket, clock, file or random source is
 * within. The server, a transcript test, a fuzzer and a simulator drive it the same way:
 *
 *     struct session_output output;
 *     session_output_init(&output);
 *     session_step(session, &(struct session_event){ .kind = SESSION_OPENED }, &output);
 *     for (;;) {
 *             for each output.actions[i]: do it (some are answered by an event of their own);
 *             send output.replies and clear it when there is nothing more to step;
 *             bytes arrived: consumed = session_step(session, &bytes_event, &output);
 *                     what was not consumed is given again, with what arrives behind it;
 *     }
 *
 *   S1  Bytes are consumed in order. What is not consumed is an incomplete command line, or waits
 *       for an answer (session_awaits), or for room in the output: then step again.
 *   S2  The reply to a command follows the replies to all earlier ones; replies of pipelined
 *       commands gather in output->replies (RFC 2920 §3.2).
 *   S3  ASK, BEGIN, COMMIT, AUTH_BEGIN and AUTH_STEP are questions: each is answered by exactly one event
 *       (JUDGED, BEGUN, STORED, AUTH_ANSWERED), and no input is consumed until then.
 *   S4  A message that was begun with success ends with one COMMIT or one ABANDON.
 *   S5  The only way to a 250 for a message is STORED with a 2yz verdict.
 *   S6  A message ends at CRLF . CRLF, or at the last octet of BDAT LAST, and nowhere else.
 *   S7  After CLOSE nothing is consumed or said any more.
 *   S8  Nothing that was said before TLS counts behind it (RFC 3207 §4.2), and what stands behind STARTTLS
 *       in clear text ends the session: somebody may have put it there (CVE-2011-0411).
 *   S9  Memory: an idle session holds less than 1 KiB; a transaction at most SESSION_TRANSACTION_MAX.
 *   S10 A password is heard under TLS only (a front end that tells by XCLIENT who logged in has seen to that itself), and
 *       nothing a client says of it comes into replies, refusals or the log. What was decoded of it is in output->arena,
 *       and output->secret says so: who did the actions wipes it.
 *
 *   S11 A verdict of 421 ends the session, whatever was asked.
 *
 * Text of actions borrows from the event, from output->arena or from the transaction: it is valid
 * until the next step. */
#ifndef INBOUND_SESSION_H
#define INBOUND_SESSION_H

#include "base/arena.h"
#include "base/buffer.h"
#include "inbound/pace.h"
#include "mail/envelope.h"
#include "sasl/exchange.h"

enum {
	SESSION_TRANSACTION_MAX = 4 << 20, /* Bytes for one envelope: 1000 recipients with ORCPT need 1.5 MiB. */
	SESSION_ACTION_MAX = 64,           /* Of one step; it stops consuming before it has no room. */
	SESSION_REPLIES_MAX = 256 << 10,   /* Bytes of replies that gather before they must be sent. */
	SESSION_JUNK_MAX = 100,            /* EHLO, NOOP, RSET, VRFY ... between two messages. */
	SESSION_HEADER_MAX = 1 << 20,      /* Bytes of a message's header; peers cut at a tenth of it. */
	SESSION_DROPPED_MAX = 64 << 20,    /* Bytes of text that are read though they will be refused. */
	SESSION_CHUNKS_FREE = 1000,        /* Chunks of a message, until they must have this many bytes each */
	SESSION_CHUNK_MEAN_MIN = 256,      /* on the average: what BDAT brings must be worth its reply. */
	SESSION_LOGINS_MAX = 3,            /* That fail, until 421. */
	SESSION_HOPS_MAX = 50              /* Received fields (RFC 5321 §6.3 asks for at least 100 hops or
	                                    * another limit; 50 is what peers use). */
};

enum session_role {
	SESSION_MX,         /* Mail for our domains; from trusted clients for all the world. */
	SESSION_SUBMISSION, /* Mail of our users (RFC 6409). */
	SESSION_LMTP,       /* RFC 2033 */
	SESSION_LOCAL       /* sendmail(1) */
};

struct session_settings {             /* Borrows; must outlive its sessions. */
	struct text hostname;
	struct text domain;           /* Of our users who say none. */
	uint64_t message_size_max;    /* Bytes on the wire; 0: no limit. */
	uint32_t recipient_count_max; /* Of one message; >= 1. RFC 5321 §4.5.3.1.8 asks for 100. */
	int64_t hold_ms_max;          /* How long our users may have a message held (RFC 4865); 0: not at all. */
	int8_t priority_max;          /* The highest that trusted clients may ask for (RFC 6710); >= 0. */
	uint32_t error_count_max;     /* Wrong commands and refused recipients until 421; >= 1. */
	const struct network *relay_from; /* Clients that are trusted: for those that are told by XCLIENT. */
	size_t relay_from_count;
	/* Are all addresses in this value of a field (RFC 5322 §3.6.2) own ones of who logged in by this name? Asked when a
	 * header is over, to know whether it needs a Sender (RFC 6409 §8.1). No answer by an event, because text follows the
	 * header at once: it must be there without waiting. NULL: Sender stays as it is. */
	bool (*owns)(void *context, struct text login, struct text addresses);
	void *owns_context;           /* Borrows. */
};

enum session_tls {
	SESSION_TLS_NONE,     /* Cannot be had. */
	SESSION_TLS_OFFERED,  /* By STARTTLS (RFC 3207). */
	SESSION_TLS_REQUIRED, /* The same, and no mail before it. */
	SESSION_TLS_IMPLICIT  /* From the first byte (RFC 8314 §3). */
};

struct session_peer {                 /* Copied, but for its text. */
	enum session_role role;
	enum session_tls tls;
	bool trusted;                 /* May relay, and submit, without a password. */
	bool forwards;                /* May tell by XCLIENT for whom it speaks. */
	unsigned mechanisms;          /* Of AUTH: a set of 1 << enum sasl_mechanism; 0: nobody logs in. */
	struct endpoint client;
	struct text user;             /* Borrows for the session's life; "uid 1000", or empty. */
};

enum session_event_kind {
	SESSION_OPENED,     /* First of all. */
	SESSION_BYTES,      /* `bytes` */
	SESSION_JUDGED,     /* Answer to ASK: `verdict`; 2yz: yes. */
	SESSION_BEGUN,      /* Answer to BEGIN: `verdict`; when it is 2yz `id` and `unix_ms`. */
	SESSION_STORED,     /* Answer to COMMIT: `verdict`; its text is said to the client. */
	SESSION_TLS_STARTED, /* What START_TLS asked for is done: `tls`. From now on bytes are those inside. */
	SESSION_AUTH_ANSWERED, /* Answer to AUTH_BEGIN and AUTH_STEP: `auth`. */
	SESSION_TIMED_OUT,  /* The client is too slow (inbound/pace.h): `text`. */
	SESSION_ENDED,      /* The other side is gone. */
	SESSION_SHUT_DOWN,  /* We want to go: end when no message is on its way. */
	SESSION_EVENT_COUNT
};

struct session_event { /* Borrows all text during the step. */
	enum session_event_kind kind;
	struct text bytes;
	struct text text; /* With TIMED_OUT, and with AUTH_ANSWERED and TROUBLE: words for the reply; may be empty. */
	struct verdict verdict;
	queue_id id;
	int64_t unix_ms;                 /* With BEGUN, and with JUDGED of a sender. */
	struct text client_name;         /* With BEGUN: by which the DNS knows the client, confirmed; may be empty. */
	struct {
		struct text version, cipher; /* "TLSv1.3", "TLS_AES_256_GCM_SHA384" */
		struct text certificate;     /* The verified name of the client's; empty: none. */
		bool binding;              /* There is one for the mechanisms with -PLUS. */
	} tls;
	struct {
		enum sasl_result result;
		struct text challenge;     /* With CONTINUE, and what comes with SUCCESS. */
		struct text user;          /* With SUCCESS. */
	} auth;
};

/* What may be refused, in the order of a session. */
enum session_question {
	SESSION_OF_CLIENT,    /* May this client talk to us at all? Before the banner, or the handshake. No: it is said, and all is over. */
	SESSION_OF_HANDSHAKE, /* May it have a handshake of TLS, which is dear? Answered at once; no: as with OF_CLIENT. */
	SESSION_OF_SENDER,    /* May it hand in mail from `sender`, the reverse-path? */
	SESSION_OF_RECIPIENT, /* May it hand in mail for `recipient`? */
	SESSION_OF_MESSAGE    /* May `message`, all of whose text has come, be stored? COMMIT follows, or ABANDON. */
};

enum session_action_kind {
	SESSION_ASK,     /* `question` */
	SESSION_BEGIN,   /* A message is about to come. */
	SESSION_ON_TOP,  /* `bytes`, a field, to stand above all that is known of it so far. */
	SESSION_BODY,    /* Its next `bytes`. */
	SESSION_COMMIT,  /* It is complete: make `message` durable. */
	SESSION_ABANDON, /* It will not come. */
	SESSION_START_TLS, /* Send what was said, then let the handshake begin. TLS_STARTED follows, or the end. */
	SESSION_AUTH_BEGIN, /* Somebody wants to log in by `mechanism`, and says `bytes`. */
	SESSION_AUTH_STEP,  /* He responds with `bytes`. */
	SESSION_AUTH_ABORT, /* He gave up after a challenge. */
	SESSION_REFUSED, /* For the log: `recipient`, or all when NULL, was answered with `verdict`; `bytes`: its "<sender>". */
	SESSION_CLOSE    /* Send what was said, then close. */
};

struct session_action {
	enum session_action_kind kind;
	enum session_question question;
	const struct address *sender, *recipient;
	struct text bytes;
	enum sasl_mechanism mechanism;
	struct verdict verdict;
	struct text authors;             /* With OF_MESSAGE, of our own users' mail: the value of its From field, empty when it has
	                                  * none; bytes NULL: it has several, or one too long to be kept. */
	struct message *message;         /* The transaction's, with COMMIT and OF_MESSAGE; the receiver of COMMIT fills body_size,
	                                  * chunk_count, expires_ms and due_ms. */
	struct text message_id;          /* With COMMIT, for the log; may be empty. */
	struct text claim_key, claim_mark; /* With COMMIT: to be put only if nobody claimed this; empty: whatever. */
};

/* What steps say. One may serve all the sessions of a thread. */
struct session_output {
	struct buffer replies;           /* Grows; the caller sends and clears it. */
	struct session_action actions[SESSION_ACTION_MAX];
	size_t action_count;             /* Of the last step. */
	struct arena *arena;             /* Of the last step. */
	bool secret;                     /* S10 */
};

[[nodiscard]] bool session_output_init(struct session_output *output); /* False: no memory. */
void session_output_done(struct session_output *output);

struct session;

/* Borrows settings. NULL: no memory. */
[[nodiscard]] struct session *session_new(
    const struct session_settings *settings, const struct session_peer *peer);
void session_free(struct session *session); /* NULL is fine. */

/* Take one event. Returns how many bytes of a SESSION_BYTES event were consumed, 0 for others.
 * Forgets the actions of the step before, never the replies. */
size_t session_step(
    struct session *session, const struct session_event *event, struct session_output *output);

/* An answer is due; bytes will not be consumed before it. */
bool session_awaits(const struct session *session);

/* What the client is expected to do now, for its pace; never PACE_DEAF. SESSION_TIMED_OUT may come in any but PACE_OURS. */
enum pace_phase session_phase(const struct session *session);

/* Bytes it holds, about. */
size_t session_memory(const struct session *session);

/* Permanent complaints so far, of all messages. */
uint32_t session_mistake_count(const struct session *session);

/* In the middle of a command line that is too long: bytes are taken and dropped. */
bool session_skips(const struct session *session);

/* For log and reports. `client`: "helo.name[192.0.2.1]". */
struct text session_helo(const struct session *session);
struct text session_client_text(const struct session *session, struct arena *arena); /* Empty: no memory. */
const char *session_protocol(const struct session *session); /* "SMTP", "ESMTPSA" (RFC 3848), "LMTP", "local" ... */
struct text session_tls(const struct session *session);      /* "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: clear text. */
struct text session_certificate(const struct session *session); /* The client's, by its verified name; may be empty. */
const struct session_peer *session_peer(const struct session *session);
bool session_is_trusted(const struct session *session); /* By its address or its login. */
struct text session_login(const struct session *session); /* Who logged in; empty: nobody. */
const struct address *session_reverse_path(const struct session *session); /* While a message is under way. */
const struct message *session_message(const struct session *session);      /* Also then: envelope and recipients. */
struct text session_user(const struct session *session); /* Who logged in, else the peer's; may be empty. */
struct text session_sender(const struct session *session, struct arena *arena); /* "<a@b>"; empty: none. */

/* The truths of every state; called at each step. */
void session_check(const struct session *session);

#endif
