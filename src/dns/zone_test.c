/* The JSON zone: its grammar, its answers, and questions through a real loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/must.h"
#include "dns/dns.h"
#include "dns/zone_table.h"

static const char zone_json[] =
    "{\"Example.org.\": {\"MX\": [[10, \"MX.example.org.\"], [20, \"b.example.org\"]],"
    "                    \"TXT\": [[\"v=spf1 \", \"-all\"], \"plain\"]},"
    " \"mx.example.org\": {\"A\": [\"192.0.2.1\", \"192.0.2.2\"], \"AAAA\": [\"2001:db8::1\"]},"
    " \"none.example.org\": {\"MX\": [[0, \".\"]], \"A\": []},"
    " \"slow.example.org\": \"TIMEOUT\", \"broken.example.org\": \"SERVFAIL\","
    " \"half.example.org\": {\"A\": [\"192.0.2.3\"], \"AAAA\": \"TIMEOUT\", \"MX\": \"SERVFAIL\"},"
    " \"www.example.org\": {\"CNAME\": \"Web.example.org\"}, \"web.example.org\": {\"CNAME\": \"mx.example.org\"},"
    " \"lost.example.org\": {\"CNAME\": \"absent.example.org\"},"
    " \"a.loop\": {\"CNAME\": \"b.loop\"}, \"b.loop\": {\"CNAME\": \"a.loop\"},"
    " \"signed.test\": {\"secure\": true, \"MX\": [[10, \"mx.signed.test\"]], \"AAAA\": \"BOGUS\"},"
    " \"_25._tcp.mx.signed.test\": {\"secure\": true, \"TLSA\": [\"3 1 1 48690A\", \"2 3 4 4 8 69\"]},"
    " \"to.signed.test\": {\"secure\": true, \"CNAME\": \"signed.test\"}, \"open.test\": {\"CNAME\": \"signed.test\"},"
    " \"out.test\": {\"secure\": true, \"CNAME\": \"mx.example.org\"}, \"unsigned.test\": {\"secure\": false},"
    " \"forged.test\": \"BOGUS\","
    " \"1.2.0.192.in-addr.arpa\": {\"PTR\": [\"mx.example.org\"]}}";

static void describe_record(enum dns_type type, const struct dns_record *record, char *room, size_t size)
{
	char ip[ENDPOINT_TEXT_MAX];

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		snprintf(room, size, " %s", endpoint_print_ip(&record->address, ip).bytes);
		break;
	case DNS_MX:
		snprintf(room, size, " %u/%.*s", record->preference, TEXT_FORMAT(record->name));
		break;
	case DNS_PTR:
		snprintf(room, size, " %.*s", TEXT_FORMAT(record->name));
		break;
	case DNS_TXT:
	case DNS_TLSA:
		snprintf(room, size, " '%.*s'", TEXT_FORMAT(record->data));
		break;
	}
}

/* "found secure canonical record record" */
static void describe(enum dns_type type, const struct dns_answer *answer, char room[512])
{
	static const char *const words[] = { "found", "nodata", "nxdomain", "servfail", "timeout", "bogus" };
	size_t used = (size_t)snprintf(room, 512, "%s%s %.*s", words[answer->status], answer->secure ? " secure" : "",
	    TEXT_FORMAT(answer->canonical));

	for (uint32_t i = 0; i < answer->record_count; i++) {
		describe_record(type, &answer->records[i], room + used, 512 - used);
		used += strlen(room + used);
	}
}

