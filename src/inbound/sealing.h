/* Who seals a message of others that we forward (ARC, RFC 8617): behind us, SPF does not know the client any more, and what was
 * found of it here is told under our seal.
 *
 *   L1  What is forwarded is what an alias sends on to other servers (router_forwards). Of the recipients, the first that is
 *       forwarded and whose domain has keys lends its name; SEALING_RECIPIENTS_MAX are looked at.
 *   L2  One key seals, of RSA if there is one: a verifier that knows no other would call the chain broken. */
#ifndef INBOUND_SEALING_H
#define INBOUND_SEALING_H

#include "auth/signing_keys.h"
#include "mail/envelope.h"
#include "route/router.h"

enum { SEALING_RECIPIENTS_MAX = 100 };

struct sealing {                     /* All 0: nobody seals. */
	struct signing_keys *keys;   /* Shares. */
	struct dkim_manner manner;
	struct dkim_signing signing;
};

/* Chooses; `keys` may be NULL. Without memory nobody seals. */
void sealing_choose(struct sealing *sealing, struct signing_keys *keys, const struct router *router,
    const struct message *message, int64_t now_s);
void sealing_done(struct sealing *sealing);

#endif
