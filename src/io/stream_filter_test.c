/* Streams with a filter that anybody can see through: letters change their case on the wire, "hi." from both sides is the
 * handshake, "bye." the last word, and a "!" is against its rules. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "io/stream.h"
#include "io/stream_filter.h"

struct toy {
	struct stream_filter face;
	unsigned *freed_count;
	struct buffer held;
	bool greeted;
};

static void put_swapped(struct buffer *out, struct text bytes)
{
	for (size_t i = 0; i < bytes.length; i++)
		assert_true(buffer_append(out, (struct text){ (char[]){ (char)(bytes.bytes[i] ^ ' ') }, 1 }));
}

static enum error toy_received(struct stream_filter *face, struct text wire, struct buffer *out_plain, struct buffer *out_wire)
{
	struct toy *toy = (struct toy *)face;

	if (!toy->greeted)
		assert_true(buffer_append(out_wire, TEXT("hi.")));
	toy->greeted = true;
	assert_true(buffer_append(&toy->held, wire));
	if (text_find_byte(wire, '!') < wire.length)
		return ERR_TLS;
	if (!face->ready && toy->held.length >= 3) {
		buffer_consume(&toy->held, 3);
		face->ready = true;
	}
	if (!face->ready)
		return OK;
	const size_t end = text_find(buffer_text(&toy->held), TEXT("bye."));
	const bool over = end < toy->held.length;

	put_swapped(out_plain, text_part(buffer_text(&toy->held), 0, end));
	buffer_clear(&toy->held);
	return over ? ERR_CLOSED : OK;
}

static enum error toy_send(struct stream_filter *face, struct text plain, struct buffer *out_wire)
{
	assert_true(face->ready);
	put_swapped(out_wire, plain);
	return OK;
}

static void toy_finish(struct stream_filter *face, struct buffer *out_wire)
{
	(void)face;
	assert_true(buffer_append(out_wire, TEXT("bye.")));
}

static void toy_free(struct stream_filter *face)
{
	struct toy *toy = (struct toy *)face;

	++*toy->freed_count;
	buffer_done(&toy->held);
	free(toy);
}

static struct stream_filter *toy_new(unsigned *freed_count)
{
	static const struct stream_filter_calls calls = { toy_received, toy_send, toy_finish, toy_free };
	struct toy *toy = calloc(1, sizeof *toy);

	toy->face.calls = &calls;
	toy->freed_count = freed_count;
	buffer_init(&toy->held, 1 << 20);
	return &toy->face;
}

/* -- Two streams on one loop ------------------------------------------------------------ */

struct side {
	struct loop *loop;
	struct stream *stream;
	struct buffer got;
	size_t want;           /* Stop the loop when so much is here. */
	unsigned opened_count, ended_count, freed_count;
	enum error ended;
	const char *greeting;  /* Said when the filter is ready. */
	bool leaves;           /* Frees its stream then. */
};

static void opened(void *context)
{
	struct side *side = context;

	side->opened_count++;
	if (side->greeting != NULL)
		assert_true(stream_write(side->stream, text_of(side->greeting)));
	if (side->leaves)
		stream_free(take(side->stream));
}

static void bytes(void *context, struct text bytes)
{
	struct side *side = context;

	assert_true(side->opened_count == 1 && buffer_append(&side->got, bytes));
	if (side->got.length >= side->want)
		loop_stop(side->loop);
}

static void drained(void *context) { (void)context; }

static void ended(void *context, enum error reason)
{
	struct side *side = context;

	side->ended_count++;
	side->ended = reason;
	loop_stop(side->loop);
}

static const struct stream_handler handler = { opened, bytes, drained, ended };

struct pair {
	struct loop *loop;
	struct side a, b;
};

static int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof *pair);
	int fds[2];

	pair->loop = loop_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	pair->a.loop = pair->b.loop = pair->loop;
	pair->a.want = pair->b.want = SIZE_MAX;
	buffer_init(&pair->a.got, 4 << 20);
	buffer_init(&pair->b.got, 4 << 20);
	pair->a.stream = stream_from_fd(pair->loop, fds[0], &handler, &pair->a);
	pair->b.stream = stream_from_fd(pair->loop, fds[1], &handler, &pair->b);
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;

	stream_free(pair->a.stream);
	stream_free(pair->b.stream);
	loop_free(pair->loop);
	assert_true(pair->a.freed_count <= 1 && pair->b.freed_count <= 1);
	buffer_done(&pair->a.got);
	buffer_done(&pair->b.got);
	free(pair);
	return 0;
}

