/* Reports of a day, from the tallies of a memory spool to messages in it and to a web server on loopback. */
#include "reports/test_world.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "dsn/tls_result.h"
#include "io/stream.h"
#include "tls/test_certificate.h"

enum { DAY = TEST_DAY, DAY_MS = TEST_DAY_MS };

static const int64_t today_ms = (int64_t)DAY * DAY_MS, hour_ms = 3600 * 1000;

struct world {
	struct reports_world of;
	char folder[64], paths[4][128], zone[4096];
	struct tls_server *server;
	struct tls_client *client;
	struct listener *listener;
	struct stream *visitor;
	const char *says;       /* The web server's response. */
	bool counts;            /* While it is asked, another session is counted. */
	struct buffer heard;
};

/* -- The world ------------------------------------------------------------------------------ */

static void count(struct world *world, uint32_t day, const char *domain, enum tls_result_type type, unsigned times)
{
	const struct tally_set set = { TALLY_TLS, day, text_of(domain) };
	const struct tls_result result = { .policy = TLS_POLICY_NONE_FOUND, .type = type, .mx = TEXT("mx.ask.test") };
	char room[TLS_RESULT_ROW_MAX];

	reports_world_count(&world->of, &set, tls_result_encode(&result, room), times);
}

static void visitor_bytes(void *context, struct text bytes)
{
	struct world *world = context;
	assert_true(buffer_append(&world->heard, bytes));

	const struct text heard = buffer_text(&world->heard);
	const struct text body = text_from(heard, text_find(heard, TEXT("\r\n\r\n")) + 4);
	uint64_t length = 0;
	struct text digits = text_from(heard, text_find(heard, TEXT("Content-Length: ")) + 16);

	digits.length = text_find(digits, TEXT("\r\n"));
	if (body.length == 0 || !text_to_u64(digits, &length) || body.length < length)
		return;
	if (world->counts)
		count(world, DAY, "web.test", TLS_RESULT_SUCCESS, 1);
	assert_true(stream_write(world->visitor, text_of(world->says)));
	stream_finish(take(world->visitor), 1000);
}

static void visitor_ended(void *context, enum error reason)
{
	(void)reason;
	stream_free(take(((struct world *)context)->visitor));
}

static void nothing(void *context) { (void)context; }

static const struct stream_handler handler = { nothing, visitor_bytes, nothing, visitor_ended };

static void accepted(void *context, struct stream *stream)
{
	struct world *world = context;

	stream_free(take(world->visitor));
	buffer_clear(&world->heard);
	world->visitor = stream;
	stream_set_handler(stream, &handler, world);
	stream_set_filter(stream, tls_server_filter(world->server));
	stream_resume(stream);
}

static uint16_t open_server(struct world *world)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	world->listener = listener_new(world->of.loop, fd, accepted, world);
	assert_non_null(world->listener);
	return ntohs(address.sin_port);
}

