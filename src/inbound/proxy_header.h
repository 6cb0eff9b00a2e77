/* The line, or block, by which a front end tells for whom it connects: the PROXY protocol of HAProxy, versions 1 and 2
 * (proxy-protocol.txt, "The PROXY protocol header").
 *
 * Pure.
 *
 *   P1  Whether bytes are wrong is known as soon as they are, not only at their end.
 *   P2  A header is never longer than PROXY_HEADER_MAX; a longer one is wrong.
 *   P3  What is behind the header is not looked at. */
#ifndef INBOUND_PROXY_HEADER_H
#define INBOUND_PROXY_HEADER_H

#include "base/endpoint.h"

enum {
	PROXY_HEADER_MAX = 4096 /* Version 1 has 107 bytes at most; version 2 brings certificates' names and the like along. */
};

enum proxy_answer {
	PROXY_MORE,    /* It is right so far, and not complete. */
	PROXY_CLIENT,  /* `client` speaks, by the front end. */
	PROXY_UNKNOWN, /* The front end itself does (LOCAL: it looks whether we live), or somebody it cannot name (UNKNOWN). */
	PROXY_WRONG
};

struct proxy_header {
	struct endpoint client; /* With PROXY_CLIENT; an IPv4-mapped address is told as IPv4. */
	size_t length;          /* Of the whole header, unless PROXY_MORE or PROXY_WRONG. */
};

/* `bytes`: all that has come so far. */
enum proxy_answer proxy_header_read(struct text bytes, struct proxy_header *out_header);

#endif
