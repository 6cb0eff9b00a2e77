/* Who signs a message that leaves us, and the fields that say so.
 *
 * Pure; streams like the verifier: signer_new when the header is complete, the body through the set, then
 * signer_sign.
 *
 *   N1  The domain of the author (From) signs if there are keys for it or for a parent of it, for that is whom DMARC
 *       asks about; else that of the envelope's sender; else nobody. */
#ifndef AUTH_SIGNER_H
#define AUTH_SIGNER_H

#include "auth/signing_keys.h"

struct signer;

/* Gives a signer that lives in the arena and shares `keys` until signer_done. `sender_domain` may be empty.
 * ERR_NOT_FOUND: nobody signs. ERR_SYNTAX: the message must not be signed, for it does not have one From field.
 * ERR_TOO_LARGE, ERR_NO_MEMORY. */
[[nodiscard]] enum error signer_new(struct signing_keys *keys, const struct header_index *index,
    struct text sender_domain, const struct dkim_manner *manner, struct body_hashes *hashes, struct arena *arena,
    struct signer **out_signer);

/* Whose name is signed with. */
struct text signer_domain(const struct signer *signer);

/* After the end of the body: append a field for each key, in the order in which they are to stand before the header.
 * Errors of dkim_signer_sign; `out` is as before then. */
[[nodiscard]] enum error signer_sign(const struct signer *signer, struct buffer *out);

void signer_done(struct signer *signer);

#endif
