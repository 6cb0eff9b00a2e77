#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/turns.h"

enum { CROWD = 1000 };

struct waiter {
	struct turn_seat seat; /* First. */
	int number;
};

struct wait {
	struct turn_book book;
	struct turn_line line;
	struct waiter waiters[2 * CROWD];
	int count;
};

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct wait));
	return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	struct wait *wait = *state;

	while (turn_line_next(&wait->line, &wait->book) != NULL)
		;
	assert_null(wait->book.senders);
	free(wait);
	return 0;
}

static struct waiter *joins(struct wait *wait, uint32_t sender, int8_t priority)
{
	struct waiter *waiter = &wait->waiters[wait->count];

	waiter->seat.flow = (struct flow){ .sender = sender, .priority = priority };
	waiter->number = wait->count++;
	turn_line_join(&wait->line, &wait->book, &waiter->seat);
	return waiter;
}

static struct waiter *goes(struct wait *wait)
{
	return (struct waiter *)turn_line_next(&wait->line, &wait->book);
}

static void one_letter_waits_for_one_of_a_crowd(void **state)
{
	struct wait *wait = *state;
	struct waiter *letter;
	int turns = 1;

	for (int i = 0; i < CROWD; i++)
		joins(wait, 1, 0);
	letter = joins(wait, 2, 0);
	while (goes(wait) != letter)
		turns++;
	assert_int_equal(turns, 2);
	for (int i = 1; i < CROWD; i++)
		assert_int_equal(goes(wait)->number, i); /* In their order. */
	assert_null(goes(wait));
}

static void senders_alternate(void **state)
{
	struct wait *wait = *state;

	for (int i = 0; i < 3; i++) {
		joins(wait, 1, 0);
		joins(wait, 2, 0);
		joins(wait, 3, 0);
	}
	for (uint32_t i = 0; i < 9; i++)
		assert_int_equal(goes(wait)->seat.flow.sender, i % 3 + 1);
}

static void who_comes_back_stands_behind_the_others(void **state)
{
	struct wait *wait = *state;
	struct waiter *a = joins(wait, 1, 0), *b = joins(wait, 2, 0);

	for (int i = 0; i < 10; i++) {
		assert_ptr_equal(goes(wait), i % 2 ? b : a);
		turn_line_join(&wait->line, &wait->book, i % 2 ? &b->seat : &a->seat);
	}
}

static void the_urgent_goes_first_and_nobody_starves(void **state)
{
	struct wait *wait = *state;
	unsigned turns[3] = { 0 }, longest = 0, since = 0;

	for (int i = 0; i < 500; i++) {
		joins(wait, 1, -9);
		joins(wait, 2, 0);
	}
	for (int i = 0; i < 500; i++)
		joins(wait, 3, 9);
	assert_int_equal(goes(wait)->seat.flow.priority, 9);
	for (int i = 0; i < 450; i++) {
		const int8_t priority = goes(wait)->seat.flow.priority;

		turns[priority == 9 ? 0 : priority == 0 ? 1 : 2]++;
		since = priority == -9 ? 0 : since + 1;
		longest = since > longest ? since : longest;
	}
	assert_int_equal(turns[0], 400);
	assert_int_equal(turns[1], 25);
	assert_int_equal(turns[2], 25);
	assert_true(longest <= 2 * (TURNS_STREAK_MAX + 1));
}

static void who_leaves_is_not_chosen(void **state)
{
	struct wait *wait = *state;
	struct waiter *first = joins(wait, 1, 0), *second = joins(wait, 1, 0), *alone = joins(wait, 2, 3);

	turn_line_leave(&wait->line, &wait->book, &first->seat);
	turn_line_leave(&wait->line, &wait->book, &alone->seat);
	assert_int_equal(wait->line.count, 1);
	assert_ptr_equal(goes(wait), second);
	assert_null(goes(wait));
}

/* Two lines of one book know nothing of each other. */
static void lines_are_apart(void **state)
{
	struct wait *wait = *state;
	struct turn_line other = { 0 };
	struct waiter *here = joins(wait, 1, 0);
	struct waiter there = { .seat.flow = { .sender = 1 } };

	turn_line_join(&other, &wait->book, &there.seat);
	assert_ptr_equal(goes(wait), here);
	assert_null(goes(wait));
	assert_ptr_equal(turn_line_next(&other, &wait->book), &there.seat);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = { CASE(one_letter_waits_for_one_of_a_crowd), CASE(senders_alternate),
		CASE(who_comes_back_stands_behind_the_others), CASE(the_urgent_goes_first_and_nobody_starves),
		CASE(who_leaves_is_not_chosen), CASE(lines_are_apart) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
