/* Streams and wake-ups over real sockets on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
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
		cmocka_unit_test(another_thread_wakes_the_loop),
		cmocka_unit_test(timers_move_and_may_be_freed_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
