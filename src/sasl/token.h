/* Tokens that say who somebody is: JSON Web Tokens (RFC 7519), signed by an identity provider whom we believe.
 *
 * Nobody is asked: the provider's public keys are at hand (RFC 7517), and all that is to be known stands in the token.
 * Pure: the clock is an argument.
 *
 *   T1  Only RS256 and ES256 count (RFC 7518 §3), each with a key of its own kind: no token chooses how it is
 *       believed ("none", or a public key as a secret; RFC 8725 §3.1).
 *   T2  Nothing of a token counts before its signature was verified.
 *   T3  A token is for us alone: it names our issuer and one of our audiences, and it ends.
 *   T4  Rules are immutable once made; shared by threads. */
#ifndef SASL_TOKEN_H
#define SASL_TOKEN_H

#include "base/arena.h"
#include "base/error.h"

enum {
	TOKEN_BYTES_MAX = 12288, /* What one response of SASL may bring. */
	TOKEN_KEYS_MAX = 32,
	TOKEN_LEEWAY_S = 60      /* For clocks that differ (RFC 7519 §4.1.4). */
};

/* FINDING(NAME, "why not", as the log tells it) */
#define TOKEN_VERDICTS(FINDING)                                                      \
	FINDING(GOOD, "")                                                            \
	FINDING(MALFORMED, "the token is no JWT")                                    \
	FINDING(ALGORITHM, "the token is signed by another algorithm than RS256 and ES256") \
	FINDING(UNKNOWN_KEY, "the token was signed by none of our keys")             \
	FINDING(SIGNATURE, "the signature of the token is wrong")                    \
	FINDING(ISSUER, "the token is from another issuer")                          \
	FINDING(AUDIENCE, "the token is for somebody else")                          \
	FINDING(EXPIRED, "the token has expired, or never does")                     \
	FINDING(EARLY, "the token is not valid yet")                                 \
	FINDING(SCOPE, "the token lacks the scope")                                  \
	FINDING(NAMELESS, "the token names nobody for sure")                         \
	FINDING(TROUBLE, "out of memory")

enum token_verdict {
#define FINDING(name, why) TOKEN_##name,
	TOKEN_VERDICTS(FINDING)
#undef FINDING
};

/* Static. */
const char *token_verdict_text(enum token_verdict verdict);

struct token_settings {              /* Borrows; copied. */
	struct text keys;            /* A JWK set (RFC 7517 §5). */
	struct text issuer;          /* As the claim iss spells it. */
	const struct text *audiences; /* At least one. */
	size_t audience_count;
	struct text claim;           /* Whose value is the name: "email". */
	struct text scope;           /* What the claim scope must hold; empty: nothing. */
};

struct token_rules;

/* ERR_SYNTAX: the keys are no set with a key for us, and *out_complaint (static) says why. ERR_NO_MEMORY. */
[[nodiscard]] enum error token_rules_new(
    const struct token_settings *settings, struct token_rules **out_rules, const char **out_complaint);
struct token_rules *token_rules_ref(struct token_rules *rules);
void token_rules_unref(struct token_rules *rules); /* NULL is fine. */

/* Is the token good, and whom does it name? The name is in `arena`. */
[[nodiscard]] enum token_verdict token_check(const struct token_rules *rules, struct text token, int64_t now_s,
    struct arena *arena, struct text *out_name);

/* What a client is told whose token was not taken (RFC 7628 §3.2.2), as JSON in `arena`. False: no memory. */
[[nodiscard]] bool token_refusal(
    const struct token_rules *rules, enum token_verdict verdict, struct arena *arena, struct text *out_json);

#endif
