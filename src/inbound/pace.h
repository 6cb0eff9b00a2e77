/* How slow a client may be: silence has its bound, and so has talk that leads nowhere, a byte at a time.
 *
 * Pure: the moments come in as arguments.
 *
 *   P1  The client's clock stands still while it waits for us; nobody is sent away for our own slowness.
 *   P2  Silence counts from the last bytes that brought the session on. Half a line brings it nowhere.
 *   P3  A command line has a time from its first byte to its end; a handshake or a login from its first step to its
 *       last; the commands between two messages, and before the first, altogether.
 *   P4  The text of a message, with all its chunks, may take as long as a silence, and besides what its bytes so far
 *       take at the smallest pace. So a slow line is served, and a trickle is not.
 *
 * A value: pace_init, then pace_step after every event. */
#ifndef INBOUND_PACE_H
#define INBOUND_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum pace_phase {
	PACE_OURS,     /* The client waits for us, or all is over. */
	PACE_COMMANDS,
	PACE_TEXT,     /* Of a message, from the word to begin. */
	PACE_PROOF,    /* A handshake of TLS, or the dialogue of a login. */
	PACE_DEAF      /* So many replies wait to be read that nothing more is taken. */
};

struct pace_limits {            /* Each > 0, but for the last. */
	int64_t silence_ms;     /* Of a silence, and of deafness. */
	int64_t line_ms, dialogue_ms, proof_ms;
	uint32_t text_bytes_per_s; /* 0: any pace will do. */
};

struct pace {
	enum pace_phase phase;
	enum pace_phase before; /* The last in which the client had to say something. */
	bool is_deaf;           /* Since deaf_ms. */
	int64_t ours_since_ms;  /* While the phase is ours. */
	int64_t ours_ms;        /* How long the client's clock has stood still. */
	/* By the client's clock. */
	int64_t progress_ms, dialogue_ms, line_ms, proof_ms, text_ms, deaf_ms;
	bool in_line;           /* line_ms counts. */
	uint64_t text_bytes;
};

struct pace_facts {
	enum pace_phase phase;
	bool progressed;        /* The session took bytes, or an answer came. */
	bool in_line;           /* There is half a line, */
	bool endless;           /* too long already: what comes of it is no progress. */
	int64_t now_ms;
};

void pace_init(struct pace *pace, int64_t now_ms);

/* Something happened. Returns how long the client has now until it is late; 0: for ever. */
int64_t pace_step(struct pace *pace, const struct pace_limits *limits, const struct pace_facts *facts);

/* So much text came; before pace_step. */
void pace_text(struct pace *pace, uint64_t bytes);

/* A message was taken: the dialogue begins anew. Before pace_step. */
void pace_message(struct pace *pace, int64_t now_ms);

/* Why the client is late at this moment, in words for its reply and for the log. Static; NULL: it is not. */
const char *pace_complaint(const struct pace *pace, const struct pace_limits *limits, int64_t now_ms);

#endif
