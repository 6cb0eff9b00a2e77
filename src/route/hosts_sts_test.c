/* What an MTA-STS policy makes of a domain's hosts: DNS is a JSON zone, policies are remembered, the web has no address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/must.h"
#include "route/hosts.h"

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define RECORD(domain) ", \"_mta-sts." domain "\": {\"TXT\": [[\"v=STSv1; id=1;\"]]}"
#define MX(domain) ", \"" domain "\": {\"MX\": [[10, \"a.mx.test\"], [20, \"b.mx.test\"]]}" RECORD(domain)

static const char zone[] = "{\"a.mx.test\": {\"A\": [\"192.0.2.1\"]}, \"b.mx.test\": {\"A\": [\"192.0.2.2\"]}" MX("all.test") MX(
    "one.test") MX("none.test") MX("testing.test") MX("off.test") MX("unknown.test") MX("old.test") MX("newer.test") ", "
		"\"plain.test\": {\"MX\": [[10, \"a.mx.test\"]]}, "
		"\"silent.test\": {\"MX\": [[10, \"c.mx.test\"]]}, \"_mta-sts.silent.test\": \"TIMEOUT\", "
		"\"c.mx.test\": {\"A\": [\"192.0.2.3\"]}, "
		"\"null.test\": {\"MX\": [[0, \".\"]]}" RECORD("null.test") ", "
		"\"own.test\": {\"A\": [\"192.0.2.4\"]}" RECORD("own.test") ", "
		"\"signed.a.test\": {\"secure\": true, \"A\": [\"192.0.2.5\"]}, \"signed.b.test\": {\"secure\": true, \"A\": [\"192.0.2.6\"]}, "
		"\"_25._tcp.signed.a.test\": {\"secure\": true, \"TLSA\": [\"3 1 1 " DIGEST "\"]}, \"_25._tcp.signed.b.test\": \"BOGUS\", "
		"\"both.test\": {\"secure\": true, \"MX\": [[10, \"signed.a.test\"], [20, \"signed.b.test\"]]}" RECORD("both.test") ", "
		"\"homeless.test\": {\"MX\": [[10, \"absent.test\"], [20, \"z.test\"]]}" RECORD("homeless.test") "}";

struct told {
	enum event_kind kind;
	char domain[64], policy[128], reason[128];
};

struct world {
	struct loop *loop;
	struct dns *dns;
	struct web *web;
	struct policy_store *store;
	struct sts_keeper *keeper;
	struct hosts_settings settings;
	struct told told[16];
	unsigned told_count;
	/* The last list. */
	char got[256], explanation[512], trouble[128];
	struct host_policy policy;
	bool searching;
};

static void keep(char *room, size_t size, struct text text)
{
	snprintf(room, size, "%.*s", TEXT_FORMAT(text));
}

static void report(void *context, const struct event *event)
{
	struct world *world = context;
	struct told *told = &world->told[world->told_count++];

	assert_true(world->told_count <= 16);
	told->kind = event->kind;
	keep(told->domain, sizeof told->domain, event->fields[EVENT_FIELD_DOMAIN]);
	keep(told->policy, sizeof told->policy, event->fields[EVENT_FIELD_POLICY]);
	keep(told->reason, sizeof told->reason, event->fields[EVENT_FIELD_REASON]);
}

static void remember(struct world *world, const char *domain, enum sts_mode mode, const char *patterns, const char *id,
    int64_t age_ms)
{
	const int64_t now_ms = loop_unix_ms(world->loop);
	const struct sts_memory memory = { .fetched_ms = now_ms - age_ms,
		.policy = { mode, 600, text_of(patterns) },
		.id = text_of(id),
		.used_ms = now_ms };
	char room[STS_MEMORY_BYTES_MAX];

	policy_store_put(world->store, text_of(domain), &(struct policy_entry){ sts_memory_encode(&memory, room), now_ms, true });
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	const char *reason = "";

	world->loop = loop_new();
	world->dns = dns_zone_new(world->loop, text_of(zone), &reason);
	world->web = web_new(world->loop);
	must(world->dns != NULL && world->web != NULL && policy_store_open(NULL, 1, &world->store) == OK);
	web_set_dns(world->web, world->dns);
	const struct sts_keeper_parts parts = { .loop = world->loop,
		.web = world->web,
		.store = world->store,
		.shards = UINT32_MAX,
		.sink = { report, world } };

	world->keeper = sts_keeper_new(&parts);
	must(world->keeper != NULL);
	sts_keeper_set_dns(world->keeper, world->dns);
	world->settings = (struct hosts_settings){ .dns = world->dns, .hostname = TEXT("us.test"), .port = 25, .sts = world->keeper };
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	sts_keeper_free(world->keeper);
	web_free(world->web);
	policy_store_close(world->store);
	dns_free(world->dns);
	loop_free(world->loop);
	free(world);
	return 0;
}

