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
	const struct retry_moment moment = { now_ms, now_ms + left_ms, attempt_count, spread, RETRY_USUAL };
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
	const struct retry_moment moment = { 1, INT64_MAX, 1, RETRY_SPREAD_MAX - 1, RETRY_USUAL };
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

/* -- What replies mean ------------------------------------------------------------------------ */

static void test_causes(void **state)
{
	(void)state;
	const struct {
		struct verdict verdict;
		enum retry_cause cause;
	} replies[] = {
		{ VERDICT(451, 4, 7, 1, "Please come back later"), RETRY_GREYLIST },
		{ VERDICT(450, 4, 7, 1, "<u@d>: Recipient address rejected: Greylisted"), RETRY_GREYLIST },
		{ VERDICT(450, 0, 0, 0, "you are graylisted, come again in 300 seconds"), RETRY_GREYLIST },
		{ VERDICT(451, 4, 3, 0, "Temporary lookup failure"), RETRY_USUAL },
		{ VERDICT(450, 4, 2, 0, "Mailbox busy"), RETRY_USUAL },
		{ VERDICT(452, 4, 2, 2, "The email account is over quota"), RETRY_FULL },
		{ VERDICT(450, 4, 2, 2, "Mailbox full"), RETRY_FULL },
		{ VERDICT(552, 5, 2, 2, "Mailbox full"), RETRY_USUAL },
		{ VERDICT(421, 4, 7, 0, "Try again later"), RETRY_PRESSURE },
		{ VERDICT(421, 0, 0, 0, "closing"), RETRY_PRESSURE },
		{ VERDICT(452, 4, 3, 1, "Insufficient system storage"), RETRY_PRESSURE },
		{ VERDICT(450, 4, 3, 2, "System not accepting mail"), RETRY_PRESSURE },
		{ VERDICT(450, 4, 7, 28, "Our system has detected much unsolicited mail"), RETRY_PRESSURE },
		{ VERDICT(451, 4, 7, 1, "Rate limit exceeded"), RETRY_PRESSURE },
		{ VERDICT(451, 4, 7, 500, "Server busy: THROTTLED"), RETRY_PRESSURE },
		{ VERDICT(450, 0, 0, 0, "too many connections from your host"), RETRY_PRESSURE },
		{ VERDICT(452, 0, 0, 0, "quota exceeded"), RETRY_FULL },
		{ VERDICT(452, 4, 5, 3, "too many recipients"), RETRY_USUAL },
		{ VERDICT(450, 4, 2, 1, "this user gets mail at too high a rate limit"), RETRY_USUAL },
		{ VERDICT(550, 5, 7, 1, "Rate limit exceeded"), RETRY_USUAL },
		{ VERDICT(250, 2, 0, 0, "greylisted no more"), RETRY_USUAL },
	};

	for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
		struct verdict verdict = replies[i].verdict;

		assert_int_equal(retry_cause_of(&verdict), RETRY_USUAL); /* We said it. */
		verdict.host = TEXT("mx.example.net[192.0.2.1]");
		if (retry_cause_of(&verdict) != replies[i].cause)
			fail_msg("%u %.*s", verdict.code, TEXT_FORMAT(verdict.text));
	}
}

static void test_gaps_by_cause(void **state)
{
	(void)state;
	static const int64_t slow_gaps[] = { MINUTE_MS, 30 * MINUTE_MS, 4 * HOUR_MS };
	static const struct retry_schedule slow = { slow_gaps, 3 };
	static const struct {
		enum retry_cause cause;
		uint32_t attempt_count;
		int64_t wait_ms;
	} cases[] = {
		{ RETRY_USUAL, 2, 30 * MINUTE_MS },
		{ RETRY_PRESSURE, 2, 30 * MINUTE_MS },
		{ RETRY_GREYLIST, 1, MINUTE_MS },
		{ RETRY_GREYLIST, 2, RETRY_GREYLIST_MS_MAX },
		{ RETRY_GREYLIST, RETRY_GREYLIST_ATTEMPTS, RETRY_GREYLIST_MS_MAX },
		{ RETRY_GREYLIST, RETRY_GREYLIST_ATTEMPTS + 1, 4 * HOUR_MS },
		{ RETRY_FULL, 1, RETRY_FULL_MS_MIN },
		{ RETRY_FULL, 3, 4 * HOUR_MS },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct retry_moment moment = { 0, INT64_MAX, cases[i].attempt_count, 0, cases[i].cause };
		int64_t due_ms = -1;

		assert_int_equal(retry_schedule_next(&slow, &moment, &due_ms), RETRY_PLANNED);
		assert_int_equal(due_ms, cases[i].wait_ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_spread_is_at_most_an_eighth),
		cmocka_unit_test(test_extremes_do_not_overflow),
		cmocka_unit_test(test_recipients_of_one_message_spread),
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_gaps_by_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