static void filter_both(struct pair *pair)
{
	stream_set_filter(pair->a.stream, toy_new(&pair->a.freed_count));
	stream_set_filter(pair->b.stream, toy_new(&pair->b.freed_count));
}

static void owners_see_plain_bytes(void **state)
{
	struct pair *pair = *state;

	pair->a.greeting = "Hello from a";
	pair->b.want = 12;
	filter_both(pair);
	loop_run(pair->loop);
	assert_int_equal(pair->b.opened_count, 1);
	assert_true(text_equal(buffer_text(&pair->b.got), TEXT("Hello from a")));
}

static void what_was_written_before_stays_in_clear(void **state)
{
	struct pair *pair = *state;

	/* Only one side has a filter: the other sees the wire. */
	assert_true(stream_write(pair->a.stream, TEXT("go\n")));
	stream_set_filter(pair->a.stream, toy_new(&pair->a.freed_count));
	pair->b.opened_count = 1;
	pair->b.want = 6;
	loop_run(pair->loop);
	assert_true(text_equal(buffer_text(&pair->b.got), TEXT("go\nhi.")));
	pair->a.greeting = "A";
	pair->b.want = 7;
	assert_true(stream_write(pair->b.stream, TEXT("hi.X")));
	loop_run(pair->loop);
	assert_true(text_equal(buffer_text(&pair->b.got), TEXT("go\nhi.a")));
	assert_true(text_equal(buffer_text(&pair->a.got), TEXT("x")));
}

static void much_passes_through_the_backlog(void **state)
{
	enum { SIZE = 900000 };
	struct pair *pair = *state;
	char *much = malloc(SIZE);

	memset(much, 'm', SIZE);
	pair->b.want = 1;
	pair->a.greeting = "x";
	filter_both(pair);
	loop_run(pair->loop);
	assert_true(stream_write(pair->a.stream, (struct text){ much, SIZE }));
	assert_true(stream_backlog(pair->a.stream) > 0);
	assert_false(stream_write(pair->a.stream, (struct text){ much, SIZE }));
	pair->b.want = 1 + SIZE;
	loop_run(pair->loop);
	assert_int_equal(pair->b.got.length, 1 + SIZE);
	assert_memory_equal(buffer_text(&pair->b.got).bytes + 1, much, SIZE);
	free(much);
}

static void the_last_words_are_heard(void **state)
{
	struct pair *pair = *state;

	pair->a.greeting = "Last";
	pair->b.want = 4;
	filter_both(pair);
	loop_run(pair->loop);
	stream_finish(take(pair->a.stream), 1000);
	loop_run(pair->loop);
	assert_int_equal(pair->b.ended, ERR_CLOSED);
	assert_int_equal(pair->b.ended_count, 1);
	assert_true(text_equal(buffer_text(&pair->b.got), TEXT("Last")));
}

static void a_broken_rule_ends_the_stream(void **state)
{
	struct pair *pair = *state;

	stream_set_filter(pair->a.stream, toy_new(&pair->a.freed_count));
	assert_true(stream_write(pair->b.stream, TEXT("!")));
	pair->b.opened_count = 1;
	loop_run(pair->loop);
	assert_int_equal(pair->a.ended, ERR_TLS);
	assert_int_equal(pair->a.opened_count, 0);
}

static void an_owner_may_leave_when_it_is_ready(void **state)
{
	struct pair *pair = *state;

	pair->a.leaves = true;
	filter_both(pair);
	loop_run(pair->loop);
	assert_null(pair->a.stream);
	assert_int_equal(pair->b.ended, ERR_CLOSED);
}

int main(void)
{
#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_PAIR(owners_see_plain_bytes),
		WITH_PAIR(what_was_written_before_stays_in_clear),
		WITH_PAIR(much_passes_through_the_backlog),
		WITH_PAIR(the_last_words_are_heard),
		WITH_PAIR(a_broken_rule_ends_the_stream),
		WITH_PAIR(an_owner_may_leave_when_it_is_ready),
	};

	signal(SIGPIPE, SIG_IGN); /* As the program does. */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
