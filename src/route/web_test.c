/* Against a web server of its own on loopback, which says over TLS what a test tells it to. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "io/stream.h"
#include "route/web.h"
#include "tls/test_certificate.h"

enum { CONNECTIONS_MAX = 64, LONG_MS = 30000 };

struct visitor {
	struct world *world;
	struct stream *stream;
};

struct world {
	struct loop *loop;
	struct arena *arena;
	struct dns *dns;
	struct web *web;
	char folder[64], paths[6][128];
	struct tls_server *server;
	struct tls_client *client;
	struct listener *listener;
	uint16_t port;
	struct visitor visitors[CONNECTIONS_MAX];
	unsigned visitor_count;
	const char *says;           /* The response; NULL: nothing. */
	struct buffer heard;        /* Requests. */
	unsigned waiting;           /* Answers that are to come. */
	/* The last one. */
	enum https_end end;
	unsigned status;
	char type[64], content[2048], trouble[256];
};

static const char zone[] = "{\"web.test\": {\"A\": [\"127.0.0.1\"]}, \"other.test\": {\"A\": [\"127.0.0.1\"]},"
			   " \"two.test\": {\"A\": [\"127.0.0.2\", \"127.0.0.1\"]}, \"bad.test\": \"SERVFAIL\"}";

/* -- The server -------------------------------------------------------------------------- */

static void visitor_bytes(void *context, struct text bytes)
{
	struct visitor *visitor = context;
	struct world *world = visitor->world;

	assert_true(buffer_append(&world->heard, bytes));
	if (world->says == NULL || text_find(buffer_text(&world->heard), TEXT("\r\n\r\n")) == world->heard.length)
		return;
	assert_true(stream_write(visitor->stream, text_of(world->says)));
	stream_finish(visitor->stream, 1000);
	visitor->stream = NULL;
}

static void visitor_ended(void *context, enum error reason)
{
	struct visitor *visitor = context;

	(void)reason;
	stream_free(visitor->stream);
	visitor->stream = NULL;
}

static void nothing(void *context) { (void)context; }

static const struct stream_handler handler = { nothing, visitor_bytes, nothing, visitor_ended };

static void accepted(void *context, struct stream *stream)
{
	struct world *world = context;
	struct visitor *visitor = &world->visitors[world->visitor_count++];

	assert_true(world->visitor_count <= CONNECTIONS_MAX);
	*visitor = (struct visitor){ world, stream };
	stream_set_handler(stream, &handler, visitor);
	stream_set_filter(stream, tls_server_filter(world->server));
	stream_resume(stream);
}

static void open_server(struct world *world)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	world->port = ntohs(address.sin_port);
	world->listener = listener_new(world->loop, fd, accepted, world);
	assert_non_null(world->listener);
}

