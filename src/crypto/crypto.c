#include "crypto/crypto.h"

#include <openssl/crypto.h>

void crypto_prepare(void)
{
	/* A file that is missing or wrong leaves the library's own settings, as in every program. */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
}
