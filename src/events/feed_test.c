#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "events/feed.h"

struct world {
	struct feed *feed;
	struct arena *arena;
};

static int begin(void **state)
{
	static struct world world;

	world = (struct world){ feed_new(), arena_new(1 << 20) };
	*state = &world;
	return world.feed != NULL && world.arena != NULL ? 0 : -1;
}

static int end(void **state)
{
	struct world *world = *state;

	feed_free(world->feed);
	arena_free(world->arena);
	return 0;
}

/* An event that knows its number, and has `size` bytes to say. */
static void add(struct world *world, uint64_t number, size_t size)
{
	static char filling[FEED_PAGE_BYTES];
	struct event event = { .kind = EVENT_DELIVERED, .time_ms = (int64_t)number, .id = number + 1 };
	struct buffer stored;

	memset(filling, 'x', sizeof filling);
	event.fields[EVENT_FIELD_REPLY] = (struct text){ filling, size };
	buffer_init(&stored, FEED_BYTES);
	assert_true(event_encode(&event, &stored));
	feed_add(world->feed, event.id, buffer_text(&stored));
	buffer_done(&stored);
}

static struct feed_page read_from(struct world *world, uint64_t from)
{
	struct feed_page page;

	arena_reset(world->arena);
	assert_int_equal(feed_read(world->feed, from, world->arena, &page), OK);
	return page;
}

static void tells_in_order_what_was_added(void **state)
{
	struct world *world = *state;
	struct feed_page page;
	struct event event;

	assert_int_equal(read_from(world, 0).count, 0);
	for (uint64_t i = 0; i < 10; i++)
		add(world, i, i);
	assert_int_equal(feed_end(world->feed), 10);
	page = read_from(world, 3);
	assert_int_equal(page.first, 3);
	assert_int_equal(page.count, 7);
	for (uint64_t i = 3; i < 10; i++) {
		assert_true(feed_next(&page.records, &event));
		assert_int_equal(event.id, i + 1);
		assert_int_equal(event.kind, EVENT_DELIVERED);
		assert_int_equal(event.fields[EVENT_FIELD_REPLY].length, i);
	}
	assert_false(feed_next(&page.records, &event));
	assert_int_equal(read_from(world, 10).count, 0);
	assert_int_equal(read_from(world, 999).first, 10); /* Nobody's number. */
}

static void forgets_the_oldest(void **state)
{
	struct world *world = *state;
	struct event event;

	/* Many small ones: their number is bounded. */
	for (uint64_t i = 0; i < FEED_EVENTS_MAX + 101; i++)
		add(world, i, 1);
	assert_int_equal(read_from(world, 0).first, 101);

	/* Large ones, of sizes that fall across the end of the ring anywhere: their bytes are. */
	const uint64_t from = feed_end(world->feed);

	for (uint64_t i = 0; i < 1000; i++)
		add(world, from + i, 10000 + i);
	uint64_t at = read_from(world, 0).first, seen = 0;

	assert_true(at > from + 700);
	while (at < feed_end(world->feed)) {
		struct feed_page page = read_from(world, at);

		assert_int_equal(page.first, at);
		assert_true(page.count > 0);
		assert_true(page.records.length <= FEED_PAGE_BYTES);
		for (uint64_t i = 0; i < page.count; i++, at++, seen++) {
			assert_true(feed_next(&page.records, &event));
			assert_int_equal(event.id, at + 1);
			assert_int_equal(event.fields[EVENT_FIELD_REPLY].length, 10000 + at - from);
			assert_int_equal(event.fields[EVENT_FIELD_REPLY].bytes[9999 + at - from], 'x');
		}
		assert_int_equal(page.records.length, 0);
	}
	assert_true(seen > 150);
}

static void leaves_out_what_no_page_holds(void **state)
{
	struct world *world = *state;

	add(world, 0, FEED_PAGE_BYTES);
	assert_int_equal(feed_end(world->feed), 0);
	add(world, 0, FEED_PAGE_BYTES - 100);
	assert_int_equal(read_from(world, 0).count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tells_in_order_what_was_added, begin, end),
		cmocka_unit_test_setup_teardown(forgets_the_oldest, begin, end),
		cmocka_unit_test_setup_teardown(leaves_out_what_no_page_holds, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
