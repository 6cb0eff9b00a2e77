/* The client's side of SOCKS5 (RFC 1928), with a user and password where the proxy wants them (RFC 1929).
 *
 *     METHOD ──► [LOGIN] ──► CONNECT ──► OPEN
 *        └──────────┴───────────┴──────► FAILED
 *
 * Pure: what came from the proxy goes in, in any pieces, and what is to be said to it comes out. Time-outs are the caller's.
 *
 *   K1  What stands behind the proxy's last word is the host's, and is not taken.
 *   K2  Nothing is said before its turn, and no more is kept than one answer of the proxy (SOCKS5_ANSWER_MAX).
 *   K3  Names are never handed to the proxy: it gets an address. */
#ifndef IO_SOCKS5_H
#define IO_SOCKS5_H

#include "base/endpoint.h"

enum { SOCKS5_ANSWER_MAX = 4 + 1 + 255 + 2, SOCKS5_WORD_MAX = 255, SOCKS5_SAY_MAX = 3 + 2 * SOCKS5_WORD_MAX };

struct socks5_login { /* Borrows; each 1 to SOCKS5_WORD_MAX bytes. */
	struct text user, password;
};

enum socks5_state { SOCKS5_METHOD, SOCKS5_LOGIN, SOCKS5_CONNECT, SOCKS5_OPEN, SOCKS5_FAILED };

enum socks5_fault {
	SOCKS5_NO_FAULT,
	SOCKS5_PROXY, /* The proxy is of no use, whatever the host is. */
	SOCKS5_WAY,   /* It does not get there, and does not blame the host. */
	SOCKS5_HOST   /* The host does not take its connection. */
};

struct socks5 {
	enum socks5_state state;
	enum socks5_fault fault;           /* With FAILED, and */
	const char *reason;                /* why. */
	struct endpoint to;
	struct socks5_login login;         /* Empty: none. */
	uint8_t answer[SOCKS5_ANSWER_MAX]; /* As much of it as came. */
	size_t answer_length;
	char say[SOCKS5_SAY_MAX];          /* To be sent now. */
	size_t say_length;
};

/* To an IPv4 or IPv6 address. `login` is borrowed until OPEN or FAILED; NULL: there is none. */
void socks5_begin(struct socks5 *socks5, const struct endpoint *to, const struct socks5_login *login);

/* How many of the bytes were taken: all but what is the host's (K1). */
size_t socks5_received(struct socks5 *socks5, struct text bytes);

/* What is to be sent now, perhaps nothing; and that it was, which forgets it. */
struct text socks5_say(const struct socks5 *socks5);
void socks5_said(struct socks5 *socks5);

#endif
