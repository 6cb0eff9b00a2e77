/* Streams and wake-ups over real sockets on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/buffer.h"
#include "io/stream.h"

struct side {
	struct loop *loop;
	struct stream *stream;
	struct buffer got;
	size_t want;
	bool opened, drained;
	int ended_calls;
	enum error ended;
};

static void stop_when_full(struct side *side)
{
	if (side->got.length >= side->want)
		loop_stop(side->loop);
}

static void on_opened(void *context) { ((struct side *)context)->opened = true; }
static void on_drained(void *context) { ((struct side *)context)->drained = true; }
static void on_bytes(void *context, struct text bytes)
{
	struct side *side = context;

	assert_true(buffer_append(&side->got, bytes));
	stop_when_full(side);
}
static void on_ended(void *context, enum error reason)
{
	struct side *side = context;

	side->ended_calls++;
	side->ended = reason;
	loop_stop(side->loop);
}
static const struct stream_handler handler = { on_opened, on_bytes, on_drained, on_ended };

static void side_init(struct side *side, struct loop *loop, size_t want)
{
	*side = (struct side){ .loop = loop, .want = want };
	buffer_init(&side->got, 8 << 20);
}

static void pair_new(struct loop *loop, struct side *a, struct side *b, size_t want)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	side_init(a, loop, want);
	side_init(b, loop, want);
	a->stream = stream_from_fd(loop, fds[0], &handler, a);
	b->stream = stream_from_fd(loop, fds[1], &handler, b);
}

static void pair_done(struct side *a, struct side *b)
{
	stream_free(a->stream);
	stream_free(b->stream);
	buffer_done(&a->got);
	buffer_done(&b->got);
	loop_free(a->loop);
}

static void what_the_socket_does_not_take_waits_and_drains(void **state)
{
	enum { SIZE = 900000 };
	struct loop *loop = loop_new();
	struct side a, b;
	char *bytes = malloc(SIZE);

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 7 / 3);
	pair_new(loop, &a, &b, SIZE);
	assert_true(stream_write(a.stream, (struct text){ bytes, SIZE }));
	assert_true(stream_backlog(a.stream) > 0);
	assert_false(stream_write(a.stream, (struct text){ bytes, SIZE })); /* Over the limit. */
	loop_run(loop);
	assert_int_equal(b.got.length, SIZE);
	assert_memory_equal(buffer_text(&b.got).bytes, bytes, SIZE);
	while (!a.drained) {
		struct loop_timer *once = loop_timer_new(loop, (loop_callback *)loop_stop, loop);

		loop_timer_set(once, 0);
		loop_run(loop);
		loop_timer_free(once);
	}
	assert_int_equal(stream_backlog(a.stream), 0);
	free(bytes);
	pair_done(&a, &b);
}

static void the_end_is_told_once(void **state)
{
	struct loop *loop = loop_new();
	struct side a, b;

	(void)state;
	pair_new(loop, &a, &b, 2);
	assert_true(stream_write(a.stream, TEXT("hi")));
	stream_finish(take(a.stream), 1000);
	b.want = 100;
	loop_run(loop);
	assert_int_equal(b.ended_calls, 1);
	assert_int_equal(b.ended, ERR_CLOSED);
	assert_true(text_equal(buffer_text(&b.got), TEXT("hi")));
	pair_done(&a, &b);
}

static void a_refused_dial_ends_later(void **state)
{
	struct loop *loop = loop_new();
	struct side side;
	struct endpoint nobody;

	(void)state;
	/* Port 1 of loopback: bound by nobody. */
	assert_true(endpoint_parse(TEXT("127.0.0.1:1"), 0, &nobody));
	side_init(&side, loop, 1);
	side.stream = stream_dial(loop, &nobody, NULL, &handler, &side);
	assert_non_null(side.stream);
	assert_int_equal(side.ended_calls, 0);
	loop_run(loop);
	assert_int_equal(side.ended, ERR_REFUSED);
	assert_false(side.opened);
	stream_free(side.stream);
	buffer_done(&side.got);
	loop_free(loop);
}

