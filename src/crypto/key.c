/* libcrypto's decoders cost five times what an RSA verification does, so the wrapping of a public key
 * is taken off by hand; what is inside goes to the parser for exactly that. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/base64.h"
#include "crypto/key.h"

enum {
	ED25519_BYTES = 32,
	P256_NUMBER_BYTES = 32, /* A coordinate of a point, and half of a signature. */
	CURVE_BITS = 256,
	RSA_EXPONENT_BYTES_MAX = 8
};

struct public_key {
	enum key_kind kind;
	EVP_PKEY *key;
};

struct private_key {
	enum key_kind kind;
	EVP_PKEY *key;
};

/* -- public ------------------------------------------------------------------ */

/* Enter the element at the start of *rest when it has this tag; *out_content is what it holds and *rest what
 * follows it. */
static bool take_element(struct text *rest, int tag, struct text *out_content)
{
	const unsigned char *at = (const unsigned char *)rest->bytes;
	long length;
	int found, class;

	if (rest->length == 0 || rest->length > KEY_FILE_BYTES_MAX)
		return false;
	const int form = ASN1_get_object(&at, &length, &found, &class, (long)rest->length);

	/* 0x80: malformed; 1 in the lowest bit: indefinite length, which DER does not have. */
	if ((form & 0x81) != 0 || class != V_ASN1_UNIVERSAL || found != tag)
		return false;
	*out_content = (struct text){ (const char *)at, (size_t)length };
	*rest = text_from(*rest, (size_t)((const char *)at - rest->bytes) + (size_t)length);
	return true;
}

/* The RSAPublicKey in a SubjectPublicKeyInfo (RFC 5280 §4.1), or `der` itself when it is one. */
static bool unwrap_rsa(struct text der, struct text *out_rsa)
{
	static const char rsa_encryption[] = { 0x2a, (char)0x86, 0x48, (char)0x86, (char)0xf7, 0x0d, 1, 1,
		1 };
	const struct text rsa_name = { rsa_encryption, sizeof rsa_encryption };
	struct text outer = der, inside, algorithm, name, bits;

	if (!take_element(&outer, V_ASN1_SEQUENCE, &inside) || outer.length > 0)
		return false;
	if (!take_element(&inside, V_ASN1_SEQUENCE, &algorithm)) {
		*out_rsa = der;
		return true;
	}
	if (!take_element(&algorithm, V_ASN1_OBJECT, &name) || !text_equal(name, rsa_name) ||
	    !take_element(&inside, V_ASN1_BIT_STRING, &bits) || bits.length < 2 || bits.bytes[0] != 0)
		return false;
	*out_rsa = text_from(bits, 1);
	return true;
}

/* A long exponent would make a verification as dear as a signature, at a stranger's will. */
static bool has_short_exponent(struct text rsa)
{
	struct text numbers, modulus, exponent;

	return take_element(&rsa, V_ASN1_SEQUENCE, &numbers) &&
	    take_element(&numbers, V_ASN1_INTEGER, &modulus) &&
	    take_element(&numbers, V_ASN1_INTEGER, &exponent) && exponent.length <= RSA_EXPONENT_BYTES_MAX;
}

static EVP_PKEY *read_rsa(struct text der)
{
	struct text rsa;

	if (!unwrap_rsa(der, &rsa) || !has_short_exponent(rsa))
		return NULL;
	const unsigned char *at = (const unsigned char *)rsa.bytes;
	EVP_PKEY *key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)rsa.length);

	if (key != NULL && at != (const unsigned char *)rsa.bytes + rsa.length) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

static EVP_PKEY *read_ed25519(struct text bytes)
{
	return bytes.length == ED25519_BYTES
	    ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)bytes.bytes, bytes.length)
	    : NULL;
}

