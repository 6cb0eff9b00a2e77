/* What making a DKIM-Signature, an ARC-Message-Signature and an ARC-Seal has in common. For auth only.
 *
 * Pure. A field under construction is a text from its name to "b=", without line end. */
#ifndef AUTH_SIGNATURE_MAKE_H
#define AUTH_SIGNATURE_MAKE_H

#include "auth/dkim_sign.h"
#include "auth/signature.h"

/* What h= is to say: each name that is worth signing as often as it occurs, and those of the manner once more;
 * `extra` (NULL: none) as often as it occurs, too. ERR_TOO_LARGE: more than a signature may sign. */
[[nodiscard]] enum error signature_names_make(const struct header_index *index,
    const struct dkim_manner *manner, const char *extra, struct arena *arena, struct text *out_names);

/* What a= says of this key. */
const char *signature_algorithm(const struct private_key *key);

/* The hash that such a field signs, as a verifier will find it, for the kinds that have h=. False: no memory. */
[[nodiscard]] bool signature_make_hash(enum signature_kind kind, struct text field, struct text names,
    const struct header_index *index, struct arena *arena, uint8_t out_hash[DIGEST_BYTES]);

/* Append the field with the signature of `hash` and its line end. ERR_NO_MEMORY, ERR_TOO_LARGE (`out` is full),
 * ERR_UNSUPPORTED (the key cannot sign); `out` is as before then. */
[[nodiscard]] enum error signature_make(struct text field, const uint8_t hash[DIGEST_BYTES],
    const struct private_key *key, struct arena *arena, struct buffer *out);

#endif