/* -- The world ----------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	const struct test_certificate own = { "DNS:web.test,DNS:two.test", "web", false };
	const char *reason = NULL;
	struct text complaint = TEXT_EMPTY;

	world->loop = loop_new();
	world->arena = arena_new(1 << 16);
	test_folder_make(world->folder);
	test_certificate_write(world->folder, "ca", NULL, &(struct test_certificate){ .common = "Authority" }, world->paths[0],
	    world->paths[1]);
	test_certificate_write(world->folder, "ec", "ca", &own, world->paths[2], world->paths[3]);
	test_certificate_write(world->folder, "stranger", NULL, &(struct test_certificate){ .common = "Stranger" },
	    world->paths[4], world->paths[5]);
	const struct text certificate = text_of(world->paths[2]), key = text_of(world->paths[3]);
	const struct tls_server_settings settings = { &certificate, &key, 1, "" };

	assert_int_equal(tls_server_new(&settings, world->arena, &world->server, &complaint), OK);
	assert_int_equal(tls_client_new(world->paths[0], world->arena, &world->client, &complaint), OK);
	world->dns = dns_zone_new(world->loop, text_of(zone), &reason);
	world->web = web_new(world->loop);
	assert_true(world->dns != NULL && world->web != NULL);
	web_set_dns(world->web, world->dns);
	web_set_tls(world->web, world->client);
	buffer_init(&world->heard, 1 << 20);
	open_server(world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	web_free(world->web);
	dns_free(world->dns);
	listener_free(world->listener);
	for (unsigned i = 0; i < world->visitor_count; i++)
		stream_free(world->visitors[i].stream);
	tls_server_unref(world->server);
	tls_client_unref(world->client);
	test_folder_remove(world->folder);
	buffer_done(&world->heard);
	arena_free(world->arena);
	loop_free(world->loop);
	free(world);
	return 0;
}

static void keep(char *room, size_t size, struct text text)
{
	snprintf(room, size, "%.*s", TEXT_FORMAT(text));
}

static void answered(void *context, const struct https_response *response)
{
	struct world *world = context;

	world->end = response->end;
	world->status = response->status;
	keep(world->type, sizeof world->type, response->content_type);
	keep(world->content, sizeof world->content, response->content);
	keep(world->trouble, sizeof world->trouble, response->trouble);
	if (--world->waiting == 0)
		loop_stop(world->loop);
}

static struct web_request *start(struct world *world, const char *host, struct https_order *order)
{
	char url[128];

	snprintf(url, sizeof url, "https://%s:%u/path?a=b", host, world->port);
	order->url = text_of(url);
	order->response_bytes_max = order->response_bytes_max ? order->response_bytes_max : 100;
	order->time_ms_max = order->time_ms_max ? order->time_ms_max : LONG_MS;
	struct web_request *request = web_ask(world->web, order, answered, world);

	assert_non_null(request);
	world->waiting++;
	return request;
}

static void ask(struct world *world, const char *host, struct https_order order)
{
	start(world, host, &order);
	loop_run(world->loop);
}

static void get(struct world *world, const char *host)
{
	ask(world, host, (struct https_order){ 0 });
}

static bool heard(const struct world *world, const char *part)
{
	return text_find(buffer_text(&world->heard), text_of(part)) < world->heard.length;
}

/* -- Tests ----------------------------------------------------------------------------------- */

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"

static void a_page_comes_whole(void **state)
{
	struct world *world = *state;

	world->says = HEAD "\r\nversion: STSv1\n";
	get(world, "web.test");
	assert_int_equal(world->end, HTTPS_ANSWERED);
	assert_int_equal(world->status, 200);
	assert_string_equal(world->type, "text/plain; charset=utf-8");
	assert_string_equal(world->content, "version: STSv1\n");
	assert_string_equal(world->trouble, "");
	assert_true(heard(world, "GET /path?a=b HTTP/1.1\r\nHost: web.test:"));
	assert_false(heard(world, "Cookie") || heard(world, "Authorization") || heard(world, "Accept-Encoding"));
}

static void a_report_is_handed_in(void **state)
{
	struct world *world = *state;

	world->says = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
	ask(world, "web.test",
	    (struct https_order){ .content_type = TEXT("application/tlsrpt+gzip"), .content = { "a\0b", 3 } });
	assert_int_equal(world->end, HTTPS_ANSWERED);
	assert_int_equal(world->status, 201);
	assert_true(heard(world, "POST /path?a=b HTTP/1.1\r\n"));
	assert_true(heard(world, "\r\nContent-Type: application/tlsrpt+gzip\r\n") && heard(world, "\r\nContent-Length: 3\r\n"));
}

static void redirects_are_answers(void **state)
{
	struct world *world = *state;

	world->says = "HTTP/1.1 302 Found\r\nLocation: https://other.test/\r\nContent-Length: 0\r\n\r\n";
	get(world, "web.test");
	assert_int_equal(world->end, HTTPS_ANSWERED);
	assert_int_equal(world->status, 302);
	assert_int_equal(world->visitor_count, 1);
}

static void only_the_host_itself_is_believed(void **state)
{
	struct world *world = *state;
	struct tls_client *other;
	struct text complaint;

	world->says = HEAD "\r\n";
	get(world, "other.test");
	assert_int_equal(world->end, HTTPS_UNTRUSTED);
	assert_true(world->trouble[0] != '\0' && !heard(world, "GET"));
	assert_int_equal(tls_client_new(world->paths[4], world->arena, &other, &complaint), OK);
	web_set_tls(world->web, other);
	get(world, "web.test");
	assert_int_equal(world->end, HTTPS_UNTRUSTED);
	web_set_tls(world->web, NULL);
	get(world, "web.test");
	assert_int_not_equal(world->end, HTTPS_ANSWERED);
	assert_false(heard(world, "GET"));
	tls_client_unref(other);
}

