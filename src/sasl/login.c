#include "sasl/login.h"

#include <gsasl.h>
#include <stdlib.h>

#include "base/must.h"

struct sasl_login {
	enum sasl_mechanism mechanism;
	Gsasl *library;
	Gsasl_session *session;
	unsigned step_count;
	bool complete; /* The library has come to the end of the mechanism. */
	bool failed;
};

/* In the order of strength. */
static const struct {
	enum sasl_mechanism mechanism;
	bool reveals; /* N1 */
} spoken[] = {
	{ SASL_SCRAM_SHA_256, false },
	{ SASL_SCRAM_SHA_1, false },
	{ SASL_PLAIN, true },
	{ SASL_LOGIN, true },
};

enum { SPOKEN_COUNT = sizeof spoken / sizeof *spoken };

bool sasl_login_choose(unsigned offered, bool encrypted, enum sasl_mechanism *out_mechanism)
{
	for (size_t i = 0; i < SPOKEN_COUNT; i++) {
		if ((offered & 1u << spoken[i].mechanism) == 0 || (spoken[i].reveals && !encrypted))
			continue;
		*out_mechanism = spoken[i].mechanism;
		return true;
	}
	return false;
}

static bool is_spoken(enum sasl_mechanism mechanism)
{
	enum sasl_mechanism chosen;

	return sasl_login_choose(1u << mechanism, true, &chosen);
}

static bool is_scram(const struct sasl_login *login)
{
	return login->mechanism == SASL_SCRAM_SHA_256 || login->mechanism == SASL_SCRAM_SHA_1;
}

static bool set(Gsasl_session *session, Gsasl_property property, struct text value)
{
	return gsasl_property_set_raw(session, property, value.bytes, value.length) == GSASL_OK;
}

/* The library's own copy: freed by it, but not wiped. */
static void wipe_property(Gsasl_session *session, Gsasl_property property)
{
	char *value = (char *)gsasl_property_fast(session, property);

	if (value != NULL)
		explicit_bzero(value, strlen(value));
}

enum error sasl_login_new(
    enum sasl_mechanism mechanism, struct text user, struct text password, struct sasl_login **out_login)
{
	must(user.length > 0 && user.length <= SASL_NAME_MAX && text_find_byte(user, '\0') == user.length);
	must(password.length > 0 && password.length <= SASL_PASSWORD_MAX && text_find_byte(password, '\0') == password.length);
	if (!is_spoken(mechanism))
		return ERR_NOT_FOUND;
	struct sasl_login *login = calloc(1, sizeof *login);
	int code = GSASL_MALLOC_ERROR;

	if (login == NULL)
		return ERR_NO_MEMORY;
	login->mechanism = mechanism;
	if (gsasl_init(&login->library) == GSASL_OK)
		code = gsasl_client_start(login->library, sasl_mechanism_word(mechanism), &login->session);
	if (code == GSASL_OK && !(set(login->session, GSASL_AUTHID, user) && set(login->session, GSASL_PASSWORD, password)))
		code = GSASL_MALLOC_ERROR;
	if (code != GSASL_OK) {
		sasl_login_free(login);
		return code == GSASL_UNKNOWN_MECHANISM ? ERR_NOT_FOUND : ERR_NO_MEMORY;
	}
	*out_login = login;
	return OK;
}

void sasl_login_free(struct sasl_login *login)
{
	if (login == NULL)
		return;
	if (login->session != NULL) {
		wipe_property(login->session, GSASL_PASSWORD);
		wipe_property(login->session, GSASL_SCRAM_SALTED_PASSWORD);
		gsasl_finish(login->session);
	}
	if (login->library != NULL)
		gsasl_done(login->library);
	free(login);
}

bool sasl_login_speaks_first(const struct sasl_login *login)
{
	return login->mechanism != SASL_LOGIN;
}

/* N4. "r=...,s=...,i=4096" (RFC 5802 §5.1); what is no such message the library refuses. */
static bool costs_too_much(struct text challenge)
{
	struct text rest = challenge, part;
	uint64_t rounds;

	while (text_cut(&rest, ',', &part))
		if (text_starts(part, TEXT("i=")) && (!text_to_u64(text_from(part, 2), &rounds) || rounds > SASL_ROUNDS_MAX))
			return true;
	return false;
}

/* The second step of SCRAM hears the salt, the third the server's proof. */
static enum sasl_result refused(const struct sasl_login *login, int code)
{
	switch (code) {
	case GSASL_MALLOC_ERROR:
	case GSASL_CRYPTO_ERROR:
	case GSASL_SASLPREP_ERROR:
		return SASL_TROUBLE;
	case GSASL_AUTHENTICATION_ERROR:
		return SASL_FAILURE;
	default:
		return is_scram(login) && login->step_count > 2 ? SASL_FAILURE : SASL_MALFORMED;
	}
}

enum sasl_result sasl_login_step(struct sasl_login *login, struct text challenge, struct buffer *response)
{
	char *output = NULL;
	size_t length = 0;

	must(!login->failed && challenge.length <= SASL_BYTES_MAX);
	login->step_count++;
	login->failed = true;
	if (login->complete || (is_scram(login) && costs_too_much(challenge)))
		return SASL_MALFORMED;
	const int code = gsasl_step(
	    login->session, challenge.length > 0 ? challenge.bytes : "", challenge.length, &output, &length);

	if (code != GSASL_OK && code != GSASL_NEEDS_MORE)
		return refused(login, code);
	const bool kept = buffer_append(response, (struct text){ output, length });

	if (output != NULL)
		explicit_bzero(output, length);
	gsasl_free(output);
	login->failed = !kept;
	login->complete = code == GSASL_OK;
	return !kept ? SASL_TROUBLE : login->complete ? SASL_SUCCESS : SASL_CONTINUE;
}

bool sasl_login_is_proven(const struct sasl_login *login)
{
	return !login->failed && login->complete;
}
