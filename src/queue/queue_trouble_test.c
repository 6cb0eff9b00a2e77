/* Many at once, dead hosts, operators, crashes and full disks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stddef.h>

#include <cmocka.h>

#include "queue/survey.h"
#include "queue/test_world.h"
#include "spool/tally.h"

enum { MINUTE_MS = 60000, DAY_MS = 24 * 3600000 };

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

static void test_thousands_of_messages_for_one_domain(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 1500; i++)
		world_send(world, "alice@example.org", i % 10 ? "u@ok.test" : "u@ok.test v@other.test w@ok.test");
	world_run(world, world_is_empty);
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

/* A password that was mended, another route: nobody has to wait until the host's rest is over. */
static void test_a_reload_ends_the_rest_of_a_host(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 30; i++)
		world_send(world, "alice@example.org", "down-x@ok.test");
	world_settle(world);
	assert_int_equal(world_events(world, "delivered"), 0);
	const unsigned deferred = (unsigned)world_events(world, "deferred");

	assert_in_range(deferred, 1, 29);
	world->is_up = true;
	world_settle(world);
	assert_int_equal(world_events(world, "delivered"), 0);
	assert_true(queue_reload(world->queue, &world->settings, world->router));
	world_settle(world);
	assert_int_equal(world_events(world, "delivered down-x@ok.test"), 30 - deferred);
}

static void test_one_probe_at_a_time(void **state)
{
	struct world *world = *state;

	world->settings.concurrency = 20;
	assert_true(queue_reload(world->queue, &world->settings, world->router));
	world_send(world, "alice@example.org", "down-x@ok.test");
	world_settle(world);
	for (int i = 0; i < 30; i++)
		world_send(world, "alice@example.org", "stuck-x@ok.test");
	world_settle(world);
	assert_int_equal(world->deliveries, 1);
	world_sleep(world, 31000);
	assert_int_equal(world->deliveries, 2);
	world->release_stuck = true; /* It answers: everybody may go on. */
	loop_timer_set(world->answer, 0);
	world_settle(world);
	assert_int_equal(world_events(world, "delivered stuck-x@ok.test"), 30);
}

static void test_a_survey_finds_destinations(void **state)
{
	struct world *world = *state;
	struct queue_survey survey;

	world_send(world, "alice@example.org", "down-x@ok.test down-y@other.test u@d1.test");
	world_settle(world);
	assert_true(queue_survey_init(&survey, TEXT_EMPTY));
	queue_survey_visit(&survey, world->queue, 2);
	queue_survey_visit(&survey, world->queue, 4);
	assert_int_equal(survey.matching, 4);
	assert_int_equal(survey.found_count, 4);
	assert_int_equal(survey.counts.destinations, 6);
	assert_int_equal(survey.found[3].lane, 4);
	assert_int_equal(survey.found[0].destination.gate, QUEUE_GATE_PAUSED);
	assert_int_equal(survey.found[0].destination.last.code, 421);
	queue_survey_done(&survey);

	assert_true(queue_survey_init(&survey, TEXT("d1.test")));
	queue_survey_visit(&survey, world->queue, 0);
	assert_int_equal(survey.found_count, 1);
	assert_false(queue_destination_in_trouble(&survey.found[0].destination));
	assert_string_equal(queue_gate_word(survey.found[0].destination.gate), "open");
	queue_survey_done(&survey);
}

static void test_a_survey_is_bounded(void **state)
{
	enum { DESTINATIONS = QUEUE_SURVEY_MAX + 10 };
	struct world *world = *state;
	struct queue_survey survey;
	char to[64];

	for (int i = 0; i < DESTINATIONS; i++) {
		snprintf(to, sizeof to, "down-x@[198.51.100.%d]", i + 1);
		world_send(world, "alice@example.org", to);
	}
	world_settle(world);
	assert_true(queue_survey_init(&survey, TEXT_EMPTY));
	queue_survey_visit(&survey, world->queue, 0);
	assert_int_equal(survey.found_count, QUEUE_SURVEY_MAX);
	assert_true(survey.matching > QUEUE_SURVEY_MAX);
	queue_survey_done(&survey);
}

struct hosts_seen {
	unsigned count;
	int64_t expire_ms;
};

static void see_hosts(void *context, const struct queue_destination *destination)
{
	struct hosts_seen *seen = context;

	seen->count += destination->hosts.length > 0;
	seen->expire_ms = destination->hosts_expire_ms;
}

