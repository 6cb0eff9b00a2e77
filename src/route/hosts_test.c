/* Where mail for a domain goes, answered by a JSON zone through a real loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/must.h"
#include "route/candidates.h"
#include "route/hosts.h"

static const char zone[] =
    "{\"plain.test\": {\"MX\": [[20, \"b.test\"], [10, \"a.test\"]]},"
    " \"a.test\": {\"A\": [\"192.0.2.1\"], \"AAAA\": [\"2001:db8::1\"]},"
    " \"b.test\": {\"A\": [\"192.0.2.2\"]},"
    " \"implicit.test\": {\"A\": [\"192.0.2.3\"], \"TXT\": []},"
    " \"bare.test\": {\"TXT\": [[\"nothing\"]]},"
    " \"null.test\": {\"MX\": [[0, \".\"]], \"A\": [\"192.0.2.3\"]},"
    " \"nullish.test\": {\"MX\": [[0, \".\"], [5, \"b.test\"]]},"
    " \"slow.test\": \"TIMEOUT\", \"broken.test\": {\"MX\": \"SERVFAIL\", \"A\": [\"192.0.2.3\"]},"
    " \"partly.test\": {\"MX\": [[10, \"slow.test\"], [20, \"b.test\"]]},"
    " \"later.test\": {\"MX\": [[10, \"slow.test\"], [20, \"absent.test\"]]},"
    " \"halfa.test\": {\"MX\": [[10, \"half.test\"]]}, \"half.test\": {\"A\": [\"192.0.2.4\"], \"AAAA\": \"SERVFAIL\"},"
    " \"nowhere.test\": {\"MX\": [[10, \"absent.test\"], [20, \"bare.test\"]]},"
    " \"number.test\": {\"MX\": [[10, \"192.0.2.5\"], [20, \"b.test\"]]},"
    " \"numbers.test\": {\"MX\": [[10, \"192.0.2.5\"], [10, \"192.0.2.6\"]]},"
    " \"alias.test\": {\"MX\": [[10, \"www.test\"]]}, \"www.test\": {\"CNAME\": \"a.test\"},"
    " \"moved.test\": {\"CNAME\": \"plain.test\"},"
    " \"backup.test\": {\"MX\": [[10, \"b.test\"], [20, \"US.test\"], [20, \"a.test\"], [30, \"half.test\"]]},"
    " \"primary.test\": {\"MX\": [[10, \"us.test\"], [20, \"b.test\"]]},"
    " \"slowus.test\": {\"MX\": [[10, \"slow.test\"], [20, \"us.test\"]]},"
    " \"deadus.test\": {\"MX\": [[10, \"absent.test\"], [20, \"us.test\"]]},"
    " \"byip.test\": {\"MX\": [[10, \"b.test\"], [20, \"own.test\"], [30, \"a.test\"]]},"
    " \"own.test\": {\"A\": [\"192.0.2.100\"]}, \"own6.test\": {\"AAAA\": [\"2001:db8::100\"]},"
    " \"lo.test\": {\"A\": [\"127.0.0.9\"]}, \"zero.test\": {\"A\": [\"0.0.0.0\"], \"AAAA\": [\"::ffff:127.0.0.1\"]},"
    " \"two.test\": {\"A\": [\"192.0.2.11\"], \"AAAA\": [\"2001:db8::11\", \"2001:db8::11\", \"2001:db8::11\"]},"
    " \"us.test\": {\"A\": [\"192.0.2.200\"]}}";

struct world {
	struct loop *loop;
	struct dns *dns;
	struct endpoint own[3];
	struct hosts_settings settings;
};

static int set_up(void **state)
{
	static struct world world;
	const char *reason = "";

	world = (struct world){ .loop = loop_new() };
	must(world.loop != NULL);
	world.dns = dns_zone_new(world.loop, text_of(zone), &reason);
	must(world.dns != NULL);
	must(endpoint_parse(TEXT("192.0.2.100:25"), 0, &world.own[0]));
	must(endpoint_parse(TEXT("[2001:db8::100]:25"), 0, &world.own[1]));
	must(endpoint_parse(TEXT("0.0.0.0:25"), 0, &world.own[2]));
	world.settings = (struct hosts_settings){
		.dns = world.dns, .hostname = TEXT("us.test"), .own = world.own, .own_count = 3, .port = 25
	};
	*state = &world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	dns_free(world->dns);
	loop_free(world->loop);
	return 0;
}

struct outcome {
	struct world *world;
	struct buffer got;
	char explanation[512];
	uint32_t ttl_s;
	size_t host_count;
	int calls;
	bool asking;
};

/* "name/preference=address:port ..." or "code x.y.z: text" */
static void describe(const struct host_list *list, struct buffer *out)
{
	char room[ENDPOINT_TEXT_MAX];
	const struct verdict *verdict = &list->verdict;

	if (verdict->code != 0) {
		assert_int_equal(list->host_count, 0);
		assert_true(buffer_print(out, "%u %u.%u.%u %.*s", verdict->code, verdict->enhanced.class,
		    verdict->enhanced.subject, verdict->enhanced.detail, TEXT_FORMAT(verdict->text)));
	}
	for (size_t i = 0; i < list->host_count; i++)
		assert_true(buffer_print(out, "%s%.*s/%u=%.*s", i > 0 ? " " : "", TEXT_FORMAT(list->hosts[i].name),
		    list->hosts[i].preference, TEXT_FORMAT(endpoint_print(&list->hosts[i].endpoint, room))));
}

