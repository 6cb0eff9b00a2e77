#include "sasl/exchange.h"

#include <gsasl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/must.h"
#include "sasl/test_token.h"

static const struct {
	const char *name, *canonical, *stored;
} accounts[] = {
	{ "alice", "alice@example.org", "{PLAIN}pencil" },
	{ "alice@example.org", "alice@example.org", "{PLAIN}pencil" },
	{ "user", "user", "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
			  "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" },
	{ "bob", "bob", "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/" },
};

static bool find(void *context, struct text name, struct text *out_stored, struct text *out_name)
{
	(void)context;
	for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++) {
		if (text_equal(text_of(accounts[i].name), name)) {
			*out_stored = text_of(accounts[i].stored);
			*out_name = text_of(accounts[i].canonical);
			return true;
		}
	}
	return false;
}

static const struct sasl_secrets secrets = { .find = find, .salt_key = { "0123456789abcdef", 16 } };

static struct sasl_exchange *begin(enum sasl_mechanism mechanism, const char *binding)
{
	struct sasl_exchange *exchange;
	const struct sasl_facts facts = { .mechanism = mechanism, .binding = text_of(binding), .now_s = 1300819000 };

	assert_int_equal(sasl_exchange_new(&secrets, &facts, &exchange), OK);
	return exchange;
}

static enum sasl_result step(struct sasl_exchange *exchange, struct text response, char *challenge, size_t size)
{
	struct buffer buffer;

	buffer_init(&buffer, SASL_BYTES_MAX);
	const enum sasl_result result = sasl_exchange_step(exchange, response, &buffer);

	must(buffer.length < size);
	if (buffer.length > 0)
		memcpy(challenge, buffer_text(&buffer).bytes, buffer.length);
	challenge[buffer.length] = '\0';
	buffer_done(&buffer);
	return result;
}

static void plain(void **state)
{
	static const struct {
		struct text message;
		enum sasl_result want;
		const char *user;
	} rows[] = {
		{ TEXT("\0alice\0pencil"), SASL_SUCCESS, "alice@example.org" },
		{ TEXT("alice\0alice\0pencil"), SASL_SUCCESS, "alice@example.org" },
		{ TEXT("\0user\0pencil"), SASL_SUCCESS, "user" },
		{ TEXT("\0bob\0password"), SASL_SUCCESS, "bob" },
		{ TEXT("bob\0alice\0pencil"), SASL_FAILURE, NULL }, /* X3 */
		{ TEXT("\0alice\0pen"), SASL_FAILURE, NULL },
		{ TEXT("\0nobody\0pencil"), SASL_FAILURE, NULL },
		{ TEXT("\0\0pencil"), SASL_FAILURE, NULL },
		{ TEXT("alice"), SASL_MALFORMED, NULL },
		{ TEXT("\0alice"), SASL_MALFORMED, NULL },
	};
	char challenge[256];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sasl_exchange *exchange = begin(SASL_PLAIN, NULL);
		const enum sasl_result result = step(exchange, rows[i].message, challenge, sizeof challenge);

		if (result != rows[i].want)
			fail_msg("row %zu: %d", i, (int)result);
		if (result == SASL_SUCCESS)
			assert_true(text_equal(sasl_exchange_user(exchange), text_of(rows[i].user)));
		sasl_exchange_free(exchange);
	}
}

static void login(void **state)
{
	char challenge[256];
	struct sasl_exchange *exchange = begin(SASL_LOGIN, NULL);

	(void)state;
	assert_int_equal(step(exchange, TEXT(""), challenge, sizeof challenge), SASL_CONTINUE);
	assert_int_equal(step(exchange, TEXT("alice"), challenge, sizeof challenge), SASL_CONTINUE);
	assert_int_equal(step(exchange, TEXT("pencil"), challenge, sizeof challenge), SASL_SUCCESS);
	sasl_exchange_free(exchange);
}

/* -- SCRAM against the library's own client ---------------------------------------------- */

struct client {
	Gsasl *library;
	Gsasl_session *session;
};

