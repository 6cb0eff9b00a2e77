/* Reports of a day, from the tallies of a memory spool to messages in it and to a web server on loopback. */
#include "reports/reports.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#define ZLIB_CONST
#include <zlib.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "dsn/tls_result.h"
#include "io/stream.h"
#include "tls/test_certificate.h"

enum { DAY = 20000, DAY_MS = 24 * 3600 * 1000, WATCHDOG_MS = 30000, ROOM = 1 << 20 };

static const int64_t today_ms = (int64_t)DAY * DAY_MS, hour_ms = 3600 * 1000;

struct world {
	struct loop *loop;
	struct loop_timer *watchdog, *again;
	struct loop_wake *wake;
	struct arena *arena;
	struct spool *spool;
	struct spool_port *port;
	struct queue_id_source ids;
	struct dns *dns;
	struct web *web;
	char folder[64], paths[4][128], zone[4096];
	struct tls_server *server;
	struct tls_client *client;
	struct listener *listener;
	struct stream *visitor;
	const char *says;       /* The web server's response. */
	bool counts;            /* While it is asked, another session is counted. */
	struct buffer heard;
	int64_t now_ms;
	struct reports_settings settings;
	struct reports *reports;
	struct buffer events;
	struct reports_sum sum;
	bool sent;
	uint32_t first, last;   /* Days that are to be sent. */
};

/* -- The world ------------------------------------------------------------------------------ */

static void too_long(void *context)
{
	(void)context;
	fail_msg("nothing happened for too long");
}

static void wake(void *context) { loop_wake_send(context); }

static void poll_spool(void *context) { spool_port_poll(((struct world *)context)->port); }

static int64_t now(void *context) { return ((struct world *)context)->now_ms; }

static void report(void *context, const struct event *event)
{
	struct world *world = context;

	assert_true(buffer_print(&world->events, "%s %.*s %.*s %.*s %.*s %.*s\n", event_kind_word(event->kind),
	    TEXT_FORMAT(event->fields[EVENT_FIELD_ABOUT]), TEXT_FORMAT(event->fields[EVENT_FIELD_DAY]),
	    TEXT_FORMAT(event->fields[EVENT_FIELD_DOMAIN]), TEXT_FORMAT(event->fields[EVENT_FIELD_TARGETS]),
	    TEXT_FORMAT(event->fields[EVENT_FIELD_REASON])));
}

static void count(struct world *world, uint32_t day, const char *domain, enum tls_result_type type, unsigned times)
{
	const struct tally_set set = { TALLY_TLS, day, text_of(domain) };
	const struct tls_result result = { .policy = TLS_POLICY_NONE_FOUND, .type = type, .mx = TEXT("mx.ask.test") };
	struct spool_change *change = spool_change_new();
	char room[TLS_RESULT_ROW_MAX];

	spool_change_tally(change, &set, tls_result_encode(&result, room), times);
	spool_submit(world->port, change, NULL, NULL);
	spool_port_poll(world->port);
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
	world->listener = listener_new(world->loop, fd, accepted, world);
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

	assert_int_equal(tls_server_new(&settings, world->arena, &world->server, &complaint), OK);
	assert_int_equal(tls_client_new(world->paths[0], world->arena, &world->client, &complaint), OK);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	const char *reason = NULL;

	world->loop = loop_new();
	world->watchdog = loop_timer_new(world->loop, too_long, NULL);
	loop_timer_set(world->watchdog, WATCHDOG_MS);
	world->wake = loop_wake_new(world->loop, poll_spool, world);
	world->arena = arena_new(64 << 20);
	make_tls(world);
	buffer_init(&world->heard, ROOM);
	buffer_init(&world->events, ROOM);
	assert_int_equal(spool_memory_open(&world->spool), OK);
	assert_int_equal(spool_port_open(world->spool, 0, wake, world->wake, &world->port), OK);
	queue_id_source_init(&world->ids, 0, 0);
	snprintf(world->zone, sizeof world->zone,
	    "{\"_smtp._tls.ask.test\": {\"TXT\": [[\"v=TLSRPTv1; rua=mailto:tls@ask.test,mailto:copy@else.test\"]]},"
	    "\"_smtp._tls.web.test\": {\"TXT\": [[\"v=TLSRPTv1; rua=https://web.test:%u/in\"]]}, \"web.test\": {\"A\": [\"127.0.0.1\"]},"
	    "\"_smtp._tls.two.test\": {\"TXT\": [[\"v=TLSRPTv1; rua=mailto:a@b\"],[\"v=TLSRPTv1; rua=mailto:a@b\"]]},"
	    "\"_smtp._tls.ftp.test\": {\"TXT\": [[\"v=TLSRPTv1; rua=ftp://a.test/,https://1.2.3.4/\"]]},"
	    "\"_smtp._tls.nodata.test\": {\"A\": [\"127.0.0.1\"]}, \"_smtp._tls.bad.test\": \"SERVFAIL\"}",
	    open_server(world));
	world->dns = dns_zone_new(world->loop, text_of(world->zone), &reason);
	world->web = web_new(world->loop);
	assert_true(world->dns != NULL && world->web != NULL);
	web_set_dns(world->web, world->dns);
	web_set_tls(world->web, world->client);
	world->says = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
	world->now_ms = today_ms + hour_ms;
	world->settings = (struct reports_settings){ .hostname = TEXT("mail.example.org"), .organization = TEXT("Example"),
		.contact = { TEXT("postmaster"), TEXT("example.org") }, .tls = true };
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
	stream_free(world->visitor);
	listener_free(world->listener);
	tls_server_unref(world->server);
	tls_client_unref(world->client);
	test_folder_remove(world->folder);
	buffer_done(&world->heard);
	buffer_done(&world->events);
	arena_free(world->arena);
	loop_wake_free(world->wake);
	loop_timer_free(world->again);
	loop_timer_free(world->watchdog);
	loop_free(world->loop);
	free(world);
	return 0;
}

