/* The HTTP server: connections, their bounds, and who may ask. What is answered comes from the control socket.
 *
 *   W1  At most WEB_CONNECTIONS_MAX connections, WEB_CLIENT_CONNECTIONS_MAX of one address, each silent for WEB_SILENCE_S at most,
 *       and each body has come after WEB_REQUEST_S.
 *   W2  A request's header is bounded by WEB_HEADER_BYTES, its body by WEB_BODY_BYTES_MAX, or its endpoint's own bound.
 *   W3  Each connection has a thread that may wait for the server's answer. So there are fewer connections than places at the
 *       control socket, and an operator always finds one.
 *
 * Threads of its own answer; all functions are for the thread that made it. */
#ifndef WEB_SERVER_H
#define WEB_SERVER_H

#include "web/rules.h"

enum {
	WEB_CONNECTIONS_MAX = 32,
	WEB_CLIENT_CONNECTIONS_MAX = 24,
	WEB_SILENCE_S = 15,
	WEB_REQUEST_S = 120,
	WEB_HEADER_BYTES = 32 << 10,
	WEB_BODY_BYTES_MAX = 64 << 10,
	WEB_LETTER_BYTES_MAX = 96 << 20, /* Of a message that is handed in. */
	WEB_ANSWER_BYTES_MAX = 64 << 20
};

struct web_server;

/* Borrows all during the call, but takes fd, a listening socket, even on failure, and shares the rules. */
struct web_server_settings {
	int fd;
	const char *control;           /* Path of the control socket. */
	const char *hostname;          /* Completes addresses without a domain, and names messages. */
	uint64_t message_bytes_max;
	struct text certificate, key;  /* PEM; empty: HTTP. */
	struct web_rules *rules;
};

/* NULL: it cannot be served (a certificate that is none, no memory). */
[[nodiscard]] struct web_server *web_server_new(const struct web_server_settings *settings);

/* From now on these (shared). */
void web_server_set_rules(struct web_server *server, struct web_rules *rules);

/* Ends what is under way. NULL is fine. */
void web_server_free(struct web_server *server);

#endif
