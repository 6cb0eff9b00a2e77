/* What the files of the shell share; see inbound.h. */
#ifndef INBOUND_INBOUND_PRIVATE_H
#define INBOUND_INBOUND_PRIVATE_H

#include "inbound/inbound.h"

/* The settings of one (re)load, shared by the connections that came under it. */
struct inbound_snapshot {
	uint32_t reference_count;
	struct arena *arena;                /* Holds the text and networks. */
	struct session_settings session;
	struct pace_limits pace;
	struct client_limits client;
	int64_t memory_max;
	uint32_t connection_count_max;
	int64_t lifetime_ms;
	const struct network *proxy_from, *xclient_from;
	size_t proxy_from_count, xclient_from_count;
	struct submitter_rules submitters;
	struct policy policy;
	struct vetting_settings vetting;
	int64_t *list_told_ms;              /* When the log heard that a list fails; 0: never. */
};

struct connection;
struct intake;
struct front;

struct inbound {
	struct inbound_wiring wiring;
	struct inbound_snapshot *snapshot;  /* The newest. */
	struct router *router;              /* The newest. */
	struct tls_server *tls;             /* The newest; NULL: none. */
	struct dns *dns;                    /* The newest; NULL: none. */
	struct signing_keys *signing;       /* The newest; NULL: nothing is signed. */
	struct key_ring *ring;              /* Keys of others' DKIM. */
	struct session_output output;       /* One for all: steps do not nest. */
	struct connection *connections;     /* List; the newest first. */
	size_t connection_count, held_count;
	struct front *fronts;               /* List of streams whose header is to come. */
	size_t front_count;
	struct intake *intakes;             /* List of messages under way, with or without connection. */
	bool draining;
	bool short_of_memory;               /* Told as a trouble. */
	void (*drained)(void *context);
	void *drained_context;
	struct loop_timer *drained_timer;
	char submitter_reply[SUBMITTER_REPLY_MAX]; /* Text of a verdict, until the step that says it. */
};

void inbound_snapshot_unref(struct inbound_snapshot *snapshot);

/* Something ended: is it all? */
void inbound_look_drained(struct inbound *inbound);

/* An accepted stream whose client is known by now: greet it, or turn it away. */
void inbound_welcome(struct inbound *inbound, struct stream *stream, const struct session_peer *peer);
/* No room for another connection. */
bool inbound_is_full(const struct inbound *inbound);
/* What our settings make of somebody at this address. */
struct session_peer inbound_peer(
    const struct inbound *inbound, const struct endpoint *client, enum session_role role, enum session_tls tls);

/* -- front.c: streams that begin with a PROXY header ------------------------------ */

void front_free_all(struct inbound *inbound);
/* -- memory.c: the ceiling of what all connections hold ------------------------ */

/* Nothing new is to be begun. */
bool inbound_is_short(struct inbound *inbound);
/* Nothing more is to be held. */
bool inbound_is_exhausted(struct inbound *inbound);
/* Mail's answer to both. */
#define SHORT_OF_MEMORY VERDICT(452, 4, 3, 1, "Insufficient system resources")

/* -- connection.c: one stream and its session ---------------------------------- */

void connection_new(struct inbound *inbound, struct stream *stream, const struct session_peer *peer);
void connection_free(struct connection *connection); /* At once, without a word. */
/* Ask it to leave (SESSION_SHUT_DOWN). May free it. */
void connection_shut_down(struct connection *connection);
/* What vetting found of its client's name; NULL: it did not look, or is not done. Borrows. */
const struct iprev *connection_iprev(const struct connection *connection);
struct connection *connection_next(const struct connection *connection);
/* The answer to its ASK, when judge() had none yet. May free it. */
void connection_judged(struct connection *connection, struct verdict verdict);
/* The answer to its COMMIT. May free it. */
void connection_stored(struct connection *connection, struct verdict verdict);
/* Fewer chunks are pending: go on reading. May free it. */
void connection_relieved(struct connection *connection);

/* -- judge.c: who and what is let in ------------------------------------------------- */

/* The answer to SESSION_ASK. Code 0: it comes later, by connection_judged. */
struct verdict judge(struct inbound *inbound, const struct session *session, const struct session_action *question);

/* For session_settings.owns; context is the inbound. */
bool judge_owns(void *context, struct text login, struct text addresses);

/* -- intake.c: one message on its way into the spool ------------------------------ */

enum { INTAKE_TOP_MAX = SPOOL_CHUNK_SIZE };

/* NULL: no memory. */
[[nodiscard]] struct intake *intake_new(struct inbound *inbound, struct connection *connection, queue_id id);
/* A field, with its line end, to stand above the text and above all that was put there before: also one that is
 * known only when all text has come (trace fields, results, signatures over the whole). At most INTAKE_TOP_MAX in all. A
 * failure is remembered until the commit, as in the next one. */
void intake_put_on_top(struct intake *intake, struct text field);
/* Before its first bytes: they are ours to sign. `sender_domain` is the envelope's. Without keys or memory they are not. */
void intake_sign(struct intake *intake, struct text sender_domain);
/* Its next bytes. */
void intake_body(struct intake *intake, struct text bytes);
/* What it holds, about. */
size_t intake_memory(const struct intake *intake);
/* Too many chunks are pending. */
bool intake_is_congested(const struct intake *intake);

struct intake_facts { /* What the record says besides the envelope. Borrows. */
	const char *protocol;
	struct text message_id;
	struct text claim_key, claim_mark;  /* Empty: none. */
	struct text tls, certificate;       /* Empty: none. */
	struct text results;                /* Of its authentication; may be empty. */
	struct text sealed;                 /* Whose seal stands on it; may be empty. */
	const struct dmarc_tally *tally;    /* Counted with it; NULL: nothing is. */
};
/* The message is complete. OK: connection_stored follows, later; `message` is borrowed until then, or until
 * intake_abandon. A failure is the answer, and the end of the intake. */
[[nodiscard]] enum error intake_commit(
    struct intake *intake, struct message *message, const struct intake_facts *facts);
/* What a client is told of a failure of the spool. Here, and only here, the one becomes the other. */
struct verdict intake_verdict(enum error error);
/* Nobody waits for it any more: a commit under way goes on, anything else is discarded.
 * The intake frees itself. */
void intake_abandon(struct intake *intake);
void intake_free_all(struct inbound *inbound);
/* We are draining: nothing waits for a better moment any more. */
void intake_hurry(struct inbound *inbound);

#endif
