/* What deliveries make of what others have learned of hosts. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "outbound/courier_world.h"

static void go_to(struct world *world, struct text domain)
{
	world->route.next_hop.destination = world->route.next_hop.domain = domain;
	world->recipients[0].address.domain = domain;
}

/* U8: one delivery finds out, the others go to the relay at once, over its open connection, until the hosts' rest is over. */
static void a_dead_host_is_not_dialled_for_each_delivery(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world->hosts[1].fallback = true;
	listener_free(take(world->peers[0].listener));
	for (unsigned i = 0; i < 4; i++) {
		if (i == 2) /* Another domain of the same hosts. */
			go_to(world, TEXT("other.test"));
		world_deliver(world);
		world_expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
		assert_true(text_starts(world->delivery.fallback, TEXT("connection refused")));
		assert_int_equal(outbound_counts(world->outbound).dialled, 2);
	}
	assert_int_equal(world->peers[1].connection_count, 1);

	/* A relay that fails all the same: nobody has said for good that the mail cannot go. */
	world->peers[1].manners.greeting = "521 5.3.2 never";
	world->peers[1].manners.hang_up_at_mail = 5;
	world_deliver(world);
	world_expect(world, 0, 451, "mx2.test[127.0.0.1]", "does not take mail: 521 never");
	assert_int_equal(outbound_counts(world->outbound).dialled, 3);

	/* Whoever changes the configuration wants to see what becomes of it. */
	outbound_reload(world->outbound, &world->settings);
	world_deliver(world);
	assert_int_equal(outbound_counts(world->outbound).dialled, 5);
	buffer_done(&body);
}

/* Its 421 comes from a host that took mail a moment ago. */
static void a_host_that_took_us_does_not_rest(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world->settings.messages_max = 1;
	world->hosts[1].fallback = true;
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	world->peers[0].manners.greeting = "421 4.3.2 busy";
	for (unsigned i = 0; i < 2; i++) {
		world_deliver(world);
		world_expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
	}
	assert_int_equal(world->peers[0].connection_count, 3);
	buffer_done(&body);
}

static void a_host_that_rests_comes_last(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world->settings.messages_max = 1;
	world->hosts[0].preference = 10;
	world->hosts[1].preference = 20;
	listener_free(take(world->peers[0].listener));
	world_deliver(world);
	assert_int_equal(outbound_counts(world->outbound).dialled, 2);
	world_deliver(world);
	world_expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
	assert_int_equal(outbound_counts(world->outbound).dialled, 3);

	/* But it is tried. */
	world->peers[1].manners.greeting = "421 4.3.2 busy";
	world_deliver(world);
	world_expect(world, 0, 451, "mx1.test[127.0.0.1]", "refused");
	assert_int_equal(outbound_counts(world->outbound).dialled, 5);
	buffer_done(&body);
}

static void of_equal_hosts_one_that_takes_the_message_is_first(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world->settings.messages_max = 1;
	world->peers[0].manners.ehlo = "250-x\r\n250 SIZE 100000";
	world->peers[1].manners.ehlo = "250-x\r\n250 SMTPUTF8";
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	world->message.envelope.flags |= ENVELOPE_SMTPUTF8;
	world_deliver(world);
	world_expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");

	world->hosts[1].preference = 20; /* RFC 5321 §5.1: the host that stands before it has the word. */
	world_deliver(world);
	world_expect(world, 0, 550, "mx1.test[127.0.0.1]", "SMTPUTF8");
	buffer_done(&body);
}

static void tls_that_is_gone_is_told(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_OPPORTUNISTIC, true);
	world->settings.messages_max = 1;
	world_deliver(world);
	world->peers[0].manners.tls = NULL;
	for (unsigned i = 0; i < 2; i++) {
		world_deliver(world);
		world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	}
	assert_true(text_equal(buffer_text(&world->told), TEXT("tls-withdrawn  mx1.test[127.0.0.1] \n")));
	buffer_done(&body);
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		WITH_WORLD(a_dead_host_is_not_dialled_for_each_delivery),
		WITH_WORLD(a_host_that_took_us_does_not_rest),
		WITH_WORLD(a_host_that_rests_comes_last),
		WITH_WORLD(of_equal_hosts_one_that_takes_the_message_is_first),
		WITH_WORLD(tls_that_is_gone_is_told),
	};
#undef WITH_WORLD

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("outbound/courier_known", tests, NULL, NULL);
}
