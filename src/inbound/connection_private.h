/* One connection, for the files that are about it: connection.c moves its bytes, connection_act.c does what its
 * session asks for, connection_client.c knows what its client may, connection_report.c tells of it. */
#ifndef INBOUND_CONNECTION_PRIVATE_H
#define INBOUND_CONNECTION_PRIVATE_H

#include "inbound/inbound_private.h"

struct connection {
	struct inbound *inbound;
	struct inbound_snapshot *snapshot; /* Shared. */
	struct connection *next, *previous;
	struct stream *stream;
	struct stream_filter *filter;      /* The stream's; NULL in clear text. */
	struct loop_timer *timer;
	struct pace pace;                  /* What the timer is for. */
	struct session *session;
	struct intake *intake;             /* The message under way, or NULL. */
	struct arrival *arrival;           /* On its way there; NULL: as it is. */
	struct arrival *abandoned;         /* Within a step: what was found of the message that it ends. */
	struct vetting *vetting;           /* NULL: nothing is asked of strangers. */
	struct sasl_dialogue *login;       /* Under way, or NULL. */
	enum sasl_mechanism mechanism;     /* Its own. */
	struct buffer input;               /* What the session did not consume yet. */
	bool over;                         /* The session said CLOSE. */
	bool implicit;                     /* TLS is there from the first byte. */
	bool wants_tls;                    /* The session said START_TLS; what was said must be sent first. */
	bool paused;
	bool half_closed;                  /* The client has said its last, and still listens. */
	int64_t charged;                   /* What the memory of all knows it to hold. */
	struct client_key client;          /* Counted among the present; length 0: it is not. */
	uint32_t mistake_count;            /* Of the session's, those that were looked at. */
	struct loop_timer *hold;           /* NULL until it is needed. */
	bool held;                         /* Until its end nothing is said and nothing more is taken; */
	bool greeting;                     /* what waits is the banner. */
	struct buffer late;                /* Replies that wait. */
	char user[16];
};

/* -- connection_client.c: what the client may do, and what it did ------------------- */

/* The answer to its ASK, by the client's limits and then by judge(). Code 0: it comes later, by connection_judged. */
struct verdict connection_judge(struct connection *connection, const struct session_action *question);
/* Failed logins have not been too many yet. */
bool connection_may_log_in(struct connection *connection);
/* The wait before the banner is over. May free the connection. */
void connection_greet(struct connection *connection);
/* Something came in it. Frees the connection, soon. */
void connection_spoke_early(struct connection *connection);
void connection_note_failed_login(struct connection *connection);
void connection_note_refusal(struct connection *connection, const struct session_action *action);
/* After every step: mistakes are counted, and too many of them make the replies wait. */
void connection_note_mistakes(struct connection *connection);
/* It is among the present no more. */
void connection_forget_client(struct connection *connection);
/* Let it wait: connection_wait_over follows. False: too many wait already, or no memory. */
[[nodiscard]] bool connection_hold(struct connection *connection, int64_t delay_ms);
/* Not any more. */
void connection_release(struct connection *connection);

/* -- memory.c: what it holds ---------------------------------------------------------- */

/* Whatever it holds now counts; and nothing of it. */
void connection_charge(struct connection *connection);
void connection_discharge(struct connection *connection);

/* -- connection_act.c: what the session asks for -------------------------------- */

/* Step, and do what it brings; questions that are answered at once are steps, too. How many bytes of the event were taken. */
size_t connection_step(struct connection *connection, const struct session_event *event);

/* -- connection.c ------------------------------------------------------------------- */

/* The auth role's answer; context is the connection. May free it. */
sasl_answered connection_login_answered;

/* A timer's: context is the connection. */
void connection_wait_over(void *context);

/* -- connection_report.c: what the log hears ------------------------------------- */

/* The session answered with this refusal. */
void connection_report_refusal(struct connection *connection, const struct session_action *action);
/* `reason` may be empty. */
void connection_report_login(struct connection *connection, enum event_kind kind, struct text reason);
/* The stream ended: say so if it was a handshake that broke off, or records that made no sense. */
void connection_report_tls_failure(struct connection *connection, enum error reason);
/* The client was too slow, in these words. */
void connection_report_slowness(struct connection *connection, struct text how);

#endif
