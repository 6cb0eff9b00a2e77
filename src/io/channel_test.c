/* Channels over real socket pairs: order, descriptors, a full socket, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "io/channel.h"

struct side {
	struct loop *loop;
	struct channel *channel;
	size_t got, want, fd_count;
	int drained_calls, ended_calls;
	enum error reason;
	bool free_inside;
};

static void on_message(void *context, struct text bytes, const int *fds, size_t fd_count)
{
	struct side *side = context;
	uint32_t number;

	assert_int_equal(bytes.length % sizeof number, 0);
	memcpy(&number, bytes.bytes, sizeof number);
	assert_int_equal(number, side->got); /* In order, none twice. */
	for (size_t i = 0; i < fd_count; i++) {
		assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		assert_int_equal(close(fds[i]), 0);
	}
	side->fd_count += fd_count;
	if (side->free_inside)
		channel_free(take(side->channel));
	if (++side->got == side->want)
		loop_stop(side->loop);
}

static void on_drained(void *context)
{
	((struct side *)context)->drained_calls++;
}

static void on_ended(void *context, enum error reason)
{
	struct side *side = context;

	side->ended_calls++;
	side->reason = reason;
	loop_stop(side->loop);
}

static const struct channel_handler handler = { on_message, on_drained, on_ended };

static void pair_new(struct side *a, struct side *b)
{
	struct loop *loop = loop_new();
	int fds[2];

	assert_int_equal(channel_pair(fds), OK);
	*a = (struct side){ .loop = loop };
	*b = (struct side){ .loop = loop };
	a->channel = channel_new(loop, fds[0], &handler, a);
	b->channel = channel_new(loop, fds[1], &handler, b);
	assert_non_null(a->channel);
	assert_non_null(b->channel);
}

static void pair_done(struct side *a, struct side *b)
{
	channel_free(a->channel);
	channel_free(b->channel);
	loop_free(a->loop);
}

static bool send_number(struct side *side, uint32_t number, size_t size, const int *fds, size_t fd_count)
{
	char bytes[CHANNEL_MESSAGE_MAX] = { 0 };

	memcpy(bytes, &number, sizeof number);
	return channel_send(side->channel, (struct text){ bytes, size }, fds, fd_count);
}

/* The queue holds what the socket does not take, up to its limit, and all of it arrives in order. */
static void a_full_socket_queues_up_to_the_limit(void **state)
{
	struct side a, b;
	uint32_t sent = 0;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	pair_new(&a, &b);
	while (send_number(&a, sent, CHANNEL_MESSAGE_MAX, &fd, sent % 2))
		sent++;
	assert_int_equal(channel_queued(a.channel), CHANNEL_QUEUE_MAX);
	assert_true(sent > CHANNEL_QUEUE_MAX);
	close(fd); /* N2: ours; the queue has its own. */
	b.want = sent;
	loop_run(a.loop);
	assert_int_equal(b.got, sent);
	assert_int_equal(b.fd_count, sent / 2);
	assert_int_equal(channel_queued(a.channel), 0);
	assert_int_equal(a.drained_calls, 1);
	pair_done(&a, &b);
}