/* libcrypto refuses a point that is not on the curve. */
static EVP_PKEY *read_p256(struct text coordinates)
{
	char curve[] = "P-256";
	unsigned char point[1 + 2 * P256_NUMBER_BYTES] = { POINT_CONVERSION_UNCOMPRESSED };
	OSSL_PARAM parameters[] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point), OSSL_PARAM_construct_end() };
	EVP_PKEY *key = NULL;

	if (coordinates.length != 2 * P256_NUMBER_BYTES)
		return NULL;
	memcpy(point + 1, coordinates.bytes, coordinates.length);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

	if (context != NULL && EVP_PKEY_fromdata_init(context) == 1)
		(void)!EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters);
	EVP_PKEY_CTX_free(context);
	return key;
}

static EVP_PKEY *read_of_kind(enum key_kind kind, struct text der)
{
	switch (kind) {
	case KEY_RSA:
		return read_rsa(der);
	case KEY_ED25519:
		return read_ed25519(der);
	case KEY_P256:
		break;
	}
	return read_p256(der);
}

enum error public_key_read(enum key_kind kind, struct text der, struct public_key **out_key)
{
	struct public_key *key = malloc(sizeof *key);

	if (key == NULL)
		return ERR_NO_MEMORY;
	key->kind = kind;
	key->key = read_of_kind(kind, der);
	ERR_clear_error();
	if (key->key == NULL || EVP_PKEY_get_bits(key->key) <= 0 ||
	    EVP_PKEY_get_bits(key->key) > KEY_RSA_BITS_MAX) {
		const enum error error =
		    key->key == NULL || EVP_PKEY_get_bits(key->key) <= 0 ? ERR_SYNTAX : ERR_TOO_LARGE;

		public_key_free(key);
		return error;
	}
	*out_key = key;
	return OK;
}

/* A positive number. NULL: no memory. */
static ASN1_INTEGER *to_integer(struct text bytes)
{
	BIGNUM *number = BN_bin2bn((const unsigned char *)bytes.bytes, (int)bytes.length, NULL);
	ASN1_INTEGER *integer = number ? BN_to_ASN1_INTEGER(number, NULL) : NULL;

	BN_free(number);
	return integer;
}

/* By way of an RSAPublicKey in DER, so that one place says what a good key is. */
enum error public_key_from_numbers(struct text modulus, struct text exponent, struct public_key **out_key)
{
	unsigned char der[KEY_SIGNATURE_MAX + 64], *at = der;
	enum error error = ERR_NO_MEMORY;

	if (modulus.length > KEY_SIGNATURE_MAX || exponent.length > RSA_EXPONENT_BYTES_MAX)
		return ERR_TOO_LARGE;
	ASN1_INTEGER *n = to_integer(modulus), *e = to_integer(exponent);

	if (n != NULL && e != NULL) {
		ASN1_put_object(
		    &at, 1, i2d_ASN1_INTEGER(n, NULL) + i2d_ASN1_INTEGER(e, NULL), V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
		i2d_ASN1_INTEGER(n, &at);
		i2d_ASN1_INTEGER(e, &at);
		error = public_key_read(KEY_RSA, (struct text){ (const char *)der, (size_t)(at - der) }, out_key);
	}
	ASN1_INTEGER_free(n);
	ASN1_INTEGER_free(e);
	return error;
}

void public_key_free(struct public_key *key)
{
	if (key != NULL)
		EVP_PKEY_free(key->key);
	free(key);
}

unsigned public_key_bits(const struct public_key *key)
{
	return key->kind == KEY_RSA ? (unsigned)EVP_PKEY_get_bits(key->key) : CURVE_BITS;
}

static bool verify_rsa(EVP_PKEY *key, const uint8_t *hash, struct text signature)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	const bool good = context != NULL && EVP_PKEY_verify_init(context) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 &&
	    EVP_PKEY_verify(
		context, (const unsigned char *)signature.bytes, signature.length, hash, DIGEST_BYTES) == 1;

	EVP_PKEY_CTX_free(context);
	return good;
}

static bool verify_ed25519(EVP_PKEY *key, const uint8_t *hash, struct text signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const bool good = context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestVerify(
		context, (const unsigned char *)signature.bytes, signature.length, hash, DIGEST_BYTES) == 1;

	EVP_MD_CTX_free(context);
	return good;
}

