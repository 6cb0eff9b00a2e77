#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stddef.h>

#include <cmocka.h>

#include "queue/test_world.h"
#include "spool/record.h"

enum { MINUTE_MS = 60000, HOUR_MS = 3600000, DAY_MS = 24 * HOUR_MS };

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

/* -- Arriving ------------------------------------------------------------------------------------ */

static void test_delivered_to_hosts(void **state)
{
	struct world *world = *state;

	world_send(world, "alice@example.org", "carol@ok.test");
	world_run(world, world_is_empty);
	assert_int_equal(world->deliveries, 1);
	assert_int_equal(world_events(world, "delivered carol@ok.test 2.0.0"), 1);
	assert_int_equal(world_events(world, "finished"), 1);
	assert_int_equal(queue_counts(world->queue).active_domains, 0);
}

static void test_delivered_to_a_mailbox(void **state)
{
	struct world *world = *state;

	world_send(world, "carol@ok.test", "alice@example.org");
	world_run(world, world_is_empty);
	assert_true(world_mailbox_holds(world, "for alice@example.org\nMessage-ID: <one@example.org>"));
}

static void test_recipients_of_a_domain_share_a_delivery(void **state)
{
	struct world *world = *state;
	char to[8000] = "";
	size_t length = 0;

	for (int i = 0; i < 150; i++)
		length += (size_t)snprintf(to + length, sizeof to - length, "%su%d@ok.test", i ? " " : "", i);
	world_send(world, "alice@example.org", to);
	world_run(world, world_is_empty);
	assert_int_equal(world->attempts, 150);
	assert_int_equal(world->deliveries, 2); /* QUEUE_GROUP_MAX and the rest. */
}

static void test_alias_is_expanded(void **state)
{
	struct world *world = *state;

	world_send(world, "dave@ok.test", "staff@example.org");
	world_run(world, world_is_empty);
	assert_int_equal(world_events(world, "expanded staff@example.org"), 1);
	assert_true(world_mailbox_holds(world, "for alice@example.org"));
	assert_true(world_mailbox_holds(world, "for bob@example.org"));
	assert_int_equal(world_events(world, "delivered carol@ok.test"), 1);
	assert_int_equal(world->attempts, 3);
}

/* -- Waiting --------------------------------------------------------------------------------------- */

static void test_deferred_then_delivered(void **state)
{
	struct world *world = *state;
	struct arena *arena = arena_new(1 << 16);
	const queue_id id = world_send(world, "alice@example.org", "later-x@ok.test");

	world_settle(world);
	assert_int_equal(world->attempts, 1);

	const struct recipient waiting = world_recipient(world, id, 0, arena);

	assert_int_equal(waiting.attempt_count, 1);
	assert_int_equal(waiting.last.code, 450);
	assert_true(text_equal(waiting.last.text, TEXT("come back later")));
	assert_in_range(waiting.due_ms - WORLD_START_MS, MINUTE_MS - MINUTE_MS / 8 - 1, MINUTE_MS);
	assert_int_equal(queue_counts(world->queue).active_domains, 0);

	world->accept_later = true;
	world_sleep(world, MINUTE_MS / 2); /* Not yet. */
	assert_int_equal(world->attempts, 1);
	world_sleep(world, MINUTE_MS / 2);
	assert_true(world_is_empty(world));
	assert_int_equal(world->attempts, 2);
	arena_free(arena);
}

static void test_sender_is_warned_once(void **state)
{
	struct world *world = *state;

	world_send(world, "alice@example.org", "later-x@ok.test");
	world_settle(world);
	for (int hour = 0; hour < 24; hour++)
		world_sleep(world, HOUR_MS);
	assert_int_equal(world_events(world, "warned later-x@ok.test"), 1);
	assert_int_equal(world_events(world, "delivered alice@example.org"), 1);
	assert_true(world_mailbox_holds(world, "Action: delayed"));
	assert_true(world_mailbox_holds(world, "450 4.2.0 come back later"));
	assert_int_equal(world_recipients(world), 1);
}

