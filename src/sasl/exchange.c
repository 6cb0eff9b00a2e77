#include "sasl/exchange.h"

#include <gsasl.h>
#include <stdlib.h>

#include "base/must.h"
#include "sasl/bearer.h"
#include "sasl/password.h"

struct sasl_exchange {
	const struct sasl_secrets *secrets;
	enum sasl_mechanism mechanism;
	int64_t now_s;
	Gsasl *library;              /* NULL for OAUTHBEARER. */
	Gsasl_session *session;
	char *binding;               /* base64; NULL: none. */
	char user[SASL_NAME_MAX];
	size_t user_length;
	enum token_verdict verdict;  /* On the token. */
	bool refused;                /* The client was told why, and answers once more. */
	bool ended;
};

static const char *const words[SASL_MECHANISM_COUNT] = {
#define MECHANISM(name, word) [SASL_##name] = word,
	SASL_MECHANISMS(MECHANISM)
#undef MECHANISM
};

const char *sasl_mechanism_word(enum sasl_mechanism mechanism)
{
	must(mechanism < SASL_MECHANISM_COUNT);
	return words[mechanism];
}

bool sasl_mechanism_find(struct text word, enum sasl_mechanism *out_mechanism)
{
	for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++) {
		if (text_equal_nocase(word, text_of(words[i]))) {
			*out_mechanism = (enum sasl_mechanism)i;
			return true;
		}
	}
	return false;
}

/* -- Looking up --------------------------------------------------------------------------- */

static bool find(struct sasl_exchange *exchange, const char *name, struct text *out_stored)
{
	const struct sasl_secrets *secrets = exchange->secrets;
	struct text canonical;

	if (name == NULL || strlen(name) > SASL_NAME_MAX ||
	    !secrets->find(secrets->context, text_of(name), out_stored, &canonical) || canonical.length > sizeof exchange->user)
		return false;
	memcpy(exchange->user, canonical.bytes, canonical.length);
	exchange->user_length = canonical.length;
	return true;
}

/* X3 */
static bool acts_for_itself(const char *authorization, const char *authentication)
{
	return authorization == NULL || authorization[0] == '\0' || strcmp(authorization, authentication) == 0;
}

/* PLAIN and LOGIN. An unknown name costs a hash, too: time must not tell it from a wrong password (X1). */
static int validate(struct sasl_exchange *exchange, Gsasl_session *session)
{
	static const char nobody[] = "{SCRAM-SHA-256}10000,bm9ib2R5bm9ib2R5bm9ib2Q=,"
				     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	const char *name = gsasl_property_fast(session, GSASL_AUTHID);
	const char *given = gsasl_property_fast(session, GSASL_PASSWORD);
	struct text stored = TEXT_EMPTY;
	const bool known = find(exchange, name, &stored) && stored.length > 0;

	if (given == NULL)
		return GSASL_NO_PASSWORD;
	const bool right = password_check(known ? stored : text_of(nobody), text_of(given));

	return known && right && acts_for_itself(gsasl_property_fast(session, GSASL_AUTHZID), name)
	    ? GSASL_OK
	    : GSASL_AUTHENTICATION_ERROR;
}

/* -- SCRAM ----------------------------------------------------------------------------------- */

static bool set(Gsasl_session *session, Gsasl_property property, struct text value)
{
	return gsasl_property_set_raw(session, property, value.bytes, value.length) == GSASL_OK;
}

/* A salt for somebody who does not exist: the same each time, and none that others could compute (X1). */
static int pretend(struct sasl_exchange *exchange, Gsasl_session *session, const char *name)
{
	static const struct text no_key = { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 44 };
	char seed[SASL_NAME_MAX + SASL_BINDING_MAX], room[4][GSASL_HASH_MAX_SIZE], *salt = NULL;
	const struct text secret = exchange->secrets->salt_key;
	const size_t name_length = strlen(name);
	size_t salt_length;

	if (name_length > SASL_NAME_MAX || secret.length > SASL_BINDING_MAX)
		return GSASL_AUTHENTICATION_ERROR;
	memcpy(seed, name, name_length);
	memcpy(seed + name_length, secret.bytes, secret.length);
	/* One round of the library's own key derivation: a keyed hash without another library. */
	if (gsasl_scram_secrets_from_password(GSASL_HASH_SHA256, "salt", 1, seed, name_length + secret.length, room[0],
	        room[1], room[2], room[3]) != GSASL_OK ||
	    gsasl_base64_to(room[0], 16, &salt, &salt_length) != GSASL_OK)
		return GSASL_MALLOC_ERROR;
	const bool told = set(session, GSASL_SCRAM_SALT, (struct text){ salt, salt_length }) &&
	    set(session, GSASL_SCRAM_ITER, TEXT("10000")) && set(session, GSASL_SCRAM_STOREDKEY, no_key) &&
	    set(session, GSASL_SCRAM_SERVERKEY, no_key);

	gsasl_free(salt);
	return told ? GSASL_OK : GSASL_MALLOC_ERROR;
}

