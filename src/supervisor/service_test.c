/* What of a service manager's environment is for us, and what it hears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/must.h"
#include "supervisor/service.h"

static int clean(void **state)
{
	(void)state;
	service_hide();
	return 0;
}

static void set_number(const char *name, long value)
{
	char room[24];

	snprintf(room, sizeof room, "%ld", value);
	must(setenv(name, room, 1) == 0);
}

static struct service read_it(void)
{
	struct service service;

	service_read(&service);
	return service;
}

static void without_a_manager_there_is_nothing(void **state)
{
	(void)state;
	const struct service service = read_it();

	assert_int_equal(service.manager[0], '\0');
	assert_int_equal(service.watch_ms, 0);
	assert_int_equal(service.socket_count, 0);
	service_tell(&service, "READY=1"); /* To nobody. */
}

static void what_is_for_another_process_is_not_for_us(void **state)
{
	(void)state;
	must(setenv("NOTIFY_SOCKET", "/run/notify", 1) == 0);
	set_number("WATCHDOG_USEC", 30000000);
	set_number("LISTEN_FDS", 2);
	assert_int_equal(read_it().watch_ms, 30000);
	set_number("WATCHDOG_PID", getpid());
	set_number("LISTEN_PID", getpid());
	assert_int_equal(read_it().watch_ms, 30000);
	assert_int_equal(read_it().socket_count, 2);
	set_number("WATCHDOG_PID", getppid());
	set_number("LISTEN_PID", getppid());
	assert_int_equal(read_it().watch_ms, 0);
	assert_int_equal(read_it().socket_count, 0);
}

static void nonsense_is_nothing(void **state)
{
	(void)state;
	char long_path[200] = "/";

	memset(long_path + 1, 'x', sizeof long_path - 2);
	must(setenv("LISTEN_FDS", "-1", 1) == 0 && setenv("NOTIFY_SOCKET", long_path, 1) == 0);
	assert_int_equal(read_it().socket_count, 0);
	assert_int_equal(read_it().manager[0], '\0');
	must(setenv("LISTEN_FDS", "257", 1) == 0 && setenv("NOTIFY_SOCKET", "relative", 1) == 0);
	assert_int_equal(read_it().socket_count, 0);
	assert_int_equal(read_it().manager[0], '\0');
}

/* By a name in the file system (0) or an abstract one (1). */
static void hears(bool abstract)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char room[64] = "";

	snprintf(address.sun_path, sizeof address.sun_path, "%s/tmp/service_test.%d", abstract ? "@" : "", (int)getpid());
	must(setenv("NOTIFY_SOCKET", address.sun_path, 1) == 0);
	const socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address.sun_path));

	if (abstract)
		address.sun_path[0] = '\0';
	must(bind(fd, (const struct sockaddr *)&address, length) == 0);
	const struct service service = read_it();

	service_tell(&service, "READY=1\nSTATUS=At work");
	assert_int_equal(recv(fd, room, sizeof room - 1, MSG_DONTWAIT), 22);
	assert_string_equal(room, "READY=1\nSTATUS=At work");
	close(fd);
	if (!abstract)
		unlink(address.sun_path);
	service_tell(&service, "STOPPING=1"); /* It is gone. */
}

static void the_manager_hears(void **state)
{
	(void)state;
	hears(false);
	hears(true);
}

static void the_next_program_is_told(void **state)
{
	(void)state;
	must(setenv("NOTIFY_SOCKET", "@manager", 1) == 0);
	set_number("WATCHDOG_USEC", 2000000);
	set_number("WATCHDOG_PID", getpid());
	set_number("LISTEN_FDS", 1);
	const struct service before = read_it();

	service_hide();
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("LISTEN_FDS"));
	service_hand_down(&before);
	const struct service after = read_it();

	assert_string_equal(after.manager, "@manager");
	assert_int_equal(after.watch_ms, 2000);
	assert_int_equal(after.socket_count, 0); /* They go another way. */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(without_a_manager_there_is_nothing, clean),
		cmocka_unit_test_setup(what_is_for_another_process_is_not_for_us, clean),
		cmocka_unit_test_setup(nonsense_is_nothing, clean),
		cmocka_unit_test_setup(the_manager_hears, clean),
		cmocka_unit_test_setup(the_next_program_is_told, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
