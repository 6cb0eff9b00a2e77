#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/usage.h"

static void guesses_what_was_meant(void **state)
{
	static const struct {
		const char *word, *guess;
	} rows[] = { { "queu", "queue" }, { "qeue", "queue" }, { "releod", "reload" }, { "stat", "stats" }, { "expalin", "explain" },
		{ "doctr", "doctor" }, { "tial", "tail" }, { "nonsense", NULL }, { "", NULL }, { "x", NULL }, { "mailq-and-more-than-that", NULL } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].guess == NULL)
			assert_null(ctl_usage_guess(rows[i].word));
		else
			assert_string_equal(ctl_usage_guess(rows[i].word), rows[i].guess);
	}
	assert_true(ctl_usage_known("queue"));
	assert_false(ctl_usage_known("role"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(guesses_what_was_meant) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
