/* The auth role: a process that knows the passwords and answers yes or no; `mail` never sees a hash.
 *
 * A thread for each channel, which belongs to a lane: a hash that takes a tenth of a second keeps the others of its
 * lane waiting, and nobody else. Where Dovecot checks passwords the thread has a connection to it, and nobody waits.
 *
 *   R1  Every BEGIN and STEP is answered once; an exchange that nobody goes on with is bounded by
 *       SASL_EXCHANGES_MAX of a channel: the oldest goes.
 *   R2  An exchange keeps the sources that it began with.
 *   R3  What a client said of a password is wiped when it was used: where we hold it, by ourselves; where GNU SASL and
 *       the hashes had it, because the role that runs this fills freed memory (M_PERTURB). What is left: the
 *       registers and the stack of the last call, sockets while the kernel holds them, and the file with the stored
 *       passwords, {PLAIN} among them, for as long as it is in force. */
#ifndef SASL_ROLE_H
#define SASL_ROLE_H

#include "base/endpoint.h"
#include "sasl/accounts.h"
#include "sasl/token.h"

enum { SASL_EXCHANGES_MAX = 1024, SASL_CHANNELS_MAX = 16 };

/* What the role answers by. */
struct sasl_sources {
	struct accounts *accounts;   /* Shares. */
	struct token_rules *tokens;  /* Shares. NULL: nobody logs in by a token that we judge. */
	char dovecot[ENDPOINT_PATH_MAX + 1]; /* Path of its socket: it checks passwords (relay.h). Empty: we do. */
};

struct sasl_role;

/* Shares what is in sources. NULL: no memory. */
[[nodiscard]] struct sasl_role *sasl_role_new(const struct sasl_sources *sources);

/* Closes the channels and waits for their threads. NULL is fine. */
void sasl_role_free(struct sasl_role *role);

/* A lane's end of a channel (takes fd). False, and fd is closed: too many, or no thread to be had. */
[[nodiscard]] bool sasl_role_add_channel(struct sasl_role *role, int fd);

/* From now on these: exchanges that begin use them, and each lane is told what can be offered. */
void sasl_role_set_sources(struct sasl_role *role, const struct sasl_sources *sources);

#endif
