/* A connection that one destination has left idle, and what another one must demand and find to take it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "outbound/courier_world.h"

typedef void change(struct world *world);

static void want_verified(struct world *world)
{
	world->route.next_hop.tls.level = TLS_VERIFIED;
}

static void want_encrypted(struct world *world)
{
	world->route.next_hop.tls.level = TLS_ENCRYPTED;
}

static void want_clear(struct world *world)
{
	world->route.next_hop.tls.level = TLS_UNUSED;
}

static void want_opportunistic(struct world *world)
{
	world->route.next_hop.tls.level = TLS_OPPORTUNISTIC;
}

static void want_whole_way(struct world *world)
{
	want_verified(world);
	world->route.next_hop.tls.whole_way = true;
}

static void waive(struct world *world)
{
	world->route.next_hop.tls.waived = true;
}

static void enforce(struct world *world)
{
	world->hosts[0].tls_least = TLS_VERIFIED;
}

static void try_policy(struct world *world)
{
	world->list.policy = (struct host_policy){ .holds = true, .sts = { .mode = STS_TESTING, .patterns = TEXT("mx1.test\n") } };
}

static void enforce_policy(struct world *world)
{
	try_policy(world);
	world->list.policy.sts.mode = STS_ENFORCE;
	enforce(world);
}

static void have_records(struct world *world, size_t count)
{
	static const char authority[TEST_TLSA_SIZE] = "\2\1\1";
	struct text *records = arena_array(world->arena, 2, sizeof *records);

	records[0] = world->tlsa;
	records[1] = (struct text){ authority, sizeof authority };
	enforce(world);
	world->hosts[0].tlsa = (struct host_tlsa){ TLSA_USABLE, { records, count }, TEXT("mx1.test") };
}

static void have_record(struct world *world)
{
	have_records(world, 1);
}

static void have_record_of_authority(struct world *world)
{
	have_records(world, 2);
}

static void have_unusable_record(struct world *world)
{
	world->hosts[0].tlsa.finding = TLSA_UNUSABLE;
	world->hosts[0].tls_least = TLS_ENCRYPTED;
}

static void have_another_name(struct world *world)
{
	world->hosts[0].name = TEXT("mail.test");
}

static void stand_behind(struct world *world)
{
	const struct host host = world->hosts[0];

	world->hosts[0] = world->hosts[1];
	world->hosts[1] = host;
	world->hosts[0].preference = 10;
	world->hosts[1].preference = 20;
	world->list.host_count = 2;
}

static void stand_beside(struct world *world)
{
	stand_behind(world);
	world->hosts[1].preference = 10;
}

static void stand_beside_in_order(struct world *world)
{
	static const struct text via[] = { { "mx2.test", 8 }, { "mx1.test", 8 } };

	stand_beside(world);
	world->route.next_hop.via = via;
	world->route.next_hop.via_count = 2;
}

static void relay(struct world *world)
{
	world->hosts[0].fallback = true;
}

static void count_domains(struct world *world)
{
	world->peers[0].manners.ehlo = "250-x\r\n250-STARTTLS\r\n250 LIMITS RCPTDOMAINMAX=1";
}

static void offer_no_tls(struct world *world)
{
	world->peers[0].manners.tls = NULL;
}

static void break_handshakes(struct world *world)
{
	world->peers[0].manners = (struct peer_manners){ .noise = true };
}

static void mend_handshakes(struct world *world)
{
	world->peers[0].manners = (struct peer_manners){ .tls = world->tls_server };
}

static void prepare(struct world *world)
{
	const struct host host = { .name = TEXT("mx1.test"), .endpoint = world->peers[0].endpoint };
	const struct host second = { .name = TEXT("mx2.test"), .endpoint = world->peers[1].endpoint };

	outbound_free(take(world->outbound));
	mend_handshakes(world);
	world->hosts[0] = host;
	world->hosts[1] = second;
	world->list = (struct host_list){ .hosts = world->hosts, .host_count = 1 };
	world->route.next_hop = (struct next_hop){
		.destination = TEXT("dest.test"), .domain = TEXT("dest.test"), .tls = { .level = TLS_OPPORTUNISTIC } };
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		world->recipients[i].address.domain = TEXT("dest.test");
}

static void go_elsewhere(struct world *world)
{
	world->route.next_hop.destination = world->route.next_hop.domain = TEXT("other.test");
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		world->recipients[i].address.domain = TEXT("other.test");
}

static void another_destination_takes_what_is_good_enough(void **state)
{
	static const struct {
		const char *what;
		change *both, *first, *then;
		bool shared;
	} rows[] = {
		{ "the same", NULL, NULL, NULL, true },
		{ "clear text that nobody minds", offer_no_tls, NULL, NULL, true },
		{ "no TLS wanted", want_clear, NULL, NULL, true },
		{ "clear text after TLS that failed", NULL, break_handshakes, mend_handshakes, false },
		{ "clear text, and TLS wanted", NULL, want_clear, want_opportunistic, false },
		{ "more than is demanded", NULL, enforce, prepare, true },
		{ "less than the route demands", NULL, NULL, want_verified, false },
		{ "encrypted only, and to be verified", want_encrypted, NULL, enforce, false },
		{ "less than the policy demands", NULL, NULL, enforce, false },
		{ "what the policy demands", NULL, want_verified, enforce_policy, true },
		{ "a certificate that is to be judged", NULL, NULL, try_policy, false },
		{ "a certificate that was judged and need not be", NULL, try_policy, prepare, true },
		{ "no promise of the way behind it", want_verified, NULL, want_whole_way, false },
		{ "what the domain asks for is waived", NULL, NULL, waive, false },
		{ "the same TLSA record", have_record, NULL, NULL, true },
		{ "TLSA records for one of them", NULL, have_record, prepare, false },
		{ "TLSA records for the other", NULL, NULL, have_record, false },
		{ "TLSA records that are no use", NULL, NULL, have_unusable_record, false },
		{ "encrypted, and TLSA records that are no use", want_encrypted, NULL, have_unusable_record, false },
		{ "TLSA records of an authority", have_record_of_authority, NULL, NULL, false },
		{ "another name for the host", NULL, NULL, have_another_name, false },
		{ "a host that is second", NULL, NULL, stand_behind, false },
		{ "one of two that are the same", NULL, NULL, stand_beside, true },
		{ "a second one by configuration", NULL, NULL, stand_beside_in_order, false },
		{ "a relay", NULL, relay, prepare, false },
		{ "a host that counts domains", count_domains, NULL, NULL, false },
	};
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_OPPORTUNISTIC, true);
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		change *const first[] = { prepare, rows[i].both, rows[i].first };

		for (unsigned k = 0; k < 3; k++)
			if (first[k] != NULL)
				first[k](world);
		world_deliver(world);
		if (world->outcomes[0].verdict.code != 250)
			fail_msg("%s: %.*s", rows[i].what, TEXT_FORMAT(world->outcomes[0].verdict.text));

		struct outbound *outbound = take(world->outbound);

		if (rows[i].then != NULL)
			rows[i].then(world);
		world->outbound = outbound;
		go_elsewhere(world);
		world_deliver(world);
		if ((outbound_counts(outbound).reused == 1) != rows[i].shared)
			fail_msg("%s: %s", rows[i].what, rows[i].shared ? "not taken" : "taken");
	}
	buffer_done(&body);
}

/* RFC 9422 §4.3: domains count over the whole connection, and what the same destination has left is no exception. */
static void no_more_domains_than_the_host_takes(void **state)
{
	struct world *world = *state;
	struct buffer body;
	const struct text domains[] = { TEXT("a.test"), TEXT("b.test"), TEXT("a.test"), TEXT("c.test"), TEXT("b.test"), TEXT("c.test") };
	const unsigned connections[] = { 1, 1, 1, 2, 2, 2 };

	world_store(world, 100, &body);
	prepare(world);
	world->peers[0].manners = (struct peer_manners){ .ehlo = "250-x\r\n250 LIMITS RCPTDOMAINMAX=2" };
	for (unsigned i = 0; i < sizeof domains / sizeof *domains; i++) {
		world->recipients[0].address.domain = world->route.next_hop.destination = world->route.next_hop.domain = domains[i];
		world_deliver(world);
		world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
		assert_int_equal(world->peers[0].connection_count, connections[i]);
	}
	buffer_done(&body);
}