struct accepting {
	struct side *server;
	struct listener *listener;
};

static void on_accepted(void *context, struct stream *stream)
{
	struct accepting *accepting = context;

	accepting->server->stream = stream;
	stream_set_handler(stream, &handler, accepting->server);
	stream_resume(stream);
}

static void a_listener_gives_paused_streams(void **state)
{
	struct loop *loop = loop_new();
	struct side server, client;
	struct accepting accepting = { .server = &server };
	struct endpoint at;
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	char room[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_true(endpoint_parse(TEXT("127.0.0.1"), 0, &at));
	side_init(&server, loop, 5);
	side_init(&client, loop, 5);
	assert_int_equal(listen(fd, 5), 0); /* Binds a port of the kernel's choice. */
	accepting.listener = listener_new(loop, fd, on_accepted, &accepting);

	struct stream *probe = stream_from_fd(loop, dup(fd), &handler, &client);

	at.port = stream_local(probe)->port;
	stream_free(probe);
	client.stream = stream_dial(loop, &at, NULL, &handler, &client);
	assert_true(stream_write(client.stream, TEXT("hello"))); /* Before it is open. */
	loop_run(loop);
	assert_true(text_equal(buffer_text(&server.got), TEXT("hello")));
	assert_true(client.opened);
	assert_string_equal(endpoint_print_ip(stream_peer(server.stream), room).bytes, "127.0.0.1");
	stream_free(server.stream);
	stream_free(client.stream);
	listener_free(accepting.listener);
	buffer_done(&server.got);
	buffer_done(&client.got);
	loop_free(loop);
}

/* One round of the loop: every socket that has something to say says it. */
static void loop_turn(struct loop *loop)
{
	struct loop_timer *once = loop_timer_new(loop, (loop_callback *)loop_stop, loop);

	loop_timer_set(once, 1);
	loop_run(loop);
	loop_timer_free(once);
}

static void a_paused_stream_gives_nothing(void **state)
{
	struct loop *loop = loop_new();
	struct side a, b;

	(void)state;
	pair_new(loop, &a, &b, 5);
	stream_pause(b.stream);
	assert_true(stream_write(a.stream, TEXT("hello")));
	for (int i = 0; i < 3; i++)
		loop_turn(loop);
	assert_int_equal(b.got.length, 0);
	stream_resume(b.stream);
	loop_run(loop);
	assert_true(text_equal(buffer_text(&b.got), TEXT("hello")));

	stream_pause(b.stream);
	stream_resume(b.stream); /* Before anything came. */
	b.want = 10;
	assert_true(stream_write(a.stream, TEXT("world")));
	loop_run(loop);
	assert_true(text_equal(buffer_text(&b.got), TEXT("helloworld")));
	pair_done(&a, &b);
}

static void free_on_bytes(void *context, struct text bytes)
{
	struct side *side = context;

	assert_true(buffer_append(&side->got, bytes));
	stream_free(take(side->stream));
}

static void free_on_drained(void *context)
{
	struct side *side = context;

	side->drained = true;
	stream_free(take(side->stream));
}

static void free_on_ended(void *context, enum error reason)
{
	on_ended(context, reason);
	stream_free(take(((struct side *)context)->stream));
}

/* Given back inside `bytes`, as whoever reads only the beginning of what comes does it. */
static void give_back(void *context, struct text bytes)
{
	struct side *side = context;

	assert_true(buffer_append(&side->got, text_part(bytes, 0, 3)));
	stream_pause(side->stream);
	assert_true(stream_unread(side->stream, text_from(bytes, 3)));
	loop_stop(side->loop);
}

static void what_was_given_back_comes_first(void **state)
{
	static const struct stream_handler giver = { on_opened, give_back, on_drained, on_ended };
	struct loop *loop = loop_new();
	struct side a, b;

	(void)state;
	pair_new(loop, &a, &b, 12);
	stream_set_handler(b.stream, &giver, &b);
	assert_true(stream_write(a.stream, TEXT("headbody")));
	loop_run(loop);
	assert_true(text_equal(buffer_text(&b.got), TEXT("hea")));
	assert_true(stream_write(a.stream, TEXT("more")));
	stream_set_handler(b.stream, &handler, &b);
	stream_resume(b.stream);
	assert_int_equal(b.got.length, 3); /* Not inside the call. */
	loop_run(loop);
	assert_true(text_equal(buffer_text(&b.got), TEXT("headbodymore")));
	pair_done(&a, &b);
}

static void what_was_given_back_may_be_left(void **state)
{
	static const struct stream_handler giver = { on_opened, give_back, on_drained, on_ended };
	struct loop *loop = loop_new();
	struct side a, b;

	(void)state;
	pair_new(loop, &a, &b, 12);
	stream_set_handler(b.stream, &giver, &b);
	assert_true(stream_write(a.stream, TEXT("headbody")));
	loop_run(loop);
	stream_resume(b.stream);
	stream_finish(take(b.stream), 1000);
	loop_run(loop);
	assert_int_equal(a.ended_calls, 1);
	pair_done(&a, &b);
}

static void streams_may_be_freed_inside_callbacks(void **state)
{
	static const struct stream_handler freeing_bytes = { on_opened, free_on_bytes, on_drained, on_ended };
	static const struct stream_handler freeing_rest = { on_opened, on_bytes, free_on_drained, free_on_ended };
	static char big[900000];
	struct loop *loop = loop_new();
	struct side a, b, c, d;

	(void)state;
	pair_new(loop, &a, &b, sizeof big);
	stream_set_handler(a.stream, &freeing_rest, &a);
	assert_true(stream_write(a.stream, (struct text){ big, sizeof big }));
	b.want = sizeof big + 1;
	loop_run(loop); /* Until b hears that a, drained, freed itself. */
	assert_true(a.drained);
	assert_null(a.stream);
	assert_int_equal(b.got.length, sizeof big);
	assert_int_equal(b.ended, ERR_CLOSED);

	pair_new(loop, &c, &d, 100);
	stream_set_handler(c.stream, &freeing_bytes, &c);
	stream_set_handler(d.stream, &freeing_rest, &d);
	assert_true(stream_write(d.stream, TEXT("x")));
	loop_run(loop);
	assert_null(c.stream);
	assert_int_equal(c.ended_calls, 0); /* L3 */
	assert_null(d.stream);
	assert_int_equal(d.ended_calls, 1);
	buffer_done(&c.got);
	buffer_done(&d.got);
	pair_done(&a, &b);
}

/* A 421 that came before the connection broke is heard, although writing failed first. */
static void last_words_are_heard_after_a_failed_write(void **state)
{
	struct loop *loop = loop_new();
	struct side a, b;

	(void)state;
	pair_new(loop, &a, &b, 100);
	assert_true(stream_write(b.stream, TEXT("421 bye")));
	stream_free(take(b.stream));
	assert_true(stream_write(a.stream, TEXT("EHLO"))); /* Fails: nobody is there. */
	assert_int_equal(a.ended_calls, 0); /* S2 */
	loop_run(loop);
	assert_true(text_equal(buffer_text(&a.got), TEXT("421 bye")));
	assert_int_equal(a.ended_calls, 1);
	assert_int_equal(a.ended, ERR_RESET);
	pair_done(&a, &b);
}

static void a_paused_stream_hears_of_a_failed_write(void **state)
{
	struct loop *loop = loop_new();
	struct side a, b;

	(void)state;
	pair_new(loop, &a, &b, 100);
	stream_pause(a.stream);
	stream_free(take(b.stream));
	assert_true(stream_write(a.stream, TEXT("x")));
	assert_int_equal(a.ended_calls, 0);
	loop_run(loop);
	assert_int_equal(a.ended_calls, 1);
	assert_int_equal(a.ended, ERR_RESET);
	pair_done(&a, &b);
}

static void tcp_pair(int out_fds[2])
{
	struct sockaddr_storage at;
	socklen_t length = sizeof at;
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
	out_fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(out_fds[0], (struct sockaddr *)&at, length), 0);
	out_fds[1] = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
	assert_true(out_fds[1] >= 0);
	close(fd);
}

