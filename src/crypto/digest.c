#include "crypto/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/must.h"

struct digest {
	EVP_MD_CTX *context;
};

struct digest *digest_new(void)
{
	struct digest *digest = malloc(sizeof *digest);

	if (digest == NULL)
		return NULL;
	digest->context = EVP_MD_CTX_new();
	if (digest->context == NULL || EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1) {
		digest_free(digest);
		return NULL;
	}
	return digest;
}

void digest_free(struct digest *digest)
{
	if (digest != NULL)
		EVP_MD_CTX_free(digest->context);
	free(digest);
}

/* Once a digest is there, these have no way to fail: they allocate nothing. */
void digest_add(struct digest *digest, struct text bytes)
{
	if (bytes.length > 0)
		must(EVP_DigestUpdate(digest->context, bytes.bytes, bytes.length) == 1);
}

void digest_end(struct digest *digest, uint8_t out_hash[DIGEST_BYTES])
{
	must(EVP_DigestFinal_ex(digest->context, out_hash, NULL) == 1);
	must(EVP_DigestInit_ex(digest->context, NULL, NULL) == 1);
}
