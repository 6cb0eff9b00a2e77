#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/backoff.h"

static void waits_of_short_lives_double_up_to_a_bound(void **state)
{
	static const int64_t expected[] = { 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000 };
	int64_t wait_ms = 0;

	(void)state;
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		wait_ms = backoff_next(wait_ms, 1);
		assert_int_equal(wait_ms, expected[i]);
	}
}

static void only_a_long_life_is_forgiven(void **state)
{
	(void)state;
	assert_int_equal(backoff_next(30000, BACKOFF_LONG_LIFE_MS + 1), BACKOFF_FIRST_MS);
	assert_int_equal(backoff_next(30000, INT64_MAX), BACKOFF_FIRST_MS);
	assert_int_equal(backoff_next(30000, BACKOFF_LONG_LIFE_MS), 30000);
	assert_int_equal(backoff_next(400, 0), 800);
	assert_int_equal(backoff_next(0, 0), BACKOFF_FIRST_MS);
}

/* An hour of it: some starts in the first minute, and two in each minute after that. */
static void a_role_that_dies_at_once_does_not_spin(void **state)
{
	int64_t now_ms = 0, wait_ms = 0;
	unsigned starts = 0, starts_of_first_minute = 0;

	(void)state;
	while (now_ms < 3600 * 1000) {
		starts++;
		starts_of_first_minute += now_ms < 60 * 1000;
		wait_ms = backoff_next(wait_ms, 0);
		now_ms += wait_ms;
	}
	assert_in_range(starts_of_first_minute, 2, 13);
	assert_in_range(starts, 100, 13 + 2 * 59);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_of_short_lives_double_up_to_a_bound),
		cmocka_unit_test(only_a_long_life_is_forgiven),
		cmocka_unit_test(a_role_that_dies_at_once_does_not_spin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
