/* For tests: a session and somebody who drives it, as the server's shell does, but in memory.
 *
 * Replies gather in `heard`, messages that were committed in `stored`. Answers to the session's questions
 * are given at once, or (late) only when all bytes of driver_say were offered. A handshake that is asked for is done
 * when the bytes that were offered together have been consumed. */
#ifndef INBOUND_SESSION_DRIVER_H
#define INBOUND_SESSION_DRIVER_H

#include "inbound/session.h"

struct driver {
	/* To be set before driver_open. */
	struct session_settings settings;
	struct session_peer peer;
	size_t piece_size;              /* Bytes are offered in pieces of this size; 0: as they come. */
	bool late;                      /* See above. */
	bool stalls;                    /* No handshake comes to its end. */
	struct text certificate;        /* The client's, told with every handshake. */
	struct text good_domain;        /* Recipients here are known; empty: every recipient is good. */
	bool unbound;                   /* TLS has no channel binding. */
	struct text bad_domain;         /* Recipients here are refused. */
	struct verdict client, handshake; /* What is thought of the client, and of its handshake. */
	/* May change any time. */
	struct verdict sender, message; /* What is thought of every sender, and of every message. */
	struct verdict begin, store;    /* The answers to BEGIN and COMMIT. */
	struct network trusted;         /* Whom XCLIENT may name to be trusted: 10.0.0.0/8. */
	/* To be looked at. */
	struct session *session;
	struct session_output output;
	struct buffer input;            /* Not consumed yet. */
	struct buffer heard;
	struct buffer body;             /* Of the message under way. */
	struct buffer stored;           /* Text of the last committed message. */
	struct buffer envelope;         /* Of the last committed message, as one line. */
	size_t begun_count, committed_count, abandoned_count, refused_count;
	bool closed;
	bool wants_tls;                 /* A handshake was asked for and is not done. */
	size_t handshake_count;
	struct session_event owed[1];   /* The answer that is due. */
	bool owes;
	bool dialogue;                  /* A login waits for its next response. */
};

void driver_init(struct driver *driver);  /* Sensible settings. */
void driver_done(struct driver *driver);
void driver_open(struct driver *driver);
void driver_say(struct driver *driver, struct text bytes);
/* For session_settings.owns, with the driver: who logs in owns his name in good_domain. */
bool driver_owns(void *context, struct text login, struct text addresses);
void driver_event(struct driver *driver, enum session_event_kind kind);

#endif
