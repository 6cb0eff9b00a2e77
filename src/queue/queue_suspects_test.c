/* Messages that were in hand when the process died: one on trial at a time, and held after the second death. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stddef.h>

#include <cmocka.h>

#include "queue/test_world.h"

enum { SUSPECTS = 5 };

static int set_up(void **state)
{
	*state = world_new();
	return 0;
}

static int tear_down(void **state)
{
	world_free(*state);
	return 0;
}

/* The process dies, and another one begins. */
static void die(struct world *world)
{
	suspects_judge(world->suspects, true);
	world_restart(world);
}

static void send_stuck(struct world *world, queue_id ids[SUSPECTS])
{
	char to[64];

	for (int i = 0; i < SUSPECTS; i++) {
		snprintf(to, sizeof to, "stuck-%d@d%d.test", i, i);
		ids[i] = world_send(world, "alice@example.org", to);
	}
	world_settle(world);
	assert_int_equal(world->open_count, SUSPECTS);
}

static void test_suspects_are_tried_one_at_a_time(void **state)
{
	struct world *world = *state;
	queue_id ids[SUSPECTS];

	send_stuck(world, ids);
	die(world);
	world_send(world, "alice@example.org", "bob@ok.test dora@d1.test");
	world_settle(world);
	assert_int_equal(world->open_count, 1);
	assert_int_equal(world_events(world, "delivered bob@ok.test"), 1); /* Ordinary mail goes on ... */
	assert_int_equal(world_events(world, "delivered dora@d1.test"), 1); /* ... to the same host, too. */
	world_sleep(world, 60000);
	assert_int_equal(world->open_count, 1);

	world->open_max = 0;
	world->release_stuck = true;
	loop_timer_set(world->answer, 0);
	world_run(world, world_is_empty);
	assert_int_equal(world_events(world, "delivered stuck-"), SUSPECTS);
	assert_true(world->open_max <= 1);
	assert_false(suspects_exist(world->suspects));
	assert_int_equal(world_events(world, "quarantined"), 0);
}

static void test_only_the_one_on_trial_is_condemned(void **state)
{
	struct world *world = *state;
	struct arena *arena = arena_new(1 << 20);
	queue_id ids[SUSPECTS];
	unsigned held = 0;

	send_stuck(world, ids);
	die(world);
	world_settle(world);
	die(world);
	world->release_stuck = true;
	world_settle(world);
	for (int i = 0; i < 60; i++)
		world_sleep(world, 1000);
	assert_int_equal(world_events(world, "quarantined"), 1);
	assert_int_equal(world_events(world, "delivered stuck-"), SUSPECTS - 1);
	assert_int_equal(world_recipients(world), 1);
	assert_true(world_mailbox_holds(world, "is quarantined\r\n"));
	for (int i = 0; i < SUSPECTS; i++) {
		struct message message;

		if (spool_read_message(world->spool, ids[i], arena, &message) != OK)
			continue;
		held++;
		assert_int_equal(message.recipients[0].flags, RECIPIENT_HELD | RECIPIENT_QUARANTINED);
		assert_int_equal(message.recipients[0].last.code, 451);
	}
	assert_int_equal(held, 1);
	assert_false(suspects_exist(world->suspects));
	arena_free(arena);
}

/* The count is durable in its file, so the hold need not be at once. */
static void test_a_hold_that_fails_is_repeated(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "stuck-x@ok.test bob@example.org");

	world_settle(world);
	die(world);
	world_settle(world);
	die(world);
	world->failures_left = 1;
	world->release_stuck = true;
	world_settle(world);
	assert_int_equal(world_events(world, "quarantined"), 0);
	assert_int_equal(world_events(world, "delivered stuck-"), 0);
	assert_true(suspects_next(world->suspects, 0, true) == id);
	world_sleep(world, 5000);
	assert_int_equal(world_events(world, "quarantined"), 1);
	assert_int_equal(world_events(world, "delivered stuck-"), 0);
	assert_int_equal(suspects_next(world->suspects, 0, true), 0);
}

static void test_a_condemned_message_that_was_deleted(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "stuck-x@ok.test");
	struct spool_change *change = spool_change_new();

	world_settle(world);
	die(world);
	world_settle(world);
	die(world);
	spool_change_retire(change, id, 0);
	world_submit(world, change);
	for (int i = 0; i < 10; i++)
		world_sleep(world, 1000);
	assert_false(suspects_exist(world->suspects));
	assert_true(world_is_empty(world));
}

/* A suspect that is deferred stays one: its next attempt is a trial again. */
static void test_a_deferred_suspect_waits_its_time(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "later-x@ok.test");

	assert_true(suspects_mark(world->suspects, 7, id) != SUSPECT_NO_MARK);
	suspects_judge(world->suspects, true);
	world_settle(world);
	assert_int_equal(world->attempts, 1);
	world_sleep(world, 30000);
	assert_int_equal(world->attempts, 1);
	world->accept_later = true;
	world_sleep(world, 60000);
	world_run(world, world_is_empty);
	assert_int_equal(world->attempts, 2);
	assert_false(suspects_exist(world->suspects));
}

/* A dead host closes its gate for suspects as for everybody. */
static void test_a_suspect_for_a_dead_host(void **state)
{
	struct world *world = *state;
	queue_id ids[2];

	ids[0] = world_send(world, "alice@example.org", "down-x@d0.test");
	ids[1] = world_send(world, "alice@example.org", "bob@d1.test");
	for (int i = 0; i < 2; i++)
		assert_true(suspects_mark(world->suspects, 7, ids[i]) != SUSPECT_NO_MARK);
	suspects_judge(world->suspects, true);
	world_send(world, "alice@example.org", "down-y@d0.test");
	for (int i = 0; i < 3; i++)
		world_sleep(world, 1000);
	assert_int_equal(world_events(world, "delivered bob@d1.test"), 1);
	world->is_up = true;
	for (int i = 0; i < 200 && !world_is_empty(world); i++)
		world_sleep(world, 60000);
	assert_int_equal(world_events(world, "delivered down-"), 2);
	assert_false(suspects_exist(world->suspects));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_suspects_are_tried_one_at_a_time),
		TEST(test_only_the_one_on_trial_is_condemned),
		TEST(test_a_hold_that_fails_is_repeated),
		TEST(test_a_condemned_message_that_was_deleted),
		TEST(test_a_deferred_suspect_waits_its_time),
		TEST(test_a_suspect_for_a_dead_host),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
