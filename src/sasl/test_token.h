/* For tests: a provider of tokens, its keys, and what it signs. */
#ifndef SASL_TEST_TOKEN_H
#define SASL_TEST_TOKEN_H

#include "sasl/token.h"

/* Its RSA key (kid "one") and the EC key of RFC 7515 appendix A.3 (kid "two") as a set. */
extern const char test_token_keys[];

/* Rules of that set: issuer https://idp.test/, audience "mail" or "post", claim email, this scope. */
struct token_rules *test_token_rules(const char *scope);

/* A token with this header and these claims, signed by the RSA key whatever the header says. */
struct text test_token_sign(const char *header, const char *claims, struct arena *arena);

/* A good one for this address, good until 2000 s after 1970. */
struct text test_token_for(const char *email, struct arena *arena);

#endif