static void client_begin(struct client *client, enum sasl_mechanism mechanism, const char *name, const char *password,
    const char *binding_base64)
{
	must(gsasl_init(&client->library) == GSASL_OK);
	must(gsasl_client_start(client->library, sasl_mechanism_word(mechanism), &client->session) == GSASL_OK);
	must(gsasl_property_set(client->session, GSASL_AUTHID, name) == GSASL_OK);
	must(gsasl_property_set(client->session, GSASL_PASSWORD, password) == GSASL_OK);
	if (binding_base64 != NULL)
		must(gsasl_property_set(client->session, GSASL_CB_TLS_EXPORTER, binding_base64) == GSASL_OK);
}

static void client_end(struct client *client)
{
	gsasl_finish(client->session);
	gsasl_done(client->library);
}

/* Both sides to the end. */
static enum sasl_result converse(struct client *client, struct sasl_exchange *exchange)
{
	char challenge[SASL_BYTES_MAX] = "";
	enum sasl_result result = SASL_CONTINUE;

	for (int steps = 0; result == SASL_CONTINUE; steps++) {
		char *response = NULL;
		size_t length = 0;

		must(steps < 10);
		const int code = gsasl_step(client->session, challenge, strlen(challenge), &response, &length);

		if (code != GSASL_OK && code != GSASL_NEEDS_MORE)
			return SASL_FAILURE; /* The client does not trust the server. */
		result = step(exchange, (struct text){ response, length }, challenge, sizeof challenge);
		gsasl_free(response);
	}
	return result;
}

static void scram(void **state)
{
	static const struct {
		enum sasl_mechanism mechanism;
		const char *name, *password;
		enum sasl_result want;
	} rows[] = {
		{ SASL_SCRAM_SHA_256, "alice", "pencil", SASL_SUCCESS },
		{ SASL_SCRAM_SHA_256, "user", "pencil", SASL_SUCCESS },
		{ SASL_SCRAM_SHA_1, "alice", "pencil", SASL_SUCCESS },
		{ SASL_SCRAM_SHA_256, "alice", "pen", SASL_FAILURE },
		{ SASL_SCRAM_SHA_256, "user", "pen", SASL_FAILURE },
		{ SASL_SCRAM_SHA_256, "nobody", "pencil", SASL_FAILURE },
		{ SASL_SCRAM_SHA_1, "user", "pencil", SASL_FAILURE }, /* Its record is of another hash. */
		{ SASL_SCRAM_SHA_256, "bob", "password", SASL_FAILURE }, /* Its hash serves PLAIN alone. */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sasl_exchange *exchange = begin(rows[i].mechanism, NULL);
		struct client client;

		client_begin(&client, rows[i].mechanism, rows[i].name, rows[i].password, NULL);
		if (converse(&client, exchange) != rows[i].want)
			fail_msg("row %zu", i);
		client_end(&client);
		sasl_exchange_free(exchange);
	}
}