static void make_tls(struct world *world)
{
	const struct test_certificate own = { "DNS:web.test", "web", false };
	struct text complaint = TEXT_EMPTY;

	test_folder_make(world->folder);
	test_certificate_write(world->folder, "ca", NULL, &(struct test_certificate){ .common = "Authority" }, world->paths[0],
	    world->paths[1]);
	test_certificate_write(world->folder, "ec", "ca", &own, world->paths[2], world->paths[3]);

	const struct text certificate = text_of(world->paths[2]), key = text_of(world->paths[3]);
	const struct tls_server_settings settings = { &certificate, &key, 1, "" };

	assert_int_equal(tls_server_new(&settings, world->of.arena, &world->server, &complaint), OK);
	assert_int_equal(tls_client_new(world->paths[0], world->of.arena, &world->client, &complaint), OK);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	reports_world_open(&world->of);
	make_tls(world);
	buffer_init(&world->heard, TEST_ROOM);
	snprintf(world->zone, sizeof world->zone,
	    "{\"_smtp._tls.ask.test\": {\"TXT\": [[\"v=TLSRPTv1; rua=mailto:tls@ask.test,mailto:copy@else.test\"]]},"
	    "\"_smtp._tls.web.test\": {\"TXT\": [[\"v=TLSRPTv1; rua=https://web.test:%u/in\"]]}, \"web.test\": {\"A\": [\"127.0.0.1\"]},"
	    "\"_smtp._tls.two.test\": {\"TXT\": [[\"v=TLSRPTv1; rua=mailto:a@b\"],[\"v=TLSRPTv1; rua=mailto:a@b\"]]},"
	    "\"_smtp._tls.ftp.test\": {\"TXT\": [[\"v=TLSRPTv1; rua=ftp://a.test/,https://1.2.3.4/\"]]},"
	    "\"_smtp._tls.nodata.test\": {\"A\": [\"127.0.0.1\"]}, \"_smtp._tls.bad.test\": \"SERVFAIL\"}",
	    open_server(world));
	reports_world_set_zone(&world->of, world->zone);
	web_set_dns(world->of.web, world->of.dns);
	web_set_tls(world->of.web, world->client);
	world->says = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
	world->of.now_ms = today_ms + hour_ms;
	world->of.settings.organization = TEXT("Example");
	world->of.settings.tls = true;
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	stream_free(world->visitor);
	listener_free(world->listener);
	tls_server_unref(world->server);
	tls_client_unref(world->client);
	test_folder_remove(world->folder);
	buffer_done(&world->heard);
	reports_world_close(&world->of);
	free(world);
	return 0;
}

/* -- Reporting ------------------------------------------------------------------------------- */

static void send_days(struct world *world, uint32_t first, uint32_t last)
{
	reports_world_send(&world->of, first, last);
}

/* All that is due by the clock. */
static void look(struct world *world)
{
	reports_world_start(&world->of);
	send_days(world, 1, 1); /* It waits for the look. */
}

static uint64_t left_of(struct world *world, const char *domain)
{
	struct tally_listed *sets;
	size_t listed;

	assert_int_equal(spool_tally_sets(world->of.spool, TALLY_TLS, UINT32_MAX, NULL, 1000, world->of.arena, &sets, &listed), OK);
	for (size_t i = 0; i < listed; i++)
		if (text_equal(sets[i].set.domain, text_of(domain)))
			return sets[i].sum.total;
	return 0;
}

static bool told(struct world *world, const char *line)
{
	const struct text events = buffer_text(&world->of.events);

	return text_find(events, text_of(line)) < events.length;
}

static json_t *unpacked(struct world *world, struct text packed)
{
	const struct text plain = reports_world_unpacked(&world->of, packed);
	json_t *json = json_loadb(plain.bytes, plain.length, 0, NULL);

	assert_non_null(json);
	return json;
}

static void expect_report(json_t *json, const char *domain, int good, int bad)
{
	const char *organization, *contact, *id, *end, *named;
	int total_good, total_bad;

	assert_int_equal(json_unpack(json, "{s:s, s:s, s:s, s:{s:s}, s:[{s:{s:s}, s:{s:i, s:i}}]}", "organization-name", &organization,
	    "contact-info", &contact, "report-id", &id, "date-range", "end-datetime", &end, "policies", "policy",
	    "policy-domain", &named, "summary", "total-successful-session-count", &total_good,
	    "total-failure-session-count", &total_bad), 0);
	assert_string_equal(organization, "Example");
	assert_string_equal(contact, "postmaster@example.org");
	assert_string_equal(end, "2024-10-04T23:59:59Z");
	assert_non_null(strstr(id, "2024-10-04_"));
	assert_string_equal(named, domain);
	assert_int_equal(total_good, good);
	assert_int_equal(total_bad, bad);
	json_decref(json);
}

/* -- Tests -------------------------------------------------------------------------------------- */