/* A plain password serves every SCRAM, a SCRAM record its own hash, other hashes none. */
static int provide(struct sasl_exchange *exchange, Gsasl_session *session)
{
	const char *name = gsasl_property_fast(session, GSASL_AUTHID);
	const bool sha1 = strcmp(gsasl_mechanism_name(session), "SCRAM-SHA-1") == 0;
	const enum password_scheme wanted = sha1 ? PASSWORD_SCRAM_SHA1 : PASSWORD_SCRAM_SHA256;
	enum password_scheme scheme;
	struct password_scram scram;
	struct text stored, rest;
	char iterations[16];

	if (name == NULL)
		return GSASL_NO_AUTHID;
	if (!find(exchange, name, &stored) || !acts_for_itself(gsasl_property_fast(session, GSASL_AUTHZID), name) ||
	    !password_split(stored, &scheme, &rest))
		return pretend(exchange, session, name);
	if (scheme == PASSWORD_PLAIN)
		return set(session, GSASL_PASSWORD, rest) && set(session, GSASL_SCRAM_ITER, TEXT("10000")) ? GSASL_OK : GSASL_MALLOC_ERROR;
	if (scheme != wanted || !password_scram_split(rest, &scram))
		return pretend(exchange, session, name);
	snprintf(iterations, sizeof iterations, "%u", scram.iterations);
	return set(session, GSASL_SCRAM_ITER, text_of(iterations)) && set(session, GSASL_SCRAM_SALT, scram.salt) &&
	        set(session, GSASL_SCRAM_STOREDKEY, scram.stored_key) && set(session, GSASL_SCRAM_SERVERKEY, scram.server_key)
	    ? GSASL_OK
	    : GSASL_MALLOC_ERROR;
}

static int ask(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
	struct sasl_exchange *exchange = gsasl_callback_hook_get(library);

	switch (property) {
	case GSASL_VALIDATE_SIMPLE:
		return validate(exchange, session);
	case GSASL_SCRAM_ITER:
		/* The first thing SCRAM wants: all of it is provided at once. */
		return provide(exchange, session);
	case GSASL_CB_TLS_EXPORTER:
		return exchange->binding ? gsasl_property_set(session, property, exchange->binding) : GSASL_NO_CALLBACK;
	default:
		return GSASL_NO_CALLBACK;
	}
}

/* -- Tokens ----------------------------------------------------------------------------------- */

/* X4. The client may say who it wants to be, by any name of the same account (X3). */
static bool is_account(struct sasl_exchange *exchange, struct text name, struct text authorization)
{
	const struct sasl_secrets *secrets = exchange->secrets;
	struct text stored, wanted, canonical;

	if (authorization.length > 0 && !secrets->find(secrets->context, authorization, &stored, &wanted))
		return false;
	if (!secrets->find(secrets->context, name, &stored, &canonical) || canonical.length > sizeof exchange->user ||
	    (authorization.length > 0 && !text_equal(wanted, canonical)))
		return false;
	memcpy(exchange->user, canonical.bytes, canonical.length);
	exchange->user_length = canonical.length;
	return true;
}

static enum sasl_result judge_token(
    struct sasl_exchange *exchange, struct text response, struct arena *arena, struct buffer *challenge)
{
	const struct token_rules *tokens = exchange->secrets->tokens;
	struct bearer bearer;
	struct text name, refusal;

	switch (bearer_read(response, arena, &bearer)) {
	case OK:
		break;
	case ERR_NO_MEMORY:
		return SASL_TROUBLE;
	default:
		return SASL_MALFORMED;
	}
	exchange->verdict = token_check(tokens, bearer.token, exchange->now_s, arena, &name);
	if (exchange->verdict == TOKEN_GOOD && is_account(exchange, name, bearer.authorization))
		return SASL_SUCCESS;
	if (exchange->verdict == TOKEN_TROUBLE || !token_refusal(tokens, exchange->verdict, arena, &refusal) ||
	    !buffer_append(challenge, refusal))
		return SASL_TROUBLE;
	exchange->refused = true;
	return SASL_CONTINUE;
}

/* RFC 7628 §3.2.3: who was refused hears why by a challenge, and whatever he answers is the end. */
static enum sasl_result step_bearer(struct sasl_exchange *exchange, struct text response, struct buffer *challenge)
{
	enum { ARENA_BYTES_MAX = 256 << 10 };