static void found(void *context, const struct host_list *list)
{
	struct outcome *outcome = context;

	assert_false(outcome->asking);
	outcome->calls++;
	describe(list, &outcome->got);
	snprintf(outcome->explanation, sizeof outcome->explanation, "%.*s", TEXT_FORMAT(list->explanation));
	outcome->ttl_s = list->ttl_s;
	outcome->host_count = list->host_count;
	loop_stop(outcome->world->loop);
}

static void find(struct world *world, const struct next_hop *next_hop, struct outcome *outcome)
{
	*outcome = (struct outcome){ .world = world, .asking = true };
	buffer_init(&outcome->got, 1 << 16);
	assert_non_null(hosts_find(world->loop, &world->settings, next_hop, found, outcome));
	outcome->asking = false;
	loop_run(world->loop);
	assert_int_equal(outcome->calls, 1);
}

static void check(struct world *world, const struct next_hop *next_hop, const char *what, const char *want)
{
	struct outcome outcome;

	find(world, next_hop, &outcome);
	if (!text_equal(buffer_text(&outcome.got), text_of(want)))
		fail_msg("%s: got \"%.*s\", want \"%s\"", what, TEXT_FORMAT(buffer_text(&outcome.got)), want);
	buffer_done(&outcome.got);
}

static void domains(void **state)
{
	static const char *const rows[][2] = {
		{ "plain.test", "a.test/10=192.0.2.1:25 a.test/10=[2001:db8::1]:25 b.test/20=192.0.2.2:25" },
		{ "moved.test", "a.test/10=192.0.2.1:25 a.test/10=[2001:db8::1]:25 b.test/20=192.0.2.2:25" },
		{ "alias.test", "www.test/10=192.0.2.1:25 www.test/10=[2001:db8::1]:25" },
		{ "implicit.test", "implicit.test/0=192.0.2.3:25" },
		{ "bare.test", "550 5.4.4 bare.test: it has neither MX nor address records" },
		{ "absent.test", "550 5.1.2 absent.test: no such domain" },
		{ "null.test", "556 5.1.10 null.test: it takes no mail (null MX)" },
		{ "nullish.test", "b.test/5=192.0.2.2:25" },
		{ "slow.test", "451 4.4.3 slow.test: the DNS does not answer for it" },
		{ "broken.test", "451 4.4.3 broken.test: the DNS failed to answer for it" },
		{ "partly.test", "b.test/20=192.0.2.2:25" },
		{ "later.test", "451 4.4.3 later.test: the addresses of its mail hosts cannot be looked up now" },
		{ "halfa.test", "half.test/10=192.0.2.4:25" },
		{ "nowhere.test", "550 5.4.4 nowhere.test: none of its mail hosts has an address" },
		{ "number.test", "b.test/20=192.0.2.2:25" },
		{ "numbers.test", "550 5.4.4 numbers.test: none of its mail hosts has an address" },
		{ "zero.test", "550 5.4.4 zero.test: it has neither MX nor address records" },
		/* Loops */
		{ "backup.test", "b.test/10=192.0.2.2:25" },
		{ "primary.test", "554 5.4.6 primary.test: mail for it loops back to us" },
		{ "slowus.test", "451 4.4.3 slowus.test: the addresses of its mail hosts cannot be looked up now" },
		{ "deadus.test", "554 5.4.6 deadus.test: mail for it loops back to us" },
		{ "byip.test", "b.test/10=192.0.2.2:25" },
		{ "own.test", "554 5.4.6 own.test: mail for it loops back to us" },
		{ "own6.test", "554 5.4.6 own6.test: mail for it loops back to us" },
		{ "lo.test", "554 5.4.6 lo.test: mail for it loops back to us" },
		/* Literals */
		{ "[192.0.2.9]", "[192.0.2.9]/0=192.0.2.9:25" },
		{ "[ipv6:2001:db8::9]", "[ipv6:2001:db8::9]/0=[2001:db8::9]:25" },
		{ "[192.0.2.100]", "554 5.4.6 [192.0.2.100]: mail for it loops back to us" },
		{ "[x400:odd]", "550 5.1.2 [x400:odd]: not an address literal" },
		{ "not a domain", "550 5.1.2 not a domain: no such domain" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct next_hop next_hop = { .domain = text_of(rows[i][0]) };

		check(*state, &next_hop, rows[i][0], rows[i][1]);
	}
}

static void via_lists(void **state)
{
	static const struct {
		const char *via[3], *want;
		bool lmtp;
	} rows[] = {
		{ { "192.0.2.7:2526" }, "192.0.2.7:2526/0=192.0.2.7:2526", false },
		{ { "192.0.2.7" }, "192.0.2.7/0=192.0.2.7:25", false },
		{ { "b.test:587", "a.test" },
		    "b.test/0=192.0.2.2:587 a.test/0=192.0.2.1:25 a.test/0=[2001:db8::1]:25", false },
		{ { "unix:/run/lmtp" }, "unix:/run/lmtp/0=unix:/run/lmtp", true },
		{ { "b.test" }, "b.test/0=192.0.2.2:24", true },
		{ { "absent.test", "b.test" }, "b.test/0=192.0.2.2:25", false },
		{ { "absent.test" }, "451 4.3.5 u.test: no host of its route has an address", false },
		{ { "slow.test", "absent.test" },
		    "451 4.4.3 u.test: the addresses of its mail hosts cannot be looked up now", false },
		{ { "192.0.2.100", "b.test" }, "b.test/0=192.0.2.2:25", false },
		{ { "us.test" }, "us.test/0=192.0.2.200:25", false }, /* Another port or machine of ours is no loop. */
		{ { "127.0.0.1:2526" }, "127.0.0.1:2526/0=127.0.0.1:2526", false },
		{ { "127.0.0.1:25" }, "554 5.4.6 u.test: mail for it loops back to us", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct text via[3];
		struct next_hop next_hop = { .domain = TEXT("u.test"), .via = via, .lmtp = rows[i].lmtp };

		while (next_hop.via_count < 3 && rows[i].via[next_hop.via_count] != NULL) {
			via[next_hop.via_count] = text_of(rows[i].via[next_hop.via_count]);
			next_hop.via_count++;
		}
		check(*state, &next_hop, rows[i].via[0], rows[i].want);
	}
}

static void families_take_turns(void **state)
{
	struct world *world = *state;
	const struct next_hop next_hop = { .domain = TEXT("two.test") };

	check(world, &next_hop, "IPv4 first",
	    "two.test/0=192.0.2.11:25 two.test/0=[2001:db8::11]:25 two.test/0=[2001:db8::11]:25 "
	    "two.test/0=[2001:db8::11]:25");
	world->settings.prefer_ip6 = true;
	world->settings.port = 2525;
	check(world, &next_hop, "IPv6 first",
	    "two.test/0=[2001:db8::11]:2525 two.test/0=192.0.2.11:2525 two.test/0=[2001:db8::11]:2525 "
	    "two.test/0=[2001:db8::11]:2525");
}

static void explanations_and_ttl(void **state)
{
	static const struct {
		const char *domain, *want;
		uint32_t ttl_s;
	} rows[] = {
		{ "plain.test", "MX 10 a.test (192.0.2.1, 2001:db8::1), MX 20 b.test (192.0.2.2)", 300 },
		{ "partly.test", "MX 10 slow.test (DNS timed out), MX 20 b.test (192.0.2.2)", 300 },
		{ "implicit.test", "no MX, implicit.test (192.0.2.3)", 300 },
		{ "byip.test",
		    "MX 10 b.test (192.0.2.2), MX 20 own.test (192.0.2.100, cut to avoid a loop), "
		    "MX 30 a.test (192.0.2.1, 2001:db8::1, cut to avoid a loop)",
		    300 },
		{ "[192.0.2.9]", "[192.0.2.9]", 3600 },
		{ "absent.test", "absent.test: no such domain", 300 },
		{ "slow.test", "slow.test: the DNS does not answer for it", 30 },
		{ "later.test", "MX 10 slow.test (DNS timed out), MX 20 absent.test (no such name)", 30 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct next_hop next_hop = { .domain = text_of(rows[i].domain) };
		struct outcome outcome;

		find(*state, &next_hop, &outcome);
		assert_string_equal(outcome.explanation, rows[i].want);
		assert_int_equal(outcome.ttl_s, rows[i].ttl_s);
		buffer_done(&outcome.got);
	}
}

/* A domain with `hosts` MX of the same preference, each with `addresses`. */
static struct dns *crowd_new(struct loop *loop, unsigned hosts, unsigned addresses)
{
	struct buffer json;
	const char *reason = "";
	bool fits;

	buffer_init(&json, 1 << 20);
	fits = buffer_append(&json, TEXT("{\"crowd.test\": {\"MX\": ["));
	for (unsigned i = 0; i < hosts; i++)
		fits = fits && buffer_print(&json, "%s[10, \"h%u.test\"]", i > 0 ? "," : "", i);
	fits = fits && buffer_append(&json, TEXT("]}"));
	for (unsigned i = 0; i < hosts; i++) {
		fits = fits && buffer_print(&json, ", \"h%u.test\": {\"A\": [", i);
		for (unsigned j = 0; j < addresses; j++)
			fits = fits && buffer_print(&json, "%s\"10.0.%u.%u\"", j > 0 ? "," : "", i, j + 1);
		fits = fits && buffer_append(&json, TEXT("]}"));
	}
	must(fits && buffer_append(&json, TEXT("}")));
	struct dns *dns = dns_zone_new(loop, buffer_text(&json), &reason);

	must(dns != NULL);
	buffer_done(&json);
	return dns;
}

static size_t count_in_crowd(struct world *world, unsigned hosts, unsigned addresses)
{
	const struct next_hop next_hop = { .domain = TEXT("crowd.test") };
	struct dns *zone_dns = world->settings.dns;
	struct outcome outcome;

	world->settings.dns = crowd_new(world->loop, hosts, addresses);
	find(world, &next_hop, &outcome);
	buffer_done(&outcome.got);
	dns_free(world->settings.dns);
	world->settings.dns = zone_dns;
	return outcome.host_count;
}

static void lists_are_bounded(void **state)
{
	assert_int_equal(count_in_crowd(*state, 30, 1), HOSTS_MX_MAX);
	assert_int_equal(count_in_crowd(*state, 10, 5), HOSTS_ADDRESS_MAX);
	assert_int_equal(count_in_crowd(*state, 11, 5), HOSTS_ADDRESS_MAX);
	assert_int_equal(count_in_crowd(*state, 20, 100), HOSTS_ADDRESS_MAX);
}

static void equals_are_shuffled(void **state)
{
	struct world *world = *state;
	const struct next_hop next_hop = { .domain = TEXT("crowd.test") };
	struct outcome first, again;
	bool differs = false;

	dns_free(world->dns);
	world->settings.dns = world->dns = crowd_new(world->loop, 10, 1);
	find(world, &next_hop, &first);
	/* One in 10! orders: a hundred alike is no accident. */
	for (int i = 0; i < 100 && !differs; i++) {
		find(world, &next_hop, &again);
		differs = !text_equal(buffer_text(&first.got), buffer_text(&again.got));
		buffer_done(&again.got);
	}
	assert_true(differs);
	buffer_done(&first.got);
}

static void cancelled_searches_stay_silent(void **state)
{
	struct world *world = *state;
	static const struct text via = { "192.0.2.1", 9 };
	const struct next_hop by_mx = { .domain = TEXT("plain.test") };
	const struct next_hop by_via = { .domain = TEXT("u.test"), .via = &via, .via_count = 1 };
	struct outcome silent = { .world = world }, heard;

	hosts_cancel(hosts_find(world->loop, &world->settings, &by_mx, found, &silent));
	hosts_cancel(hosts_find(world->loop, &world->settings, &by_via, found, &silent));
	hosts_cancel(NULL);
	find(world, &by_mx, &heard);
	assert_int_equal(silent.calls, 0);
	buffer_done(&heard.got);
}

static void cancel_search(void *context, const struct dns_answer *answer)
{
	(void)answer;
	hosts_cancel(*(struct hosts_search **)context);
}

/* Its MX are known, its addresses are asked for. */
static void a_search_may_end_half_way(void **state)
{
	struct world *world = *state;
	const struct next_hop next_hop = { .domain = TEXT("plain.test") };
	struct outcome silent = { .world = world }, heard;
	struct hosts_search *search = hosts_find(world->loop, &world->settings, &next_hop, found, &silent);

	assert_non_null(search);
	assert_non_null(dns_ask(world->dns, TEXT("a.test"), DNS_A, cancel_search, &search));
	find(world, &next_hop, &heard);
	assert_int_equal(silent.calls, 0);
	buffer_done(&heard.got);
}

/* What no zone file can say: signatures, good and bad. */
static void security_is_carried(void **state)
{
	const struct world *world = *state;
	static const struct {
		enum candidate_origin origin;
		bool mx, address, want;
	} rows[] = {
		{ FROM_MX, true, true, true }, { FROM_MX, false, true, false }, { FROM_MX, true, false, false },
		{ FROM_IMPLICIT_MX, true, true, true }, { FROM_IMPLICIT_MX, false, true, false },
		{ FROM_VIA, false, true, true }, { FROM_VIA, false, false, false },
	};
	const struct endpoint address = { .family = ENDPOINT_IP4, .port = 25, .ip = { 192, 0, 2, 1 } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct candidate_set set = { .origin = rows[i].origin, .mx_secure = rows[i].mx, .count = 1 };
		struct arena *arena = arena_new(1 << 16);
		struct host_list list;

		set.items[0].families[FAMILY_IP4] =
		    (struct candidate_addresses){ DNS_FOUND, rows[i].address, &address, 1, TEXT_EMPTY };
		set.items[0].families[FAMILY_IP6].status = DNS_BOGUS; /* The good family is used. */
		assert_true(candidates_list(&set, &world->settings, arena, &list));
		assert_int_equal(list.host_count, 1);
		assert_int_equal(list.hosts[0].secure, rows[i].want);
		assert_int_equal(list.mx_secure, rows[i].mx);
		arena_free(arena);
	}
}

static void bogus_addresses_are_for_later(void **state)
{
	const struct world *world = *state;
	struct candidate_set set = { .origin = FROM_MX, .domain = TEXT("d.test"), .count = 1 };
	struct arena *arena = arena_new(1 << 16);
	struct host_list list;

	set.items[0].name = TEXT("mx.test");
	set.items[0].families[FAMILY_IP4].status = DNS_BOGUS;
	set.items[0].families[FAMILY_IP6].status = DNS_NODATA;
	assert_true(candidates_list(&set, &world->settings, arena, &list));
	assert_int_equal(list.verdict.code, 451);
	assert_true(text_equal(list.explanation, TEXT("MX 0 mx.test (DNSSEC failed)")));
	arena_free(arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(domains),
		TEST(via_lists),
		TEST(families_take_turns),
		TEST(explanations_and_ttl),
		TEST(lists_are_bounded),
		TEST(equals_are_shuffled),
		TEST(cancelled_searches_stay_silent),
		TEST(a_search_may_end_half_way),
		TEST(security_is_carried),
		TEST(bogus_addresses_are_for_later),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
