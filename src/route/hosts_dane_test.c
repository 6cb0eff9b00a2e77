/* What DANE makes of a next hop's hosts: every outcome of RFC 7672 §2.2, from a JSON zone. Each row says to which hosts mail may
 * go, with what TLS; or why it waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/must.h"
#include "route/hosts.h"

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SECURE "{\"secure\": true, "
#define DOMAIN(name, first, second) ", \"" name "\": " SECURE "\"MX\": [[10, \"" first "\"], [20, \"" second "\"]]}"
#define HOST(name, rest) ", \"" name "\": " SECURE "\"A\": [\"192.0.2.1\"]" rest "}"
#define TLSA(name, records) ", \"_25._tcp." name "\": " SECURE "\"TLSA\": [" records "]}"

static const char zone[] = "{\"good.mx\": " SECURE "\"A\": [\"192.0.2.1\"], \"AAAA\": [\"2001:db8::1\"]}"
	TLSA("good.mx", "\"3 1 1 " DIGEST "\", \"2 0 1 " DIGEST "\", \"1 1 1 " DIGEST "\"")
	HOST("none.mx", "")
	HOST("odd.mx", "") TLSA("odd.mx", "\"0 1 1 " DIGEST "\", \"1 1 1 " DIGEST "\", \"3 1 1 00\"")
	HOST("forged.mx", "") ", \"_25._tcp.forged.mx\": \"BOGUS\""
	HOST("broken.mx", "") ", \"_25._tcp.broken.mx\": \"SERVFAIL\""
	HOST("silent.mx", "") ", \"_25._tcp.silent.mx\": {\"TLSA\": \"TIMEOUT\"}"
	HOST("empty.mx", "") ", \"_25._tcp.empty.mx\": " SECURE "\"TLSA\": []}"
	/* Records that DNSSEC does not vouch for are none. */
	HOST("open.mx", "") ", \"_25._tcp.open.mx\": {\"TLSA\": [\"3 1 1 " DIGEST "\"]}"
	/* A host in an unsigned zone is not asked for, whatever there is. */
	", \"plain.mx\": {\"A\": [\"192.0.2.1\"]}" TLSA("plain.mx", "\"3 1 1 " DIGEST "\"")
	", \"plain2.mx\": {\"A\": [\"192.0.2.1\"]}, \"_25._tcp.plain2.mx\": \"SERVFAIL\""
	/* Nobody knows where it is. */
	", \"lost.mx\": " SECURE "\"A\": \"SERVFAIL\"}"
	/* Aliases (RFC 7672 §2.2.2): first where they end, then where they begin. */
	", \"alias.mx\": " SECURE "\"CNAME\": \"good.mx\"}" TLSA("alias.mx", "\"3 1 2 " DIGEST DIGEST "\"")
	", \"alias2.mx\": " SECURE "\"CNAME\": \"none.mx\"}" TLSA("alias2.mx", "\"3 1 2 " DIGEST DIGEST "\"")
	", \"alias3.mx\": " SECURE "\"CNAME\": \"odd.mx\"}" TLSA("alias3.mx", "\"3 1 2 " DIGEST DIGEST "\"")
	", \"alias4.mx\": " SECURE "\"CNAME\": \"broken.mx\"}" TLSA("alias4.mx", "\"3 1 2 " DIGEST DIGEST "\"")
	", \"alias5.mx\": " SECURE "\"CNAME\": \"none.mx\"}, \"_25._tcp.alias5.mx\": \"TIMEOUT\""
	", \"alias6.mx\": {\"CNAME\": \"good.mx\"}"
	/* Smarthosts, at their port. */
	", \"_587._tcp.good.mx\": " SECURE "\"TLSA\": [\"3 0 1 " DIGEST "\"]}, \"_465._tcp.good.mx\": \"SERVFAIL\""
	", \"open.test\": {\"MX\": [[10, \"good.mx\"], [20, \"broken.mx\"]]}"
	DOMAIN("good.test", "good.mx", "none.mx") DOMAIN("odd.test", "odd.mx", "empty.mx") DOMAIN("forged.test", "forged.mx", "good.mx")
	DOMAIN("broken.test", "broken.mx", "none.mx") DOMAIN("silent.test", "silent.mx", "odd.mx")
	DOMAIN("all.test", "forged.mx", "broken.mx") DOMAIN("unsigned.test", "plain.mx", "plain2.mx") DOMAIN("openrr.test", "open.mx", "none.mx")
	DOMAIN("lost.test", "lost.mx", "broken.mx")
	DOMAIN("alias.test", "alias.mx", "alias2.mx") DOMAIN("alias3.test", "alias3.mx", "alias6.mx") DOMAIN("alias4.test", "alias4.mx", "alias5.mx")
	HOST("implicit.test", "") TLSA("implicit.test", "\"3 1 1 " DIGEST "\"")
	", \"implicit2.test\": {\"A\": [\"192.0.2.1\"]}, \"_25._tcp.implicit2.test\": \"SERVFAIL\""
	", \"bogus.test\": \"BOGUS\"}";

