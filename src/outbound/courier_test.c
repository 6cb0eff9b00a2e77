/* The courier over real sockets on loopback, with bodies from the memory spool. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "outbound/courier_world.h"

static void delivers(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	assert_false(world->outcomes[0].pressure);
	assert_true(world->outcomes[0].relayed_without_dsn);
	assert_true(text_starts(buffer_text(&world->peers[0].bodies), buffer_text(&body)));
	world_expect_doubt(world, 1); /* Until the queue has settled. */
	buffer_done(&body);
}

static void uses_a_connection_again(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	for (unsigned i = 0; i < 5; i++) {
		world_deliver(world);
		world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	}
	assert_int_equal(world->peers[0].connection_count, 1);
	assert_int_equal(world->peers[0].message_count, 5);
	assert_int_equal(outbound_counts(world->outbound).reused, 4);
	assert_int_equal(outbound_counts(world->outbound).idle, 1);

	buffer_done(&body);
}

static void leaves_after_its_share_of_messages(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world->settings.messages_max = 2;
	world_store(world, 100, &body);
	for (unsigned i = 0; i < 4; i++)
		world_deliver(world);
	assert_int_equal(world->peers[0].connection_count, 2);
	assert_int_equal(world->peers[0].message_count, 4);
	buffer_done(&body);
}

static void says_goodbye_when_idle(void **state)
{
	struct world *world = *state;
	struct buffer body;
	struct loop_timer *poll = loop_timer_new(world->loop, (loop_callback *)loop_stop, world->loop);

	world->settings.idle_ms = 1;
	world_store(world, 100, &body);
	world_deliver(world);
	while (world->peers[0].quit_count == 0 || outbound_counts(world->outbound).open > 0) {
		loop_timer_set(poll, 1);
		loop_run(world->loop);
	}
	assert_int_equal(outbound_counts(world->outbound).idle, 0);
	loop_timer_free(poll);
	buffer_done(&body);
}

static void goes_on_to_the_next_host(void **state)
{
	static const char *const greetings[] = { "554 5.7.1 no", "421 4.3.2 busy", "450 later", "what is this" };
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	for (unsigned i = 0; i < sizeof greetings / sizeof *greetings; i++) {
		world->peers[0].manners.greeting = greetings[i];
		world_deliver(world);
		world_expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
		outbound_free(take(world->outbound));
	}
	world->peers[0].manners = (struct peer_manners){ .hang_up_at_mail = 1 };
	world_deliver(world);
	world_expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
	outbound_free(take(world->outbound));

	/* Silent. */
	world->peers[0].manners = (struct peer_manners){ .greeting = "" };
	world->settings.timeouts.greeting_ms = 5;
	world_deliver(world);
	world_expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
	outbound_free(take(world->outbound));

	/* Not there: the port of a listener that is gone. */
	listener_free(take(world->peers[0].listener));
	world_deliver(world);
	world_expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
	buffer_done(&body);
}

