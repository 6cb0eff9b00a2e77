/* Limits that are fixed, hosts that several domains share, and what is learned of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stddef.h>

#include <cmocka.h>

#include "queue/survey.h"
#include "queue/test_world.h"

enum { MINUTE_MS = 60000, HOUR_MS = 60 * MINUTE_MS };

static const struct text hosts[] = { { ".shared.test", 12 } };

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

static void fix(struct world *world, const struct shape *shape)
{
	world->settings.shapes = shape;
	world->settings.shape_count = 1;
	assert_true(queue_reload(world->queue, &world->settings, world->router));
}

/* To three domains that the same hosts serve. */
static void send_to_shared(struct world *world, const char *local, unsigned count)
{
	char to[64];

	for (unsigned i = 0; i < count; i++) {
		snprintf(to, sizeof to, "%s@s%u.test", local, i % 3 + 1);
		world_send(world, "alice@example.org", to);
	}
}

struct seen {
	const char *key;
	char site[64];
	struct queue_destination destination;
};

static void see(void *context, const struct queue_destination *destination)
{
	struct seen *seen = context;

	if (!text_equal(destination->key, text_of(seen->key)))
		return;
	seen->destination = *destination;
	snprintf(seen->site, sizeof seen->site, "%.*s", TEXT_FORMAT(destination->site));
}

static struct seen look(struct world *world, const char *key)
{
	struct seen seen = { .key = key };

	queue_each_destination(world->queue, see, &seen);
	return seen;
}

/* -- Shared hosts ---------------------------------------------------------------------------------------- */

static void test_domains_share_the_limit_of_their_hosts(void **state)
{
	struct world *world = *state;

	send_to_shared(world, "stuck-x", 30);
	world_send(world, "alice@example.org", "u@ok.test");
	world_settle(world);
	assert_int_equal(world->open_count, WORLD_CONCURRENCY);
	assert_int_equal(world_events(world, "delivered u@ok.test"), 1);
	assert_string_equal(look(world, "s1.test").site, "mx.shared.test:25");
	assert_string_equal(look(world, "s3.test").site, "mx.shared.test:25");
	assert_int_equal(look(world, "s2.test").destination.in_flight, WORLD_CONCURRENCY);

	world->release_stuck = true;
	loop_timer_set(world->answer, 0);
	world_run(world, world_is_empty);
	assert_int_equal(world_events(world, "delivered stuck-x"), 30);
	assert_int_equal(world->deliveries, 31); /* What was put back was not tried. */
	assert_true(world->open_max <= WORLD_CONCURRENCY + 1);
}

static void test_dead_hosts_rest_once_for_all_domains(void **state)
{
	struct world *world = *state;

	world->settings.concurrency = 1;
	assert_true(queue_reload(world->queue, &world->settings, world->router));
	send_to_shared(world, "down-x", 30);
	world_settle(world);
	assert_int_equal(world->deliveries, 1);
	world_sleep(world, 31000);
	assert_int_equal(world->deliveries, 2);
	assert_int_equal(world_events(world, "deferred down-x"), 30);
	assert_int_equal(world_events(world, "hosts-down"), 1);

	struct queue_survey survey;

	assert_true(queue_survey_init(&survey, TEXT_EMPTY));
	queue_survey_visit(&survey, world->queue, 0);
	assert_int_equal(survey.found_count, 1);
	assert_int_equal(survey.matching, 3);
	assert_int_equal(survey.found[0].destination.site_destinations, 3);
	queue_survey_done(&survey);

	world->is_up = true;
	for (int minute = 0; minute < 15; minute++)
		world_sleep(world, MINUTE_MS);
	assert_true(world_is_empty(world));
	assert_int_equal(world_events(world, "hosts-back"), 1);
}

/* Neither that the hosts are dead nor that they are well. */
static void test_a_trouble_of_ours_teaches_nothing_of_hosts(void **state)
{
	struct world *world = *state;

	world->settings.concurrency = 20;
	assert_true(queue_reload(world->queue, &world->settings, world->router));
	world_send(world, "alice@example.org", "u@s1.test");
	world_settle(world);
	const uint32_t concurrency = look(world, "s1.test").destination.concurrency;

	for (int i = 0; i < 5; i++) {
		world_send(world, "alice@example.org", "ours-x@s1.test");
		world_settle(world);
	}
	assert_int_equal(world_events(world, "deferred ours-x"), 5);
	assert_int_equal(look(world, "s1.test").destination.gate, QUEUE_GATE_OPEN);
	assert_int_equal(look(world, "s1.test").destination.concurrency, concurrency);
	assert_int_equal(world_events(world, "hosts-down") + world_events(world, "slowed"), 0);
	world_send(world, "alice@example.org", "u@s1.test");
	world_settle(world);
	assert_int_equal(look(world, "s1.test").destination.concurrency, concurrency + 1);
}

