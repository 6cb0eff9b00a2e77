#include "sasl/login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/must.h"

#define BIT(name) (1u << SASL_##name)

static void the_strongest_is_chosen(void **state)
{
	static const struct {
		unsigned offered;
		bool encrypted;
		int want; /* -1: none. */
	} rows[] = {
		{ BIT(LOGIN) | BIT(PLAIN) | BIT(SCRAM_SHA_1) | BIT(SCRAM_SHA_256) | BIT(SCRAM_SHA_256_PLUS), true, SASL_SCRAM_SHA_256 },
		{ BIT(LOGIN) | BIT(PLAIN) | BIT(SCRAM_SHA_1), true, SASL_SCRAM_SHA_1 },
		{ BIT(LOGIN) | BIT(PLAIN), true, SASL_PLAIN },
		{ BIT(LOGIN), true, SASL_LOGIN },
		{ BIT(OAUTHBEARER) | BIT(SCRAM_SHA_256_PLUS), true, -1 },
		{ 0, true, -1 },
		{ BIT(LOGIN) | BIT(PLAIN), false, -1 }, /* N1 */
		{ BIT(PLAIN) | BIT(SCRAM_SHA_1), false, SASL_SCRAM_SHA_1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		enum sasl_mechanism chosen;
		const bool found = sasl_login_choose(rows[i].offered, rows[i].encrypted, &chosen);

		if (found != (rows[i].want >= 0) || (found && (int)chosen != rows[i].want))
			fail_msg("row %zu", i);
	}
}

/* -- Against our own server's side -------------------------------------------------------- */

static bool find(void *context, struct text name, struct text *out_stored, struct text *out_name)
{
	(void)context;
	*out_stored = TEXT("{PLAIN}pencil");
	*out_name = TEXT("user");
	return text_equal(name, TEXT("user"));
}

static const struct sasl_secrets secrets = { .find = find, .salt_key = { "0123456789abcdef", 16 } };

static struct sasl_login *begin(enum sasl_mechanism mechanism, const char *password)
{
	struct sasl_login *login;

	assert_int_equal(sasl_login_new(mechanism, TEXT("user"), text_of(password), &login), OK);
	return login;
}

/* What the server says in the end. */
static enum sasl_result converse(enum sasl_mechanism mechanism, const char *password, bool *out_proven)
{
	const struct sasl_facts facts = { .mechanism = mechanism };
	struct sasl_login *login = begin(mechanism, password);
	struct sasl_exchange *exchange;
	struct buffer challenge, response;
	enum sasl_result result = SASL_CONTINUE;

	assert_int_equal(sasl_exchange_new(&secrets, &facts, &exchange), OK);
	buffer_init(&challenge, SASL_BYTES_MAX);
	buffer_init_secret(&response, SASL_BYTES_MAX);
	if (!sasl_login_speaks_first(login))
		result = sasl_exchange_step(exchange, TEXT_EMPTY, &challenge);
	for (int steps = 0; result == SASL_CONTINUE; steps++) {
		must(steps < 5);
		buffer_clear(&response);
		const enum sasl_result ours = sasl_login_step(login, buffer_text(&challenge), &response);

		assert_true(ours == SASL_CONTINUE || ours == SASL_SUCCESS);
		buffer_clear(&challenge);
		result = sasl_exchange_step(exchange, buffer_text(&response), &challenge);
	}
	/* SMTP has no place for what comes with success but one more challenge (RFC 4954 §4). */
	if (result == SASL_SUCCESS && challenge.length > 0) {
		assert_false(sasl_login_is_proven(login)); /* N3 */
		buffer_clear(&response);
		assert_int_equal(sasl_login_step(login, buffer_text(&challenge), &response), SASL_SUCCESS);
		assert_int_equal(response.length, 0);
	}
	*out_proven = sasl_login_is_proven(login);
	buffer_done(&challenge);
	buffer_done(&response);
	sasl_exchange_free(exchange);
	sasl_login_free(login);
	return result;
}

static void all_mechanisms_speak_with_our_server(void **state)
{
	static const enum sasl_mechanism mechanisms[] = { SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_1, SASL_PLAIN, SASL_LOGIN };
	bool proven;

	(void)state;
	for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
		assert_int_equal(converse(mechanisms[i], "pencil", &proven), SASL_SUCCESS);
		assert_true(proven);
		assert_int_equal(converse(mechanisms[i], "pen", &proven), SASL_FAILURE);
	}
}

/* -- Against others ------------------------------------------------------------------------- */

static enum sasl_result step(struct sasl_login *login, const char *challenge, char *room, size_t size)
{
	struct buffer response;

	buffer_init_secret(&response, SASL_BYTES_MAX);
	const enum sasl_result result = sasl_login_step(login, text_of(challenge), &response);