static const struct row {
	const char *name;
	enum dns_type type;
	const char *want;
} rows[] = {
	{ "example.ORG", DNS_MX, "found example.org 10/mx.example.org 20/b.example.org" },
	{ "example.org.", DNS_TXT, "found example.org 'v=spf1 -all' 'plain'" },
	{ "example.org", DNS_A, "nodata example.org" },
	{ "mx.example.org", DNS_A, "found mx.example.org 192.0.2.1 192.0.2.2" },
	{ "mx.example.org", DNS_AAAA, "found mx.example.org 2001:db8::1" },
	{ "mx.example.org", DNS_TLSA, "nodata mx.example.org" },
	{ "none.example.org", DNS_MX, "found none.example.org 0/" },
	{ "none.example.org", DNS_A, "nodata none.example.org" },
	{ "absent.example.org", DNS_A, "nxdomain absent.example.org" },
	{ "slow.example.org", DNS_MX, "timeout slow.example.org" },
	{ "broken.example.org", DNS_A, "servfail broken.example.org" },
	{ "half.example.org", DNS_A, "found half.example.org 192.0.2.3" },
	{ "half.example.org", DNS_AAAA, "timeout half.example.org" },
	{ "half.example.org", DNS_MX, "servfail half.example.org" },
	{ "www.example.org", DNS_AAAA, "found mx.example.org 2001:db8::1" },
	{ "www.example.org", DNS_TXT, "nodata mx.example.org" },
	{ "lost.example.org", DNS_A, "nxdomain absent.example.org" },
	{ "a.loop", DNS_A, "servfail a.loop" },
	{ "1.2.0.192.in-addr.arpa", DNS_PTR, "found 1.2.0.192.in-addr.arpa mx.example.org" },
	{ "signed.test", DNS_MX, "found secure signed.test 10/mx.signed.test" },
	{ "signed.test", DNS_A, "nodata secure signed.test" },
	{ "signed.test", DNS_AAAA, "bogus signed.test" },
	{ "_25._tcp.mx.signed.test", DNS_TLSA, "found secure _25._tcp.mx.signed.test '\3\1\1Hi\n' '\2\3\4Hi'" },
	{ "to.signed.test", DNS_MX, "found secure signed.test 10/mx.signed.test" },
	{ "open.test", DNS_MX, "found signed.test 10/mx.signed.test" },
	{ "out.test", DNS_AAAA, "found mx.example.org 2001:db8::1" },
	{ "unsigned.test", DNS_MX, "nodata unsigned.test" },
	{ "forged.test", DNS_MX, "bogus forged.test" },
	{ "not\ta\tname", DNS_A, "nxdomain " },
	{ "", DNS_MX, "nxdomain " },
};
enum { ROW_COUNT = sizeof rows / sizeof *rows };

/* One question and what came of it. */
struct question {
	struct dns *dns;
	struct loop *loop;
	struct dns_query *query, *other;
	const struct row *row;
	char got[512];
	int calls, *open;
	bool asking, frees;
};

static void answered(void *context, const struct dns_answer *answer)
{
	struct question *question = context;

	assert_false(question->asking); /* D1 */
	describe(question->row->type, answer, question->got);
	question->calls++;
	dns_cancel(question->query); /* Its own: nothing. */
	dns_cancel(question->other);
	if (question->frees)
		dns_free(question->dns);
	if (--*question->open == 0)
		loop_stop(question->loop);
}

static void ask(struct question *question)
{
	question->asking = true;
	question->query =
	    dns_ask(question->dns, text_of(question->row->name), question->row->type, answered, question);
	question->asking = false;
	assert_non_null(question->query);
}

struct world {
	struct loop *loop;
	struct dns *dns;
};