static void test_expired_after_a_last_attempt(void **state)
{
	struct world *world = *state;

	world->settings.warn_after_ms = 0;
	assert_true(queue_reload(world->queue, &world->settings, world->router));
	world_send(world, "alice@example.org", "later-x@ok.test");
	world_settle(world);
	for (int hour = 0; hour < 5 * 24 - 1; hour++)
		world_sleep(world, HOUR_MS);
	assert_int_equal(world_recipients(world), 1);

	const size_t attempts = world->attempts;

	world_sleep(world, HOUR_MS); /* Now its five days are over. */
	assert_true(world_is_empty(world));
	assert_int_equal(world->attempts, attempts + 2); /* The last one, and the report. */
	assert_true(world_mailbox_holds(world, "Status: 4.4.7"));
	assert_true(world_mailbox_holds(world, "450 4.2.0 come back later"));
	assert_int_equal(world_events(world, "warned"), 0);
}

/* -- Failing ----------------------------------------------------------------------------------------- */

static void test_bounce(void **state)
{
	struct world *world = *state;

	world_send(world, "alice@example.org", "bad-1@ok.test carol@ok.test bad-2@ok.test");
	world_run(world, world_is_empty);
	assert_int_equal(world_events(world, "bounced bad-"), 2);
	assert_int_equal(world_events(world, "generated alice@example.org"), 1); /* One report for both. */
	assert_true(world_mailbox_holds(world, "Final-Recipient: rfc822; bad-1@ok.test"));
	assert_true(world_mailbox_holds(world, "Final-Recipient: rfc822; bad-2@ok.test"));
	assert_false(world_mailbox_holds(world, "carol@ok.test"));
	assert_true(world_mailbox_holds(world, "In-Reply-To: <one@example.org>"));
	assert_true(world_mailbox_holds(world, "text/rfc822-headers\r\n\r\nMessage-ID: <one@example.org>\r\nSubject: Hello\r\n\r\n--"));
}

static void test_double_bounce_goes_to_the_postmaster(void **state)
{
	struct world *world = *state;

	/* The report to bad-sender fails, and is reported to postmaster, who is an alias of root. */
	world_send(world, "bad-sender@ok.test", "bad-1@ok.test");
	world_run(world, world_is_empty);
	assert_int_equal(world_events(world, "bounced"), 2);
	assert_int_equal(world_events(world, "generated"), 2);
	assert_true(world_mailbox_holds(world, "for root@example.org"));
	assert_true(world_mailbox_holds(world, "A message without a return address could not be delivered"));
	assert_int_equal(world_events(world, "discarded"), 0);
}

static void test_third_failure_is_discarded(void **state)
{
	struct world *world = *state;
	static const struct envelope envelope = { .arrived_ms = WORLD_START_MS, .expires_ms = WORLD_START_MS + DAY_MS,
		.flags = ENVELOPE_BOUNCE };

	world_send_message(world, &envelope, "", "bad-postmaster@ok.test", DSN_NOTIFY_NEVER);
	world_run(world, world_is_empty);
	assert_int_equal(world_events(world, "discarded bad-postmaster@ok.test"), 1);
	assert_int_equal(world_events(world, "generated"), 0);
}

static void test_null_mx_and_unknown_domains_bounce(void **state)
{
	struct world *world = *state;

	world_send(world, "alice@example.org", "x@null.test");
	world_send(world, "alice@example.org", "x@absent.test");
	world_run(world, world_is_empty);
	assert_int_equal(world_events(world, "bounced x@null.test 5.1.10"), 1);
	assert_int_equal(world_events(world, "bounced x@absent.test 5.1.2"), 1);
}

static void test_servfail_waits(void **state)
{
	struct world *world = *state;

	world_send(world, "alice@example.org", "x@servfail.test");
	world_settle(world);
	assert_int_equal(world_events(world, "deferred x@servfail.test 4.4.3"), 1);
	assert_int_equal(world->deliveries, 0);
}

static void test_success_is_told_on_request(void **state)
{
	struct world *world = *state;
	const struct envelope envelope = { .arrived_ms = world->now_ms, .expires_ms = world->now_ms + DAY_MS };

	world_send_message(world, &envelope, "alice@example.org", "bob@example.org", DSN_NOTIFY_SUCCESS);
	world_run(world, world_is_empty);
	assert_true(world_mailbox_holds(world, "Action: delivered"));

	/* The next host knows DSN and will tell itself. */
	world_send_message(world, &envelope, "alice@example.org", "carol@ok.test", DSN_NOTIFY_SUCCESS);
	world_run(world, world_is_empty);
	assert_false(world_mailbox_holds(world, "Action: relayed"));

	world->knows_no_dsn = true;
	world_send_message(world, &envelope, "alice@example.org", "carol@ok.test", DSN_NOTIFY_SUCCESS);
	world_run(world, world_is_empty);
	assert_true(world_mailbox_holds(world, "Action: relayed"));
}

