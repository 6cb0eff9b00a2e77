/* What operators decide about mail in the queue: its end, its way, and pauses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stddef.h>

#include <cmocka.h>

#include "queue/pauses.h"
#include "queue/test_world.h"

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

static void steer(struct world *world, queue_id id, const struct spool_steering *steering)
{
	struct spool_change *change = spool_change_new();

	spool_change_steer(change, id, 0, steering);
	world_submit(world, change);
	world_settle(world);
}

static void set_pause(struct world *world, enum pause_kind kind, const char *subject, const char *value)
{
	struct arena *arena = arena_new(1 << 16);
	struct spool_change *change = spool_change_new();
	struct text key;

	assert_int_equal(pause_key(kind, text_of(subject), arena, &key), OK);
	spool_change_note(change, key, text_of(value));
	world_submit(world, change);
	arena_free(arena);
}

static uint8_t flags_of(struct world *world, queue_id id)
{
	struct arena *arena = arena_new(1 << 16);
	const uint8_t flags = world_recipient(world, id, 0, arena).flags;

	arena_free(arena);
	return flags;
}

static void test_returned_without_an_attempt(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "later-x@ok.test");

	world_settle(world);
	assert_int_equal(world->attempts, 1);
	steer(world, id, &(struct spool_steering){ .held = STEER_NOT_HELD, .due_ms = world->now_ms, .end = STEER_BOUNCED });
	assert_true(world_is_empty(world));
	assert_int_equal(world_events(world, "bounced later-x@ok.test 5.0.0"), 1);
	assert_true(world_mailbox_holds(world, "Action: failed\r\nStatus: 5.0.0"));
	assert_int_equal(world->attempts, 2); /* The report's own. */
}

/* The sender is told the last answer, as when the time runs out by itself. */
static void test_expired_with_the_last_words(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "later-x@ok.test");

	world_settle(world);
	steer(world, id, &(struct spool_steering){ .held = STEER_NOT_HELD, .due_ms = world->now_ms, .end = STEER_EXPIRED });
	assert_true(world_is_empty(world));
	assert_true(world_mailbox_holds(world, "Status: 4.4.7"));
	assert_true(world_mailbox_holds(world, "come back later"));
}

static void test_sent_another_way(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "later-y@ok.test");

	world_settle(world);
	assert_int_equal(world_events(world, "attempt ok.test"), 1);
	steer(world, id,
	    &(struct spool_steering){ .held = STEER_AS_IT_WAS, .due_ms = world->now_ms, .via = TEXT("192.0.2.9:26") });
	assert_int_equal(world_events(world, "attempt via 192.0.2.9:26"), 1);
	steer(world, id, &(struct spool_steering){ .held = STEER_AS_IT_WAS, .due_ms = world->now_ms, .via = TEXT("") });
	assert_int_equal(world_events(world, "attempt ok.test"), 2);
}

static void test_pauses_hold_what_they_are_for(void **state)
{
	struct world *world = *state;

	set_pause(world, PAUSE_DOMAIN, "OK.test", "now");
	set_pause(world, PAUSE_SENDER, "@bulk.test", "now");
	world_settle(world);

	const queue_id to_domain = world_send(world, "alice@example.org", "carol@ok.test");
	const queue_id from_sender = world_send(world, "news@bulk.test", "alice@example.org");

	world_send(world, "carol@other.test", "bob@example.org");
	world_settle(world);
	assert_int_equal(flags_of(world, to_domain), RECIPIENT_HELD | RECIPIENT_PAUSED);
	assert_int_equal(flags_of(world, from_sender), RECIPIENT_HELD | RECIPIENT_PAUSED);
	assert_int_equal(world->attempts, 1);
	assert_int_equal(world_events(world, "paused carol@ok.test"), 1);

	/* Paused mail can be returned. */
	steer(world, to_domain,
	    &(struct spool_steering){ .held = STEER_NOT_HELD, .due_ms = world->now_ms, .end = STEER_BOUNCED });
	assert_int_equal(world_events(world, "bounced carol@ok.test"), 1);

	/* Released while it lasts it is held again, and goes on when it is over. */
	steer(world, from_sender, &(struct spool_steering){ .held = STEER_NOT_HELD, .due_ms = -1 });
	assert_int_equal(flags_of(world, from_sender), RECIPIENT_HELD | RECIPIENT_PAUSED);
	set_pause(world, PAUSE_SENDER, "@bulk.test", "");
	steer(world, from_sender, &(struct spool_steering){ .held = STEER_NOT_HELD, .due_ms = -1 });
	assert_true(world_is_empty(world));
}

static void test_pauses_outlive_the_process(void **state)
{
	struct world *world = *state;

	set_pause(world, PAUSE_USER, "Mallory", "now");
	world_settle(world);
	world_restart(world);

	const struct envelope envelope = { .user = TEXT("mallory") };
	const queue_id id = world_send_message(world, &envelope, "alice@example.org", "carol@ok.test", 0);

	world_settle(world);
	assert_int_equal(flags_of(world, id), RECIPIENT_HELD | RECIPIENT_PAUSED);
	assert_int_equal(world->attempts, 0);
}

/* The pause is taken away after a queue decided to hold, and before that is durable: whoever took it away saw nothing to release. */
static void test_a_pause_that_ends_on_the_way(void **state)
{
	struct world *world = *state;

	set_pause(world, PAUSE_DOMAIN, "ok.test", "now");
	world_settle(world);
	world->failures_left = 1; /* The change that holds is put off. */
	world_send(world, "alice@example.org", "carol@ok.test");
	world_settle(world);
	set_pause(world, PAUSE_DOMAIN, "ok.test", "");
	world_sleep(world, 60000);
	assert_true(world_is_empty(world));
	assert_int_equal(world_events(world, "delivered carol@ok.test"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_returned_without_an_attempt, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_expired_with_the_last_words, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sent_another_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pauses_hold_what_they_are_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pauses_outlive_the_process, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_pause_that_ends_on_the_way, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