struct world {
	struct loop *loop;
	struct dns *dns;
	struct hosts_settings settings;
	char got[512], explanation[512];
	uint32_t ttl_s;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	const char *reason = "";

	world->loop = loop_new();
	world->dns = dns_zone_new(world->loop, text_of(zone), &reason);
	must(world->dns != NULL);
	world->settings = (struct hosts_settings){ .dns = world->dns, .port = 25, .dane = true };
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	dns_free(world->dns);
	loop_free(world->loop);
	free(world);
	return 0;
}

/* "good.mx 3 1 1, 2 0 1": hosts once, with what TLS they must show. */
static void found(void *context, const struct host_list *list)
{
	static const char *const levels[] = { "may be clear", "may be clear", "encrypted", "verified" };
	struct world *world = context;
	int length = 0;

	world->got[0] = '\0';
	world->ttl_s = list->ttl_s;
	snprintf(world->explanation, sizeof world->explanation, "%.*s", TEXT_FORMAT(list->explanation));
	if (list->verdict.code != 0)
		snprintf(world->got, sizeof world->got, "%u %u.%u.%u %.*s", list->verdict.code, list->verdict.enhanced.class,
		    list->verdict.enhanced.subject, list->verdict.enhanced.detail, TEXT_FORMAT(list->verdict.text));
	for (size_t i = 0; i < list->host_count; i++) {
		const struct host *host = &list->hosts[i];
		const struct host_tlsa *tlsa = &host->tlsa;

		if (i > 0 && text_equal(host[-1].name, host->name))
			continue;
		length += snprintf(world->got + length, sizeof world->got - (size_t)length, "%s%.*s ", i > 0 ? "; " : "",
		    TEXT_FORMAT(host->name));
		assert_int_equal(tlsa->usable.count > 0, tlsa->finding == TLSA_USABLE);
		if (tlsa->finding != TLSA_USABLE)
			length += snprintf(world->got + length, sizeof world->got - (size_t)length, "%s", levels[host->tls_least]);
		else
			assert_int_equal(host->tls_least, TLS_VERIFIED);
		for (size_t r = 0; r < tlsa->usable.count; r++)
			length += snprintf(world->got + length, sizeof world->got - (size_t)length, "%s%u%u%u", r > 0 ? "," : "",
			    (unsigned)tlsa->usable.records[r].bytes[0], (unsigned)tlsa->usable.records[r].bytes[1],
			    (unsigned)tlsa->usable.records[r].bytes[2]);
		if (tlsa->finding == TLSA_USABLE && !text_equal(tlsa->base, host->name))
			length += snprintf(world->got + length, sizeof world->got - (size_t)length, " of %.*s", TEXT_FORMAT(tlsa->base));
	}
	loop_stop(world->loop);
}

static void expect(struct world *world, const struct next_hop *hop, const char *want)
{
	assert_non_null(hosts_find(world->loop, &world->settings, hop, found, world));
	loop_run(world->loop);
	if (strcmp(world->got, want) != 0)
		fail_msg("%.*s: got \"%s\", want \"%s\"", TEXT_FORMAT(hop->domain), world->got, want);
}

