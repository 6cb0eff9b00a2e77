/* The history of messages, for every engine. */
#include "spool/test_support.h"

#include <stdio.h>

#define DOMAIN TEXT("example.net")

static size_t found_count(struct door *door, struct text address, size_t max, queue_id *out_first)
{
	queue_id *ids;
	size_t count;

	assert_int_equal(spool_find_address(door->spool, address, max, door->arena, &ids, &count), OK);
	if (count > 0)
		*out_first = ids[0];
	return count;
}

static void history_outlives_the_message(void **state)
{
	struct door *door = door_of(state);
	struct spool_change *change;
	struct text *steps;
	queue_id first;
	size_t count;

	put_simple(door, 50, DOMAIN, 1);
	assert_int_equal(door_commit(door, record_change(50, "received", "Bob@Example.NET")), OK);
	change = retire_change(50, 0);
	spool_change_record(change, 50, TEXT("delivered"), NULL, 0);
	spool_change_record(change, 50, TEXT("finished"), NULL, 0);
	assert_int_equal(door_commit(door, change), OK);
	assert_false(spool_has(door, 50));
	assert_int_equal(spool_read_history(door->spool, 50, door->arena, &steps, &count), OK);
	assert_int_equal(count, 3);
	expect_text(steps[0], "received");
	expect_text(steps[1], "delivered");
	expect_text(steps[2], "finished");
	assert_int_equal(spool_read_history(door->spool, 51, door->arena, &steps, &count), ERR_NOT_FOUND);
	assert_int_equal(found_count(door, TEXT("bob@example.net"), 10, &first), 1);
	assert_int_equal(first, 50);
	assert_int_equal(found_count(door, TEXT("rob@example.net"), 10, &first), 0);
}

static void addresses_find_the_newest_first(void **state)
{
	struct door *door = door_of(state);
	queue_id first = 0;

	for (queue_id id = 60; id < 70; id++) {
		put_simple(door, id, DOMAIN, 1);
		assert_int_equal(door_commit(door, record_change(id, "received", "a@x")), OK);
		assert_int_equal(door_commit(door, record_change(id, "deferred", id % 2 ? "b@x" : "A@X")), OK);
	}
	assert_int_equal(found_count(door, TEXT("a@x"), 100, &first), 10);
	assert_int_equal(first, 69);
	assert_int_equal(found_count(door, TEXT("a@x"), 3, &first), 3);
	assert_int_equal(found_count(door, TEXT("B@x"), 100, &first), 5);
	assert_int_equal(first, 69);
	assert_int_equal(found_count(door, TEXT(""), 100, &first), 0);
}

static void the_newest_are_listed(void **state)
{
	struct door *door = door_of(state);
	queue_id *ids;
	size_t count;

	assert_int_equal(spool_list_newest(door->spool, 5, door->arena, &ids, &count), OK);
	const size_t before = count;

	for (queue_id id = 90; id < 100; id++) {
		put_simple(door, id, DOMAIN, 1);
		assert_int_equal(door_commit(door, record_change(id, "received", "a@x")), OK);
	}
	assert_int_equal(door_commit(door, retire_change(98, 0)), OK); /* Over, but not forgotten. */
	assert_int_equal(spool_list_newest(door->spool, 3, door->arena, &ids, &count), OK);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(ids[i], 99 - i);
	assert_int_equal(spool_list_newest(door->spool, 1000, door->arena, &ids, &count), OK);
	assert_true(count >= 10 && before <= count);
}

static void the_oldest_histories_go(void **state)
{
	enum { QUEUED = 500, OVER = 10 };
	struct door *door = door_of(state);
	struct spool_totals totals;
	struct text *steps;
	queue_id first;
	size_t count;

	put_simple(door, QUEUED, DOMAIN, 1); /* The oldest, but still here. */
	assert_int_equal(door_commit(door, record_change(QUEUED, "received", "a@x")), OK);
	for (queue_id id = 501; id < 501 + TEST_HISTORY_MAX + OVER; id++)
		assert_int_equal(door_commit(door, record_change(id, "step", "a@x")), OK);
	assert_int_equal(spool_totals(door->spool, &totals), OK);
	assert_int_equal(totals.history_messages, 1 + TEST_HISTORY_MAX);
	assert_int_equal(spool_read_history(door->spool, QUEUED, door->arena, &steps, &count), OK);
	assert_int_equal(spool_read_history(door->spool, 501 + OVER - 1, door->arena, &steps, &count), ERR_NOT_FOUND);
	assert_int_equal(spool_read_history(door->spool, 501 + OVER, door->arena, &steps, &count), OK);
	assert_int_equal(found_count(door, TEXT("a@x"), 1000, &first), 1 + TEST_HISTORY_MAX);

	/* Once it is done it is the next to go. */
	assert_int_equal(door_commit(door, retire_change(QUEUED, 0)), OK);
	assert_int_equal(door_commit(door, record_change(900, "step", NULL)), OK);
	assert_int_equal(spool_read_history(door->spool, QUEUED, door->arena, &steps, &count), ERR_NOT_FOUND);
	assert_int_equal(spool_read_history(door->spool, 501 + OVER + 1, door->arena, &steps, &count), OK);
}

static void a_long_life_keeps_its_beginning_and_its_end(void **state)
{
	enum { STEPS = 250 };
	struct door *door = door_of(state);
	struct text *steps;
	char step[16];
	size_t count;

	for (int i = 0; i < STEPS; i++) {
		snprintf(step, sizeof step, "step %d", i);
		assert_int_equal(door_commit(door, record_change(70, step, NULL)), OK);
	}
	assert_int_equal(spool_read_history(door->spool, 70, door->arena, &steps, &count), OK);
	assert_int_equal(count, 200);
	expect_text(steps[0], "step 0");
	expect_text(steps[99], "step 99");
	expect_text(steps[100], "step 150");
	expect_text(steps[199], "step 249");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(history_outlives_the_message),
		BOTH(addresses_find_the_newest_first),
		BOTH(the_newest_are_listed),
		BOTH(the_oldest_histories_go),
		BOTH(a_long_life_keeps_its_beginning_and_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