/* U8: what a host may do, and whether a relay is then tried. */
static void relays_stand_in_for_hosts_that_cannot_be_reached(void **state)
{
	static const struct {
		struct peer_manners manners;
		bool relayed;
		unsigned code;
		const char *text;
	} rows[] = {
		{ { .greeting = "421 4.3.2 busy" }, true, 250, "stored" },
		{ { .hang_up_at_mail = 1 }, true, 250, "stored" },
		{ { .greeting = "" }, true, 250, "stored" },
		{ { .greeting = "554 5.7.1 no" }, false, 451, "the host does not take mail" },
		{ { .greeting = "521 5.3.2 never" }, false, 521, "never" },
		{ { .greeting = "421 4.7.0 too much of you" }, false, 421, "too much" },
		{ { .rcpt = "450 4.2.0 grey" }, false, 450, "grey" },
		{ { .rcpt = "550 5.1.1 who" }, false, 550, "who" },
	};
	struct world *world = *state;
	struct buffer body;

	world->hosts[1].fallback = true;
	world->settings.timeouts.greeting_ms = 20;
	world->settings.hosts_max = 1; /* Relays have a count of their own. */
	world_store(world, 100, &body);
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		world->peers[0].manners = rows[i].manners;
		const unsigned before = world->peers[1].connection_count;

		world_deliver(world);
		world_expect(world, 0, rows[i].code, rows[i].relayed ? "mx2.test[127.0.0.1]" : "mx1.test[127.0.0.1]", rows[i].text);
		assert_int_equal(world->peers[1].connection_count - before, rows[i].relayed);
		assert_int_equal(world->delivery.fallback.length > 0, rows[i].relayed);
		outbound_free(take(world->outbound));
	}
	/* Not as safe as it must be. */
	const unsigned before = world->peers[1].connection_count;

	world->peers[0].manners = (struct peer_manners){ 0 };
	world->hosts[0].tls_least = TLS_ENCRYPTED;
	world_deliver(world);
	world_expect(world, 0, 451, "mx1.test[127.0.0.1]", "TLS is demanded");
	assert_int_equal(world->peers[1].connection_count, before);
	/* And a relay must be what it must be. */
	listener_free(take(world->peers[0].listener));
	world->hosts[1].tls_least = TLS_VERIFIED;
	world_deliver(world);
	world_expect(world, 0, 451, "mx2.test[127.0.0.1]", "TLS is demanded");
	assert_int_equal(world->peers[1].message_count, 3);
	buffer_done(&body);
}

static void answers_of_recipients_are_final(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world->peers[0].manners.rcpt = "450 4.2.0 grey";
	world_deliver(world);
	world_expect(world, 0, 450, "mx1.test[127.0.0.1]", "grey");
	assert_false(world->outcomes[0].pressure);
	world->peers[0].manners = (struct peer_manners){ .mail = "550 5.7.1 never" };
	world_deliver(world);
	world_expect(world, 0, 550, "mx1.test[127.0.0.1]", "never");
	assert_int_equal(world->peers[1].connection_count, 0);
	world_expect_doubt(world, 0);
	buffer_done(&body);
}

static void gives_up_after_the_last_host(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world->peers[0].manners.greeting = "521 5.3.2 never";
	world->peers[1].manners.greeting = "554 5.7.1 not you";
	world_deliver(world);
	world_expect(world, 0, 451, "mx2.test[127.0.0.1]", "does not take mail: 554 not you");
	assert_true(world->outcomes[0].pressure);

	world->peers[1].manners.greeting = "521 5.3.2 never";
	world_deliver(world);
	world_expect(world, 0, 521, "mx2.test[127.0.0.1]", "never");

	world->peers[0].manners.greeting = "421 4.7.0 slow down";
	world->list.host_count = 1;
	world_deliver(world);
	world_expect(world, 0, 421, "mx1.test[127.0.0.1]", "slow down");

	listener_free(take(world->peers[0].listener));
	world_deliver(world);
	world_expect(world, 0, 451, "mx1.test[127.0.0.1]", "connection refused while connecting");
	assert_int_equal(world->outcomes[0].verdict.enhanced.subject, 4);
	assert_int_equal(world->outcomes[0].verdict.enhanced.detail, 1);
	assert_true(world->outcomes[0].pressure);
	buffer_done(&body);
}

static void tries_no_more_hosts_than_allowed(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world->settings.hosts_max = 1;
	world->peers[0].manners.greeting = "421 4.7.0 slow down";
	world_deliver(world);
	world_expect(world, 0, 421, "mx1.test[127.0.0.1]", "slow down");
	buffer_done(&body);
}

static void a_stale_connection_costs_nothing(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world->peers[0].manners.hang_up_at_mail = 2;
	for (unsigned i = 0; i < 3; i++) {
		world_deliver(world);
		world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	}
	assert_int_equal(world->peers[0].connection_count, 3);
	assert_int_equal(world->peers[1].connection_count, 0);
	buffer_done(&body);
}