/* -- Many at once --------------------------------------------------------------------------------------- */

static bool only_stuck_left(struct world *world)
{
	return world_recipients(world) == 20;
}

static void test_one_stuck_destination_holds_up_nobody(void **state)
{
	struct world *world = *state;
	char to[64];

	for (int i = 0; i < 20; i++)
		world_send(world, "alice@example.org", "stuck-x@ok.test");
	for (int i = 0; i < 200; i++) {
		snprintf(to, sizeof to, "u%d@d%d.test", i, i % 5);
		world_send(world, "alice@example.org", to);
	}
	world_run(world, only_stuck_left);
	world_settle(world);
	assert_int_equal(world->open_count, WORLD_CONCURRENCY); /* Q4 */
	assert_int_equal(world_events(world, "delivered u"), 200);

	world->release_stuck = true;
	loop_timer_set(world->answer, 0);
	world_run(world, world_is_empty);
	assert_int_equal(world_events(world, "delivered stuck-x@ok.test"), 20);
	assert_int_equal(queue_counts(world->queue).active_domains, 0);
}

static void test_lane_is_bounded(void **state)
{
	struct world *world = *state;
	char to[64];

	world->settings.in_flight_max = 4;
	assert_true(queue_reload(world->queue, &world->settings, world->router));
	for (int i = 0; i < 100; i++) {
		snprintf(to, sizeof to, "u%d@d%d.test", i, i % 5);
		world_send(world, "alice@example.org", to);
	}
	world_run(world, world_is_empty);
	assert_true(world->open_max <= 4);
	assert_int_equal(world->attempts, 100);
}

static bool everything_arrived(struct world *world)
{
	return world_is_empty(world);
}

static void test_thousands_of_messages_for_one_domain(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 1500; i++)
		world_send(world, "alice@example.org", i % 10 ? "u@ok.test" : "u@ok.test v@other.test w@ok.test");
	world_run(world, everything_arrived);
	assert_int_equal(world->attempts, 1500 + 300);
	assert_int_equal(world_events(world, "delivered"), 1800); /* Nothing twice. */
}

/* -- Hosts in trouble ----------------------------------------------------------------------------------- */

static void test_dead_host_costs_one_probe_a_pause(void **state)
{
	struct world *world = *state;

	world->settings.concurrency = 1;
	assert_true(queue_reload(world->queue, &world->settings, world->router));
	for (int i = 0; i < 30; i++)
		world_send(world, "alice@example.org", "down-x@ok.test");
	world_settle(world);
	assert_int_equal(world->deliveries, 1); /* The others wait out the pause. */
	assert_int_equal(world_events(world, "deferred"), 1);

	world_sleep(world, 31000); /* The probe fails: it is down, and the rest is postponed with its words. */
	assert_int_equal(world->deliveries, 2);
	assert_int_equal(world_events(world, "deferred down-x@ok.test 4.3.2"), 30);
	assert_int_equal(queue_counts(world->queue).active_domains, 0);

	world->is_up = true;
	for (int minute = 0; minute < 15; minute++)
		world_sleep(world, MINUTE_MS);
	assert_true(world_is_empty(world));
	assert_int_equal(world_events(world, "delivered down-x@ok.test"), 30);
}

static void see_gate(void *context, const struct queue_destination *destination)
{
	enum queue_gate *gate = context;

	if (text_equal(destination->key, TEXT("ok.test")))
		*gate = destination->gate;
}

static void test_explain_sees_the_gate(void **state)
{
	struct world *world = *state;
	enum queue_gate gate = QUEUE_GATE_OPEN;

	world_send(world, "alice@example.org", "down-x@ok.test");
	world_settle(world);
	queue_each_destination(world->queue, see_gate, &gate);
	assert_int_equal(gate, QUEUE_GATE_PAUSED);
}

/* -- Operators --------------------------------------------------------------------------------------------- */

static void update(struct world *world, queue_id id, uint8_t flags, int64_t due_ms)
{
	struct arena *arena = arena_new(1 << 16);
	struct spool_change *change = spool_change_new();
	struct recipient state = world_recipient(world, id, 0, arena);

	state.flags = flags;
	state.due_ms = due_ms;
	spool_change_update(change, id, &state);
	world_submit(world, change);
	arena_free(arena);
}

