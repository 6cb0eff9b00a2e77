#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/priority.h"

static void priorities_are_one_digit(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int priority;
	} cases[] = { { "0", true, 0 }, { "9", true, 9 }, { "-9", true, -9 }, { "-1", true, -1 }, { "", false, 0 },
		{ "-", false, 0 }, { "-0", false, 0 }, { "10", false, 0 }, { "-10", false, 0 }, { "+1", false, 0 },
		{ "x", false, 0 }, { " 1", false, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int8_t priority = 77;

		assert_int_equal(priority_parse(text_of(cases[i].text), &priority), cases[i].good);
		assert_int_equal(priority, cases[i].good ? cases[i].priority : 77);
	}
}

static void a_field_may_have_a_comment(void **state)
{
	int8_t priority = 77;

	(void)state;
	assert_true(priority_parse_field(TEXT(" 3 (soon)\r"), &priority));
	assert_int_equal(priority, 3);
	assert_true(priority_parse_field(TEXT("-4(slow)"), &priority));
	assert_int_equal(priority, -4);
	assert_false(priority_parse_field(TEXT(" urgent"), &priority));
	assert_false(priority_parse_field(TEXT(""), &priority));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(priorities_are_one_digit),
		cmocka_unit_test(a_field_may_have_a_comment) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