/* The two numbers as libcrypto wants them, in DER. NULL: no memory, or not two. */
static unsigned char *wrap_numbers(struct text signature, int *out_length)
{
	const unsigned char *bytes = (const unsigned char *)signature.bytes;
	ECDSA_SIG *numbers = signature.length == 2 * P256_NUMBER_BYTES ? ECDSA_SIG_new() : NULL;
	BIGNUM *r = numbers ? BN_bin2bn(bytes, P256_NUMBER_BYTES, NULL) : NULL;
	BIGNUM *s = numbers ? BN_bin2bn(bytes + P256_NUMBER_BYTES, P256_NUMBER_BYTES, NULL) : NULL;
	unsigned char *der = NULL;

	if (r != NULL && s != NULL && ECDSA_SIG_set0(numbers, r, s) == 1) {
		*out_length = i2d_ECDSA_SIG(numbers, &der);
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(numbers);
	return der;
}

static bool verify_p256(EVP_PKEY *key, const uint8_t *hash, struct text signature)
{
	int length = 0;
	unsigned char *der = wrap_numbers(signature, &length);
	EVP_PKEY_CTX *context = der ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	const bool good = context != NULL && length > 0 && EVP_PKEY_verify_init(context) == 1 &&
	    EVP_PKEY_verify(context, der, (size_t)length, hash, DIGEST_BYTES) == 1;

	EVP_PKEY_CTX_free(context);
	OPENSSL_free(der);
	return good;
}

static bool verify_of_kind(const struct public_key *key, const uint8_t *hash, struct text signature)
{
	switch (key->kind) {
	case KEY_RSA:
		return verify_rsa(key->key, hash, signature);
	case KEY_ED25519:
		return verify_ed25519(key->key, hash, signature);
	case KEY_P256:
		break;
	}
	return verify_p256(key->key, hash, signature);
}

bool public_key_verify(const struct public_key *key, const uint8_t hash[DIGEST_BYTES], struct text signature)
{
	if (signature.length == 0 || signature.length > KEY_SIGNATURE_MAX)
		return false;
	const bool good = verify_of_kind(key, hash, signature);

	ERR_clear_error();
	return good;
}

/* -- private ----------------------------------------------------------------- */

static int no_passphrase(char *room, int size, int writing, void *context)
{
	(void)room, (void)size, (void)writing;
	*(bool *)context = true;
	return -1;
}

static EVP_PKEY *read_pem(struct text file, bool *out_locked)
{
	BIO *bio = BIO_new_mem_buf(file.bytes, (int)file.length);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, out_locked) : NULL;

	BIO_free(bio);
	return key;
}

static EVP_PKEY *read_der(struct text file)
{
	const unsigned char *at = (const unsigned char *)file.bytes;

	return d2i_AutoPrivateKey(NULL, &at, (long)file.length);
}

static EVP_PKEY *read_seed(struct text file)
{
	struct arena *arena = arena_new(4096);
	struct text seed;
	EVP_PKEY *key = NULL;

	if (arena != NULL && file.length <= 128 && base64_decode(file, arena, &seed) == OK &&
	    seed.length == ED25519_BYTES)
		key = EVP_PKEY_new_raw_private_key(
		    EVP_PKEY_ED25519, NULL, (const unsigned char *)seed.bytes, seed.length);
	arena_free(arena);
	return key;
}

static enum error take_private(EVP_PKEY *key, struct private_key **out_key)
{
	struct private_key *private = malloc(sizeof *private);

	if (private == NULL) {
		EVP_PKEY_free(key);
		return ERR_NO_MEMORY;
	}
	*private =
	    (struct private_key){ EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? KEY_RSA : KEY_ED25519, key };
	*out_key = private;
	return OK;
}

enum error private_key_read(struct text file, struct private_key **out_key)
{
	bool locked = false;

