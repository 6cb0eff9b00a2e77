/* Conversations as text, for tests: what the server says, what the client must say, what comes of it.
 *
 *   S words        the server says a line          C words     the client must have said this line, next
 *   C* words       ... a line that begins so
 *   M              a delivery is given             Q           quit is asked
 *   closed         the connection breaks           timeout     nothing came in time
 *   damaged        the wanted chunk is unreadable
 *   final          the end of a body was announced, and since the last check not more than once
 *   finished       the delivery is over            ready       it takes a delivery or quit
 *   ended [CODE TEXT]  the connection is over; without CODE: in order      stale   ... and was stale
 *   = N CODE [TEXT]    outcome of recipient N begins so; CODE 0: none
 *   pressure N     its host is the trouble         without-dsn N   relayed without DSN
 *   handshake      TLS is to be started            secured   it was
 *   tls-failed WHY     it was not                  clear     ... and clear text may do
 *   logged-in      the host has taken the login      login-failed, login-refused   or not, with ended
 *   tls WORDS      what the delivery was told of TLS
 *   stake N        its fate is in doubt if the connection breaks now
 *
 * All a client says must be expected before the server speaks or an event comes. */
#ifndef OUTBOUND_SESSION_SCRIPT_H
#define OUTBOUND_SESSION_SCRIPT_H

#include "outbound/session.h"

struct script {
	const char *name;
	const char *lines;
	const char *chunks[4];          /* NULL: one chunk, "hello\r\n". */
	const char *recipients[4];      /* "local@domain"; NULL: one, "r0@a.test". */
	struct envelope envelope;       /* Flags and DSN wishes; the rest is filled in. */
	const char *original;           /* ORCPT of every recipient. */
	unsigned notify;
	bool lmtp, null_path, no_body;
	struct tls_demand tls;
	uint32_t messages_max;
	struct client_login login;      /* Demanded, if there is a user. */
};

/* How the server's bytes are cut: line by line, byte by byte, or as many lines as stand together. */
enum script_cut { SCRIPT_LINES, SCRIPT_BYTES, SCRIPT_BLOCKS };

/* Play it; fails the test (cmocka) where the client strays from it. */
void script_play(const struct script *script, enum script_cut cut);

#endif