/* The client still sends when the server has said its last: a plain close would reset the connection. */
static void finishing_does_not_lose_the_last_reply(void **state)
{
	static char noise[100000];
	struct loop *loop = loop_new();
	struct side server, client;
	int fds[2];

	(void)state;
	tcp_pair(fds);
	side_init(&server, loop, 1);
	side_init(&client, loop, sizeof noise);
	server.stream = stream_from_fd(loop, fds[1], &handler, &server);
	client.stream = stream_from_fd(loop, fds[0], &handler, &client);
	stream_pause(server.stream);
	assert_true(stream_write(client.stream, (struct text){ noise, sizeof noise }));
	loop_turn(loop);
	assert_true(stream_write(server.stream, TEXT("552 too much")));
	stream_finish(take(server.stream), 10000);
	loop_turn(loop);
	if (client.ended_calls == 0)
		assert_true(stream_write(client.stream, (struct text){ noise, sizeof noise }));
	while (client.ended_calls == 0)
		loop_turn(loop);
	assert_true(text_equal(buffer_text(&client.got), TEXT("552 too much")));
	assert_int_equal(client.ended, ERR_CLOSED);
	stream_free(client.stream);
	buffer_done(&server.got);
	buffer_done(&client.got);
	loop_free(loop); /* The server's side lingers without an owner. */
}

