/* Keys that sign and verify hashes: RSA with PKCS #1 v1.5 and SHA-256, and Ed25519 over the hash (RFC 8463 §3).
 * Those that only verify may be on the curve P-256 as well (RFC 7518 §3.4).
 *
 *   K1  A key that was read can be used: its kind and its size are known, its form was checked.
 *   K2  Nothing here says whether a key is strong enough; who asks compares public_key_bits with a rule. */
#ifndef CRYPTO_KEY_H
#define CRYPTO_KEY_H

#include "base/arena.h"
#include "base/error.h"
#include "crypto/digest.h"

enum key_kind { KEY_RSA, KEY_ED25519, KEY_P256 };

enum {
	KEY_RSA_BITS_MAX = 8192, /* A larger one costs more than a stranger may ask of us. */
	KEY_SIGNATURE_MAX = KEY_RSA_BITS_MAX / 8,
	KEY_FILE_BYTES_MAX = 64 << 10
};

struct public_key;
struct private_key;

/* A key as DNS publishes it. RSA: a SubjectPublicKeyInfo or a bare RSAPublicKey in DER (RFC 6376 §3.6.1 names
 * one, its example shows the other); Ed25519: the 32 bytes; P-256: the two coordinates, 32 bytes each. Gives it. ERR_SYNTAX, ERR_TOO_LARGE or ERR_NO_MEMORY. */
[[nodiscard]] enum error public_key_read(enum key_kind kind, struct text der, struct public_key **out_key);
void public_key_free(struct public_key *key);

/* An RSA key by its numbers, each big-endian, as RFC 7518 §6.3.1 writes them. As above. */
[[nodiscard]] enum error public_key_from_numbers(
    struct text modulus, struct text exponent, struct public_key **out_key);

/* Length of the modulus; 256 for the others. */
unsigned public_key_bits(const struct public_key *key);

/* Is `signature` the key's over this hash? P-256: the two numbers, 32 bytes each. */
[[nodiscard]] bool public_key_verify(
    const struct public_key *key, const uint8_t hash[DIGEST_BYTES], struct text signature);

/* A key from a file: PEM or DER (PKCS #8, or PKCS #1 for RSA), or the 32 bytes of an Ed25519 seed in base64. A key
 * with a passphrase is ERR_UNSUPPORTED, as is one of another kind. Gives it. */
[[nodiscard]] enum error private_key_read(struct text file, struct private_key **out_key);
void private_key_free(struct private_key *key);

/* Make a new one; `bits` is for RSA. Gives it. ERR_NO_MEMORY, or ERR_UNSUPPORTED when this libcrypto will not. */
[[nodiscard]] enum error private_key_make(enum key_kind kind, unsigned bits, struct private_key **out_key);

/* As PEM (PKCS #8), in `arena`. False: no memory. */
[[nodiscard]] bool private_key_print(const struct private_key *key, struct arena *arena, struct text *out_pem);

/* What it is, and the length of its modulus (256 for Ed25519). */
enum key_kind private_key_kind(const struct private_key *key);
unsigned private_key_bits(const struct private_key *key);

/* The public half as DNS publishes it, in `arena`. False: no memory. */
[[nodiscard]] bool private_key_public(
    const struct private_key *key, struct arena *arena, struct text *out_der);

/* Sign a hash. ERR_NO_MEMORY, or ERR_UNSUPPORTED when this key cannot sign. */
[[nodiscard]] enum error private_key_sign(const struct private_key *key, const uint8_t hash[DIGEST_BYTES],
    char room[KEY_SIGNATURE_MAX], struct text *out_signature);

#endif