static void every_outcome(void **state)
{
	static const struct {
		const char *domain, *want;
	} rows[] = {
		/* Usable records: a certificate of theirs. Secure absence: as without DANE. */
		{ "good.test", "good.mx 201,311; none.mx may be clear" },
		/* None is usable: encrypted, whoever it is (§2.2). */
		{ "odd.test", "odd.mx encrypted; empty.mx may be clear" },
		/* Bogus, failed, silent: not this host now, never in clear text (§2.1.2); others are used. */
		{ "forged.test", "good.mx 201,311" },
		{ "broken.test", "none.mx may be clear" },
		{ "silent.test", "odd.mx encrypted" },
		{ "all.test", "451 4.4.3 all.test: the TLSA records (DANE) of its mail hosts cannot be looked up now" },
		{ "lost.test", "451 4.4.3 lost.test: the addresses of its mail hosts cannot be looked up now" },
		/* Not vouched for: the MX records, the host's address, the TLSA records themselves. */
		{ "open.test", "good.mx may be clear; broken.mx may be clear" },
		{ "unsigned.test", "plain.mx may be clear; plain2.mx may be clear" },
		{ "openrr.test", "open.mx may be clear; none.mx may be clear" },
		{ "alias.test", "alias.mx 201,311 of good.mx; alias2.mx 312" },
		{ "alias3.test", "alias3.mx encrypted; alias6.mx may be clear" },
		{ "alias4.test", "451 4.4.3 alias4.test: the TLSA records (DANE) of its mail hosts cannot be looked up now" },
		/* No MX record: the domain itself. */
		{ "implicit.test", "implicit.test 311" },
		{ "implicit2.test", "implicit2.test may be clear" },
		{ "bogus.test", "451 4.4.3 bogus.test: its DNSSEC signatures do not hold" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect(*state, &(struct next_hop){ .domain = text_of(rows[i].domain), .tls.level = TLS_OPPORTUNISTIC }, rows[i].want);
}

static void routes(void **state)
{
	static const struct text submission = TEXT("good.mx:587"), submissions = TEXT("good.mx"), broken = TEXT("broken.mx:25"),
				 address = TEXT("192.0.2.1:25");
	struct next_hop hop = { .domain = TEXT("any.test"), .via = &submission, .via_count = 1, .tls.level = TLS_OPPORTUNISTIC };

	expect(*state, &hop, "good.mx 301");
	hop.tls = (struct tls_demand){ .level = TLS_VERIFIED, .implicit = true };
	hop.via = &submissions;
	expect(*state, &hop, "451 4.4.3 any.test: the TLSA records (DANE) of its mail hosts cannot be looked up now");
	hop.tls = (struct tls_demand){ .level = TLS_OPPORTUNISTIC };
	hop.via = &broken;
	expect(*state, &hop, "451 4.4.3 any.test: the TLSA records (DANE) of its mail hosts cannot be looked up now");
	hop.via = &address;
	expect(*state, &hop, "192.0.2.1:25 may be clear");
	/* Where nothing is asked for. */
	hop.via = &broken;
	hop.lmtp = true;
	expect(*state, &hop, "broken.mx may be clear");
	hop.lmtp = false;
	hop.tls.waived = true;
	expect(*state, &hop, "broken.mx may be clear");
	hop.tls.waived = false;
	hop.tls.level = TLS_UNUSED;
	expect(*state, &hop, "broken.mx may be clear");
	expect(*state, &(struct next_hop){ .domain = TEXT("[192.0.2.1]"), .tls.level = TLS_OPPORTUNISTIC }, "[192.0.2.1] may be clear");
}

static void dane_may_be_demanded(void **state)
{
	static const struct tls_demand demand = { .level = TLS_VERIFIED, .dane = true };

	expect(*state, &(struct next_hop){ .domain = TEXT("good.test"), .tls = demand }, "good.mx 201,311");
	expect(*state, &(struct next_hop){ .domain = TEXT("odd.test"), .tls = demand },
	    "451 4.7.5 odd.test: DANE is demanded, and none of its mail hosts has TLSA records that can be used");
	expect(*state, &(struct next_hop){ .domain = TEXT("open.test"), .tls = demand },
	    "451 4.7.5 open.test: DANE is demanded, and none of its mail hosts has TLSA records that can be used");
	expect(*state, &(struct next_hop){ .domain = TEXT("broken.test"), .tls = demand },
	    "451 4.4.3 broken.test: the TLSA records (DANE) of its mail hosts cannot be looked up now");
}

/* RFC 8689 §4.2.1: by REQUIRETLS only to hosts whose names somebody vouches for. */
static void the_whole_way_needs_names(void **state)
{
	static const struct tls_demand demand = { .level = TLS_VERIFIED, .whole_way = true };
	const struct text provider = TEXT("plain.mx:587");

	expect(*state, &(struct next_hop){ .domain = TEXT("good.test"), .tls = demand }, "good.mx 201,311; none.mx may be clear");
	expect(*state, &(struct next_hop){ .domain = TEXT("open.test"), .tls = demand },
	    "550 5.7.30 open.test: the message requires TLS all the way, and neither DNSSEC nor an MTA-STS policy vouches for its mail "
	    "hosts");
	expect(*state, &(struct next_hop){ .domain = TEXT("implicit2.test"), .tls = demand }, "implicit2.test may be clear");
	expect(*state, &(struct next_hop){ .domain = TEXT("open.test"), .tls = demand, .via = &provider, .via_count = 1 },
	    "plain.mx may be clear");
}

static void it_may_be_off(void **state)
{
	struct world *world = *state;

	world->settings.dane = false;
	expect(world, &(struct next_hop){ .domain = TEXT("good.test"), .tls.level = TLS_OPPORTUNISTIC },
	    "good.mx may be clear; none.mx may be clear");
	expect(world, &(struct next_hop){ .domain = TEXT("all.test"), .tls.level = TLS_OPPORTUNISTIC },
	    "forged.mx may be clear; broken.mx may be clear");
}

static void it_is_explained(void **state)
{
	struct world *world = *state;
	struct next_hop hop = { .domain = TEXT("good.test"), .tls.level = TLS_OPPORTUNISTIC };

	expect(world, &hop, "good.mx 201,311; none.mx may be clear");
	assert_string_equal(
	    world->explanation, "MX 10 good.mx (192.0.2.1, 2001:db8::1, DANE), MX 20 none.mx (192.0.2.1)");
	assert_int_equal(world->ttl_s, 300);
	hop.domain = TEXT("silent.test");
	expect(world, &hop, "odd.mx encrypted");
	assert_string_equal(world->explanation, "MX 10 silent.mx (192.0.2.1, TLSA records cannot be looked up), "
						"MX 20 odd.mx (192.0.2.1, no TLSA record that can be used)");
	assert_int_equal(world->ttl_s, 30); /* It may come back. */
}

static void a_search_that_is_given_up(void **state)
{
	struct world *world = *state;
	const struct next_hop hop = { .domain = TEXT("good.test"), .tls.level = TLS_OPPORTUNISTIC };

	hosts_cancel(hosts_find(world->loop, &world->settings, &hop, found, world));
	expect(world, &hop, "good.mx 201,311; none.mx may be clear");
}

/* N5: a relay is no way round what protects the domain's mail, and never alone. */
static void relays_are_no_way_round(void **state)
{
	static const struct {
		const char *domain, *relay, *want;
	} rows[] = {
		{ "unsigned.test", "none.mx", "plain.mx may be clear; plain2.mx may be clear; none.mx may be clear" },
		{ "unsigned.test", "good.mx", "plain.mx may be clear; plain2.mx may be clear; good.mx 201,311" },
		{ "unsigned.test", "broken.mx", "plain.mx may be clear; plain2.mx may be clear" },
		{ "unsigned.test", "absent.mx", "plain.mx may be clear; plain2.mx may be clear" },
		{ "good.test", "plain.mx", "good.mx 201,311; none.mx may be clear; plain.mx verified" },
		{ "odd.test", "plain.mx", "odd.mx encrypted; empty.mx may be clear; plain.mx verified" },
		{ "forged.test", "plain.mx", "good.mx 201,311; plain.mx verified" },
		{ "broken.test", "plain.mx", "none.mx may be clear; plain.mx verified" },
		{ "all.test", "plain.mx", "451 4.4.3 all.test: the TLSA records (DANE) of its mail hosts cannot be looked up now" },
		{ "lost.test", "plain.mx", "451 4.4.3 lost.test: the addresses of its mail hosts cannot be looked up now" },
		{ "bogus.test", "plain.mx", "451 4.4.3 bogus.test: its DNSSEC signatures do not hold" },
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct text relay = text_of(rows[i].relay);

		expect(world, &(struct next_hop){ .domain = text_of(rows[i].domain), .tls.level = TLS_OPPORTUNISTIC,
			      .fallback = &relay, .fallback_count = 1, .fallback_tls.level = TLS_OPPORTUNISTIC }, rows[i].want);
	}
	const struct text relay = TEXT("plain.mx"), via[] = { TEXT("none.mx") };

	/* What configuration demands; and where DANE is demanded it is of relays, too. */
	expect(world, &(struct next_hop){ .domain = TEXT("unsigned.test"), .tls.level = TLS_OPPORTUNISTIC, .fallback = via,
		      .fallback_count = 1, .fallback_tls.level = TLS_ENCRYPTED },
	    "plain.mx may be clear; plain2.mx may be clear; none.mx encrypted");
	expect(world, &(struct next_hop){ .domain = TEXT("good.test"), .tls = { TLS_VERIFIED, .dane = true }, .fallback = &relay,
		      .fallback_count = 1, .fallback_tls.level = TLS_VERIFIED },
	    "good.mx 201,311");
	expect(world, &(struct next_hop){ .domain = TEXT("x.test"), .via = via, .via_count = 1, .fallback = &relay, .fallback_count = 1 },
	    "none.mx may be clear; plain.mx may be clear");
	assert_string_equal(world->explanation, "none.mx:25 (192.0.2.1), else plain.mx:25 (192.0.2.1)");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(every_outcome),
		TEST(routes),
		TEST(dane_may_be_demanded),
		TEST(the_whole_way_needs_names),
		TEST(it_may_be_off),
		TEST(it_is_explained),
		TEST(relays_are_no_way_round),
		TEST(a_search_that_is_given_up),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