static void a_break_after_the_dot_leaves_doubt(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world->message.recipient_count = 2;
	world->peers[0].manners.hang_up_after_body = true;
	world_deliver(world);
	world_expect(world, 0, 451, "mx1.test[127.0.0.1]", "final dot");
	assert_true(world->outcomes[1].pressure);
	assert_int_equal(world->outcomes[1].verdict.enhanced.detail, 2);
	assert_int_equal(world->peers[1].connection_count, 0); /* It may be there: nobody else gets it now. */
	world_expect_doubt(world, 2);
	buffer_done(&body);
}

static void a_break_in_the_body_leaves_none(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 4 << 20, &body);
	world->peers[0].manners.hang_up_at_body = true;
	world_deliver(world);
	world_expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
	world_expect_doubt(world, 1);
	buffer_done(&body);
}

static void a_missing_body_is_never_ended(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100000, &body);
	world->message.envelope.chunk_count++;
	world_deliver(world);
	world_expect(world, 0, 451, "", "stored message cannot be read");
	assert_int_equal(world->peers[0].message_count, 0);
	assert_int_equal(world->peers[1].connection_count, 0);
	world_expect_doubt(world, 0);
	buffer_done(&body);
}

/* More than any buffer on the way holds. */
static void large_bodies_arrive(void **state)
{
	static const char *const offers[] = { "250-x\r\n250 PIPELINING", "250-x\r\n250-PIPELINING\r\n250 CHUNKING",
		"250-x\r\n250 CHUNKING", "250 x" };
	struct world *world = *state;
	struct buffer body;

	world_store(world, 6 << 20, &body);
	for (unsigned i = 0; i < sizeof offers / sizeof *offers; i++) {
		world->peers[0].manners.ehlo = offers[i];
		buffer_clear(&world->peers[0].bodies);
		world_deliver(world);
		world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
		assert_true(text_starts(buffer_text(&world->peers[0].bodies), buffer_text(&body)));
		assert_true(world->peers[0].bodies.length <= body.length + 3); /* The dot. */
		outbound_free(take(world->outbound));
	}
	buffer_done(&body);
}

static void limits_of_the_server_are_kept(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world->message.recipient_count = 3;
	world->peers[0].manners.ehlo = "250-x\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=1 MAILMAX=2";
	world_deliver(world);
	for (unsigned i = 0; i < 3; i++)
		world_expect(world, i, 250, "mx1.test[127.0.0.1]", "stored");
	assert_int_equal(world->peers[0].message_count, 3);
	assert_int_equal(world->peers[0].connection_count, 2);
	buffer_done(&body);
}

static void speaks_lmtp_over_a_unix_socket(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	peer_close(&world->peers[0]);
	peer_open(&world->peers[0], world->loop, world->socket_path);
	world->peers[0].lmtp = true;
	world->hosts[0] = (struct host){ .name = TEXT("unix"), .endpoint = world->peers[0].endpoint };
	world->route.next_hop.lmtp = true;
	world->message.recipient_count = 2;
	world_deliver(world);
	assert_int_equal(world->outcomes[0].verdict.code, 250);
	assert_int_equal(world->outcomes[1].verdict.code, 250);
	assert_true(text_starts(buffer_text(&world->peers[0].commands), TEXT("LHLO client.test\n")));
	buffer_done(&body);
}

/* -- Logins -------------------------------------------------------------------------- */

static void know_password(struct world *world, const char *password)
{
	const struct login_rule rule = { { TEXT("u"), text_of(password) }, &world->via, 1 };
	struct logins *before = world->logins;

	world->logins = logins_new(&rule, 1, before);
	assert_non_null(world->logins);
	logins_unref(before);
}

/* Both hosts want a login, and answer so. */
static void demand_login(struct world *world, const char *reply)
{
	world_offer_tls(world, TLS_ENCRYPTED, false);
	world->via = TEXT("provider.test");
	world->route.next_hop.via = &world->via;
	world->route.next_hop.via_count = 1;
	world->route.next_hop.user = TEXT("u");
	for (unsigned i = 0; i < PEERS; i++)
		world->peers[i].manners.auth = reply;
	know_password(world, "pw");
}

