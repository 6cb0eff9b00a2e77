/* Signing a message with DKIM (RFC 6376, RFC 8463): one signature for each key.
 *
 * Pure; streams like the verifier: dkim_signer_new when the header is complete, the body through the set, then
 * dkim_signer_sign.
 *
 *   S1  From, and what the manner names besides, is signed once more than it occurs, so that nobody can add one. Other
 *       fields that readers see or programs act upon are signed as often as they occur; what is added on the way
 *       (Received, trace and other signatures) is not.
 *   S2  Canonicalisation is relaxed/relaxed: folding and blanks may change on the way. */
#ifndef AUTH_DKIM_SIGN_H
#define AUTH_DKIM_SIGN_H

#include "auth/canon.h"
#include "auth/header_index.h"
#include "base/buffer.h"
#include "crypto/key.h"

enum { DKIM_KEYS_MAX = 4, DKIM_FIELD_BYTES_MAX = 32 << 10, DKIM_OVERSIGNED_MAX = 32 };

struct dkim_manner { /* How to sign. Borrows. */
	int64_t now_s;      /* Into t=. */
	int64_t lifetime_s; /* Into x=, from now on; 0: for ever, without x=. */
	const struct text *oversigned; /* Names of fields (S1), at most DKIM_OVERSIGNED_MAX. */
	size_t oversigned_count;
};

struct dkim_signing { /* Borrows, until the signature is made. */
	const struct private_key *key;
	struct text domain, selector; /* A-labels. */
};

struct dkim_signer;

/* Gives a signer that lives in the arena. ERR_SYNTAX: the message does not have one From field, and
 * must not be signed (RFC 6376 §5.4). ERR_TOO_LARGE, ERR_NO_MEMORY. */
[[nodiscard]] enum error dkim_signer_new(const struct header_index *index, struct body_hashes *hashes,
    const struct dkim_manner *manner, struct arena *arena, struct dkim_signer **out_signer);

/* After the end of the body: append one DKIM-Signature field, with CRLF, that goes before the header. ERR_NO_MEMORY,
 * ERR_TOO_LARGE (`out` is full), ERR_UNSUPPORTED (the key cannot sign); `out` is as before then. */
[[nodiscard]] enum error dkim_signer_sign(
    const struct dkim_signer *signer, const struct dkim_signing *signing, struct buffer *out);

#endif
