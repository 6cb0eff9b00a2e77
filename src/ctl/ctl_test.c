/* The control socket over real sockets: the loop in this thread, a client in another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/must.h"
#include "ctl/ask.h"
#include "ctl/client.h"
#include "ctl/server.h"

struct world {
	struct loop *loop;
	struct loop_wake *spool_wake, *end;
	struct spool *spool;
	struct spool_port *port;
	struct dns *dns;
	struct hosts_settings hosts;
	struct router *router;
	struct admin *admin;
	struct ctl_server *server;
	struct stream *submitted;
	struct stream_handler submitted_handler;
	pthread_t thread;
	void (*part)(struct world *world); /* What the client does. */
	char folder[64], path[100];
};

static void wake_port(void *context)
{
	loop_wake_send(((struct world *)context)->spool_wake);
}

static void poll_port(void *context)
{
	spool_port_poll(((struct world *)context)->port);
}

static void end_loop(void *context)
{
	loop_stop(((struct world *)context)->loop);
}

static void hear(void *context, const struct event *event)
{
	(void)context;
	(void)event;
}

static const struct counters *lane_counters(void *context, unsigned lane)
{
	(void)context;
	(void)lane;
	return NULL;
}

static void sum_counters(void *context, struct counters *out_sum)
{
	(void)context;
	counters_add(out_sum, COUNTER_RECEIVED, 3);
}

static bool tell(void *context)
{
	(void)context;
	return true;
}

static void submitted_bytes(void *context, struct text bytes)
{
	struct world *world = context;

	if (!stream_write(world->submitted, bytes)) /* An echo. */
		stream_free(take(world->submitted));
}

static void submitted_ended(void *context, enum error reason)
{
	struct world *world = context;

	(void)reason;
	stream_free(take(world->submitted));
}

static void ignore(void *context)
{
	(void)context;
}

static void submit(void *context, struct stream *stream)
{
	struct world *world = context;

	world->submitted = stream;
	world->submitted_handler = (struct stream_handler){ .bytes = submitted_bytes,
		.drained = ignore,
		.ended = submitted_ended };
	stream_set_handler(stream, &world->submitted_handler, world);
	must(stream_write(stream, TEXT("220 here\r\n")));
	stream_resume(stream);
}

static struct router *make_router(void)
{
	static const struct text domains[] = { { "here.test", 9 } };
	const struct router_settings settings = { .hostname = TEXT("mail.here.test"), .domains = domains, .domain_count = 1 };
	struct arena *arena = arena_new(1 << 16);
	struct router *router = NULL;
	struct text complaint;

	must(router_new(&settings, arena, &router, &complaint) == OK);
	arena_free(arena);
	return router;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	must(strlen(path) < sizeof address.sun_path);
	memcpy(address.sun_path, path, strlen(path));
	must(bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 100) == 0);
	return fd;
}

static bool survey_nothing(
    void *context, const struct admin_question *question, admin_surveyed *surveyed, void *surveyed_context)
{
	struct queue_survey survey;

	(void)context;
	must(queue_survey_init(&survey, question->destination));
	surveyed(surveyed_context, &survey);
	queue_survey_done(&survey);
	return true;
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	const char *reason;

	snprintf(world->folder, sizeof world->folder, "/tmp/postroad-ctl-XXXXXX");
	must(mkdtemp(world->folder) != NULL);
	snprintf(world->path, sizeof world->path, "%s/sock", world->folder);
	world->loop = loop_new();
	world->spool_wake = loop_wake_new(world->loop, poll_port, world);
	world->end = loop_wake_new(world->loop, end_loop, world);
	must(spool_memory_open(&world->spool) == OK);
	must(spool_port_open(world->spool, 1, wake_port, world, &world->port) == OK);
	world->dns = dns_zone_new(world->loop, TEXT("{}"), &reason);
	world->hosts = (struct hosts_settings){ .dns = world->dns, .hostname = TEXT("mail.here.test"), .port = 25 };
	world->router = make_router();

	const struct admin_settings settings = { .loop = world->loop,
		.spool = world->spool,
		.port = world->port,
		.router = world->router,
		.hosts = &world->hosts,
		.sink = { hear, world },
		.sum_counters = sum_counters,
		.lane_counters = lane_counters,
		.survey = survey_nothing,
		.reload = tell,
		.upgrade = tell,
		.stop = tell,
		.context = world };

	world->admin = admin_new(&settings);
	world->server = ctl_server_new(world->loop, listen_at(world->path), world->admin, submit, world);
	must(world->server != NULL);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	ctl_server_free(world->server);
	stream_free(world->submitted);
	admin_free(world->admin);
	router_unref(world->router);
	spool_port_close(world->port);
	spool_close(world->spool);
	dns_free(world->dns);
	loop_wake_free(world->spool_wake);
	loop_wake_free(world->end);
	loop_free(world->loop);
	unlink(world->path);
	rmdir(world->folder);
	free(world);
	return 0;
}