/* RFC 8460: its report tells of the sessions that its mail had, once each. */
static void a_session_is_noted_for_each_domain(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_OPPORTUNISTIC, true);
	prepare(world);
	world_deliver(world);
	assert_int_equal(world->delivery.tls_notes.count, 1);
	world_deliver(world);
	assert_int_equal(world->delivery.tls_notes.count, 0);
	go_elsewhere(world);
	world_deliver(world);
	assert_int_equal(world->peers[0].connection_count, 1);
	assert_int_equal(world->delivery.tls_notes.count, 1);
	assert_int_equal(world->delivery.tls_notes.results[0].type, TLS_RESULT_SUCCESS);
	world_deliver(world);
	assert_int_equal(world->delivery.tls_notes.count, 0);

	prepare(world);
	offer_no_tls(world);
	world_deliver(world);
	go_elsewhere(world);
	world_deliver(world);
	assert_int_equal(outbound_counts(world->outbound).reused, 1);
	assert_int_equal(world->delivery.tls_notes.count, 1);
	assert_int_equal(world->delivery.tls_notes.results[0].type, TLS_RESULT_STARTTLS_NOT_SUPPORTED);
	buffer_done(&body);
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		WITH_WORLD(another_destination_takes_what_is_good_enough),
		WITH_WORLD(no_more_domains_than_the_host_takes),
		WITH_WORLD(a_session_is_noted_for_each_domain),
	};
#undef WITH_WORLD

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("outbound/courier_reuse", tests, NULL, NULL);
}