static void four_descriptors_work_at_the_other_end(void **state)
{
	int fds[2], pipes[2][2];
	struct channel_message message;
	char byte = 0;

	(void)state;
	assert_int_equal(channel_pair(fds), OK);
	assert_int_equal(pipe2(pipes[0], O_CLOEXEC), 0);
	assert_int_equal(pipe2(pipes[1], O_CLOEXEC), 0);
	assert_int_equal(channel_receive_now(fds[1], &message), ERR_BUSY);
	assert_int_equal(channel_send_wait(fds[0], TEXT("pipes"), &pipes[0][0], CHANNEL_FDS_MAX), OK);
	for (int i = 0; i < 4; i++)
		close(pipes[i / 2][i % 2]);
	assert_int_equal(channel_receive_wait(fds[1], &message), OK);
	assert_int_equal(message.length, 5);
	assert_memory_equal(message.bytes, "pipes", 5);
	assert_int_equal(message.fd_count, 4);
	assert_int_equal(write(message.fds[1], "x", 1), 1);
	assert_int_equal(read(message.fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	channel_message_close(&message);
	assert_int_equal(message.fd_count, 0);
	close(fds[0]);
	assert_int_equal(channel_receive_wait(fds[1], &message), ERR_CLOSED);
	assert_int_equal(channel_send_wait(fds[1], TEXT("x"), NULL, 0), ERR_RESET);
	close(fds[1]);
}

static void too_large_is_an_error(void **state)
{
	static char big[CHANNEL_MESSAGE_MAX + 1];
	struct channel_message message;
	int fds[2];

	(void)state;
	assert_int_equal(channel_pair(fds), OK);
	assert_int_equal(send(fds[0], big, sizeof big, 0), sizeof big);
	assert_int_equal(channel_receive_wait(fds[1], &message), ERR_TOO_LARGE);
	close(fds[0]);
	close(fds[1]);
}

/* What was sent before the end still arrives, also when the sender left messages unread. */
static void the_end_comes_after_what_was_sent(void **state)
{
	struct side a, b;

	(void)state;
	pair_new(&a, &b);
	assert_true(send_number(&b, 0, 4, NULL, 0));
	assert_true(send_number(&a, 0, 4, NULL, 0));
	assert_true(send_number(&a, 1, 4, NULL, 0));
	channel_free(take(a.channel));
	loop_run(b.loop);
	assert_int_equal(b.got, 2);
	assert_int_equal(b.ended_calls, 1);
	assert_int_equal(b.reason, ERR_CLOSED);
	assert_true(send_number(&b, 0, 4, NULL, 0)); /* Nothing happens. */
	pair_done(&a, &b);
}

static void a_channel_may_be_freed_inside_its_callback(void **state)
{
	struct side a, b;

	(void)state;
	pair_new(&a, &b);
	assert_true(send_number(&a, 0, 4, NULL, 0));
	assert_true(send_number(&a, 1, 4, NULL, 0));
	b.free_inside = true;
	loop_run(a.loop); /* Until a hears of the end. */
	assert_int_equal(b.got, 1);
	assert_int_equal(b.ended_calls, 0);
	assert_int_equal(a.ended_calls, 1);
	pair_done(&a, &b);
}

enum { WAITED = 2000 };

static void *send_many(void *context)
{
	char bytes[1000] = { 0 };

	for (uint32_t i = 0; i < WAITED; i++) {
		memcpy(bytes, &i, sizeof i);
		if (channel_send_wait(*(int *)context, (struct text){ bytes, sizeof bytes }, NULL, 0) != OK)
			return context;
	}
	return NULL;
}

static void waiting_sends_block_until_there_is_room(void **state)
{
	static struct channel_message message;
	pthread_t thread;
	void *failed;
	int fds[2];

	(void)state;
	assert_int_equal(channel_pair(fds), OK);
	assert_int_equal(pthread_create(&thread, NULL, send_many, &fds[0]), 0);
	for (uint32_t i = 0; i < WAITED; i++) {
		uint32_t number;

		assert_int_equal(channel_receive_wait(fds[1], &message), OK);
		memcpy(&number, message.bytes, sizeof number);
		assert_int_equal(number, i);
	}
	pthread_join(thread, &failed);
	assert_null(failed);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_socket_queues_up_to_the_limit),
		cmocka_unit_test(four_descriptors_work_at_the_other_end),
		cmocka_unit_test(too_large_is_an_error),
		cmocka_unit_test(the_end_comes_after_what_was_sent),
		cmocka_unit_test(a_channel_may_be_freed_inside_its_callback),
		cmocka_unit_test(waiting_sends_block_until_there_is_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