static void *run_part(void *context)
{
	struct world *world = context;

	world->part(world);
	loop_wake_send(world->end);
	return NULL;
}

/* Run `part` in a thread, as a client process would, while the loop serves it. */
static void serve(struct world *world, void (*part)(struct world *))
{
	world->part = part;
	must(pthread_create(&world->thread, NULL, run_part, world) == 0);
	loop_run(world->loop);
	pthread_join(world->thread, NULL);
}

/* -- in the client's thread: must, since cmocka's jumps stay in one thread ------- */

static int connect_raw(const struct world *world)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, world->path, strlen(world->path));
	must(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
	return fd;
}

static void send_all(int fd, struct text bytes)
{
	must(send(fd, bytes.bytes, bytes.length, MSG_NOSIGNAL) == (ssize_t)bytes.length);
}

/* What comes: at least so many lines, then, after saying that nothing more will, all up to the end. */
static char *receive_lines(int fd, size_t lines)
{
	struct buffer buffer;
	char room[65536];
	ssize_t length;

	buffer_init(&buffer, 64 << 20);
	while (lines > 0 && (length = recv(fd, room, sizeof room, 0)) > 0) {
		must(buffer_append(&buffer, (struct text){ room, (size_t)length }));
		for (ssize_t i = 0; i < length; i++)
			lines -= room[i] == '\n';
	}
	shutdown(fd, SHUT_WR);
	while ((length = recv(fd, room, sizeof room, 0)) > 0)
		must(buffer_append(&buffer, (struct text){ room, (size_t)length }));
	must(buffer_append(&buffer, (struct text){ "", 1 }));
	close(fd);
	return buffer.bytes;
}

/* All that comes, after saying that nothing more will. */
static char *receive_all(int fd)
{
	return receive_lines(fd, 0);
}

static size_t count_of(const char *text, char byte)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += *text == byte;
	return count;
}

static json_t *ask(struct world *world, const char *text)
{
	struct ctl_client *client;
	json_t *request = json_loads(text, 0, NULL);

	must(ctl_client_open(world->path, &client) == OK);
	json_t *answer = ctl_client_ask(client, request);

	ctl_client_close(client);
	json_decref(request);
	return answer;
}