static void logs_in_once_for_a_connection(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	demand_login(world, "235 welcome");
	for (unsigned i = 0; i < 3; i++) {
		world_deliver(world);
		world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	}
	assert_int_equal(world_said(&world->peers[0], "AUTH PLAIN AHUAcHc="), 1);
	assert_int_equal(world_said(&world->peers[0], "MAIL FROM:"), 3);
	assert_int_equal(counters_get(&world->counters, COUNTER_HOST_LOGINS), 1);
	assert_int_equal(world->told.length, 0);
	buffer_done(&body);
}

/* U6; and the news of it are told once. */
static void a_refused_login_goes_no_further(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	demand_login(world, "535 5.7.8 no such luck");
	for (unsigned i = 0; i < 3; i++) {
		world_deliver(world);
		world_expect(world, 0, 451, "mx1.test[127.0.0.1]", "the login as \"u\" was refused: 535 5.7.8 no such luck");
		assert_int_equal(world->outcomes[0].verdict.enhanced.subject, 7);
		assert_int_equal(world->outcomes[0].verdict.enhanced.detail, 8);
		assert_true(world->outcomes[0].pressure);
	}
	assert_int_equal(world_said(&world->peers[0], "AUTH "), 3);
	assert_int_equal(world_said(&world->peers[0], "MAIL"), 0);
	assert_int_equal(world->peers[1].connection_count, 0);
	assert_int_equal(counters_get(&world->counters, COUNTER_HOST_LOGINS_FAILED), 3);

	know_password(world, "right");
	world_deliver(world); /* Known to be in trouble. */
	world->peers[0].manners.auth = "235 welcome";
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	assert_int_equal(world_said(&world->peers[0], "AUTH PLAIN AHUAcmlnaHQ="), 2);
	assert_true(text_equal(buffer_text(&world->told),
	    TEXT("host-login-failed u mx1.test[127.0.0.1] the login as \"u\" was refused: 535 5.7.8 no such luck\n"
		 "host-login-works u mx1.test[127.0.0.1] \n")));
	buffer_done(&body);
}

static void a_login_that_is_put_off_goes_on(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	demand_login(world, "235 welcome");
	world->peers[0].manners.auth = "454 4.7.0 later";
	world_deliver(world);
	world_expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
	assert_int_equal(world_said(&world->peers[0], "MAIL"), 0);
	buffer_done(&body);
}

static void without_a_password_nobody_is_asked(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	demand_login(world, "235 welcome");
	world->route.next_hop.user = TEXT("v");
	world_deliver(world);
	world_expect(world, 0, 451, "", "we are to log in there, and have no password for it");
	world->route.next_hop.user = TEXT("u");
	world->via = TEXT("elsewhere.test");
	world_deliver(world);
	world_expect(world, 0, 451, "", "we are to log in there, and have no password for it");
	assert_int_equal(world->peers[0].connection_count, 0);
	buffer_done(&body);
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		WITH_WORLD(delivers),
		WITH_WORLD(uses_a_connection_again),
		WITH_WORLD(leaves_after_its_share_of_messages),
		WITH_WORLD(says_goodbye_when_idle),
		WITH_WORLD(goes_on_to_the_next_host),
		WITH_WORLD(relays_stand_in_for_hosts_that_cannot_be_reached),
		WITH_WORLD(answers_of_recipients_are_final),
		WITH_WORLD(gives_up_after_the_last_host),
		WITH_WORLD(tries_no_more_hosts_than_allowed),
		WITH_WORLD(a_stale_connection_costs_nothing),
		WITH_WORLD(a_break_after_the_dot_leaves_doubt),
		WITH_WORLD(a_break_in_the_body_leaves_none),
		WITH_WORLD(a_missing_body_is_never_ended),
		WITH_WORLD(large_bodies_arrive),
		WITH_WORLD(limits_of_the_server_are_kept),
		WITH_WORLD(speaks_lmtp_over_a_unix_socket),
		WITH_WORLD(logs_in_once_for_a_connection),
		WITH_WORLD(a_refused_login_goes_no_further),
		WITH_WORLD(a_login_that_is_put_off_goes_on),
		WITH_WORLD(without_a_password_nobody_is_asked),
	};

	signal(SIGPIPE, SIG_IGN); /* As the program does. */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