	if (file.length == 0 || file.length > KEY_FILE_BYTES_MAX)
		return file.length == 0 ? ERR_SYNTAX : ERR_TOO_LARGE;
	EVP_PKEY *key = read_pem(file, &locked);

	if (key == NULL && !locked)
		key = read_der(file);
	if (key == NULL && !locked)
		key = read_seed(file);
	ERR_clear_error();
	if (key == NULL)
		return locked ? ERR_UNSUPPORTED : ERR_SYNTAX;

	const int type = EVP_PKEY_get_base_id(key);
	const bool known =
	    type == EVP_PKEY_ED25519 || (type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) <= KEY_RSA_BITS_MAX);

	if (!known) {
		EVP_PKEY_free(key);
		return ERR_UNSUPPORTED;
	}
	return take_private(key, out_key);
}

enum error private_key_make(enum key_kind kind, unsigned bits, struct private_key **out_key)
{
	must(kind == KEY_ED25519 || bits <= KEY_RSA_BITS_MAX);
	EVP_PKEY *key = kind == KEY_RSA ? EVP_RSA_gen(bits) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	ERR_clear_error();
	return key ? take_private(key, out_key) : ERR_UNSUPPORTED;
}

bool private_key_print(const struct private_key *key, struct arena *arena, struct text *out_pem)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *bytes = NULL;
	const bool printed =
	    bio != NULL && PEM_write_bio_PrivateKey(bio, key->key, NULL, NULL, 0, NULL, NULL) == 1;
	const long length = printed ? BIO_get_mem_data(bio, &bytes) : 0;
	const bool kept = length > 0 && arena_copy(arena, (struct text){ bytes, (size_t)length }, out_pem);

	BIO_free(bio);
	ERR_clear_error();
	return kept;
}

void private_key_free(struct private_key *key)
{
	if (key != NULL)
		EVP_PKEY_free(key->key);
	free(key);
}

enum key_kind private_key_kind(const struct private_key *key)
{
	return key->kind;
}

unsigned private_key_bits(const struct private_key *key)
{
	return key->kind == KEY_ED25519 ? CURVE_BITS : (unsigned)EVP_PKEY_get_bits(key->key);
}

bool private_key_public(const struct private_key *key, struct arena *arena, struct text *out_der)
{
	unsigned char raw[ED25519_BYTES], *der = NULL;
	size_t length = sizeof raw;
	bool ok;

	if (key->kind == KEY_ED25519) {
		must(EVP_PKEY_get_raw_public_key(key->key, raw, &length) == 1);
		return arena_copy(arena, (struct text){ (const char *)raw, length }, out_der);
	}
	const int size = i2d_PUBKEY(key->key, &der);

	ok = size > 0 && arena_copy(arena, (struct text){ (const char *)der, (size_t)size }, out_der);
	OPENSSL_free(der);
	return ok;
}

static bool sign_rsa(EVP_PKEY *key, const uint8_t *hash, char *room, size_t *length)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	const bool good = context != NULL && EVP_PKEY_sign_init(context) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 &&
	    EVP_PKEY_sign(context, (unsigned char *)room, length, hash, DIGEST_BYTES) == 1;

	EVP_PKEY_CTX_free(context);
	return good;
}

static bool sign_ed25519(EVP_PKEY *key, const uint8_t *hash, char *room, size_t *length)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const bool good = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(context, (unsigned char *)room, length, hash, DIGEST_BYTES) == 1;

	EVP_MD_CTX_free(context);
	return good;
}

enum error private_key_sign(const struct private_key *key, const uint8_t hash[DIGEST_BYTES],
    char room[KEY_SIGNATURE_MAX], struct text *out_signature)
{
	size_t length = KEY_SIGNATURE_MAX;
	const bool good = key->kind == KEY_RSA ? sign_rsa(key->key, hash, room, &length)
					       : sign_ed25519(key->key, hash, room, &length);

	ERR_clear_error();
	if (!good)
		return ERR_UNSUPPORTED;
	*out_signature = (struct text){ room, length };
	return OK;
}
