/* Logins that Dovecot checks: a connection to the socket of its auth service.
 *
 * For one thread, which polls: relay_fd and relay_events say for what, relay_due_ms until when; then relay_ready and
 * relay_turn do what is due. Many logins share the connection, so a slow one (Dovecot lets wrong passwords wait for two
 * seconds) keeps nobody else waiting.
 *
 *   L1  Every BEGIN and STEP is answered once, at the latest after RELAY_PATIENCE_MS, but for those that were aborted.
 *       SASL_EXCHANGES_MAX are under way at most: then the oldest goes.
 *   L2  Dovecot is mistrusted like any other program: what it says is bounded, a line that makes no sense ends the connection, and
 *       an answer that nobody waits for is dropped.
 *   L3  While it is away the answer is SASL_TROUBLE at once, and it is tried again after waits that double up to
 *       RELAY_WAIT_MS_MAX. */
#ifndef SASL_RELAY_H
#define SASL_RELAY_H

#include "sasl/message.h"

enum { RELAY_PATIENCE_MS = 60000, RELAY_GREETING_MS = 10000, RELAY_WAIT_MS_MIN = 100, RELAY_WAIT_MS_MAX = 10000 };

struct relay;

struct relay_handler {
	/* Valid during the call, which may not free the relay. */
	void (*answered)(void *context, const struct sasl_answer *answer);
	/* Dovecot is there, with mechanisms that may be others; or it went, and `why` says how it is known. */
	void (*changed)(void *context, bool there, enum error why);
};

/* To the socket at `path` (copied), at the first turn. Borrows the handler. NULL: no memory. */
[[nodiscard]] struct relay *relay_new(const char *path, const struct relay_handler *handler, void *context);
void relay_free(struct relay *relay); /* What waits is answered by SASL_TROUBLE. NULL is fine. */

/* The path it was made with. Borrows. */
const char *relay_path(const struct relay *relay);

/* It was there at least once. */
bool relay_was_there(const struct relay *relay);

/* What Dovecot announced last: a set of 1 << enum sasl_mechanism. 0 before it was there. */
unsigned relay_mechanisms(const struct relay *relay);

/* A request of mail's. The answer may come within the call. */
void relay_ask(struct relay *relay, const struct sasl_request *request, int64_t now_ms);

/* What to poll for: a descriptor (-1: none), events of poll(2), and a moment (INT64_MAX: none). */
int relay_fd(const struct relay *relay);
short relay_events(const struct relay *relay);
int64_t relay_due_ms(const struct relay *relay);

/* Poll said this of the descriptor. */
void relay_ready(struct relay *relay, short events, int64_t now_ms);

/* Do what is due by now. */
void relay_turn(struct relay *relay, int64_t now_ms);

#endif
