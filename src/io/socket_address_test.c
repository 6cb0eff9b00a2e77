#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "io/socket_address.h"

static void there_and_back(void **state)
{
	static const struct endpoint endpoints[] = {
		{ .family = ENDPOINT_IP4, .port = 2525, .ip = { 192, 0, 2, 1 } },
		{ .family = ENDPOINT_IP6, .port = 65535, .ip = { 0x20, 1, 0xd, 0xb8, [15] = 1 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
		union socket_address address;
		const socklen_t length = socket_address_of(&endpoints[i], &address);
		const struct endpoint back = socket_address_endpoint(&address);

		assert_true(length > 0 && length <= sizeof address);
		assert_int_equal(back.family, endpoints[i].family);
		assert_int_equal(back.port, endpoints[i].port);
		assert_memory_equal(back.ip, endpoints[i].ip, sizeof back.ip);
	}
}

static void local_and_none(void **state)
{
	const struct endpoint local = { .family = ENDPOINT_UNIX, .path = "/run/x" }, none = { 0 };
	union socket_address address;

	(void)state;
	assert_int_equal(socket_address_of(&local, &address), sizeof address.local);
	assert_string_equal(address.local.sun_path, "/run/x");
	assert_int_equal(socket_address_endpoint(&address).family, ENDPOINT_UNIX);
	assert_int_equal(socket_address_of(&none, &address), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(local_and_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
