#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <pthread.h>

#include <cmocka.h>

#include "base/census.h"
#include "base/must.h"

static struct text key_of(unsigned number, char room[16])
{
	snprintf(room, 16, "%u", number);
	return text_of(room);
}

static void no_more_than_the_limit(void **state)
{
	struct census *census = census_new(10, 1);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(census_enter(census, TEXT("a"), 3));
	assert_false(census_enter(census, TEXT("a"), 3));
	assert_true(census_enter(census, TEXT("b"), 3));
	census_leave(census, TEXT("a"));
	assert_true(census_enter(census, TEXT("a"), 3));
	assert_false(census_enter(census, TEXT("a"), 3));
	assert_true(census_enter(census, TEXT("a"), 4)); /* The limit may change. */
	census_free(census);
}

static void a_full_census_lets_nobody_new_in(void **state)
{
	struct census *census = census_new(2, 1);

	(void)state;
	assert_true(census_enter(census, TEXT("a"), 9));
	assert_true(census_enter(census, TEXT("b"), 9));
	assert_false(census_enter(census, TEXT("c"), 9));
	assert_true(census_enter(census, TEXT("a"), 9));
	census_leave(census, TEXT("b"));
	assert_true(census_enter(census, TEXT("c"), 9));
	census_free(census);
}

/* Beside an array that counts the same: whatever comes and goes, each key has its count. */
static void like_an_array(void **state)
{
	enum { KEYS = 60, STEPS = 20000, LIMIT = 3 };

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct census *census = census_new(KEYS, seed);
		unsigned counts[KEYS] = { 0 }, random = (unsigned)seed + 1;
		char room[16];

		for (unsigned i = 0; i < STEPS; i++) {
			random = random * 1664525 + 1013904223;
			const unsigned key = (random >> 8) % KEYS;

			if (random >> 31 && counts[key] > 0) {
				census_leave(census, key_of(key, room));
				counts[key]--;
			} else {
				assert_int_equal(census_enter(census, key_of(key, room), LIMIT), counts[key] < LIMIT);
				counts[key] += counts[key] < LIMIT;
			}
		}
		census_free(census);
	}
}

static void *come_and_go(void *context)
{
	char room[16];

	for (unsigned i = 0; i < 20000; i++) {
		must(census_enter(context, key_of(i % 7, room), 100));
		census_leave(context, key_of(i % 7, room));
	}
	return NULL;
}

static void in_many_threads(void **state)
{
	struct census *census = census_new(10, 1);
	pthread_t threads[4];
	char room[16];

	(void)state;
	for (int i = 0; i < 4; i++)
		must(pthread_create(&threads[i], NULL, come_and_go, census) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < 10; i++)
		assert_true(census_enter(census, key_of(i, room), 1)); /* All are gone. */
	census_free(census);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_than_the_limit),
		cmocka_unit_test(a_full_census_lets_nobody_new_in),
		cmocka_unit_test(like_an_array),
		cmocka_unit_test(in_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