static int set_up(void **state)
{
	static struct world world;
	const char *reason = NULL;

	world.loop = loop_new();
	must(world.loop != NULL);
	world.dns = dns_zone_new(world.loop, text_of(zone_json), &reason);
	if (world.dns == NULL)
		fprintf(stderr, "%s\n", reason);
	must(world.dns != NULL);
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

static void every_row_is_answered(void **state)
{
	struct world *world = *state;
	struct question questions[ROW_COUNT];
	int open = ROW_COUNT;

	for (size_t i = 0; i < ROW_COUNT; i++) {
		questions[i] =
		    (struct question){ .dns = world->dns, .loop = world->loop, .row = &rows[i], .open = &open };
		ask(&questions[i]);
	}
	loop_run(world->loop);
	for (size_t i = 0; i < ROW_COUNT; i++) {
		assert_int_equal(questions[i].calls, 1);
		assert_string_equal(questions[i].got, rows[i].want);
	}
}

static void cancelled_questions_stay_silent(void **state)
{
	struct world *world = *state;
	struct question questions[4];
	int open = 2;

	for (size_t i = 0; i < 4; i++) {
		questions[i] =
		    (struct question){ .dns = world->dns, .loop = world->loop, .row = &rows[i], .open = &open };
		ask(&questions[i]);
	}
	dns_cancel(questions[0].query);
	questions[1].other = questions[2].query; /* Cancelled by a callback that comes before it. */
	loop_run(world->loop);
	assert_int_equal(questions[0].calls, 0);
	assert_int_equal(questions[1].calls, 1);
	assert_int_equal(questions[2].calls, 0);
	assert_int_equal(questions[3].calls, 1);
}

static void a_callback_may_free_the_resolver(void **state)
{
	struct world *world = *state;
	struct question questions[2];
	int open = 1;

	for (size_t i = 0; i < 2; i++) {
		questions[i] = (struct question){
			.dns = world->dns, .loop = world->loop, .row = &rows[i], .open = &open, .frees = true
		};
		ask(&questions[i]);
	}
	loop_run(world->loop);
	assert_int_equal(questions[0].calls, 1);
	assert_int_equal(questions[1].calls, 0);
	world->dns = NULL;
}

/* The address sanitizer sees to it that it is freed, and not too early. */
static void a_retired_resolver_goes_with_its_last_question(void **state)
{
	struct world *world = *state;
	struct question questions[2];
	int open = 1;

	for (size_t i = 0; i < 2; i++) {
		questions[i] =
		    (struct question){ .dns = world->dns, .loop = world->loop, .row = &rows[i], .open = &open };
		ask(&questions[i]);
	}
	dns_retire(world->dns);
	dns_cancel(questions[1].query);
	loop_run(world->loop);
	assert_int_equal(questions[0].calls, 1);
	assert_int_equal(questions[1].calls, 0);
	world->dns = NULL;
}

static void a_retired_resolver_goes_with_its_last_cancelled_question(void **state)
{
	struct world *world = *state;
	int open = 1;
	struct question question = { .dns = world->dns, .loop = world->loop, .row = &rows[0], .open = &open };

	ask(&question);
	dns_retire(world->dns);
	dns_cancel(question.query);
	assert_int_equal(question.calls, 0);
	world->dns = NULL;
}

static void complaints_name_the_place(void **state)
{
	static const struct {
		const char *json, *want;
	} bad[] = {
		{ "", "line 1, column 0: " },
		{ "{\n \"a\": {\n}", "line 3, column " },
		{ "[]", "the zone must be one JSON object" },
		{ "{\"a\": {}, \"a\": {}}", "line 1, column " },
		{ "{\"a.\": {}, \"A\": {}}", "\"a\": this name is given twice" },
		{ "{\"a..b\": {}}", "\"a..b\": not a domain name" },
		{ "{\"a\": 1}", "\"a\": {\"TYPE\": records}, \"TIMEOUT\", " },
		{ "{\"a\": \"NXDOMAIN\"}", "\"a\": {\"TYPE\": records}, \"TIMEOUT\", " },
		{ "{\"a\": {\"NS\": []}}", "\"a\" NS: unknown type" },
		{ "{\"a\": {\"A\": \"192.0.2.1\"}}", "\"a\" A: a list of records" },
		{ "{\"a\": {\"A\": [\"192.0.2.1\", \"::1\"]}}", "\"a\" A record 2: an IPv4 address" },
		{ "{\"a\": {\"AAAA\": [\"192.0.2.1\"]}}", "\"a\" AAAA record 1: an IPv6 address" },
		{ "{\"a\": {\"MX\": [[\"mx\", 10]]}}", "\"a\" MX record 1: [preference, \"host\"]" },
		{ "{\"a\": {\"MX\": [[65536, \"mx\"]]}}", "\"a\" MX record 1: [preference, \"host\"]" },
		{ "{\"a\": {\"MX\": [[1, \"m\\\\x\"]]}}", "\"a\" MX record 1: not a domain name" },
		{ "{\"a\": {\"TXT\": [[1]]}}", "\"a\" TXT record 1: every chunk" },
		{ "{\"a\": {\"TXT\": [1]}}", "\"a\" TXT record 1: [\"chunk\"" },
		{ "{\"a\": {\"CNAME\": [\"b\"]}}", "\"a\" CNAME: a host name in quotes" },
		{ "{\"a\": {\"CNAME\": \"b\", \"A\": []}}", "\"a\" A: a CNAME must stand alone" },
		{ "{\"a\": {\"secure\": true, \"CNAME\": \"b\", \"A\": []}}", "\"a\" A: a CNAME must stand alone" },
		{ "{\"a\": {\"secure\": 1}}", "\"a\" secure: true or false" },
		{ "{\"a\": {\"TLSA\": [\"3 1 1 00\", \"3 1 1\"]}}", "\"a\" TLSA record 2: \"usage" },
		{ "{\"a\": {\"TLSA\": [\"3 1 1 0g\"]}}", "\"a\" TLSA record 1: \"usage" },
		{ "{\"a\": {\"TLSA\": [\"3 1 1 000\"]}}", "\"a\" TLSA record 1: \"usage" },
		{ "{\"a\": {\"TLSA\": [\"3 256 1 00\"]}}", "\"a\" TLSA record 1: \"usage" },
		{ "{\"a\": {\"TLSA\": [[3, 1, 1, \"00\"]]}}", "\"a\" TLSA record 1: \"usage" },
	};
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	assert_non_null(arena);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct text complaint = TEXT_EMPTY;

		assert_int_equal(dns_zone_check(text_of(bad[i].json), arena, &complaint), ERR_SYNTAX);
		if (!text_starts(complaint, text_of(bad[i].want)))
			fail_msg("%s: %.*s", bad[i].json, TEXT_FORMAT(complaint));
	}
	assert_int_equal(dns_zone_check(text_of(zone_json), arena, NULL), OK);
	arena_free(arena);
}

