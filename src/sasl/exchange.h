/* One authentication by SASL, server side (RFC 4422), as steps without I/O; the mechanisms are GNU SASL's, but for
 * OAUTHBEARER (RFC 7628).
 *
 * Lives in the auth role, the only process that sees passwords and their hashes.
 *
 *   X1  Who gives a wrong password and who is unknown hear the same, and a SCRAM exchange tells an unknown
 *       user a salt that stays the same for that name (RFC 5802 §9).
 *   X2  After SASL_CONTINUE another step follows; every other result ends the exchange.
 *   X3  An authorization identity other than the authenticated one is refused: nobody acts for others here.
 *   X4  A token lets in whom it names only if that is somebody of the accounts. */
#ifndef SASL_EXCHANGE_H
#define SASL_EXCHANGE_H

#include "base/buffer.h"
#include "base/error.h"
#include "sasl/token.h"

enum { SASL_BYTES_MAX = 12288, SASL_NAME_MAX = 320, SASL_BINDING_MAX = 64 };

/* Bit m of a set of mechanisms is 1 << m. In the order of preference, the best first. */
#define SASL_MECHANISMS(MECHANISM)                       \
	MECHANISM(SCRAM_SHA_256_PLUS, "SCRAM-SHA-256-PLUS") \
	MECHANISM(SCRAM_SHA_256, "SCRAM-SHA-256")           \
	MECHANISM(SCRAM_SHA_1, "SCRAM-SHA-1")               \
	MECHANISM(OAUTHBEARER, "OAUTHBEARER")               \
	MECHANISM(PLAIN, "PLAIN")                           \
	MECHANISM(LOGIN, "LOGIN")

enum sasl_mechanism {
#define MECHANISM(name, word) SASL_##name,
	SASL_MECHANISMS(MECHANISM)
#undef MECHANISM
	SASL_MECHANISM_COUNT
};

/* As AUTH names it, and back; case counts for nothing. False: none of ours. */
const char *sasl_mechanism_word(enum sasl_mechanism mechanism);
[[nodiscard]] bool sasl_mechanism_find(struct text word, enum sasl_mechanism *out_mechanism);

enum sasl_result {
	SASL_CONTINUE,   /* The challenge is to be sent, and its response to be given to the next step. */
	SASL_SUCCESS,    /* sasl_exchange_user says who it is. */
	SASL_FAILURE,    /* Wrong name or password. */
	SASL_MALFORMED,  /* The client does not keep to its mechanism. */
	SASL_TROUBLE     /* Ours, for now. */
};

/* Where the exchange looks a name up. */
struct sasl_secrets {
	/* The stored password of `name` (empty: no password is right), and its canonical name; both borrowed until the
	 * next call. False: unknown. */
	bool (*find)(void *context, struct text name, struct text *out_stored, struct text *out_name);
	void *context;
	struct text salt_key;      /* Secret of this server, for the salts of unknown users (X1). */
	const struct token_rules *tokens; /* Borrows. NULL: no token is good. */
};

/* What is known of the connection. Borrows during sasl_exchange_new. */
struct sasl_facts {
	enum sasl_mechanism mechanism;
	struct text binding;       /* tls-exporter (RFC 9266) for SCRAM with -PLUS; may be empty for others. */
	struct text client;        /* Its IP address; may be empty. */
	int64_t now_s;             /* Unix time, for tokens; the auth role looks at its own clock. */
};

struct sasl_exchange;

/* Borrows secrets. ERR_NO_MEMORY; ERR_NOT_FOUND: the library does not know the mechanism. */
[[nodiscard]] enum error sasl_exchange_new(
    const struct sasl_secrets *secrets, const struct sasl_facts *facts, struct sasl_exchange **out_exchange);
void sasl_exchange_free(struct sasl_exchange *exchange); /* NULL is fine. */

/* Take the client's response (not in base64; empty at first when it sent none), at most SASL_BYTES_MAX bytes. The
 * challenge is appended to `challenge`, which also holds data that comes with success (RFC 4954 §4). */
enum sasl_result sasl_exchange_step(struct sasl_exchange *exchange, struct text response, struct buffer *challenge);

/* After SASL_SUCCESS: the canonical name. Borrows. */
struct text sasl_exchange_user(const struct sasl_exchange *exchange);

/* After SASL_FAILURE, for the log: why, if there is more to be told than "wrong". Static; may be empty. Tells no
 * secret, and nothing that the client sent. */
struct text sasl_exchange_reason(const struct sasl_exchange *exchange);

#endif