static void retire(struct world *world, queue_id id, uint32_t index)
{
	struct spool_change *change = spool_change_new();

	spool_change_retire(change, id, index);
	world_submit(world, change);
}

static void test_retry_now(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "later-x@ok.test");

	world_settle(world);
	world->accept_later = true;
	world_sleep(world, 1000);
	assert_int_equal(world->attempts, 1);
	update(world, id, 0, world->now_ms);
	world_run(world, world_is_empty);
	assert_int_equal(world->attempts, 2);
}

static void test_retry_of_mail_older_than_the_watermark(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "later-x@ok.test");

	world_settle(world);
	world_sleep(world, 1000);
	world_send(world, "alice@example.org", "carol@other.test");
	world_settle(world);
	world->accept_later = true;
	update(world, id, 0, WORLD_START_MS - DAY_MS); /* Q1: the watermark moves back. */
	world_run(world, world_is_empty);
}

static void test_hold_and_release(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "later-x@ok.test");

	world_settle(world);
	update(world, id, RECIPIENT_HELD, world->now_ms);
	world->accept_later = true;
	world_sleep(world, DAY_MS);
	assert_int_equal(world->attempts, 1);
	update(world, id, 0, world->now_ms);
	world_run(world, world_is_empty);
}

static void test_hold_while_in_flight_is_kept(void **state)
{
	struct world *world = *state;
	struct arena *arena = arena_new(1 << 16);
	const queue_id id = world_send(world, "alice@example.org", "stuck-x@ok.test later-y@ok.test");

	world_settle(world);
	assert_int_equal(world->open_count, 1);

	struct spool_change *change = spool_change_new();
	struct recipient held = world_recipient(world, id, 1, arena);

	held.flags = RECIPIENT_HELD;
	spool_change_update(change, id, &held);
	world_submit(world, change);
	world_settle(world);
	world->release_stuck = true;
	loop_timer_set(world->answer, 0);
	world_settle(world);
	held = world_recipient(world, id, 1, arena);
	assert_int_equal(held.flags, RECIPIENT_HELD);
	assert_int_equal(held.attempt_count, 1);
	arena_free(arena);
}

static void test_delete_while_in_flight(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "stuck-x@ok.test carol@ok.test bad-y@ok.test");

	world_settle(world);
	assert_int_equal(world->open_count, 1);
	retire(world, id, 0);
	world_settle(world);
	world->release_stuck = true;
	loop_timer_set(world->answer, 0);
	world_run(world, world_is_empty);
	assert_int_equal(world_events(world, "delivered carol@ok.test"), 1);
	assert_int_equal(world_events(world, "bounced bad-y@ok.test"), 1);
	assert_int_equal(world_events(world, "delivered stuck-x@ok.test"), 0);
}

static void test_delete_all_while_in_flight(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "stuck-x@ok.test");

	world_settle(world);
	retire(world, id, 0);
	world_settle(world);
	world->release_stuck = true;
	loop_timer_set(world->answer, 0);
	world_run(world, world_is_empty);
	assert_int_equal(world_events(world, "delivered"), 0);
}

/* -- Crashes and full disks ------------------------------------------------------------------------------------ */

static void test_restart_goes_on(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 5; i++)
		world_send(world, "alice@example.org", "stuck-x@ok.test later-y@other.test");
	world_settle(world);
	world_restart(world);
	world->release_stuck = world->accept_later = true;
	world_sleep(world, MINUTE_MS);
	world_run(world, world_is_empty);
	assert_int_equal(world_events(world, "delivered"), 10);
}

static void test_failed_settling_repeats_no_delivery(void **state)
{
	struct world *world = *state;

	world_send(world, "alice@example.org", "stuck-x@ok.test bad-y@ok.test");
	world_settle(world);
	world->failures_left = 3;
	world->release_stuck = true;
	loop_timer_set(world->answer, 0);
	world_settle(world);
	assert_int_equal(queue_counts(world->queue).unsettled, 1);
	assert_int_equal(world_events(world, "delivered"), 0); /* Q3: not a fact yet. */
	for (int i = 0; i < 3; i++)
		world_sleep(world, 5000);
	world_run(world, world_is_empty);
	assert_int_equal(world->deliveries, 1 + 1); /* Once, and the report. */
	assert_int_equal(world_events(world, "delivered stuck-x@ok.test"), 1);
	assert_int_equal(world_events(world, "generated"), 1);
}