/* What one domain demands is no trouble of the others that share its hosts. */
static void test_an_unmet_demand_rests_its_own_domain_only(void **state)
{
	struct world *world = *state;

	world_send(world, "alice@example.org", "u@s1.test");
	world_settle(world);
	world_send(world, "alice@example.org", "unsafe-x@s1.test");
	world_send(world, "alice@example.org", "unsafe-x@s1.test");
	world_settle(world);
	assert_string_equal(look(world, "s1.test").site, "s1.test");
	assert_int_equal(look(world, "s1.test").destination.gate, QUEUE_GATE_PAUSED);
	for (int i = 0; i < 5; i++) {
		world_send(world, "alice@example.org", "u@s2.test");
		world_settle(world);
	}
	assert_int_equal(world_events(world, "delivered u@s2.test"), 5);
	assert_string_equal(look(world, "s2.test").site, "mx.shared.test:25");

	/* Its hosts are looked up again while it rests; it stays apart until they are what it wants. */
	for (int minute = 0; minute < 12; minute++)
		world_sleep(world, MINUTE_MS);
	assert_string_equal(look(world, "s1.test").site, "s1.test");
	world->is_up = true;
	for (int minute = 0; minute < 180; minute++)
		world_sleep(world, MINUTE_MS);
	assert_true(world_is_empty(world));
	world_send(world, "alice@example.org", "u@s1.test");
	world_settle(world);
	assert_string_equal(look(world, "s1.test").site, "mx.shared.test:25");
}

/* -- Fixed ----------------------------------------------------------------------------------------------- */

static void test_fixed_concurrency_wins(void **state)
{
	struct world *world = *state;
	const struct shape shape = { .pattern = TEXT("ok.test"), .limits = { .concurrency = 7 } };

	fix(world, &shape);
	for (int i = 0; i < 20; i++)
		world_send(world, "alice@example.org", "stuck-x@ok.test");
	world_settle(world);
	assert_int_equal(world->open_count, 7);
	world->release_stuck = true;
	loop_timer_set(world->answer, 0);
	world_run(world, world_is_empty);
	assert_int_equal(look(world, "ok.test").destination.concurrency, 7);
	assert_string_equal(look(world, "ok.test").site, "ok.test at mx.ok.test:25");
}

static void test_a_provider_is_one_for_all_his_hosts(void **state)
{
	struct world *world = *state;
	const struct shape shape = { .pattern = TEXT("big"), .mx = hosts, .mx_count = 1, .limits = { .connections = 1 } };

	fix(world, &shape);
	send_to_shared(world, "stuck-x", 9);
	for (int i = 0; i < 3; i++)
		world_send(world, "alice@example.org", "stuck-x@s4.test"); /* Other hosts of his. */
	world_settle(world);
	assert_int_equal(world->open_count, 1);
	assert_int_equal(world->open[0]->limits.connections_max, 1);
	assert_string_equal(look(world, "s4.test").site, "provider big");

	/* A reload that fixes nothing any more. */
	world->settings.shape_count = 0;
	assert_true(queue_reload(world->queue, &world->settings, world->router));
	world_settle(world);
	assert_int_equal(look(world, "s1.test").destination.in_flight, WORLD_CONCURRENCY);
	assert_int_equal(look(world, "s4.test").destination.in_flight, WORLD_CONCURRENCY);
	world->release_stuck = true;
	loop_timer_set(world->answer, 0);
	world_run(world, world_is_empty);
	assert_int_equal(world->open_max, 2 * WORLD_CONCURRENCY);
	assert_string_equal(look(world, "s4.test").site, "mx2.shared.test:25");
}

