#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "smtp/capabilities.h"

struct expectation {
	const char *line;
	struct capabilities capabilities;
};

static const struct expectation expectations[] = {
	{ "PIPELINING", { .offered = CAPABILITY_PIPELINING } },
	{ "pipelining", { .offered = CAPABILITY_PIPELINING } },
	{ "  8bitMIME  ", { .offered = CAPABILITY_8BITMIME } },
	{ "SIZE 52428800", { .offered = CAPABILITY_SIZE, .size_max = 52428800 } },
	{ "SIZE", { .offered = CAPABILITY_SIZE } },
	{ "SIZE 0", { .offered = CAPABILITY_SIZE } },
	{ "SIZE -1", { .offered = CAPABILITY_SIZE } },
	{ "SIZE 99999999999999999999", { .offered = CAPABILITY_SIZE } },
	{ "SIZE=1000", { 0 } },
	{ "SMTPUTF8", { .offered = CAPABILITY_SMTPUTF8 } },
	{ "CHUNKING", { .offered = CAPABILITY_CHUNKING } },
	{ "DSN", { .offered = CAPABILITY_DSN } },
	{ "STARTTLS", { .offered = CAPABILITY_STARTTLS } },
	{ "REQUIRETLS", { .offered = CAPABILITY_REQUIRETLS } },
	{ "ENHANCEDSTATUSCODES", { .offered = CAPABILITY_ENHANCEDSTATUSCODES } },
	{ "AUTH PLAIN  SCRAM-SHA-256 x-new", { .offered = CAPABILITY_AUTH,
	      .mechanisms = MECHANISM_PLAIN | MECHANISM_SCRAM_SHA_256 } },
	{ "AUTH=login", { .offered = CAPABILITY_AUTH, .mechanisms = MECHANISM_LOGIN } },
	{ "AUTH", { .offered = CAPABILITY_AUTH } },
	{ "DELIVERBY", { .offered = CAPABILITY_DELIVERBY } },
	{ "deliverby 240", { .offered = CAPABILITY_DELIVERBY, .by_min_s = 240 } },
	{ "DELIVERBY 99999999999", { .offered = CAPABILITY_DELIVERBY, .by_min_s = UINT32_MAX } },
	{ "LIMITS RCPTMAX=20 mailmax=5 RCPTDOMAINMAX=1 OTHER=3",
	    { .offered = CAPABILITY_LIMITS, .mail_max = 5, .rcpt_max = 20, .rcpt_domain_max = 1 } },
	{ "LIMITS RCPTMAX=0 MAILMAX=-1 RCPTDOMAINMAX", { .offered = CAPABILITY_LIMITS } },
	{ "LIMITS RCPTMAX=1000000 MAILMAX=99999999999999999999", { .offered = CAPABILITY_LIMITS } },
	{ "", { 0 } },
	{ " ", { 0 } },
	{ "XCLIENT NAME ADDR", { 0 } },
	{ "PIPELININGS", { 0 } },
};

static void reads_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof expectations / sizeof *expectations; i++) {
		const struct capabilities *expected = &expectations[i].capabilities;
		struct capabilities found = { 0 };

		capabilities_add_line(&found, text_of(expectations[i].line));
		assert_int_equal(found.offered, expected->offered);
		assert_int_equal(found.mechanisms, expected->mechanisms);
		assert_int_equal(found.size_max, expected->size_max);
		assert_int_equal(found.by_min_s, expected->by_min_s);
		assert_int_equal(found.mail_max, expected->mail_max);
		assert_int_equal(found.rcpt_max, expected->rcpt_max);
		assert_int_equal(found.rcpt_domain_max, expected->rcpt_domain_max);
	}
}

static void adds_up(void **state)
{
	struct capabilities found = { 0 };

	(void)state;
	capabilities_add_line(&found, TEXT("PIPELINING"));
	capabilities_add_line(&found, TEXT("AUTH PLAIN"));
	capabilities_add_line(&found, TEXT("AUTH=PLAIN LOGIN"));
	capabilities_add_line(&found, TEXT("SIZE 10"));
	assert_true(capabilities_offer(&found, CAPABILITY_PIPELINING));
	assert_true(capabilities_offer(&found, CAPABILITY_SIZE));
	assert_false(capabilities_offer(&found, CAPABILITY_DSN));
	assert_int_equal(found.mechanisms, MECHANISM_PLAIN | MECHANISM_LOGIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reads_lines), cmocka_unit_test(adds_up) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
