/* Notes and their descriptors over a real pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "io/channel.h"
#include "supervisor/note.h"

static void make_pair(int pair[2])
{
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
}

static void test_words_keep_their_borders(void **state)
{
	static const char *const words[] = { "listen", "start", "x" };
	char room[NOTE_LENGTH_MAX];
	int pair[2], fd = 99;

	(void)state;
	make_pair(pair);
	for (size_t i = 0; i < 3; i++)
		assert_true(note_send(pair[0], words[i], -1));
	for (size_t i = 0; i < 3; i++) {
		assert_true(note_receive(pair[1], room, &fd));
		assert_string_equal(room, words[i]);
		assert_int_equal(fd, -1);
	}
	close(pair[0]);
	close(pair[1]);
}

static void test_descriptor_arrives_and_stays(void **state)
{
	char room[NOTE_LENGTH_MAX], byte = 0;
	int pair[2], pipes[2], fd = -1;

	(void)state;
	make_pair(pair);
	must(pipe2(pipes, O_CLOEXEC) == 0);
	assert_true(note_send(pair[0], "channel", pipes[1]));
	assert_true(note_receive(pair[1], room, &fd));
	assert_true(fd >= 0 && fd != pipes[1]);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(fd, "a", 1), 1);
	assert_int_equal(write(pipes[1], "b", 1), 1); /* The sender's own is still open. */
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_int_equal(byte, 'a');
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
	close(pair[0]);
	close(pair[1]);
}

static void test_the_other_side_is_gone(void **state)
{
	char room[NOTE_LENGTH_MAX] = "untouched";
	int pair[2], fd = 77;

	(void)state;
	make_pair(pair);
	assert_true(note_send(pair[0], "last", -1));
	close(pair[0]);
	assert_true(note_receive(pair[1], room, &fd)); /* What was sent before still arrives. */
	assert_string_equal(room, "last");
	fd = 77;
	assert_false(note_receive(pair[1], room, &fd));
	assert_int_equal(fd, 77);
	assert_false(note_send(pair[1], "stop", -1)); /* And no SIGPIPE. */
	close(pair[1]);
	assert_false(note_send(-1, "stop", -1));
}

/* Nothing that speaks like that is one of ours; and its descriptors do not stay with us. */
static void test_what_is_no_note_is_refused(void **state)
{
	const char bytes[NOTE_LENGTH_MAX] = { 'x' };
	char room[NOTE_LENGTH_MAX], byte;
	int pair[2], pipes[2], fd = 77;

	(void)state;
	make_pair(pair);
	must(pipe2(pipes, O_CLOEXEC) == 0);
	assert_int_equal(channel_send_wait(pair[0], (struct text){ bytes, sizeof bytes }, &pipes[1], 1), OK);
	assert_false(note_receive(pair[1], room, &fd));
	assert_int_equal(channel_send_wait(pair[0], TEXT("two"), (int[]){ pipes[1], pipes[1] }, 2), OK);
	assert_false(note_receive(pair[1], room, &fd));
	assert_int_equal(fd, 77);
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &byte, 1), 0); /* Nobody holds the other end. */
	close(pipes[0]);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_keep_their_borders),
		cmocka_unit_test(test_descriptor_arrives_and_stays),
		cmocka_unit_test(test_the_other_side_is_gone),
		cmocka_unit_test(test_what_is_no_note_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
