#include "crypto/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/must.h"

bool hmac(struct text key, struct text bytes, uint8_t out_code[HMAC_BYTES])
{
	const unsigned char *text = (const unsigned char *)(bytes.length > 0 ? bytes.bytes : "");
	unsigned length = 0;

	must(key.length > 0 && key.length <= INT32_MAX);
	return HMAC(EVP_sha256(), key.bytes, (int)key.length, text, bytes.length, out_code, &length) !=
	    NULL &&
	    length == HMAC_BYTES;
}