static void long_chains_end(void **state)
{
	static const char chain[] = "{\"c0\":{\"CNAME\":\"c1\"},\"c1\":{\"CNAME\":\"c2\"},\"c2\":{\"CNAME\":\"c3\"},"
				    "\"c3\":{\"CNAME\":\"c4\"},\"c4\":{\"CNAME\":\"c5\"},\"c5\":{\"CNAME\":\"c6\"},"
				    "\"c6\":{\"CNAME\":\"c7\"},\"c7\":{\"CNAME\":\"c8\"},\"c8\":{\"CNAME\":\"c9\"},"
				    "\"c9\":{\"A\":[\"192.0.2.9\"]}}";
	struct arena *arena = arena_new(1 << 20);
	const struct zone_table *table;
	struct dns_answer answer;
	struct text complaint;

	(void)state;
	assert_int_equal(zone_table_parse(text_of(chain), arena, &table, &complaint), OK);
	zone_table_look_up(table, TEXT("c1"), DNS_A, &answer);
	assert_int_equal(answer.status, DNS_FOUND);
	zone_table_look_up(table, TEXT("c0"), DNS_A, &answer);
	assert_int_equal(answer.status, DNS_SERVFAIL);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_row_is_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cancelled_questions_stay_silent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_callback_may_free_the_resolver, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_retired_resolver_goes_with_its_last_question, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_retired_resolver_goes_with_its_last_cancelled_question, set_up, tear_down),
		cmocka_unit_test(complaints_name_the_place),
		cmocka_unit_test(long_chains_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