/* -- Reporting ------------------------------------------------------------------------------- */

static void start(struct world *world)
{
	const struct reports_parts parts = { .loop = world->loop, .spool = world->spool, .port = world->port, .ids = &world->ids,
		.web = world->web, .sink = { report, world }, .now_unix_ms = now, .now_context = world };

	world->reports = reports_new(&parts, &world->settings);
	assert_non_null(world->reports);
	reports_set_dns(world->reports, world->dns);
}

static void was_sent(void *context, const struct reports_sum *sum)
{
	struct world *world = context;

	world->sum = *sum;
	world->sent = true;
	loop_stop(world->loop);
}



/* Others may be under way: again in a moment. */
static void try_to_send(void *context)
{
	struct world *world = context;

	if (!reports_send(world->reports, world->first, world->last, was_sent, world))
		loop_timer_set(world->again, 1);
}

static void send_days(struct world *world, uint32_t first, uint32_t last)
{
	world->first = first;
	world->last = last;
	if (world->reports == NULL)
		start(world);
	if (world->again == NULL)
		world->again = loop_timer_new(world->loop, try_to_send, world);
	world->sent = false;
	loop_timer_set(world->again, 0);
	loop_run(world->loop);
	assert_true(world->sent);
}

/* All that is due by the clock. */
static void look(struct world *world)
{
	reports_free(take(world->reports));
	start(world);
	send_days(world, 1, 1); /* It waits for the look. */
}

static uint64_t left_of(struct world *world, const char *domain)
{
	struct tally_listed *sets;
	size_t listed;

	assert_int_equal(spool_tally_sets(world->spool, TALLY_TLS, UINT32_MAX, NULL, 1000, world->arena, &sets, &listed), OK);
	for (size_t i = 0; i < listed; i++)
		if (text_equal(sets[i].set.domain, text_of(domain)))
			return sets[i].sum.total;
	return 0;
}

static bool told(struct world *world, const char *line)
{
	const struct text events = buffer_text(&world->events);

	return text_find(events, text_of(line)) < events.length;
}

