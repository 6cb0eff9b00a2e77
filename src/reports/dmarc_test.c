/* Reports of DMARC, from the tallies of a memory spool to messages in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/must.h"
#include "dsn/dmarc_result.h"
#include "reports/reports.h"

enum { DAY = 20000, DAY_MS = 24 * 3600 * 1000, ROOM = 1 << 20 };

static const char zone[] =
    "{\"_dmarc.ask.test\": {\"TXT\": [[\"v=DMARC1; p=reject; rua=mailto:d@ask.test,mailto:d@yes.net!1k,mailto:d@no.net,mailto:small@ask.test!9\"]]},"
    "\"ask.test._report._dmarc.yes.net\": {\"TXT\": [[\"v=DMARC1\"]]},"
    "\"_dmarc.small.test\": {\"TXT\": [[\"v=DMARC1; p=none; rua=mailto:d@small.test!10\"]]},"
    "\"_dmarc.silent.test\": \"SERVFAIL\", \"_dmarc.deaf.test\": {\"TXT\": [[\"v=DMARC1; p=none; rua=mailto:d@deaf.net\"]]},"
    "\"deaf.test._report._dmarc.deaf.net\": \"TIMEOUT\"}";

struct world {
	struct loop *loop;
	struct loop_wake *wake;
	struct loop_timer *again;
	struct arena *arena;
	struct spool *spool;
	struct spool_port *port;
	struct queue_id_source ids;
	struct dns *dns;
	struct web *web;
	int64_t now_ms;
	struct reports_settings settings;
	struct reports *reports;
	struct buffer events;
	struct reports_sum sum;
};

static void wake(void *context)
{
	loop_wake_send(context);
}

static void poll_spool(void *context)
{
	(void)spool_port_poll(((struct world *)context)->port);
}

static int64_t now(void *context)
{
	return ((struct world *)context)->now_ms;
}

static void hear(void *context, const struct event *event)
{
	struct world *world = context;

	must(event_print_text(event, &world->events) && buffer_append(&world->events, TEXT("\n")));
}

static void count(struct world *world, const char *domain, const char *client, unsigned times)
{
	const struct tally_set set = { TALLY_DMARC, DAY, text_of(domain) };
	const struct dmarc_result result = { .published = { .policy = "reject" }, .client = text_of(client),
		.disposition = "reject", .author = text_of(domain), .spf = "fail", .spf_domain = TEXT("far.test") };
	struct spool_change *change = spool_change_new();
	char room[DMARC_RESULT_ROW_MAX];

	spool_change_tally(change, &set, dmarc_result_encode(&result, room), times);
	spool_submit(world->port, change, NULL, NULL);
	(void)spool_port_poll(world->port);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	const char *reason;

	must(world != NULL);
	world->loop = loop_new();
	world->wake = loop_wake_new(world->loop, poll_spool, world);
	world->arena = arena_new(64 << 20);
	buffer_init(&world->events, ROOM);
	assert_int_equal(spool_memory_open(&world->spool), OK);
	assert_int_equal(spool_port_open(world->spool, 0, wake, world->wake, &world->port), OK);
	queue_id_source_init(&world->ids, 0, 0);
	world->dns = dns_zone_new(world->loop, text_of(zone), &reason);
	world->web = web_new(world->loop);
	assert_true(world->dns != NULL && world->web != NULL);
	world->now_ms = (DAY + 1) * (int64_t)DAY_MS;
	world->settings = (struct reports_settings){ .hostname = TEXT("mail.example.org"),
		.contact = { TEXT("postmaster"), TEXT("example.org") }, .dmarc = true };
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	spool_port_close(world->port);
	reports_free(world->reports);
	web_free(world->web);
	dns_free(world->dns);
	spool_close(world->spool);
	buffer_done(&world->events);
	arena_free(world->arena);
	loop_wake_free(world->wake);
	loop_timer_free(world->again);
	loop_free(world->loop);
	free(world);
	return 0;
}

static void was_sent(void *context, const struct reports_sum *sum)
{
	struct world *world = context;

	world->sum = *sum;
	loop_stop(world->loop);
}

/* Its first look may be under way: again in a moment. */
static void try_to_send(void *context)
{
	struct world *world = context;

	if (!reports_send(world->reports, 0, DAY, was_sent, world))
		loop_timer_set(world->again, 1);
}

static void send_all(struct world *world)
{
	const struct reports_parts parts = { .loop = world->loop, .spool = world->spool, .port = world->port, .ids = &world->ids,
		.web = world->web, .sink = { hear, world }, .now_unix_ms = now, .now_context = world };

	reports_free(world->reports);
	world->reports = reports_new(&parts, &world->settings);
	assert_non_null(world->reports);
	reports_set_dns(world->reports, world->dns);
	if (world->again == NULL)
		world->again = loop_timer_new(world->loop, try_to_send, world);
	loop_timer_set(world->again, 0);
	loop_run(world->loop);
}

static size_t sets_left(struct world *world)
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

static struct text unpacked(struct world *world, struct text packed)
{
	char *plain = arena_alloc(world->arena, ROOM);
	z_stream stream = { .next_in = (const Bytef *)packed.bytes, .avail_in = (uInt)packed.length, .next_out = (Bytef *)plain,
		.avail_out = ROOM };

	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	inflateEnd(&stream);
	return (struct text){ plain, stream.total_out };
}

static void a_report_is_mailed(void **state)
{
	struct world *world = *state;
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

	const struct text xml = unpacked(world, packed);

	assert_true(has(xml, "<org_name>mail.example.org</org_name>\n<email>postmaster@example.org</email>"));
	assert_true(has(xml, "<source_ip>192.0.2.1</source_ip>\n<count>2</count>"));
	assert_true(has(xml, "<source_ip>192.0.2.2</source_ip>\n<count>1</count>"));
	assert_true(has(buffer_text(&world->events), "report-sent"));
}

static void nobody_gets_more_than_he_takes(void **state)
{
	struct world *world = *state;

	count(world, "small.test", "192.0.2.1", 2);
	send_all(world);
	assert_int_equal(world->sum.given_up, 1);
	assert_int_equal(sets_left(world), 0);
	assert_true(has(buffer_text(&world->events), "larger than anybody takes"));
}

static void who_is_not_known_now_waits(void **state)
{
	struct world *world = *state;

	count(world, "silent.test", "192.0.2.1", 1);
	count(world, "deaf.test", "192.0.2.1", 1);
	send_all(world);
	assert_int_equal(world->sum.later, 2);
	assert_int_equal(sets_left(world), 3);
}

static void who_asks_for_none_gets_none(void **state)
{
	struct world *world = *state;

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