/* A man in the middle has another channel. */
static void scram_binds_the_channel(void **state)
{
	static const struct {
		const char *ours, *theirs_base64;
		enum sasl_result want;
	} rows[] = {
		{ "0123456789abcdef", "MDEyMzQ1Njc4OWFiY2RlZg==", SASL_SUCCESS },
		{ "0123456789abcdef", "MDEyMzQ1Njc4OWFiY2RlZQ==", SASL_FAILURE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sasl_exchange *exchange = begin(SASL_SCRAM_SHA_256_PLUS, rows[i].ours);
		struct client client;

		client_begin(&client, SASL_SCRAM_SHA_256_PLUS, "alice", "pencil", rows[i].theirs_base64);
		if (converse(&client, exchange) != rows[i].want)
			fail_msg("row %zu", i);
		client_end(&client);
		sasl_exchange_free(exchange);
	}
}

/* X1: the salt of somebody unknown does not change from one try to the next, and differs between names. */
static void an_unknown_user_has_a_steady_salt(void **state)
{
	static const char *const messages[] = { "n,,n=nobody,r=abc", "n,,n=nobody,r=abc", "n,,n=noman,r=abc" };
	char challenges[3][256], *salts[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct sasl_exchange *exchange = begin(SASL_SCRAM_SHA_256, NULL);

		assert_int_equal(step(exchange, text_of(messages[i]), challenges[i], sizeof challenges[i]), SASL_CONTINUE);
		salts[i] = strstr(challenges[i], ",s=");
		assert_non_null(salts[i]);
		sasl_exchange_free(exchange);
	}
	assert_string_equal(salts[0], salts[1]);
	assert_string_not_equal(salts[0], salts[2]);
}

/* What a client of OAUTHBEARER says with this token. */
static struct text bearer(const char *authorization, struct text token, struct arena *arena)
{
	struct text response;

	must(arena_print(arena, &response, "n,%s,\001auth=Bearer %.*s\001\001", authorization, TEXT_FORMAT(token)));
	return response;
}

static void tokens(void **state)
{
	static const struct {
		const char *authorization, *email;
		const char *user; /* NULL: refused. */
	} rows[] = {
		{ "", "alice@example.org", "alice@example.org" },
		{ "a=alice", "alice@example.org", "alice@example.org" },
		{ "", "bob", "bob" },
		{ "", "nobody@example.org", NULL }, /* X4 */
		{ "a=bob", "alice@example.org", NULL }, /* X3 */
		{ "a=nobody", "alice@example.org", NULL },
	};
	struct token_rules *rules = test_token_rules("");
	const struct sasl_secrets own = { .find = find, .tokens = rules };
	const struct sasl_facts facts = { .mechanism = SASL_OAUTHBEARER, .now_s = 1000 };
	struct arena *arena = arena_new(1 << 20);
	struct sasl_exchange *exchange;
	char challenge[256];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(sasl_exchange_new(&own, &facts, &exchange), OK);
		assert_int_equal(step(exchange, TEXT(""), challenge, sizeof challenge), SASL_CONTINUE);
		assert_string_equal(challenge, "");
		const struct text response = bearer(rows[i].authorization, test_token_for(rows[i].email, arena), arena);
		const enum sasl_result result = step(exchange, response, challenge, sizeof challenge);

		assert_int_equal(result, rows[i].user ? SASL_SUCCESS : SASL_CONTINUE);
		if (result == SASL_CONTINUE) {
			assert_non_null(strstr(challenge, "\"status\":\"invalid_token\""));
			assert_int_equal(step(exchange, TEXT("\001"), challenge, sizeof challenge), SASL_FAILURE);
			assert_true(sasl_exchange_reason(exchange).length > 0);
		} else {
			assert_string_equal(challenge, "");
			assert_true(text_equal(sasl_exchange_user(exchange), text_of(rows[i].user)));
		}
		sasl_exchange_free(exchange);
	}
	assert_int_equal(sasl_exchange_new(&own, &facts, &exchange), OK);
	assert_int_equal(step(exchange, TEXT("alice"), challenge, sizeof challenge), SASL_MALFORMED);
	sasl_exchange_free(exchange);
	assert_int_equal(sasl_exchange_new(&secrets, &facts, &exchange), ERR_NOT_FOUND);
	token_rules_unref(rules);
	arena_free(arena);
}

static void words_are_found(void **state)
{
	enum sasl_mechanism mechanism;

	(void)state;
	for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++) {
		assert_true(sasl_mechanism_find(text_of(sasl_mechanism_word((enum sasl_mechanism)i)), &mechanism));
		assert_int_equal(mechanism, i);
	}
	assert_true(sasl_mechanism_find(TEXT("plain"), &mechanism));
	assert_false(sasl_mechanism_find(TEXT("GSSAPI"), &mechanism));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(login),
		cmocka_unit_test(scram),
		cmocka_unit_test(scram_binds_the_channel),
		cmocka_unit_test(an_unknown_user_has_a_steady_salt),
		cmocka_unit_test(tokens),
		cmocka_unit_test(words_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
