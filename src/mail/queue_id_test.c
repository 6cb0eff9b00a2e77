#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/queue_id.h"

static void ids_grow_even_when_the_clock_steps_back(void **state)
{
	struct queue_id_source source;
	queue_id last = 0;
	int64_t now = 1764000000000;

	(void)state;
	queue_id_source_init(&source, 3, 0);
	for (int i = 0; i < 200000; i++) {
		const queue_id id = queue_id_next(&source, i % 1000 == 999 ? now - 5000 : now + i / 100000);

		assert_true(id > last);
		assert_int_equal(id >> 16 & 63, 3);
		last = id;
	}
}

static void ids_exceed_the_floor_of_another_lane(void **state)
{
	struct queue_id_source other, source;

	(void)state;
	queue_id_source_init(&other, 63, 0);
	const queue_id floor = queue_id_next(&other, 1764000000000);

	queue_id_source_init(&source, 0, floor);
	assert_true(queue_id_next(&source, 1764000000000) > floor);
	assert_true(queue_id_next(&source, 5) > floor);
}

static void text_sorts_as_the_number_does_and_comes_back(void **state)
{
	static const queue_id ids[] = { 0, 1, 31, 32, 1ull << 40, UINT64_MAX - 1, UINT64_MAX };
	char last[QUEUE_ID_TEXT_SIZE] = "", room[QUEUE_ID_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		queue_id back = 7;

		assert_true(queue_id_parse(queue_id_print(ids[i], room), &back));
		assert_true(back == ids[i]);
		assert_true(text_compare(text_of(last), text_of(room)) < 0);
		memcpy(last, room, sizeof last);
	}
}

static void other_text_is_refused(void **state)
{
	static const char *const bad[] = { "", "0", "00000000000000", "z000000000000", "000000000000u",
		"00000000000 0" };
	queue_id id = 7;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(queue_id_parse(text_of(bad[i]), &id));
	assert_int_equal(id, 7);
	assert_int_equal(queue_id_time_ms(0), 1577836800000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_grow_even_when_the_clock_steps_back),
		cmocka_unit_test(ids_exceed_the_floor_of_another_lane),
		cmocka_unit_test(text_sorts_as_the_number_does_and_comes_back),
		cmocka_unit_test(other_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
