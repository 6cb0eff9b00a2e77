/* Signing a message whose bytes pass by: its header is kept until it is complete, its body only hashed.
 *
 * Pure. Life: message_signing_new, message_signing_add for all bytes, then message_signing_end once, or not, and
 * message_signing_free.
 *
 *   G1  Whatever goes wrong, the message goes its way unsigned: a signature is never a condition. */
#ifndef AUTH_MESSAGE_SIGNING_H
#define AUTH_MESSAGE_SIGNING_H

#include "auth/signer.h"

enum { MESSAGE_SIGNING_HEADER_MAX = 1 << 20 };

struct message_signing;

/* Shares `keys`; copies the domain of the envelope's sender, which may be empty. NULL: no memory. */
[[nodiscard]] struct message_signing *message_signing_new(
    struct signing_keys *keys, struct text sender_domain, int64_t now_s);
void message_signing_free(struct message_signing *signing);

/* The next bytes, with CRLF line ends, from the first of the header on. */
void message_signing_add(struct message_signing *signing, struct text bytes);

/* All bytes were added: append the fields that go before the header. *out_domain (borrows) is whose they are. ERR_NOT_FOUND:
 * nobody signs it; ERR_SYNTAX: it must not be signed; or another reason why it is not. */
[[nodiscard]] enum error message_signing_end(
    struct message_signing *signing, struct buffer *out, struct text *out_domain);

#endif
