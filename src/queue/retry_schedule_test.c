#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "queue/retry_schedule.h"

enum { MINUTE_MS = 60000, HOUR_MS = 3600000 };

static const int64_t gaps[] = { MINUTE_MS, 5 * MINUTE_MS, HOUR_MS };
static const struct retry_schedule schedule = { gaps, 3 };

static int64_t wait_of(uint32_t attempt_count, uint32_t spread, int64_t left_ms)
{
	const int64_t now_ms = 1795494481000;
	const struct retry_moment moment = { now_ms, now_ms + left_ms, attempt_count, spread };
	int64_t due_ms = -1;

	return retry_schedule_next(&schedule, &moment, &due_ms) == RETRY_PLANNED ? due_ms - now_ms : -1;
}

static void test_gaps(void **state)
{
	(void)state;
	static const struct {
		uint32_t attempt_count, spread;
		int64_t left_ms, wait_ms;
	} cases[] = {
		{ 1, 0, INT32_MAX, MINUTE_MS },
		{ 2, 0, INT32_MAX, 5 * MINUTE_MS },
		{ 3, 0, INT32_MAX, HOUR_MS },
		{ 4, 0, INT32_MAX, HOUR_MS },
		{ UINT32_MAX, 0, INT32_MAX, HOUR_MS },
		{ 3, RETRY_SPREAD_MAX / 2, INT32_MAX, HOUR_MS - HOUR_MS / 16 },
		/* The last attempt is made at the end of the lifetime, and none behind it. */
		{ 3, 0, HOUR_MS, HOUR_MS },
		{ 3, 0, HOUR_MS - 1, HOUR_MS - 1 },
		{ 3, 0, 1, 1 },
		{ 3, 0, 0, -1 },
		{ 3, 0, -1, -1 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(wait_of(cases[i].attempt_count, cases[i].spread, cases[i].left_ms), cases[i].wait_ms);
}

static void test_spread_is_at_most_an_eighth(void **state)
{
	(void)state;
	int64_t before_ms = HOUR_MS + 1;

	for (uint32_t spread = 0; spread < RETRY_SPREAD_MAX; spread++) {
		const int64_t wait_ms = wait_of(3, spread, INT32_MAX);

		assert_true(wait_ms < before_ms);
		assert_true(wait_ms >= HOUR_MS - HOUR_MS / 8);
		before_ms = wait_ms;
	}
}

static void test_extremes_do_not_overflow(void **state)
{
	(void)state;
	const int64_t longest = INT64_MAX;
	const struct retry_schedule forever = { &longest, 1 };
	const struct retry_moment moment = { 1, INT64_MAX, 1, RETRY_SPREAD_MAX - 1 };
	int64_t due_ms = 0;

	assert_int_equal(retry_schedule_next(&forever, &moment, &due_ms), RETRY_PLANNED);
	assert_true(due_ms > INT64_MAX / 8 * 7 - 10);
}

static void test_recipients_of_one_message_spread(void **state)
{
	(void)state;
	unsigned low = 0;

	for (uint32_t index = 0; index < 1000; index++) {
		assert_true(retry_spread(77, index) < RETRY_SPREAD_MAX);
		assert_int_equal(retry_spread(77, index), retry_spread(77, index));
		low += retry_spread(77, index) < RETRY_SPREAD_MAX / 2;
	}
	assert_in_range(low, 400, 600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_spread_is_at_most_an_eighth),
		cmocka_unit_test(test_extremes_do_not_overflow),
		cmocka_unit_test(test_recipients_of_one_message_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