static void found(void *context, const struct host_list *list)
{
	struct world *world = context;
	int length = 0;

	assert_false(world->searching);
	world->policy = list->policy;
	keep(world->explanation, sizeof world->explanation, list->explanation);
	keep(world->trouble, sizeof world->trouble, list->policy.trouble);
	world->got[0] = '\0';
	if (list->verdict.code != 0)
		snprintf(world->got, sizeof world->got, "%u %u.%u.%u %.*s", list->verdict.code, list->verdict.enhanced.class,
		    list->verdict.enhanced.subject, list->verdict.enhanced.detail, TEXT_FORMAT(list->verdict.text));
	for (size_t i = 0; i < list->host_count; i++)
		length += snprintf(world->got + length, sizeof world->got - (size_t)length, "%s%.*s", i > 0 ? " " : "",
		    TEXT_FORMAT(list->hosts[i].name));
	loop_stop(world->loop);
}

static void find(struct world *world, const char *domain)
{
	const struct next_hop hop = { .domain = text_of(domain), .tls.level = TLS_OPPORTUNISTIC };

	world->searching = true;
	assert_non_null(hosts_find(world->loop, &world->settings, &hop, found, world));
	world->searching = false;
	loop_run(world->loop);
}

static void expect(struct world *world, const char *domain, const char *hosts)
{
	find(world, domain);
	if (strcmp(world->got, hosts) != 0)
		fail_msg("%s: got \"%s\", want \"%s\"", domain, world->got, hosts);
}

static void an_enforced_policy_bars_others(void **state)
{
	struct world *world = *state;

	remember(world, "all.test", STS_ENFORCE, "*.mx.test", "1", 0);
	expect(world, "all.test", "a.mx.test b.mx.test");
	assert_true(world->policy.holds && !world->policy.wanted);
	remember(world, "one.test", STS_ENFORCE, "x.test b.mx.test", "1", 0);
	expect(world, "one.test", "b.mx.test");
	assert_string_equal(world->explanation,
	    "MX 10 a.mx.test (192.0.2.1, not named by the MTA-STS policy), MX 20 b.mx.test (192.0.2.2)");
	remember(world, "none.test", STS_ENFORCE, "c.test", "1", 0);
	expect(world, "none.test", "451 4.7.5 none.test: its MTA-STS policy names none of its mail hosts");
	remember(world, "own.test", STS_ENFORCE, "*.own.test", "1", 0);
	expect(world, "own.test", "451 4.7.5 own.test: its MTA-STS policy names none of its mail hosts");
	assert_int_equal(world->told_count, 0);
}

static void other_policies_bar_nobody(void **state)
{
	struct world *world = *state;

	remember(world, "testing.test", STS_TESTING, "x.test", "1", 0);
	expect(world, "testing.test", "a.mx.test b.mx.test");
	assert_int_equal(world->policy.sts.mode, STS_TESTING);
	remember(world, "off.test", STS_NONE, "", "1", 0);
	expect(world, "off.test", "a.mx.test b.mx.test");
	expect(world, "plain.test", "a.mx.test");
	assert_false(world->policy.holds || world->policy.wanted);
}

