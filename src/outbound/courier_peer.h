/* A small SMTP and LMTP server for the courier's tests: real sockets, on the test's loop, with the manners
 * the test wishes for. */
#ifndef OUTBOUND_COURIER_PEER_H
#define OUTBOUND_COURIER_PEER_H

#include "base/buffer.h"
#include "io/stream.h"
#include "tls/tls.h"

enum { PEER_CONNECTIONS_MAX = 64 };

struct peer_manners {                  /* NULL or 0: well-behaved. */
	const char *greeting;          /* "" : none, ever. */
	const char *ehlo;              /* Lines, each with CRLF. */
	const char *mail, *rcpt, *dot; /* Replies without CRLF. */
	const char *auth;              /* Offers AUTH PLAIN under TLS, and replies so. */
	unsigned hang_up_at_mail;      /* At the Nth MAIL of a connection, without a word. */
	bool hang_up_after_body;       /* The body is here, no answer comes. */
	bool hang_up_at_body;          /* After 354, while the body comes. */
	struct tls_server *tls;        /* Offers STARTTLS (borrowed). */
	bool mute;                     /* Offers STARTTLS, and says nothing any more. */
	bool noise;                    /* Offers STARTTLS, and answers the handshake with anything. */
};

struct peer_connection {
	struct peer *peer;
	struct stream *stream;
	struct buffer input;
	unsigned mail_count, accepted_count;
	uint64_t body_left;            /* Of a BDAT chunk. */
	bool in_data, last_chunk, noisy, silent;
};

struct peer {
	struct loop *loop;
	struct listener *listener;
	struct endpoint endpoint;
	struct peer_manners manners;
	bool lmtp;
	struct peer_connection connections[PEER_CONNECTIONS_MAX];
	unsigned connection_count, message_count, quit_count;
	struct buffer bodies;          /* All of them, dots as on the wire. */
	struct buffer commands;        /* All lines but bodies. */
};

/* Listens on 127.0.0.1, or on `path` if it is not NULL. */
void peer_open(struct peer *peer, struct loop *loop, const char *path);

/* On this IPv4 address and port. */
void peer_open_at(struct peer *peer, struct loop *loop, const struct endpoint *endpoint);
void peer_close(struct peer *peer);

#endif
