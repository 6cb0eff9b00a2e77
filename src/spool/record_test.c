#include "spool/record.h"

#include "spool/test_support.h"

static void an_event_comes_back_from_the_history(void **state)
{
	struct event event = { .kind = EVENT_DEFERRED, .time_ms = 1700000000123, .id = 77 }, read;
	const struct text addresses[] = { TEXT("a@example.org"), TEXT_EMPTY, TEXT("B@example.net") };
	struct door door;
	struct spool *spool;
	struct spool_change *change = spool_change_new();
	struct text *steps;
	queue_id *ids;
	size_t count;

	(void)state;
	assert_int_equal(spool_memory_open(&spool), OK);
	door_open(&door, spool, 0);
	event.fields[EVENT_FIELD_RECIPIENT] = TEXT("B@example.net");
	event.fields[EVENT_FIELD_REPLY] = TEXT("450 later");
	spool_record_event(change, &event, addresses, 3);
	assert_int_equal(door_commit(&door, change), OK);

	assert_int_equal(spool_read_history(spool, 77, door.arena, &steps, &count), OK);
	assert_int_equal(count, 1);
	assert_int_equal(event_decode(77, steps[0], &read), OK);
	assert_int_equal(read.kind, EVENT_DEFERRED);
	assert_int_equal(read.time_ms, 1700000000123);
	assert_true(text_equal(read.fields[EVENT_FIELD_REPLY], TEXT("450 later")));
	assert_int_equal(spool_find_address(spool, TEXT("b@EXAMPLE.net"), 5, door.arena, &ids, &count), OK);
	assert_int_equal(count, 1);
	assert_int_equal(ids[0], 77);
	door_close(&door);
	spool_close(spool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_comes_back_from_the_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