/* RFC 8461 §3.3: without a policy mail goes on as if there were none, with one it is followed. */
static void what_cannot_be_fetched(void **state)
{
	struct world *world = *state;

	expect(world, "unknown.test", "a.mx.test b.mx.test");
	assert_true(!world->policy.holds && world->policy.wanted);
	assert_int_equal(world->policy.failure, STS_FETCH_ERROR);
	assert_string_equal(world->trouble, "mta-sts.unknown.test has no address");
	expect(world, "unknown.test", "a.mx.test b.mx.test");
	assert_int_equal(world->told_count, 1);
	assert_int_equal(world->told[0].kind, EVENT_POLICY_FAILED);
	assert_string_equal(world->told[0].domain, "unknown.test");
	assert_string_equal(world->told[0].reason, "mta-sts.unknown.test has no address");

	remember(world, "newer.test", STS_ENFORCE, "b.mx.test", "0", 0);
	expect(world, "newer.test", "b.mx.test");
	assert_true(world->policy.holds && !world->policy.wanted);
	assert_string_equal(world->trouble, "mta-sts.newer.test has no address");
	assert_string_equal(world->told[1].policy, "MTA-STS enforce, b.mx.test, for 600 s");

	remember(world, "old.test", STS_ENFORCE, "b.mx.test", "1", 600 * 1000);
	expect(world, "old.test", "a.mx.test b.mx.test");
	remember(world, "silent.test", STS_ENFORCE, "x.test", "1", 0);
	expect(world, "silent.test", "451 4.7.5 silent.test: its MTA-STS policy names none of its mail hosts");
}

/* RFC 8461 §2: what DANE says against a host stands, whatever the policy says for it. */
static void dane_is_not_overridden(void **state)
{
	struct world *world = *state;

	world->settings.dane = true;
	remember(world, "both.test", STS_ENFORCE, "other.test", "1", 0);
	expect(world, "both.test", "451 4.7.5 both.test: its MTA-STS policy names none of its mail hosts");
	remember(world, "both.test", STS_ENFORCE, "signed.b.test", "1", 0);
	expect(world, "both.test", "451 4.4.3 both.test: the TLSA records (DANE) of its mail hosts cannot be looked up now");
	remember(world, "both.test", STS_ENFORCE, "signed.a.test", "1", 0);
	expect(world, "both.test", "signed.a.test");
	remember(world, "both.test", STS_TESTING, "signed.b.test", "1", 0);
	expect(world, "both.test", "signed.a.test");
}

static void nothing_is_asked_in_vain(void **state)
{
	struct world *world = *state;

	expect(world, "null.test", "556 5.1.10 null.test: it takes no mail (null MX)");
	expect(world, "absent.test", "550 5.1.2 absent.test: no such domain");
	assert_int_equal(world->told_count, 0);
	remember(world, "homeless.test", STS_ENFORCE, "x.test", "1", 0);
	expect(world, "homeless.test", "550 5.4.4 homeless.test: none of its mail hosts has an address");
}

static void never(void *context, const struct sts_found *policy)
{
	(void)context;
	(void)policy;
	fail();
}

static void a_search_that_is_given_up(void **state)
{
	struct world *world = *state;
	const struct next_hop hop = { .domain = TEXT("unknown.test") };

	hosts_cancel(hosts_find(world->loop, &world->settings, &hop, found, world));
	expect(world, "plain.test", "a.mx.test");
	assert_non_null(sts_find(world->keeper, TEXT("unknown.test"), never, world)); /* Ends with its keeper. */
}

static void stop(void *context)
{
	loop_stop(context);
}

/* Only what is due, is used, and is this lane's. */
static void policies_are_renewed(void **state)
{
	struct world *world = *state;
	struct loop_timer *timer = loop_timer_new(world->loop, stop, world->loop);

	for (unsigned i = 0; i < 10; i++) {
		char domain[32];

		snprintf(domain, sizeof domain, "due%u.test", i);
		remember(world, domain, STS_ENFORCE, "mx.test", "1", 301 * 1000);
		snprintf(domain, sizeof domain, "fresh%u.test", i);
		remember(world, domain, STS_ENFORCE, "mx.test", "1", 299 * 1000);
	}
	sts_keeper_renew(world->keeper, true);
	while (world->told_count < 10) { /* Each has no record any more. */
		loop_timer_set(timer, 10);
		loop_run(world->loop);
	}
	for (unsigned i = 0; i < world->told_count; i++) {
		assert_int_equal(world->told[i].kind, EVENT_POLICY_FAILED);
		assert_memory_equal(world->told[i].domain, "due", 3);
		assert_string_equal(world->told[i].reason, "it has no record any more");
	}
	sts_keeper_renew(world->keeper, false);
	loop_timer_free(timer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(an_enforced_policy_bars_others),
		TEST(other_policies_bar_nobody),
		TEST(what_cannot_be_fetched),
		TEST(dane_is_not_overridden),
		TEST(nothing_is_asked_in_vain),
		TEST(a_search_that_is_given_up),
		TEST(policies_are_renewed),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