/* How many destinations a survey finds held back. */
static size_t held_back(struct world *world)
{
	struct queue_survey survey;

	assert_true(queue_survey_init(&survey, TEXT_EMPTY));
	queue_survey_visit(&survey, world->queue, 0);
	const size_t count = survey.held_back_count;

	for (size_t i = 0; i < count; i++)
		assert_int_equal(survey.held_back[i].destination.gate, QUEUE_GATE_PACED);
	queue_survey_done(&survey);
	return count;
}

static void test_a_rate_holds(void **state)
{
	struct world *world = *state;
	const struct shape shape = { .pattern = TEXT("big"), .mx = hosts, .mx_count = 1,
		.limits = { .rate = { 60, HOUR_MS } } };

	fix(world, &shape);
	send_to_shared(world, "u", 9);
	world_settle(world);
	assert_int_equal(world->deliveries, 1);
	assert_int_equal(look(world, "s1.test").destination.gate, QUEUE_GATE_PACED);
	assert_int_equal(held_back(world), 3);
	for (unsigned minute = 1; minute < 9; minute++) {
		assert_true(queue_paced(world->queue) > 0);
		world_sleep(world, MINUTE_MS);
		assert_int_equal(world->deliveries, minute + 1);
	}
	assert_true(world_is_empty(world));
	assert_int_equal(queue_paced(world->queue), 0);
	assert_int_equal(held_back(world), 0);
	assert_int_equal(world_events(world, "paced"), 1);

	/* Not again for what comes soon after, but for what comes much later. */
	send_to_shared(world, "u", 2);
	for (unsigned minute = 0; minute < 3; minute++)
		world_sleep(world, MINUTE_MS);
	assert_true(world_is_empty(world));
	assert_int_equal(world_events(world, "paced"), 1);
	world_sleep(world, 20 * MINUTE_MS);
	send_to_shared(world, "u", 2);
	for (unsigned minute = 0; minute < 3; minute++)
		world_sleep(world, MINUTE_MS);
	assert_true(world_is_empty(world));
	assert_int_equal(world_events(world, "paced"), 2);
}

/* One message in two deliveries, for an alias sends one of them on as somebody else: the second finds the rate used up. */
static void test_what_is_put_back_in_its_turn_is_not_lost(void **state)
{
	struct world *world = *state;
	const struct shape shape = { .pattern = TEXT("ok.test"), .limits = { .rate = { 60, HOUR_MS } } };

	fix(world, &shape);
	world_send(world, "dave@ok.test", "first@ok.test");
	world_settle(world);
	assert_int_equal(world_events(world, "delivered first@ok.test"), 1);
	world_send(world, "dave@ok.test", "staff@example.org erin@ok.test");
	world_settle(world);
	assert_int_equal(world_events(world, "delivered carol@ok.test") + world_events(world, "delivered erin@ok.test"), 0);
	for (unsigned minute = 1; minute <= 2; minute++) {
		world_sleep(world, MINUTE_MS);
		assert_int_equal(
		    world_events(world, "delivered carol@ok.test") + world_events(world, "delivered erin@ok.test"), minute);
	}
	assert_true(world_is_empty(world));
}

/* -- Learned --------------------------------------------------------------------------------------------- */

static void test_too_much_at_once_is_halved_and_does_not_rest(void **state)
{
	struct world *world = *state;

	world->settings.concurrency = 20;
	assert_true(queue_reload(world->queue, &world->settings, world->router));
	for (int i = 0; i < 40; i++)
		world_send(world, "alice@example.org", "u@ok.test");
	world_run(world, world_is_empty);
	const uint32_t before = look(world, "ok.test").destination.concurrency;

	assert_true(before > 10);
	for (int i = 0; i < 20; i++)
		world_send(world, "alice@example.org", i == 0 ? "down-x@ok.test" : "stuck-x@ok.test");
	world_settle(world);
	const struct seen seen = look(world, "ok.test");

	assert_int_equal(seen.destination.paused_until_ms, 0);
	assert_in_range(seen.destination.concurrency, before / 2 - 1, before / 2);
	assert_int_equal(world_events(world, "slowed"), 1);
	assert_int_equal(seen.destination.last.code, 421);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_domains_share_the_limit_of_their_hosts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dead_hosts_rest_once_for_all_domains, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_trouble_of_ours_teaches_nothing_of_hosts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_an_unmet_demand_rests_its_own_domain_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fixed_concurrency_wins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_provider_is_one_for_all_his_hosts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_rate_holds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_put_back_in_its_turn_is_not_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_much_at_once_is_halved_and_does_not_rest, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
