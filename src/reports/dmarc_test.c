/* Reports of DMARC, from the tallies of a memory spool to messages in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/must.h"
#include "dsn/dmarc_result.h"
#include "reports/test_world.h"

static const char zone[] =
    "{\"_dmarc.ask.test\": {\"TXT\": [[\"v=DMARC1; p=reject; rua=mailto:d@ask.test,mailto:d@yes.net!1k,mailto:d@no.net,mailto:small@ask.test!9\"]]},"
    "\"ask.test._report._dmarc.yes.net\": {\"TXT\": [[\"v=DMARC1\"]]},"
    "\"_dmarc.small.test\": {\"TXT\": [[\"v=DMARC1; p=none; rua=mailto:d@small.test!10\"]]},"
    "\"_dmarc.silent.test\": \"SERVFAIL\", \"_dmarc.deaf.test\": {\"TXT\": [[\"v=DMARC1; p=none; rua=mailto:d@deaf.net\"]]},"
    "\"deaf.test._report._dmarc.deaf.net\": \"TIMEOUT\"}";

static void count(struct reports_world *world, const char *domain, const char *client, unsigned times)
{
	const struct tally_set set = { TALLY_DMARC, TEST_DAY, text_of(domain) };
	const struct dmarc_result result = { .published = { .policy = "reject" }, .client = text_of(client),
		.disposition = "reject", .author = text_of(domain), .spf = "fail", .spf_domain = TEXT("far.test") };
	char room[DMARC_RESULT_ROW_MAX];

	reports_world_count(world, &set, dmarc_result_encode(&result, room), times);
}

static int set_up(void **state)
{
	struct reports_world *world = malloc(sizeof *world);

	must(world != NULL);
	reports_world_open(world);
	reports_world_set_zone(world, zone);
	world->now_ms = (TEST_DAY + 1) * (int64_t)TEST_DAY_MS;
	world->settings.dmarc = true;
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	reports_world_close(*state);
	free(*state);
	return 0;
}

static void send_all(struct reports_world *world)
{
	reports_world_start(world);
	reports_world_send(world, 0, TEST_DAY);
}

static size_t sets_left(struct reports_world *world)
{
	struct tally_listed *sets;
	size_t count;

	assert_int_equal(spool_tally_sets(world->spool, TALLY_DMARC, UINT32_MAX, NULL, 100, world->arena, &sets, &count), OK);
	return count;
}

static bool has(struct text whole, const char *part)
{
	return text_find(whole, text_of(part)) < whole.length;
}

static void a_report_is_mailed(void **state)
{
	struct reports_world *world = *state;
	char room[SPOOL_CHUNK_SIZE];
	struct message message;
	struct text packed;
	queue_id *ids;
	size_t length;

	count(world, "ask.test", "192.0.2.1", 2);
	count(world, "ask.test", "192.0.2.2", 1);
	send_all(world);
	assert_int_equal(world->sum.sent, 1);
	assert_int_equal(sets_left(world), 0);
	assert_int_equal(spool_list(world->spool, 0, 9, world->arena, &ids, &length), OK);
	assert_int_equal(length, 1);
	assert_int_equal(spool_read_message(world->spool, ids[0], world->arena, &message), OK);
	/* Not to who has not asked for it, nor to who wants no more than 9 bytes. */
	assert_int_equal(message.recipient_count, 2);
	assert_true(text_equal(message.recipients[0].address.domain, TEXT("ask.test")));
	assert_true(text_equal(message.recipients[1].address.domain, TEXT("yes.net")));
	assert_int_equal(spool_read_chunk(world->spool, ids[0], 0, room, &length), OK);

	const struct text body = { room, length };

	assert_true(has(body, "\r\nSubject: Report Domain: ask.test Submitter: mail.example.org Report-ID:\r\n <2024-10-04_3_ask.test@mail.example.org>\r\n"));
	assert_true(has(body, "\r\nContent-Type: application/gzip\r\n"));
	assert_true(has(body, "filename=\"mail.example.org!ask.test!1728000000!1728086399.xml.gz\""));
	packed = text_from(body, text_find(body, TEXT("H4sI")));
	packed.length = text_find(packed, TEXT("\r\n\r\n--"));
	assert_int_equal(base64_decode(packed, world->arena, &packed), OK);

	const struct text xml = reports_world_unpacked(world, packed);

	assert_true(has(xml, "<org_name>mail.example.org</org_name>\n<email>postmaster@example.org</email>"));
	assert_true(has(xml, "<source_ip>192.0.2.1</source_ip>\n<count>2</count>"));
	assert_true(has(xml, "<source_ip>192.0.2.2</source_ip>\n<count>1</count>"));
	assert_true(has(buffer_text(&world->events), "report-sent"));
}

static void nobody_gets_more_than_he_takes(void **state)
{
	struct reports_world *world = *state;

	count(world, "small.test", "192.0.2.1", 2);
	send_all(world);
	assert_int_equal(world->sum.given_up, 1);
	assert_int_equal(sets_left(world), 0);
	assert_true(has(buffer_text(&world->events), "larger than anybody takes"));
}

static void who_is_not_known_now_waits(void **state)
{
	struct reports_world *world = *state;

	count(world, "silent.test", "192.0.2.1", 1);
	count(world, "deaf.test", "192.0.2.1", 1);
	send_all(world);
	assert_int_equal(world->sum.later, 2);
	assert_int_equal(sets_left(world), 3);
}

static void who_asks_for_none_gets_none(void **state)
{
	struct reports_world *world = *state;

	count(world, "nobody.test", "192.0.2.1", 1);
	send_all(world);
	assert_int_equal(world->sum.unwanted, 1);
	count(world, "ask.test", "192.0.2.1", 1);
	world->settings.dmarc = false;
	send_all(world);
	assert_int_equal(world->sum.unwanted, 1);
	assert_int_equal(sets_left(world), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_report_is_mailed),
		TEST(nobody_gets_more_than_he_takes),
		TEST(who_is_not_known_now_waits),
		TEST(who_asks_for_none_gets_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