/* A client that closed its half gets a long answer whole. */
static void a_half_closed_client_gets_its_answer(void **state)
{
	static char answer[900000];
	struct loop *loop = loop_new();
	struct side server, client;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	side_init(&server, loop, 100);
	side_init(&client, loop, sizeof answer + 1);
	server.stream = stream_from_fd(loop, fds[0], &handler, &server);
	assert_int_equal(send(fds[1], "list", 4, 0), 4);
	assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
	loop_run(loop);
	assert_int_equal(server.ended, ERR_CLOSED);
	assert_int_equal(server.got.length, 4);
	assert_true(stream_write(server.stream, (struct text){ answer, sizeof answer }));
	assert_true(stream_backlog(server.stream) > 0);
	stream_finish(take(server.stream), 10000);
	client.stream = stream_from_fd(loop, fds[1], &handler, &client);
	loop_run(loop);
	assert_int_equal(client.got.length, sizeof answer);
	assert_int_equal(client.ended, ERR_CLOSED);
	assert_int_equal(server.ended_calls, 1);
	stream_free(client.stream);
	buffer_done(&server.got);
	buffer_done(&client.got);
	loop_free(loop);
}

static void free_listener(void *context, struct stream *stream)
{
	struct accepting *accepting = context;

	stream_free(stream);
	listener_free(take(accepting->listener));
}

static void a_listener_may_be_freed_inside_its_callback(void **state)
{
	struct loop *loop = loop_new();
	struct accepting accepting = { 0 };
	struct side client;
	struct sockaddr_storage at;
	socklen_t length = sizeof at;
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int dialled[2];

	(void)state;
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
	for (int i = 0; i < 2; i++) {
		dialled[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(dialled[i], (struct sockaddr *)&at, length), 0);
	}
	accepting.listener = listener_new(loop, fd, free_listener, &accepting);
	side_init(&client, loop, 1);
	client.stream = stream_from_fd(loop, dialled[0], &handler, &client);
	loop_run(loop); /* Until the client hears of the end. */
	assert_null(accepting.listener);
	stream_free(client.stream);
	close(dialled[1]);
	buffer_done(&client.got);
	loop_free(loop);
}