static void a_report_is_mailed(void **state)
{
	struct world *world = *state;
	char room[SPOOL_CHUNK_SIZE];
	queue_id *ids;
	size_t length;
	struct message message;
	struct text packed;

	count(world, DAY, "ask.test", TLS_RESULT_SUCCESS, 7);
	count(world, DAY, "ask.test", TLS_RESULT_STARTTLS_NOT_SUPPORTED, 2);
	send_days(world, DAY, DAY);
	assert_int_equal(world->of.sum.sent, 1);
	assert_int_equal(left_of(world, "ask.test"), 0);
	assert_int_equal(spool_list(world->of.spool, 0, 9, world->of.arena, &ids, &length), OK);
	assert_int_equal(length, 1);
	assert_int_equal(spool_read_message(world->of.spool, ids[0], world->of.arena, &message), OK);
	assert_int_equal(message.recipient_count, 2);
	assert_true(text_equal(message.recipients[0].address.local, TEXT("tls")));
	assert_true(text_equal(message.recipients[1].address.domain, TEXT("else.test")));
	assert_int_equal(message.recipients[0].notify, DSN_NOTIFY_NEVER);
	assert_true(text_equal(message.envelope.reverse_path.domain, TEXT("example.org")));
	assert_int_equal(spool_read_chunk(world->of.spool, ids[0], 0, room, &length), OK);

	const struct text body = { room, length };

	assert_int_equal(message.envelope.body_size, length);
	assert_true(text_find(body, TEXT("\r\nTLS-Report-Domain: ask.test\r\nTLS-Report-Submitter: mail.example.org\r\nTLS-Required: No\r\n")) < length);
	assert_true(text_find(body, TEXT("report-type=tlsrpt")) < length);
	assert_true(text_find(body, TEXT("filename=\"mail.example.org!ask.test!1728000000!1728086399.json.gz\"")) < length);
	packed = text_from(body, text_find(body, TEXT("H4sI")));
	packed.length = text_find(packed, TEXT("\r\n\r\n--"));
	assert_int_equal(base64_decode(packed, world->of.arena, &packed), OK);
	expect_report(unpacked(world, packed), "ask.test", 7, 2);
	assert_true(told(world, "report-sent tls 2024-10-04 ask.test tls@ask.test \n"));
	assert_true(told(world, "generated "));
}

