/* Base64 (RFC 4648 §4) as mail writes it: folded anywhere, its padding often forgotten.
 *
 * Pure. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/arena.h"
#include "base/error.h"

/* The length of what base64_encode makes of `length` bytes. */
static inline size_t base64_length(size_t length)
{
	return (length + 2) / 3 * 4;
}

/* Bytes to base64, in one line. False: no memory. */
[[nodiscard]] bool base64_encode(struct text bytes, struct arena *arena, struct text *out_base64);

/* Base64 to bytes. Spaces, tabs and line ends count for nothing, and "=" may be missing at the end. ERR_SYNTAX
 * for anything else, ERR_NO_MEMORY. */
[[nodiscard]] enum error base64_decode(struct text base64, struct arena *arena, struct text *out_bytes);

/* The same without leniency, as SASL wants it (RFC 4954 §4): padded, nothing between, no bit astray. */
[[nodiscard]] enum error base64_decode_strict(struct text base64, struct arena *arena, struct text *out_bytes);

/* Base64url without padding (RFC 4648 §5, as RFC 7515 §2 has it), as strictly. ERR_SYNTAX, ERR_NO_MEMORY. */
[[nodiscard]] enum error base64url_decode(struct text base64url, struct arena *arena, struct text *out_bytes);

#endif
