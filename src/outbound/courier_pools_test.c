/* Whence mail leaves, and as whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "outbound/courier_private.h"
#include "outbound/courier_world.h"

enum { ADDRESSES = 4, DOMAINS = 1000 };

static struct endpoint address_of(const char *text)
{
	struct endpoint address = { 0 };

	assert_true(endpoint_parse_ip(text_of(text), &address));
	return address;
}

/* Of pool p: where mail for `domain` to a host at `to` leaves. */
static bool choose(struct outbound *outbound, struct text domain, const char *to, const struct endpoint **out_source)
{
	const struct next_hop hop = { .destination = TEXT("is not looked at"), .domain = domain, .pool = TEXT("p") };
	const struct host host = { .endpoint = address_of(to) };

	return source_choose(outbound, &hop, &host, out_source);
}

static void the_destination_chooses(void **state)
{
	struct endpoint addresses[ADDRESSES] = { address_of("192.0.2.1"), address_of("192.0.2.2"), address_of("192.0.2.3"),
		address_of("192.0.2.4") };
	struct outbound_pool pool = { .name = TEXT("p"), .hostname = TEXT("out.test"), .addresses = addresses, .address_count = ADDRESSES - 1 };
	struct outbound outbound = { .settings = { .pools = &pool, .pool_count = 1 } };
	unsigned counts[ADDRESSES] = { 0 }, moved = 0;

	(void)state;
	for (unsigned i = 0; i < DOMAINS; i++) {
		const struct endpoint *source, *again = NULL;
		char room[32];
		const struct text domain = { room, (size_t)snprintf(room, sizeof room, "d%u.test", i) };

		pool.address_count = ADDRESSES - 1;
		assert_true(choose(&outbound, domain, "198.51.100.1", &source) && choose(&outbound, domain, "198.51.100.2", &again));
		assert_ptr_equal(source, again);
		counts[source - addresses]++;
		pool.address_count = ADDRESSES;
		assert_true(choose(&outbound, domain, "198.51.100.1", &again));
		assert_true(again == source || again == &addresses[ADDRESSES - 1]); /* Who moves goes to the new one. */
		moved += again != source;
	}
	for (unsigned i = 0; i < ADDRESSES - 1; i++)
		assert_in_range(counts[i], DOMAINS / 4, DOMAINS / 2);
	assert_in_range(moved, DOMAINS / 6, DOMAINS / 3);
}

static void a_family_that_is_missing_is_not_made_up(void **state)
{
	const struct endpoint addresses[] = { address_of("192.0.2.1"), address_of("::1") };
	const struct outbound_pool pool = { .name = TEXT("p"), .hostname = TEXT("out.test"), .addresses = addresses, .address_count = 2 };
	struct outbound outbound = { .settings = { .pools = &pool, .pool_count = 1 } };
	const struct endpoint *source = NULL;

	(void)state;
	assert_true(choose(&outbound, TEXT("a.test"), "198.51.100.1", &source) && source == &addresses[0]);
	assert_false(choose(&outbound, TEXT("a.test"), "2001:db8::1", &source)); /* Not from loopback. */
	assert_true(choose(&outbound, TEXT("a.test"), "::1", &source) && source == &addresses[1]);
	assert_true(choose(&outbound, TEXT("a.test"), "127.0.0.1", &source) && source == NULL);
	outbound.settings.pool_count = 0;
	assert_false(choose(&outbound, TEXT("a.test"), "127.0.0.1", &source));
}

static void expect_from(const struct world *world, const char *source)
{
	world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	if (!text_equal(world->delivery.source, text_of(source)))
		fail_msg("from \"%.*s\"", TEXT_FORMAT(world->delivery.source));
}

static void each_pool_has_its_address_and_name(void **state)
{
	struct world *world = *state;
	const struct endpoint addresses[] = { address_of("127.0.0.5"), address_of("127.0.0.6") };
	const struct outbound_pool pools[] = { { .name = TEXT("a"), .hostname = TEXT("a.out.test"), .addresses = &addresses[0], .address_count = 1 },
		{ .name = TEXT("b"), .hostname = TEXT("b.out.test"), .addresses = &addresses[1], .address_count = 1 } };
	struct outbound_settings settings;
	struct buffer body;

	world_store(world, 100, &body);
	world->settings.pools = pools;
	world->settings.pool_count = 2;
	world_deliver(world);
	expect_from(world, "");
	assert_int_equal(world_said(&world->peers[0], "EHLO client.test"), 1);

	/* Even if somebody forgot to give them other names, they share no connection. */
	for (unsigned i = 0; i < 2; i++) {
		world->route.next_hop.pool = TEXT("a");
		world_deliver(world);
		expect_from(world, "127.0.0.5");
		world->route.next_hop.pool = TEXT("b");
		world_deliver(world);
		expect_from(world, "127.0.0.6");
	}
	assert_int_equal(world->peers[0].connection_count, 3);
	assert_int_equal(world_said(&world->peers[0], "EHLO a.out.test"), 1);
	assert_int_equal(world_said(&world->peers[0], "EHLO b.out.test"), 1);
	assert_int_equal(outbound_counts(world->outbound).reused, 2);

	/* Another address for it: what is open is not good for it any more. */
	const struct outbound_pool changed = { .name = TEXT("b"), .hostname = TEXT("b.out.test"), .addresses = &addresses[0], .address_count = 1 };

	settings = world->settings;
	settings.pools = &changed;
	settings.pool_count = 1;
	outbound_reload(world->outbound, &settings);
	world_deliver(world);
	expect_from(world, "127.0.0.5");
	assert_int_equal(world->peers[0].connection_count, 4);

	world->route.next_hop.pool = TEXT("a");
	world_deliver(world);
	world_expect(world, 0, 451, "", "not in the configuration any more");
	assert_int_equal(world->delivery.source.length, 0);
	assert_true(world->outcomes[0].pressure);
	buffer_done(&body);
}

/* The next host, or a relay, may be of a family that the pool has. */
static void hosts_out_of_reach_are_passed_over(void **state)
{
	struct world *world = *state;
	const struct endpoint addresses[] = { address_of("127.0.0.5") };
	const struct outbound_pool pool = { .name = TEXT("a"), .hostname = TEXT("a.out.test"), .addresses = addresses, .address_count = 1 };
	struct buffer body;

	world_store(world, 100, &body);
	world->settings.pools = &pool;
	world->settings.pool_count = 1;
	world->route.next_hop.pool = TEXT("a");
	world->hosts[0].endpoint = address_of("2001:db8::1");
	world->hosts[0].endpoint.port = 25;
	world_deliver(world);
	world_expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
	assert_int_equal(outbound_counts(world->outbound).dialled, 1);
	outbound_free(take(world->outbound));

	world->hosts[1].fallback = true;
	world_deliver(world);
	world_expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
	assert_true(text_find(world->delivery.fallback, TEXT("no address of the host's family")) < world->delivery.fallback.length);
	outbound_free(take(world->outbound));

	world->list.host_count = 1;
	world_deliver(world);
	world_expect(world, 0, 451, "", "no address of the host's family");
	assert_int_equal(outbound_counts(world->outbound).dialled, 0);
	buffer_done(&body);
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_destination_chooses),
		cmocka_unit_test(a_family_that_is_missing_is_not_made_up),
		WITH_WORLD(each_pool_has_its_address_and_name),
		WITH_WORLD(hosts_out_of_reach_are_passed_over),
	};
#undef WITH_WORLD

	return cmocka_run_group_tests_name("outbound/courier_pools", tests, NULL, NULL);
}