static void test_failed_expansion_is_repeated(void **state)
{
	struct world *world = *state;

	world->failures_left = 1;
	world_send(world, "dave@ok.test", "staff@example.org");
	world_settle(world);
	assert_int_equal(world->deliveries, 0);
	world_sleep(world, 5000);
	world_run(world, world_is_empty);
	assert_int_equal(world->attempts, 3);
}

static void test_doubt_is_reported(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "later-x@ok.test");

	world_settle(world);
	queue_report_in_doubt(world->queue, id, 0);
	queue_report_in_doubt(world->queue, id, 7); /* Settled before the crash. */
	world_settle(world);
	assert_int_equal(world_events(world, "in-doubt later-x@ok.test"), 1);
	assert_int_equal(world_events(world, "in-doubt"), 1);
}

static void test_history_holds_the_steps(void **state)
{
	struct world *world = *state;
	struct arena *arena = arena_new(1 << 20);
	const queue_id id = world_send(world, "alice@example.org", "bad-x@ok.test");
	struct text *steps;
	struct event event;
	queue_id *ids;
	size_t count;

	world_run(world, world_is_empty);
	assert_int_equal(spool_read_history(world->spool, id, arena, &steps, &count), OK);
	assert_int_equal(count, 1);
	assert_int_equal(event_decode(id, steps[0], &event), OK);
	assert_int_equal(event.kind, EVENT_BOUNCED);

	/* The report has a history of its own, under the ID that the step names. */
	queue_id report;

	assert_true(queue_id_parse(event.fields[EVENT_FIELD_REPORT], &report));
	assert_int_equal(spool_read_history(world->spool, report, arena, &steps, &count), OK);
	assert_int_equal(event_decode(report, steps[0], &event), OK);
	assert_int_equal(event.kind, EVENT_GENERATED);
	assert_int_equal(spool_find_address(world->spool, TEXT("alice@example.org"), 10, arena, &ids, &count), OK);
	assert_int_equal(count, 1);
	assert_int_equal(ids[0], report);
	arena_free(arena);
}

/* -- Leaving ------------------------------------------------------------------------------------------------------ */

static void idle(void *context)
{
	((struct world *)context)->idle_told = true;
}

static void test_drain(void **state)
{
	struct world *world = *state;

	world_send(world, "alice@example.org", "stuck-x@ok.test");
	world_settle(world);
	queue_drain(world->queue, idle, world);
	world_send(world, "alice@example.org", "carol@ok.test");
	world_settle(world);
	assert_false(world->idle_told);
	world->release_stuck = true;
	loop_timer_set(world->answer, 0);
	world_settle(world);
	assert_true(world->idle_told);
	assert_int_equal(world_recipients(world), 1);
	assert_int_equal(world->deliveries, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_delivered_to_hosts),
		TEST(test_delivered_to_a_mailbox),
		TEST(test_recipients_of_a_domain_share_a_delivery),
		TEST(test_alias_is_expanded),
		TEST(test_deferred_then_delivered),
		TEST(test_sender_is_warned_once),
		TEST(test_expired_after_a_last_attempt),
		TEST(test_bounce),
		TEST(test_double_bounce_goes_to_the_postmaster),
		TEST(test_third_failure_is_discarded),
		TEST(test_null_mx_and_unknown_domains_bounce),
		TEST(test_servfail_waits),
		TEST(test_success_is_told_on_request),
		TEST(test_one_stuck_destination_holds_up_nobody),
		TEST(test_lane_is_bounded),
		TEST(test_thousands_of_messages_for_one_domain),
		TEST(test_dead_host_costs_one_probe_a_pause),
		TEST(test_explain_sees_the_gate),
		TEST(test_retry_now),
		TEST(test_retry_of_mail_older_than_the_watermark),
		TEST(test_hold_and_release),
		TEST(test_hold_while_in_flight_is_kept),
		TEST(test_delete_while_in_flight),
		TEST(test_delete_all_while_in_flight),
		TEST(test_restart_goes_on),
		TEST(test_failed_settling_repeats_no_delivery),
		TEST(test_failed_expansion_is_repeated),
		TEST(test_doubt_is_reported),
		TEST(test_history_holds_the_steps),
		TEST(test_drain),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