static void test_hosts_are_asked_for_again(void **state)
{
	struct world *world = *state;
	struct hosts_seen first = { 0 }, same = { 0 }, second = { 0 };

	world_send(world, "alice@example.org", "carol@ok.test");
	world_settle(world);
	queue_each_destination(world->queue, see_hosts, &first);
	world_sleep(world, 100000);
	world_send(world, "alice@example.org", "carol@ok.test");
	world_settle(world);
	queue_each_destination(world->queue, see_hosts, &same);
	world_sleep(world, 300000);
	world_send(world, "alice@example.org", "carol@ok.test");
	world_run(world, world_is_empty);
	queue_each_destination(world->queue, see_hosts, &second);
	assert_int_equal(first.count, 1);
	assert_true(first.expire_ms > WORLD_START_MS);
	assert_int_equal(same.expire_ms, first.expire_ms);
	assert_true(second.expire_ms > world->now_ms);
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

static void steer(struct world *world, queue_id id, bool held, int64_t due_ms)
{
	const struct spool_steering steering = { .held = held ? STEER_HELD : STEER_NOT_HELD, .due_ms = due_ms };
	struct spool_change *change = spool_change_new();

	spool_change_steer(change, id, 0, &steering);
	world_submit(world, change);
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
	steer(world, id, false, world->now_ms);
	world_run(world, world_is_empty);
	assert_int_equal(world->attempts, 2);
}

static void test_retry_in_flight_is_not_delivered_twice(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "stuck-x@ok.test");

	world_settle(world);
	world->now_ms += 1000;
	steer(world, id, false, world->now_ms);
	world_settle(world);
	assert_int_equal(world->deliveries, 1); /* Q2 */
	world->release_stuck = true;
	loop_timer_set(world->answer, 0);
	world_run(world, world_is_empty);
	assert_int_equal(world_events(world, "delivered"), 1);
}

static void test_release_in_a_domain_that_is_active(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "later-x@ok.test");

	world_settle(world);
	steer(world, id, true, WORLD_START_MS);
	world->now_ms += 1000;
	world_send(world, "alice@example.org", "stuck-x@ok.test");
	world_settle(world);
	assert_int_equal(queue_counts(world->queue).active_domains, 1);

	/* Its cursor is behind this one already. */
	world->accept_later = true;
	steer(world, id, false, WORLD_START_MS);
	world_settle(world);
	assert_int_equal(world_events(world, "delivered later-x@ok.test"), 1);
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
	steer(world, id, false, WORLD_START_MS - DAY_MS); /* Q1: the watermark moves back. */
	world_run(world, world_is_empty);
}

static void test_hold_and_release(void **state)
{
	struct world *world = *state;
	const queue_id id = world_send(world, "alice@example.org", "later-x@ok.test");

	world_settle(world);
	steer(world, id, true, world->now_ms);
	world->accept_later = true;
	world_sleep(world, DAY_MS);
	assert_int_equal(world->attempts, 1);
	steer(world, id, false, world->now_ms);
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
	struct recipient held;

	spool_change_steer(change, id, 1, &(struct spool_steering){ .held = STEER_HELD, .due_ms = -1 });
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

/* Counted with what the delivery came to, however often that is tried; and nothing of mail that goes into mailboxes. */
static void test_sessions_are_counted_once(void **state)
{
	struct world *world = *state;
	struct tally_listed *sets;
	struct tally_row *rows;
	struct tls_result result;
	size_t count;

	world_send(world, "alice@example.org", "stuck-x@ok.test carol@example.org bob@example.org");
	world_settle(world);
	world->failures_left = 2;
	world->release_stuck = true;
	loop_timer_set(world->answer, 0);
	for (int i = 0; i < 3; i++)
		world_sleep(world, 5000);
	world_run(world, world_is_empty);
	assert_int_equal(spool_tally_sets(world->spool, TALLY_TLS, UINT32_MAX, NULL, 9, world->arena, &sets, &count), OK);
	assert_int_equal(count, 2); /* One, and the account of the day. */
	assert_int_equal(sets[1].set.day, WORLD_START_MS / DAY_MS);
	assert_true(text_equal(sets[1].set.domain, TEXT("ok.test")));
	assert_int_equal(sets[1].sum.total, 1);
	assert_int_equal(spool_tally_rows(world->spool, &sets[1].set, 0, 9, world->arena, &rows, &count), OK);
	assert_int_equal(count, 1);
	assert_true(tls_result_decode(rows[0].bytes, &result));
	assert_int_equal(result.type, TLS_RESULT_SUCCESS);
	world->settings.tallies_tls = false;
	assert_true(queue_reload(world->queue, &world->settings, world->router));
	world_send(world, "alice@example.org", "carol@ok.test");
	world_run(world, world_is_empty);
	assert_int_equal(spool_tally_sets(world->spool, TALLY_TLS, UINT32_MAX, NULL, 9, world->arena, &sets, &count), OK);
	assert_int_equal(sets[1].sum.total, 1);
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
		TEST(test_one_stuck_destination_holds_up_nobody),
		TEST(test_lane_is_bounded),
		TEST(test_thousands_of_messages_for_one_domain),
		TEST(test_dead_host_costs_one_probe_a_pause),
		TEST(test_a_reload_ends_the_rest_of_a_host),
		TEST(test_one_probe_at_a_time),
		TEST(test_a_survey_finds_destinations),
		TEST(test_a_survey_is_bounded),
		TEST(test_hosts_are_asked_for_again),
		TEST(test_explain_sees_the_gate),
		TEST(test_retry_now),
		TEST(test_retry_in_flight_is_not_delivered_twice),
		TEST(test_release_in_a_domain_that_is_active),
		TEST(test_retry_of_mail_older_than_the_watermark),
		TEST(test_hold_and_release),
		TEST(test_hold_while_in_flight_is_kept),
		TEST(test_delete_while_in_flight),
		TEST(test_delete_all_while_in_flight),
		TEST(test_restart_goes_on),
		TEST(test_failed_settling_repeats_no_delivery),
		TEST(test_sessions_are_counted_once),
		TEST(test_failed_expansion_is_repeated),
		TEST(test_doubt_is_reported),
		TEST(test_history_holds_the_steps),
		TEST(test_drain),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