	if (exchange->refused)
		return SASL_FAILURE;
	if (response.length == 0)
		return SASL_CONTINUE;
	struct arena *arena = arena_new(ARENA_BYTES_MAX);
	const enum sasl_result result = arena ? judge_token(exchange, response, arena, challenge) : SASL_TROUBLE;

	arena_free(arena);
	return result;
}

struct text sasl_exchange_reason(const struct sasl_exchange *exchange)
{
	if (exchange->mechanism != SASL_OAUTHBEARER)
		return TEXT_EMPTY;
	return exchange->verdict != TOKEN_GOOD ? text_of(token_verdict_text(exchange->verdict))
					       : TEXT("the token is good, but names no user here, or another than the client");
}

/* -- Life --------------------------------------------------------------------------------------- */

static enum error start(struct sasl_exchange *exchange, const struct sasl_facts *facts)
{
	size_t length;

	if (gsasl_init(&exchange->library) != GSASL_OK)
		return ERR_NO_MEMORY;
	gsasl_callback_set(exchange->library, ask);
	gsasl_callback_hook_set(exchange->library, exchange);
	if (facts->binding.length > 0 &&
	    gsasl_base64_to(facts->binding.bytes, facts->binding.length, &exchange->binding, &length) != GSASL_OK)
		return ERR_NO_MEMORY;
	const int code = gsasl_server_start(exchange->library, words[facts->mechanism], &exchange->session);

	return code == GSASL_OK ? OK : code == GSASL_UNKNOWN_MECHANISM ? ERR_NOT_FOUND : ERR_NO_MEMORY;
}

enum error sasl_exchange_new(
    const struct sasl_secrets *secrets, const struct sasl_facts *facts, struct sasl_exchange **out_exchange)
{
	struct sasl_exchange *exchange = calloc(1, sizeof *exchange);

	must(facts->mechanism < SASL_MECHANISM_COUNT && facts->binding.length <= SASL_BINDING_MAX);
	if (exchange == NULL)
		return ERR_NO_MEMORY;
	exchange->secrets = secrets;
	exchange->mechanism = facts->mechanism;
	exchange->now_s = facts->now_s;
	const enum error error = facts->mechanism != SASL_OAUTHBEARER ? start(exchange, facts)
	    : secrets->tokens != NULL ? OK
				      : ERR_NOT_FOUND;

	if (error != OK) {
		sasl_exchange_free(exchange);
		return error;
	}
	*out_exchange = exchange;
	return OK;
}

void sasl_exchange_free(struct sasl_exchange *exchange)
{
	if (exchange == NULL)
		return;
	if (exchange->session != NULL)
		gsasl_finish(exchange->session);
	if (exchange->library != NULL)
		gsasl_done(exchange->library);
	gsasl_free(exchange->binding);
	free(exchange);
}

static enum sasl_result result_of(int code)
{
	switch (code) {
	case GSASL_OK:
		return SASL_SUCCESS;
	case GSASL_NEEDS_MORE:
		return SASL_CONTINUE;
	case GSASL_MALLOC_ERROR:
	case GSASL_CRYPTO_ERROR:
		return SASL_TROUBLE;
	case GSASL_MECHANISM_PARSE_ERROR:
	case GSASL_MECHANISM_CALLED_TOO_MANY_TIMES:
	case GSASL_BASE64_ERROR:
		return SASL_MALFORMED;
	default:
		return SASL_FAILURE;
	}
}

static enum sasl_result step_library(struct sasl_exchange *exchange, struct text response, struct buffer *challenge)
{
	char *output = NULL;
	size_t output_length = 0;
	const int code = gsasl_step(
	    exchange->session, response.length > 0 ? response.bytes : "", response.length, &output, &output_length);
	enum sasl_result result = result_of(code);

	if ((result == SASL_CONTINUE || result == SASL_SUCCESS) &&
	    !buffer_append(challenge, (struct text){ output, output_length }))
		result = SASL_TROUBLE;
	gsasl_free(output);
	return result;
}

enum sasl_result sasl_exchange_step(struct sasl_exchange *exchange, struct text response, struct buffer *challenge)
{
	must(!exchange->ended && response.length <= SASL_BYTES_MAX); /* X2 */
	const enum sasl_result result = exchange->mechanism == SASL_OAUTHBEARER
	    ? step_bearer(exchange, response, challenge)
	    : step_library(exchange, response, challenge);

	exchange->ended = result != SASL_CONTINUE;
	must(result != SASL_SUCCESS || exchange->user_length > 0);
	return result;
}

struct text sasl_exchange_user(const struct sasl_exchange *exchange)
{
	must(exchange->ended);
	return (struct text){ exchange->user, exchange->user_length };
}