static void ask_some(struct world *world)
{
	json_t *answer = ask(world, "{\"do\":\"stats\"}");

	must(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	answer = ask(world, "{\"do\":\"nothing\"}");
	must(json_integer_value(json_object_get(answer, "exit")) == EX_USAGE);
	json_decref(answer);
	answer = ask(world, "{\"no\":1}");
	must(json_integer_value(json_object_get(answer, "exit")) == EX_PROTOCOL);
	json_decref(answer);
}

static void test_ask(void **state)
{
	serve(*state, ask_some);
}

/* Each line is answered in order, also those that end at once and those sent in one piece with others. */
static void pipeline(struct world *world)
{
	const int fd = connect_raw(world);

	send_all(fd, TEXT("{\"do\":\"stats\"}\n{\"do\":\"explain\",\"address\":\"a@here.test\"}\n{\"do\":"));
	send_all(fd, TEXT("\"queue list\"}\nnot json\n"));
	char *all = receive_all(fd), *at = all;

	must(count_of(all, '\n') == 4);
	for (const char *const *part = (const char *const[]){ "counters", "destinations", "messages", "one JSON object", NULL };
	     *part != NULL; part++)
		must((at = strstr(at, *part)) != NULL);
	free(all);
}

static void test_pipeline(void **state)
{
	serve(*state, pipeline);
}

/* Sixty thousand requests in sixty thousand bytes: each is answered, and none costs a stack frame. */
static void flood(struct world *world)
{
	static char lines[60000];
	const int fd = connect_raw(world);

	memset(lines, '\n', sizeof lines);
	send_all(fd, (struct text){ lines, sizeof lines });
	char *all = receive_lines(fd, sizeof lines);

	must(count_of(all, '\n') == sizeof lines);
	free(all);
}

static void test_flood(void **state)
{
	serve(*state, flood);
}

static void too_long(struct world *world)
{
	static char line[CTL_REQUEST_MAX + 100];
	const int fd = connect_raw(world);

	memset(line, 'x', sizeof line);
	send_all(fd, (struct text){ line, sizeof line });
	char *all = receive_all(fd);

	must(strstr(all, "request too long") != NULL && count_of(all, '\n') == 1);
	free(all);
	ask_some(world); /* The others go on. */
}

static void test_too_long(void **state)
{
	serve(*state, too_long);
}

/* Clients that go away while admin works on what they asked. */
static void leave(struct world *world)
{
	for (int i = 0; i < 50; i++) {
		const int fd = connect_raw(world);

		send_all(fd, TEXT("{\"do\":\"queue delete\"}\n{\"do\":\"explain\",\"address\":\"a@here.test\"}\n"));
		close(fd);
	}
	ask_some(world);
}

static void put_messages(struct world *world, queue_id first, queue_id last, uint32_t recipient_count)
{
	struct recipient *recipients = calloc(recipient_count, sizeof *recipients);

	for (uint32_t i = 0; i < recipient_count; i++)
		recipients[i] = (struct recipient){ .index = i, .address = { TEXT("someone"), TEXT("remote.test") },
			.due_ms = 1, .last = { .code = 450, .text = TEXT("a reply of some length from the other side") } };
	for (queue_id id = first; id <= last; id++) {
		const struct message message = { .envelope = { .id = id, .reverse_path = { TEXT("s"), TEXT("here.test") } },
			.recipients = recipients,
			.recipient_count = recipient_count };
		struct spool_change *change = spool_change_new();

		spool_change_put_message(change, &message);
		spool_submit(world->port, change, NULL, NULL);
	}
	free(recipients);
}

static void test_leaving(void **state)
{
	put_messages(*state, 1, 40, 2);
	serve(*state, leave);
}

/* An answer of megabytes is more than a stream takes at once. */
static void ask_much(struct world *world)
{
	json_t *answer = ask(world, "{\"do\":\"queue list\"}");

	must(json_array_size(json_object_get(answer, "messages")) == 9);
	json_decref(answer);
}

static void test_long_answer(void **state)
{
	put_messages(*state, 1, 9, 1100);
	serve(*state, ask_much);
}

static void become_smtp(struct world *world)
{
	struct ctl_client *client;
	char room[64] = "";

	must(ctl_client_open(world->path, &client) == OK);
	const int fd = ctl_client_into_smtp(client);

	must(fd >= 0);
	must(recv(fd, room, 10, MSG_WAITALL) == 10 && strcmp(room, "220 here\r\n") == 0);
	send_all(fd, TEXT("EHLO"));
	must(recv(fd, room, 4, MSG_WAITALL) == 4 && memcmp(room, "EHLO", 4) == 0);
	close(fd);
}

static void test_smtp(void **state)
{
	serve(*state, become_smtp);
}

/* Who speaks before the greeting would lose bytes: told, not lost. */
static void hurry(struct world *world)
{
	const int fd = connect_raw(world);

	send_all(fd, TEXT("{\"do\":\"smtp\"}\nEHLO x\r\n"));
	char *all = receive_all(fd);

	must(strstr(all, "wait for the answer") != NULL && strstr(all, "220") == NULL);
	free(all);
}

static void test_hurry(void **state)
{
	struct world *world = *state;

	serve(world, hurry);
	assert_null(world->submitted);
}

static void crowd(struct world *world)
{
	int fds[CTL_CLIENTS_MAX + 1];
	char byte;

	for (size_t i = 0; i <= CTL_CLIENTS_MAX; i++)
		fds[i] = connect_raw(world);
	must(recv(fds[CTL_CLIENTS_MAX], &byte, 1, 0) <= 0); /* No place. */
	close(fds[0]);
	close(fds[CTL_CLIENTS_MAX]);
	/* The place is free when the server has seen the end: until then it turns us away. */
	for (json_t *answer = NULL; answer == NULL; json_decref(answer))
		answer = ask(world, "{\"do\":\"stats\"}");
	for (size_t i = 1; i < CTL_CLIENTS_MAX; i++)
		close(fds[i]);
}

static void test_crowd(void **state)
{
	serve(*state, crowd);
}

/* -- the client's words -------------------------------------------------------- */

static void test_words(void **state)
{
	static const char *const options[] = { "sender", "limit", NULL };
	static const struct {
		const char *words[4];
		bool right;
		const char *sender, *first;
	} cases[] = {
		{ { "--sender", "a@b" }, true, "a@b", NULL },
		{ { "--sender=a@b", "x" }, true, "a@b", "x" },
		{ { "--sender=" }, true, "", NULL },
		{ { "--sender" }, false, NULL, NULL },
		{ { "--send", "a" }, false, NULL, NULL },
		{ { "x", "y" }, false, NULL, NULL },
		{ { "\xff" }, false, NULL, NULL },
		{ { "--sender", "\xff" }, false, NULL, NULL },
		{ { "--sender=\xff" }, false, NULL, NULL },
		{ { "--json" }, true, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ctl_words words;
		int count = 0;

		while (count < 4 && cases[i].words[count] != NULL)
			count++;
		assert_int_equal(ctl_words_read("x", options, count, (char **)(uintptr_t)cases[i].words, &words), cases[i].right);
		if (cases[i].right && cases[i].sender != NULL)
			assert_string_equal(ctl_string(words.request, "sender", "-"), cases[i].sender);
		if (cases[i].right && cases[i].first != NULL)
			assert_string_equal(words.first, cases[i].first);
		ctl_words_done(&words);
	}
}

static void test_printable(void **state)
{
	json_t *value = json_loads("{\"a\":[\"x\\u001b[2J\\u0000y\\r\\nz\\tb\\r!\\u009b\\u00e4\"],\"n\":5}", JSON_ALLOW_NUL, NULL);

	(void)state;
	assert_non_null(value);
	ctl_make_printable(value);
	assert_string_equal(json_string_value(json_array_get(json_object_get(value, "a"), 0)),
	    "x?[2J?y\r\nz\tb?!?\xc3\xa4");
	assert_int_equal(json_integer_value(json_object_get(value, "n")), 5);
	json_decref(value);
}

/* What commands print is no part of the test's own report: send it away, and bring stdout back. */
static int hush(void)
{
	const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	fflush(stdout);
	const int kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);

	must(null >= 0 && kept >= 0 && dup2(null, STDOUT_FILENO) == STDOUT_FILENO);
	close(null);
	return kept;
}

static void unhush(int kept)
{
	fflush(stdout);
	must(dup2(kept, STDOUT_FILENO) == STDOUT_FILENO);
	close(kept);
}

/* Exit codes of commands, against a server and without one. */
static void run_commands(struct world *world)
{
	const struct ctl_place place = { .control = world->path, .spool = "/nonexistent" };
	const struct {
		char *words[4];
		int code;
	} cases[] = {
		{ { "hold", "--domain", "remote.test" }, EX_OK },
		{ { "delete", "--state", "waiting" }, EX_OK },
		{ { "delete" }, EX_USAGE },
		{ { "delete", "--limit", "1" }, EX_USAGE },
		{ { "delete", "--sender", "" }, EX_USAGE },
		{ { "delete", "" }, EX_USAGE },
		{ { "delete", "0000000000zzz" }, EX_NOINPUT },
		{ { "list", "extra" }, EX_USAGE },
		{ { "list", "--limit", "2x" }, EX_USAGE },
		{ { "fold" }, EX_USAGE },
		{ { "show", "0000000000zzz" }, EX_NOINPUT },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int count = 0;

		while (count < 4 && cases[i].words[count] != NULL)
			count++;
		must(ctl_queue(&place, count, (char **)(uintptr_t)cases[i].words) == cases[i].code);
	}
}

static void test_commands(void **state)
{
	struct world *world = *state;
	struct ctl_place nowhere = { .control = "/nonexistent/sock", .spool = "/nonexistent" };
	struct spool_totals totals;

	put_messages(world, 1, 3, 1);
	const int kept = hush();

	serve(world, run_commands);
	unhush(kept);
	assert_int_equal(spool_totals(world->spool, &totals), OK);
	assert_int_equal(totals.messages, 3);
	assert_int_equal(ctl_stats(&nowhere, 0, NULL), EX_UNAVAILABLE);
	assert_int_equal(ctl_queue(&nowhere, 0, NULL), EX_UNAVAILABLE);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_ask),
		TEST(test_pipeline),
		TEST(test_flood),
		TEST(test_too_long),
		TEST(test_leaving),
		TEST(test_long_answer),
		TEST(test_smtp),
		TEST(test_hurry),
		TEST(test_crowd),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_printable),
		TEST(test_commands),
	};

	signal(SIGPIPE, SIG_IGN); /* As the server does. */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