static void too_much_is_nothing(void **state)
{
	struct world *world = *state;
	struct buffer header;

	world->says = HEAD "Content-Length: 12\r\n\r\n123456789012";
	ask(world, "web.test", (struct https_order){ .response_bytes_max = 12 });
	assert_int_equal(world->end, HTTPS_ANSWERED);
	ask(world, "web.test", (struct https_order){ .response_bytes_max = 11 });
	assert_int_equal(world->end, HTTPS_TOO_LARGE);
	assert_string_equal(world->content, "");

	buffer_init(&header, 2 * HTTPS_HEADER_BYTES_MAX);
	assert_true(buffer_append(&header, TEXT(HEAD)));
	while (header.length < HTTPS_HEADER_BYTES_MAX)
		assert_true(buffer_append(&header, TEXT("X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n")));
	assert_true(buffer_append(&header, (struct text){ "\r\n\0", 3 }));
	world->says = buffer_text(&header).bytes;
	get(world, "web.test");
	assert_int_equal(world->end, HTTPS_TOO_LARGE);
	buffer_done(&header);
}

static void silence_ends(void **state)
{
	struct world *world = *state;

	ask(world, "web.test", (struct https_order){ .time_ms_max = 50 });
	assert_int_equal(world->end, HTTPS_UNREACHABLE);
	world->says = HEAD "Content-Length: 100\r\n\r\ncut";
	get(world, "web.test");
	assert_int_equal(world->end, HTTPS_UNREACHABLE);
	assert_string_equal(world->content, "");
	world->says = "220 mail.test ESMTP\r\n";
	get(world, "web.test");
	assert_int_equal(world->end, HTTPS_UNREACHABLE);
}

static void names_come_from_our_resolver(void **state)
{
	struct world *world = *state;

	world->says = HEAD "\r\n";
	get(world, "absent.test");
	assert_int_equal(world->end, HTTPS_UNREACHABLE);
	assert_string_equal(world->trouble, "absent.test has no address");
	get(world, "bad.test");
	assert_string_equal(world->trouble, "bad.test cannot be looked up");
	get(world, "two.test");
	assert_int_equal(world->end, HTTPS_ANSWERED);
	get(world, "localhost");
	assert_string_equal(world->trouble, "not a URL that is asked");
}

static void the_surroundings_change_nothing(void **state)
{
	struct world *world = *state;

	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	world->says = HEAD "\r\n";
	get(world, "web.test");
	unsetenv("https_proxy");
	unsetenv("ALL_PROXY");
	assert_int_equal(world->end, HTTPS_ANSWERED);
}

static void many_take_turns(void **state)
{
	struct world *world = *state;

	world->says = HEAD "\r\nhere";
	for (unsigned i = 0; i < 2 * HTTPS_OPEN_MAX; i++)
		start(world, "web.test", &(struct https_order){ 0 });
	loop_run(world->loop);
	assert_int_equal(world->waiting, 0);
	assert_int_equal(world->visitor_count, 2 * HTTPS_OPEN_MAX);
	assert_string_equal(world->content, "here");
}

static void stop_loop(void *context)
{
	loop_stop(context);
}

static void open_ones_are_given_up(void **state)
{
	struct world *world = *state;
	struct web_request *requests[HTTPS_OPEN_MAX + 2];
	struct loop_timer *timer = loop_timer_new(world->loop, stop_loop, world->loop);

	for (unsigned i = 0; i < HTTPS_OPEN_MAX + 2; i++)
		requests[i] = start(world, "web.test", &(struct https_order){ 0 });
	web_cancel(requests[0]); /* Not even looked up. */
	loop_timer_set(timer, 50);
	loop_run(world->loop);
	web_cancel(requests[1]);
	web_cancel(requests[HTTPS_OPEN_MAX + 1]);
	loop_timer_free(timer);
	assert_int_equal(world->waiting, HTTPS_OPEN_MAX + 2); /* The others end with the world. */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_page_comes_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(a_report_is_handed_in, setup, teardown),
		cmocka_unit_test_setup_teardown(redirects_are_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(only_the_host_itself_is_believed, setup, teardown),
		cmocka_unit_test_setup_teardown(too_much_is_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(silence_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(names_come_from_our_resolver, setup, teardown),
		cmocka_unit_test_setup_teardown(the_surroundings_change_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(many_take_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(open_ones_are_given_up, setup, teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
