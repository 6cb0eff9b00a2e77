/* SHA-256, streamed.
 *
 * Life: digest_new, any number of digest_add, digest_end; then the next text may begin, or digest_free. */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include "base/text.h"

enum { DIGEST_BYTES = 32 };

struct digest;

/* Gives one that has seen nothing yet; NULL: no memory. */
[[nodiscard]] struct digest *digest_new(void);
void digest_free(struct digest *digest);

/* What comes next. */
void digest_add(struct digest *digest, struct text bytes);

/* The hash of all that was added. The digest begins anew. */
void digest_end(struct digest *digest, uint8_t out_hash[DIGEST_BYTES]);

#endif
