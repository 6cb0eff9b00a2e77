/* Listening sockets, the control socket that a dead server left, and folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/must.h"
#include "supervisor/privilege.h"
#include "supervisor/sockets.h"

struct place {
	char folder[64];
	char path[100];
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof *place);

	snprintf(place->folder, sizeof place->folder, "/tmp/postroad-sockets-XXXXXX");
	must(mkdtemp(place->folder) != NULL);
	snprintf(place->path, sizeof place->path, "%s/control.sock", place->folder);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	rmdir(place->folder);
	free(place);
	return 0;
}

static bool can_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	must(strlen(path) < sizeof address.sun_path);
	memcpy(address.sun_path, path, strlen(path));
	const bool connected = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;

	close(fd);
	return connected;
}

static void test_control_alive_is_refused_and_dead_replaced(void **state)
{
	const struct place *place = *state;
	struct stat about;
	int first = -1, second = -1;

	assert_int_equal(sockets_control(place->path, &first), OK);
	assert_int_equal(stat(place->path, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0666);
	assert_true(fcntl(first, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(first, F_GETFL) & O_NONBLOCK);
	assert_int_equal(sockets_control(place->path, &second), ERR_BUSY);
	assert_int_equal(second, -1);
	assert_true(can_connect(place->path)); /* The live one was left alone. */
	close(first);                          /* It died, and left its file. */
	assert_int_equal(sockets_control(place->path, &second), OK);
	assert_true(can_connect(place->path));
	close(second);
}

/* A server too busy to accept is alive, and asking must not wait for it. */
static void test_full_backlog_is_alive(void **state)
{
	const struct place *place = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int waiting[8], count = 0, fd = -1;

	snprintf(address.sun_path, sizeof address.sun_path, "%s", place->path);
	must(bind(server, (const struct sockaddr *)&address, sizeof address) == 0 && listen(server, 0) == 0);
	do {
		waiting[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	} while (connect(waiting[count++], (const struct sockaddr *)&address, sizeof address) == 0 && count < 8);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(sockets_control(place->path, &fd), ERR_BUSY);
	while (count > 0)
		close(waiting[--count]);
	close(server);
}

static void test_a_file_is_not_removed(void **state)
{
	const struct place *place = *state;
	int fd = open(place->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	must(fd >= 0);
	close(fd);
	assert_int_equal(sockets_control(place->path, &fd), ERR_BUSY);
	assert_int_equal(access(place->path, F_OK), 0);
}

static void test_path_too_long(void **state)
{
	char path[200];
	int fd;

	(void)state;
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_int_equal(sockets_control(path, &fd), ERR_TOO_LARGE);
}

static void test_tcp(void **state)
{
	static const char *const texts[] = { "127.0.0.1", "[::1]" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct endpoint endpoint;
		struct sockaddr_in6 bound;
		socklen_t length = sizeof bound;
		int fd = -1, again = -1;

		assert_true(endpoint_parse(text_of(texts[i]), 25, &endpoint));
		endpoint.port = 0; /* Any. */
		const enum error error = sockets_listen(&endpoint, &fd);

		if (i == 1 && error != OK)
			continue; /* A machine without IPv6. */
		assert_int_equal(error, OK);
		must(getsockname(fd, (struct sockaddr *)&bound, &length) == 0);
		endpoint.port = ntohs(bound.sin6_port); /* At the same place in both families. */
		assert_true(endpoint.port != 0);
		assert_int_equal(sockets_listen(&endpoint, &again), ERR_BUSY);
		close(fd);
		assert_int_equal(sockets_listen(&endpoint, &again), OK);
		close(again);
	}
}

static void test_folders(void **state)
{
	const struct place *place = *state;
	const struct privilege nobody = { .drop = false };
	char path[128], parent[128];
	struct stat about;

	umask(022);
	snprintf(parent, sizeof parent, "%s/a", place->folder);
	snprintf(path, sizeof path, "%s/a/spool//", place->folder);
	assert_true(privilege_make_folder(path, 0700, &nobody));
	assert_int_equal(stat(path, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0700); /* Also with slashes behind it. */
	assert_int_equal(stat(parent, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0755);
	assert_true(privilege_make_folder(path, 0755, &nobody)); /* It is there: left as it is. */
	assert_int_equal(stat(path, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0700);
	rmdir(path);
	rmdir(parent);
	assert_false(privilege_make_folder("/dev/null/x", 0700, &nobody));
}

static void test_privilege_find(void **state)
{
	struct privilege privilege;

	(void)state;
	assert_true(privilege_find("", &privilege));
	assert_false(privilege.drop);
	assert_int_equal(privilege.uid, geteuid());
	assert_true(privilege_find("root", &privilege));
	assert_false(privilege.drop); /* Root to root. */
	assert_int_equal(privilege_find("no-such-user-here", &privilege), geteuid() != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_control_alive_is_refused_and_dead_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_backlog_is_alive, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_file_is_not_removed, set_up, tear_down),
		cmocka_unit_test(test_path_too_long),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test_setup_teardown(test_folders, set_up, tear_down),
		cmocka_unit_test(test_privilege_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
