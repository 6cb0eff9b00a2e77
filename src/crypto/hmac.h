/* HMAC-SHA-256 (RFC 2104) of one text, in one step. */
#ifndef CRYPTO_HMAC_H
#define CRYPTO_HMAC_H

#include "base/text.h"

enum { HMAC_BYTES = 32 };

/* False: no memory. */
[[nodiscard]] bool hmac(struct text key, struct text bytes, uint8_t out_code[HMAC_BYTES]);

#endif