	must(response.length < size);
	snprintf(room, size, "%.*s", TEXT_FORMAT(buffer_text(&response)));
	buffer_done(&response);
	return result;
}

/* The server's first message to a client that has just begun: `rest` stands behind the nonce. */
static enum sasl_result hear_salt(struct sasl_login *login, const char *rest, char *room, size_t size)
{
	char challenge[512];

	assert_int_equal(step(login, "", room, size), SASL_CONTINUE);
	const char *nonce = strstr(room, "r=");

	assert_non_null(nonce);
	snprintf(challenge, sizeof challenge, "%sserver,%s", nonce, rest);
	return step(login, challenge, room, size);
}

/* N3: who does not know the password cannot take mail in the name of who does. */
static void a_server_must_prove_itself(void **state)
{
	static const char *const finals[] = { "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "e=invalid-proof", "", "what" };
	char room[512];

	(void)state;
	for (size_t i = 0; i < sizeof finals / sizeof *finals; i++) {
		struct sasl_login *login = begin(SASL_SCRAM_SHA_256, "pencil");

		assert_int_equal(hear_salt(login, "s=c2FsdHNhbHQ=,i=4096", room, sizeof room), SASL_CONTINUE);
		assert_false(sasl_login_is_proven(login));
		assert_int_equal(step(login, finals[i], room, sizeof room), SASL_FAILURE);
		assert_string_equal(room, "");
		assert_false(sasl_login_is_proven(login));
		sasl_login_free(login);
	}
}

static void a_server_cannot_ask_for_anything(void **state)
{
	static const struct {
		const char *rest;
		enum sasl_result want;
	} rows[] = {
		{ "s=c2FsdHNhbHQ=,i=1000", SASL_CONTINUE },
		{ "s=c2FsdHNhbHQ=,i=200001", SASL_MALFORMED }, /* N4 */
		{ "s=c2FsdHNhbHQ=,i=4294967295", SASL_MALFORMED },
		{ "s=c2FsdHNhbHQ=,i=99999999999999999999999", SASL_MALFORMED },
		{ "s=c2FsdHNhbHQ=,i=", SASL_MALFORMED },
		{ "s=c2FsdHNhbHQ=", SASL_MALFORMED },
		{ "", SASL_MALFORMED },
	};
	char room[512];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sasl_login *login = begin(SASL_SCRAM_SHA_256, "pencil");

		if (hear_salt(login, rows[i].rest, room, sizeof room) != rows[i].want)
			fail_msg("row %zu", i);
		sasl_login_free(login);
	}
}

/* The nonce must begin with ours (RFC 5802 §5.1). */
static void another_nonce_is_refused(void **state)
{
	struct sasl_login *login = begin(SASL_SCRAM_SHA_1, "pencil");
	char room[512];

	(void)state;
	assert_int_equal(step(login, "", room, sizeof room), SASL_CONTINUE);
	assert_int_not_equal(step(login, "r=another,s=c2FsdHNhbHQ=,i=4096", room, sizeof room), SASL_CONTINUE);
	assert_string_equal(room, "");
	sasl_login_free(login);
}

static void nothing_follows_the_end(void **state)
{
	struct sasl_login *login = begin(SASL_LOGIN, "pencil");
	char room[512];

	(void)state;
	assert_false(sasl_login_speaks_first(login));
	assert_int_equal(step(login, "Username:", room, sizeof room), SASL_CONTINUE);
	assert_string_equal(room, "user");
	assert_false(sasl_login_is_proven(login));
	assert_int_equal(step(login, "Password:", room, sizeof room), SASL_SUCCESS);
	assert_string_equal(room, "pencil");
	assert_true(sasl_login_is_proven(login));
	assert_int_equal(step(login, "And now?", room, sizeof room), SASL_MALFORMED);
	assert_false(sasl_login_is_proven(login));
	sasl_login_free(login);
}

static void others_are_not_spoken(void **state)
{
	struct sasl_login *login;

	(void)state;
	assert_int_equal(sasl_login_new(SASL_OAUTHBEARER, TEXT("user"), TEXT("token"), &login), ERR_NOT_FOUND);
	assert_int_equal(sasl_login_new(SASL_SCRAM_SHA_256_PLUS, TEXT("user"), TEXT("pencil"), &login), ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_strongest_is_chosen),
		cmocka_unit_test(all_mechanisms_speak_with_our_server),
		cmocka_unit_test(a_server_must_prove_itself),
		cmocka_unit_test(a_server_cannot_ask_for_anything),
		cmocka_unit_test(another_nonce_is_refused),
		cmocka_unit_test(nothing_follows_the_end),
		cmocka_unit_test(others_are_not_spoken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