static void watched_readable(void *context)
{
	int *left = context;

	(*left)--;
}

/* Level-triggered: what is not read is told again. */
static void a_watch_goes_on_until_it_is_freed(void **state)
{
	struct loop *loop = loop_new();
	int fds[2], left = 3;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	struct loop_watch *watch = loop_watch_new(loop, fds[0], watched_readable, &left);

	assert_int_equal(send(fds[1], "x", 1, 0), 1);
	while (left > 0)
		loop_turn(loop);
	loop_watch_free(watch);
	left = 3;
	loop_turn(loop);
	assert_int_equal(left, 3);
	close(fds[0]);
	close(fds[1]);
	loop_free(loop);
}

static void a_stop_that_nobody_heard_does_no_harm(void **state)
{
	struct loop *loop = loop_new();
	struct loop_timer *timer = loop_timer_new(loop, (loop_callback *)loop_stop, loop);

	(void)state;
	loop_timer_free(timer);
	loop_stop(loop);
	loop_free(loop);
}

static void *send_wakes(void *context)
{
	for (int i = 0; i < 1000; i++)
		loop_wake_send(context);
	return NULL;
}

static void another_thread_wakes_the_loop(void **state)
{
	struct loop *loop = loop_new();
	struct loop_wake *wake = loop_wake_new(loop, (loop_callback *)loop_stop, loop);
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, send_wakes, wake), 0);
	loop_run(loop);
	pthread_join(thread, NULL);
	loop_wake_free(wake);
	loop_free(loop);
}

struct ticks {
	struct loop *loop;
	struct loop_timer *timer;
	int count;
};

static void tick(void *context)
{
	struct ticks *ticks = context;

	if (++ticks->count < 3) {
		loop_timer_set(ticks->timer, 1);
		return;
	}
	loop_timer_free(take(ticks->timer)); /* Inside its own callback. */
	loop_stop(ticks->loop);
}

static void timers_move_and_may_be_freed_inside(void **state)
{
	struct ticks ticks = { .loop = loop_new() };
	struct loop_timer *never = loop_timer_new(ticks.loop, tick, NULL);

	(void)state;
	ticks.timer = loop_timer_new(ticks.loop, tick, &ticks);
	loop_timer_set(never, 0);
	loop_timer_stop(never);
	loop_timer_set(ticks.timer, 0);
	loop_timer_set(ticks.timer, 5); /* Later: lazily. */
	loop_timer_set(ticks.timer, 2);
	loop_run(ticks.loop);
	assert_int_equal(ticks.count, 3);
	loop_timer_free(never);
	loop_free(ticks.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_socket_does_not_take_waits_and_drains),
		cmocka_unit_test(the_end_is_told_once),
		cmocka_unit_test(a_refused_dial_ends_later),
		cmocka_unit_test(a_listener_gives_paused_streams),
		cmocka_unit_test(a_paused_stream_gives_nothing),
		cmocka_unit_test(what_was_given_back_comes_first),
		cmocka_unit_test(what_was_given_back_may_be_left),
		cmocka_unit_test(streams_may_be_freed_inside_callbacks),
		cmocka_unit_test(last_words_are_heard_after_a_failed_write),
		cmocka_unit_test(a_paused_stream_hears_of_a_failed_write),
		cmocka_unit_test(finishing_does_not_lose_the_last_reply),
		cmocka_unit_test(a_half_closed_client_gets_its_answer),
		cmocka_unit_test(a_listener_may_be_freed_inside_its_callback),
		cmocka_unit_test(a_watch_goes_on_until_it_is_freed),
		cmocka_unit_test(a_stop_that_nobody_heard_does_no_harm),
		cmocka_unit_test(another_thread_wakes_the_loop),
		cmocka_unit_test(timers_move_and_may_be_freed_inside),
	};

	signal(SIGPIPE, SIG_IGN); /* As the program does. */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