static void who_asks_for_none_gets_none(void **state)
{
	static const char *const domains[] = { "nobody.test", "nodata.test", "two.test", "ftp.test" };
	struct world *world = *state;

	for (size_t i = 0; i < 4; i++)
		count(world, DAY, domains[i], TLS_RESULT_SUCCESS, 1);
	send_days(world, DAY, DAY);
	assert_int_equal(world->of.sum.unwanted, 4);
	assert_int_equal(world->of.events.length, 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(left_of(world, domains[i]), 0);
}

/* R3 */
static void what_cannot_be_asked_waits_and_is_given_up(void **state)
{
	struct world *world = *state;

	count(world, DAY, "bad.test", TLS_RESULT_SUCCESS, 1);
	world->of.now_ms = today_ms + DAY_MS + 27 * hour_ms;
	send_days(world, DAY, DAY);
	assert_int_equal(world->of.sum.later, 1);
	assert_int_equal(left_of(world, "bad.test"), 1);
	world->of.now_ms = today_ms + DAY_MS + 29 * hour_ms;
	send_days(world, DAY, DAY);
	assert_int_equal(world->of.sum.given_up, 1);
	assert_int_equal(left_of(world, "bad.test"), 0);
	assert_true(told(world, "report-given-up tls 2024-10-04 bad.test  the DNS does not say who wants it\n"));
}

static void a_report_is_posted(void **state)
{
	struct world *world = *state;

	count(world, DAY, "web.test", TLS_RESULT_SUCCESS, 3);
	world->says = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
	send_days(world, DAY, DAY);
	assert_int_equal(world->of.sum.later, 1);
	assert_int_equal(left_of(world, "web.test"), 3);
	world->says = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
	send_days(world, DAY, DAY);
	assert_int_equal(world->of.sum.sent, 1);
	assert_int_equal(left_of(world, "web.test"), 0);
	assert_true(told(world, "report-sent tls 2024-10-04 web.test https://web.test:"));

	const struct text heard = buffer_text(&world->heard);

	assert_true(text_starts(heard, TEXT("POST /in HTTP/1.1\r\n")));
	assert_true(text_find(heard, TEXT("Content-Type: application/tlsrpt+gzip\r\n")) < heard.length);
	expect_report(unpacked(world, text_from(heard, text_find(heard, TEXT("\r\n\r\n")) + 4)), "web.test", 3, 0);
}

static void a_web_server_that_takes_nothing_is_given_up(void **state)
{
	struct world *world = *state;

	count(world, DAY, "web.test", TLS_RESULT_SUCCESS, 3);
	world->says = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n";
	world->of.now_ms = today_ms + DAY_MS + 49 * hour_ms;
	look(world);
	assert_int_equal(left_of(world, "web.test"), 0);
	assert_true(told(world, "/in answers 403\n"));
}

/* R4 */
static void what_is_counted_meanwhile_is_not_lost(void **state)
{
	struct world *world = *state;

	count(world, DAY, "web.test", TLS_RESULT_SUCCESS, 3);
	world->counts = true;
	send_days(world, DAY, DAY);
	assert_int_equal(world->of.sum.later, 1);
	assert_int_equal(left_of(world, "web.test"), 4);
	world->counts = false;
	send_days(world, DAY, DAY);
	assert_int_equal(world->of.sum.sent, 1);
}

static void a_day_is_reported_when_it_is_over(void **state)
{
	struct world *world = *state;

	count(world, DAY, "ask.test", TLS_RESULT_SUCCESS, 1);
	count(world, DAY + 1, "nobody.test", TLS_RESULT_SUCCESS, 1);
	look(world);
	assert_int_equal(left_of(world, "ask.test"), 1);
	world->of.now_ms = today_ms + DAY_MS; /* Its moment is yet to come. */
	look(world);
	assert_int_equal(left_of(world, "ask.test"), 1);
	world->of.now_ms += REPORTS_SPREAD_MS;
	look(world);
	assert_int_equal(left_of(world, "ask.test"), 0);
	assert_true(told(world, "report-sent tls 2024-10-04 ask.test"));
	assert_int_equal(left_of(world, "nobody.test"), 1);
}

static void only_the_days_that_are_ordered_are_sent(void **state)
{
	struct world *world = *state;

	for (uint32_t day = DAY; day <= DAY + 2; day++) /* None of them is over. */
		count(world, day, "ask.test", TLS_RESULT_SUCCESS, day == DAY + 1 ? 5 : 1);
	send_days(world, DAY + 1, DAY + 1);
	assert_int_equal(world->of.sum.sent, 1);
	send_days(world, 0, UINT32_MAX);
	assert_int_equal(world->of.sum.sent, 2);
	assert_int_equal(left_of(world, "ask.test"), 0);
}

static void many_are_reported(void **state)
{
	enum { MANY = 250 };
	struct world *world = *state;
	char domain[32];

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(domain, sizeof domain, "d%u.test", i);
		count(world, DAY, domain, TLS_RESULT_SUCCESS, 1);
	}
	count(world, DAY, "ask.test", TLS_RESULT_SUCCESS, 1);
	send_days(world, DAY, DAY);
	assert_int_equal(world->of.sum.unwanted, MANY);
	assert_int_equal(world->of.sum.sent, 1);
}

static void without_reports_nothing_is_kept(void **state)
{
	struct world *world = *state;

	count(world, DAY, "ask.test", TLS_RESULT_SUCCESS, 1);
	world->of.settings.tls = false;
	send_days(world, DAY, DAY);
	assert_int_equal(world->of.sum.unwanted, 1);
	assert_int_equal(left_of(world, "ask.test"), 0);
	assert_int_equal(world->of.events.length, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_report_is_mailed),
		TEST(who_asks_for_none_gets_none),
		TEST(what_cannot_be_asked_waits_and_is_given_up),
		TEST(a_report_is_posted),
		TEST(a_web_server_that_takes_nothing_is_given_up),
		TEST(what_is_counted_meanwhile_is_not_lost),
		TEST(a_day_is_reported_when_it_is_over),
		TEST(only_the_days_that_are_ordered_are_sent),
		TEST(many_are_reported),
		TEST(without_reports_nothing_is_kept),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
