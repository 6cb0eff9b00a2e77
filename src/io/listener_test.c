/* Accepting when there are no descriptors or no memory: this program's accept4 stands before the C library's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/stream.h"

static const int *failures; /* What the next calls fail with; 0: the end. */
static unsigned calls;

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *length, int flags)
{
	calls++;
	if (*failures != 0) {
		errno = *failures++;
		return -1;
	}
	return (int)syscall(SYS_accept4, fd, address.__sockaddr__, length, flags);
}

struct heard {
	struct loop *loop;
	unsigned accepted, troubles, ends;
	enum error why;
};

static void on_accepted(void *context, struct stream *stream)
{
	struct heard *heard = context;

	heard->accepted++;
	stream_free(stream);
	loop_stop(heard->loop);
}

static void on_trouble(void *context, enum error error)
{
	struct heard *heard = context;

	heard->troubles += error != OK;
	heard->ends += error == OK;
	heard->why = error;
}

static void clients_wait_in_the_backlog(void **state)
{
	static const int all[] = { EMFILE, ENFILE, ENOMEM, ENOBUFS, 0 };
	struct heard heard = { .loop = loop_new() };
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	const int client = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_storage address;
	socklen_t length = sizeof address;

	(void)state;
	failures = all;
	assert_int_equal(listen(fd, 5), 0); /* Binds a port of the kernel's choice. */
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);

	struct listener *listener = listener_new(heard.loop, fd, on_accepted, &heard);

	listener_set_trouble(listener, on_trouble);
	assert_int_equal(connect(client, (struct sockaddr *)&address, length), 0);
	loop_run(heard.loop);
	assert_int_equal(heard.accepted, 1);
	assert_int_equal(calls, 6); /* One a pause, and two when there is somebody: nothing spins. */
	assert_int_equal(heard.troubles, 1);
	assert_int_equal(heard.why, ERR_DESCRIPTORS);
	assert_int_equal(heard.ends, 0); /* Not before it has worked for a while. */
	listener_free(listener);
	close(client);
	loop_free(heard.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_wait_in_the_backlog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
