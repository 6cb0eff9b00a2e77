/* Public keys that were read lately: what libcrypto makes ready for a key is worth half a verification, and few senders send most
 * of the mail.
 *
 *   G1  A key is found by all of its bytes; where two would have one place the later has it. Strangers can put each other's keys
 *       out by that, which costs them and us no more than no ring would.
 *   G2  One thread's; what it gives is good until the next key is asked of it. */
#ifndef CRYPTO_KEY_RING_H
#define CRYPTO_KEY_RING_H

#include "crypto/key.h"

enum { KEY_RING_PLACES = 128, KEY_RING_DER_MAX = 600 };

struct key_ring;

[[nodiscard]] struct key_ring *key_ring_new(void); /* NULL: no memory. */
void key_ring_free(struct key_ring *ring);

/* As public_key_read, but the ring keeps the key. */
[[nodiscard]] enum error key_ring_find(
    struct key_ring *ring, enum key_kind kind, struct text der, const struct public_key **out_key);

#endif
