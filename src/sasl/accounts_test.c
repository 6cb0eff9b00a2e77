#include "sasl/accounts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "sasl/exchange.h"

static const struct text domains[] = { { "example.org", 11 }, { "example.net", 11 } };

static struct accounts *accounts_of(const char *file)
{
	struct accounts *accounts;

	assert_int_equal(accounts_new(text_of(file), domains, 2, &accounts), OK);
	return accounts;
}

static void names_are_found_with_and_without_our_domains(void **state)
{
	static const struct {
		const char *login, *name;
		bool locked; /* No password is right. */
	} rows[] = {
		{ "alice", "alice", false },
		{ "ALICE", "alice", false },
		{ "alice@example.org", "alice", false },
		{ "alice@EXAMPLE.net", "alice", false },
		{ "alice@elsewhere.test", NULL, false },
		{ "bob@example.org", "bob@example.org", false },
		{ "bob@example.net", NULL, false },
		{ "bob", NULL, false },
		{ "carol", "carol", true },
		{ "dave", "dave", true }, /* There is a password, and we do not understand it. */
		{ "#eve", NULL, false },
		{ "", NULL, false },
		{ "@example.org", NULL, false },
	};
	struct accounts *accounts = accounts_of("alice:{PLAIN}one:1000:1000::/home/alice:/bin/sh:extra\r\n"
						"\n# comment:x\n#eve:{PLAIN}x\n"
						"bob@example.org:{PLAIN}two\ncarol\ndave:{WHAT}x\n:{PLAIN}x");

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct text stored, name;
		const bool found = accounts_find(accounts, text_of(rows[i].login), &stored, &name);

		if (found != (rows[i].name != NULL) ||
		    (found && (!text_equal(name, text_of(rows[i].name)) || (stored.length == 0) != rows[i].locked)))
			fail_msg("%s", rows[i].login);
	}
	accounts_unref(accounts);
}

static void only_what_every_account_can_is_offered(void **state)
{
	const unsigned passwords = 1u << SASL_PLAIN | 1u << SASL_LOGIN;
	const unsigned sha256 = 1u << SASL_SCRAM_SHA_256 | 1u << SASL_SCRAM_SHA_256_PLUS;
	const struct {
		const char *file;
		unsigned want;
	} rows[] = {
		{ "", 0 },
		{ "a:{PLAIN}x", passwords | sha256 | 1u << SASL_SCRAM_SHA_1 },
		{ "a:{SCRAM-SHA-256}1,x,x,x", passwords | sha256 },
		{ "a:{PLAIN}x\nb:{SCRAM-SHA-256}1,x,x,x", passwords | sha256 },
		{ "a:{PLAIN}x\nb:$6$x$y", passwords },
		{ "a:{PLAIN}x\nb\nc:*", passwords | sha256 | 1u << SASL_SCRAM_SHA_1 },
		{ "b\nc:*", 0 },
		{ "a:{SCRAM-SHA-1}1,x,x,x\nb:{SCRAM-SHA-256}1,x,x,x", passwords },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct accounts *accounts = accounts_of(rows[i].file);

		if (accounts_mechanisms(accounts) != rows[i].want)
			fail_msg("%s: %x", rows[i].file, accounts_mechanisms(accounts));
		accounts_unref(accounts);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_with_and_without_our_domains),
		cmocka_unit_test(only_what_every_account_can_is_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