static json_t *unpacked(struct text packed)
{
	static char plain[ROOM];
	z_stream stream = { .next_in = (const Bytef *)packed.bytes, .avail_in = (uInt)packed.length, .next_out = (Bytef *)plain,
		.avail_out = sizeof plain };

	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	inflateEnd(&stream);

	json_t *json = json_loadb(plain, stream.total_out, 0, NULL);

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
	assert_int_equal(world->sum.sent, 1);
	assert_int_equal(left_of(world, "ask.test"), 0);
	assert_int_equal(spool_list(world->spool, 0, 9, world->arena, &ids, &length), OK);
	assert_int_equal(length, 1);
	assert_int_equal(spool_read_message(world->spool, ids[0], world->arena, &message), OK);
	assert_int_equal(message.recipient_count, 2);
	assert_true(text_equal(message.recipients[0].address.local, TEXT("tls")));
	assert_true(text_equal(message.recipients[1].address.domain, TEXT("else.test")));
	assert_int_equal(message.recipients[0].notify, DSN_NOTIFY_NEVER);
	assert_true(text_equal(message.envelope.reverse_path.domain, TEXT("example.org")));
	assert_int_equal(spool_read_chunk(world->spool, ids[0], 0, room, &length), OK);

	const struct text body = { room, length };

	assert_int_equal(message.envelope.body_size, length);
	assert_true(text_find(body, TEXT("\r\nTLS-Report-Domain: ask.test\r\nTLS-Report-Submitter: mail.example.org\r\nTLS-Required: No\r\n")) < length);
	assert_true(text_find(body, TEXT("report-type=tlsrpt")) < length);
	assert_true(text_find(body, TEXT("filename=\"mail.example.org!ask.test!1728000000!1728086399.json.gz\"")) < length);
	packed = text_from(body, text_find(body, TEXT("H4sI")));
	packed.length = text_find(packed, TEXT("\r\n\r\n--"));
	assert_int_equal(base64_decode(packed, world->arena, &packed), OK);
	expect_report(unpacked(packed), "ask.test", 7, 2);
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
	assert_int_equal(world->sum.unwanted, 4);
	assert_int_equal(world->events.length, 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(left_of(world, domains[i]), 0);
}

/* R3 */
static void what_cannot_be_asked_waits_and_is_given_up(void **state)
{
	struct world *world = *state;

	count(world, DAY, "bad.test", TLS_RESULT_SUCCESS, 1);
	world->now_ms = today_ms + DAY_MS + 27 * hour_ms;
	send_days(world, DAY, DAY);
	assert_int_equal(world->sum.later, 1);
	assert_int_equal(left_of(world, "bad.test"), 1);
	world->now_ms = today_ms + DAY_MS + 29 * hour_ms;
	send_days(world, DAY, DAY);
	assert_int_equal(world->sum.given_up, 1);
	assert_int_equal(left_of(world, "bad.test"), 0);
	assert_true(told(world, "report-given-up tls 2024-10-04 bad.test  the DNS does not say who wants it\n"));
}

static void a_report_is_posted(void **state)
{
	struct world *world = *state;

	count(world, DAY, "web.test", TLS_RESULT_SUCCESS, 3);
	world->says = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
	send_days(world, DAY, DAY);
	assert_int_equal(world->sum.later, 1);
	assert_int_equal(left_of(world, "web.test"), 3);
	world->says = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
	send_days(world, DAY, DAY);
	assert_int_equal(world->sum.sent, 1);
	assert_int_equal(left_of(world, "web.test"), 0);
	assert_true(told(world, "report-sent tls 2024-10-04 web.test https://web.test:"));

	const struct text heard = buffer_text(&world->heard);

	assert_true(text_starts(heard, TEXT("POST /in HTTP/1.1\r\n")));
	assert_true(text_find(heard, TEXT("Content-Type: application/tlsrpt+gzip\r\n")) < heard.length);
	expect_report(unpacked(text_from(heard, text_find(heard, TEXT("\r\n\r\n")) + 4)), "web.test", 3, 0);
}

static void a_web_server_that_takes_nothing_is_given_up(void **state)
{
	struct world *world = *state;

	count(world, DAY, "web.test", TLS_RESULT_SUCCESS, 3);
	world->says = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n";
	world->now_ms = today_ms + DAY_MS + 49 * hour_ms;
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
	assert_int_equal(world->sum.later, 1);
	assert_int_equal(left_of(world, "web.test"), 4);
	world->counts = false;
	send_days(world, DAY, DAY);
	assert_int_equal(world->sum.sent, 1);
}

static void a_day_is_reported_when_it_is_over(void **state)
{
	struct world *world = *state;

	count(world, DAY, "ask.test", TLS_RESULT_SUCCESS, 1);
	count(world, DAY + 1, "nobody.test", TLS_RESULT_SUCCESS, 1);
	look(world);
	assert_int_equal(left_of(world, "ask.test"), 1);
	world->now_ms = today_ms + DAY_MS; /* Its moment is yet to come. */
	look(world);
	assert_int_equal(left_of(world, "ask.test"), 1);
	world->now_ms += REPORTS_SPREAD_MS;
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
	assert_int_equal(world->sum.sent, 1);
	send_days(world, 0, UINT32_MAX);
	assert_int_equal(world->sum.sent, 2);
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
	assert_int_equal(world->sum.unwanted, MANY);
	assert_int_equal(world->sum.sent, 1);
}

static void without_reports_nothing_is_kept(void **state)
{
	struct world *world = *state;

	count(world, DAY, "ask.test", TLS_RESULT_SUCCESS, 1);
	world->settings.tls = false;
	send_days(world, DAY, DAY);
	assert_int_equal(world->sum.unwanted, 1);
	assert_int_equal(left_of(world, "ask.test"), 0);
	assert_int_equal(world->events.length, 0);
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
