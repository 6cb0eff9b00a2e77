/* What a client of OAUTHBEARER says (RFC 7628 §3.1): a name that it wants to be, perhaps, and a token.
 *
 * Pure. */
#ifndef SASL_BEARER_H
#define SASL_BEARER_H

#include "base/arena.h"
#include "base/error.h"

struct bearer {
	struct text authorization; /* Empty: whoever the token names. In the arena. */
	struct text token;         /* Empty: it wants to hear what it needs (RFC 7628 §4.3). Borrows from the response. */
};

/* ERR_SYNTAX: not that; ERR_NO_MEMORY. */
[[nodiscard]] enum error bearer_read(struct text response, struct arena *arena, struct bearer *out_bearer);

#endif
