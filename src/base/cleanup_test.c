#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"

static int released;

static void release(int **number)
{
	released += *number != NULL;
}

static int *make(int *number, bool keep)
{
	cleanup(release) int *mine = number;

	return keep ? take(mine) : NULL;
}

static void what_is_not_taken_is_released(void **state)
{
	int number = 7;

	(void)state;
	released = 0;
	assert_ptr_equal(make(&number, true), &number);
	assert_int_equal(released, 0);
	assert_null(make(&number, false));
	assert_int_equal(released, 1);
}

static void the_place_is_evaluated_once(void **state)
{
	int numbers[3] = { 0 };
	int *list[3] = { &numbers[0], &numbers[1], &numbers[2] };
	size_t count = 3;

	(void)state;
	for (size_t i = 3; i-- > 0;) {
		assert_ptr_equal(take(list[--count]), &numbers[i]);
		assert_null(list[i]);
		assert_int_equal(count, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_taken_is_released),
		cmocka_unit_test(the_place_is_evaluated_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
