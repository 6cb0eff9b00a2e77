#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/rate_table.h"

enum { KIND, OTHER_KIND, SEED = 42, HOUR_MS = 3600 * 1000 };

static const struct rate three_an_hour = { 3, HOUR_MS };

static int64_t take_one(struct rate_table *table, const char *key, int64_t now_ms)
{
	return rate_table_take(table, KIND, text_of(key), &three_an_hour, 1, now_ms);
}

static void a_bucket_empties_and_fills_evenly(void **state)
{
	struct rate_table *table = rate_table_new(8, SEED);

	(void)state;
	assert_non_null(table);
	for (int i = 0; i < 3; i++)
		assert_int_equal(take_one(table, "alice", 1000), 0);
	assert_int_equal(take_one(table, "alice", 1000), HOUR_MS / 3);
	assert_int_equal(take_one(table, "alice", 1000 + HOUR_MS / 3 - 1), 1); /* What is refused takes nothing. */
	assert_int_equal(take_one(table, "alice", 1000 + HOUR_MS / 3), 0);
	assert_int_equal(take_one(table, "alice", 1000 + HOUR_MS / 3), HOUR_MS / 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(take_one(table, "alice", 1000 + 3 * (int64_t)HOUR_MS), 0);
	assert_true(take_one(table, "alice", 1000 + 3 * (int64_t)HOUR_MS) > 0);
	rate_table_free(table);
}

static void several_tokens_are_taken_or_none(void **state)
{
	struct rate_table *table = rate_table_new(8, SEED);
	const struct text key = TEXT("alice");

	(void)state;
	assert_int_equal(rate_table_take(table, KIND, key, &three_an_hour, 2, 0), 0);
	assert_int_equal(rate_table_take(table, KIND, key, &three_an_hour, 2, 0), HOUR_MS / 3);
	assert_int_equal(rate_table_take(table, KIND, key, &three_an_hour, 1, 0), 0);
	assert_true(rate_table_take(table, KIND, key, &three_an_hour, 4, 0) == INT64_MAX);
	rate_table_free(table);
}

static void of_several_buckets_all_are_taken_from_or_none(void **state)
{
	static const struct rate two_a_minute = { 2, 60 * 1000 }, no_limit = { 0 };
	struct rate_table *table = rate_table_new(8, SEED);
	struct rate_taking takings[] = { { KIND, TEXT("alice"), &three_an_hour, 1 }, { OTHER_KIND, TEXT("alice"), &two_a_minute, 3 },
		{ OTHER_KIND, TEXT("bob"), &no_limit, 7 } };

	(void)state;
	assert_true(rate_table_take_all(table, takings, 3, 0) == INT64_MAX);
	takings[1].amount = 2;
	assert_int_equal(rate_table_take_all(table, takings, 3, 0), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(rate_table_take_all(table, takings, 3, 0), 60 * 1000);
	assert_int_equal(take_one(table, "alice", 0), 0); /* The one of the first time is all that is gone. */
	assert_int_equal(take_one(table, "alice", 0), 0);
	assert_int_equal(rate_table_take_all(table, takings, 3, 0), HOUR_MS / 3); /* The longest wait of all. */
	rate_table_free(table);
}

static void keys_and_kinds_do_not_meet(void **state)
{
	struct rate_table *table = rate_table_new(64, SEED);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(take_one(table, "alice", 0), 0);
	assert_true(take_one(table, "alice", 0) > 0);
	assert_int_equal(take_one(table, "bob", 0), 0);
	assert_int_equal(take_one(table, "", 0), 0);
	assert_int_equal(rate_table_take(table, OTHER_KIND, TEXT("alice"), &three_an_hour, 3, 0), 0);
	rate_table_free(table);
}

static void a_look_takes_nothing(void **state)
{
	struct rate_table *table = rate_table_new(8, SEED);

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(rate_table_look(table, KIND, TEXT("alice"), &three_an_hour, 1, 1000), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(take_one(table, "alice", 1000), 0);
	assert_int_equal(rate_table_look(table, KIND, TEXT("alice"), &three_an_hour, 1, 1000), HOUR_MS / 3);
	rate_table_free(table);
}

static void no_limit_takes_no_room(void **state)
{
	struct rate_table *table = rate_table_new(1, SEED);
	const struct rate unlimited = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(rate_table_take(table, KIND, TEXT("alice"), &unlimited, 1000000, 0), 0);
	rate_table_free(table);
}

static void a_new_rate_applies_to_old_buckets(void **state)
{
	struct rate_table *table = rate_table_new(8, SEED);
	const struct rate three_a_minute = { 3, 60 * 1000 };
	const struct rate most = { RATE_COUNT_MAX, RATE_PERIOD_MS_MAX };

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(take_one(table, "alice", 0), 0);
	assert_int_equal(rate_table_take(table, KIND, TEXT("alice"), &three_a_minute, 1, 0), 20 * 1000);
	assert_int_equal(rate_table_take(table, KIND, TEXT("bob"), &most, RATE_COUNT_MAX, INT64_MAX / 2000), 0);
	assert_true(rate_table_take(table, KIND, TEXT("bob"), &most, RATE_COUNT_MAX, INT64_MAX / 2000) == RATE_PERIOD_MS_MAX);
	rate_table_free(table);
}

/* A flood of keys that each come once: who has used up his rate stays refused. */
static void the_idle_make_room(void **state)
{
	struct rate_table *table = rate_table_new(8, SEED);
	char key[16];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(take_one(table, "alice", 0), 0);
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof key, "key %d", i);
		assert_int_equal(take_one(table, key, 0), 0);
	}
	assert_true(take_one(table, "alice", 0) > 0);
	for (int i = 0; i < 8; i++) { /* Debts that are over are no reason to stay. */
		snprintf(key, sizeof key, "later %d", i);
		assert_int_equal(take_one(table, key, 2 * HOUR_MS), 0);
	}
	for (int i = 0; i < 8; i++) {
		snprintf(key, sizeof key, "later %d", i);
		assert_int_equal(take_one(table, key, 2 * HOUR_MS), 0);
		assert_int_equal(take_one(table, key, 2 * HOUR_MS), 0);
		assert_true(take_one(table, key, 2 * HOUR_MS) > 0);
	}
	rate_table_free(table);
}

enum { THREADS = 4, TAKES = 1000 };

struct taker {
	struct rate_table *table;
	unsigned taken;
};

static void *take_many(void *context)
{
	struct taker *taker = context;
	const struct rate rate = { TAKES, HOUR_MS };

	for (int i = 0; i < TAKES; i++)
		taker->taken += rate_table_take(taker->table, KIND, TEXT("alice"), &rate, 1, 0) == 0;
	return NULL;
}

static void threads_share_one_bucket(void **state)
{
	struct rate_table *table = rate_table_new(8, SEED);
	struct taker takers[THREADS];
	pthread_t threads[THREADS];
	unsigned taken = 0;

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		takers[i] = (struct taker){ table, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, take_many, &takers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		taken += takers[i].taken;
	}
	assert_int_equal(taken, TAKES);
	rate_table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_empties_and_fills_evenly),
		cmocka_unit_test(several_tokens_are_taken_or_none),
		cmocka_unit_test(of_several_buckets_all_are_taken_from_or_none),
		cmocka_unit_test(keys_and_kinds_do_not_meet),
		cmocka_unit_test(a_look_takes_nothing),
		cmocka_unit_test(no_limit_takes_no_room),
		cmocka_unit_test(a_new_rate_applies_to_old_buckets),
		cmocka_unit_test(the_idle_make_room),
		cmocka_unit_test(threads_share_one_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
