#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "queue/busiest.h"

static const struct busiest_place *place_of(const struct busiest *busiest, struct text name)
{
	for (unsigned i = 0; i < busiest->place_count; i++)
		if (text_equal(busiest_name(&busiest->places[i]), name))
			return &busiest->places[i];
	return NULL;
}

static void count_many(struct busiest *busiest, unsigned from, unsigned to)
{
	char room[32];

	for (unsigned i = from; i < to; i++) {
		const int length = snprintf(room, sizeof room, "d%u.test", i);

		busiest_count(busiest, (struct text){ room, (size_t)length }, BUSIEST_DEFERRED);
	}
}

static uint64_t sum_of(const struct busiest *busiest, enum busiest_outcome outcome)
{
	uint64_t sum = busiest->others[outcome];

	for (unsigned i = 0; i < busiest->place_count; i++)
		sum += busiest->places[i].counts[outcome];
	return sum;
}

static void outcomes_are_counted_apart(void **state)
{
	struct busiest busiest = { 0 };

	(void)state;
	busiest_count(&busiest, TEXT("a.test"), BUSIEST_DELIVERED);
	busiest_count(&busiest, TEXT("a.test"), BUSIEST_FAILED);
	busiest_count(&busiest, TEXT("b.test"), BUSIEST_DELIVERED);
	busiest_count(&busiest, TEXT("a.test"), BUSIEST_DELIVERED);
	assert_int_equal(busiest.place_count, 2);
	assert_int_equal(place_of(&busiest, TEXT("a.test"))->counts[BUSIEST_DELIVERED], 2);
	assert_int_equal(place_of(&busiest, TEXT("a.test"))->counts[BUSIEST_FAILED], 1);
	assert_int_equal(place_of(&busiest, TEXT("b.test"))->counts[BUSIEST_DELIVERED], 1);
}

static void the_busy_one_stays_among_strangers(void **state)
{
	struct busiest busiest = { 0 };
	uint64_t before = 0;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		const uint64_t others = busiest.others[BUSIEST_DEFERRED];

		busiest_count(&busiest, TEXT("busy.test"), BUSIEST_DELIVERED);
		count_many(&busiest, i * 5, i * 5 + 5);
		assert_true(busiest.others[BUSIEST_DEFERRED] >= others);
		assert_non_null(place_of(&busiest, TEXT("busy.test")));
		assert_int_equal(place_of(&busiest, TEXT("busy.test"))->counts[BUSIEST_DELIVERED], ++before);
	}
	assert_int_equal(busiest.place_count, BUSIEST_MAX);
	assert_int_equal(sum_of(&busiest, BUSIEST_DEFERRED), 10000);
}

static void who_becomes_busy_gets_a_place(void **state)
{
	struct busiest busiest = { 0 };

	(void)state;
	count_many(&busiest, 0, 10 * BUSIEST_MAX);
	for (unsigned i = 0; i < 100; i++)
		busiest_count(&busiest, TEXT("late.test"), BUSIEST_FAILED);
	assert_non_null(place_of(&busiest, TEXT("late.test")));
	assert_int_equal(sum_of(&busiest, BUSIEST_FAILED), 100);
	assert_int_equal(sum_of(&busiest, BUSIEST_DEFERRED), 10 * BUSIEST_MAX);
}

static void long_names_are_cut(void **state)
{
	char name[300];
	struct busiest busiest = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof name; i++)
		name[i] = 'x';
	busiest_count(&busiest, (struct text){ name, 300 }, BUSIEST_DELIVERED);
	busiest_count(&busiest, (struct text){ name, 299 }, BUSIEST_DELIVERED);
	assert_int_equal(busiest.place_count, 1);
	assert_int_equal(busiest_name(&busiest.places[0]).length, BUSIEST_NAME_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outcomes_are_counted_apart),
		cmocka_unit_test(the_busy_one_stays_among_strangers),
		cmocka_unit_test(who_becomes_busy_gets_a_place),
		cmocka_unit_test(long_names_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
