#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stddef.h>

#include <cmocka.h>

#include "queue/test_world.h"

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

/* SRS: of two recipients at one host, only what an alias sends there has another reverse-path; so they go apart. */
static void test_what_is_sent_on_is_rewritten(void **state)
{
	struct world *world = *state;

	world_send(world, "dave@ok.test", "staff@example.org erin@ok.test");
	world_run(world, world_is_empty);
	assert_int_equal(world->attempts, 4);
	assert_int_equal(world->deliveries, 4);
	assert_int_equal(world->rewritten, 1);

	/* Of ours, and of nobody: as they are. */
	world_send(world, "alice@example.org", "staff@example.org");
	world_send(world, "", "staff@example.org");
	world_run(world, world_is_empty);
	assert_int_equal(world->attempts, 10);
	assert_int_equal(world->rewritten, 1);
}

static void test_targets_are_not_expanded_again(void **state)
{
	struct world *world = *state;

	world_send(world, "dave@ok.test", "eve@example.org"); /* eve: \eve, carol@ok.test */
	world_run(world, world_is_empty);
	assert_int_equal(world_events(world, "expanded"), 1);
	assert_true(world_mailbox_holds(world, "for eve@example.org"));
	assert_int_equal(world->attempts, 2);
}

static void test_groups_are_not_cut_by_a_scan(void **state)
{
	struct world *world = *state;

	world->settings.concurrency = 20;
	assert_true(queue_reload(world->queue, &world->settings, world->router));
	for (int i = 0; i < 100; i++)
		world_send(world, "alice@example.org", "a@ok.test b@ok.test c@ok.test");
	world_run(world, world_is_empty);
	assert_int_equal(world->deliveries, 100);
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

static void test_a_postmaster_who_cannot_be_told(void **state)
{
	struct world *world = *state;

	world->root_fails = true;
	world_send(world, "bad-sender@ok.test", "bad-1@ok.test");
	world_run(world, world_is_empty);
	assert_int_equal(world_events(world, "generated"), 2);
	assert_int_equal(world_events(world, "discarded root@example.org"), 1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_delivered_to_hosts),
		TEST(test_delivered_to_a_mailbox),
		TEST(test_recipients_of_a_domain_share_a_delivery),
		TEST(test_alias_is_expanded),
		TEST(test_what_is_sent_on_is_rewritten),
		TEST(test_targets_are_not_expanded_again),
		TEST(test_groups_are_not_cut_by_a_scan),
		TEST(test_deferred_then_delivered),
		TEST(test_sender_is_warned_once),
		TEST(test_expired_after_a_last_attempt),
		TEST(test_bounce),
		TEST(test_double_bounce_goes_to_the_postmaster),
		TEST(test_a_postmaster_who_cannot_be_told),
		TEST(test_third_failure_is_discarded),
		TEST(test_null_mx_and_unknown_domains_bounce),
		TEST(test_servfail_waits),
		TEST(test_success_is_told_on_request),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
