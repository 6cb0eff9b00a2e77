#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/endpoint.h"

static struct endpoint parsed(const char *text)
{
	struct endpoint endpoint;

	if (!endpoint_parse(text_of(text), 25, &endpoint))
		fail_msg("%s", text);
	return endpoint;
}

static void endpoints_are_read_and_written(void **state)
{
	static const struct {
		const char *text, *printed, *ip;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1:25", "192.0.2.1" },
		{ "192.0.2.1:2525", "192.0.2.1:2525", "192.0.2.1" },
		{ "[192.0.2.1]:2525", "192.0.2.1:2525", "192.0.2.1" },
		{ "::1", "[::1]:25", "::1" },
		{ "[2001:DB8::1]", "[2001:db8::1]:25", "2001:db8::1" },
		{ "[2001:db8::1]:65535", "[2001:db8::1]:65535", "2001:db8::1" },
		{ "IPv6:2001:db8::1", "[2001:db8::1]:25", "2001:db8::1" },
		{ "unix:/run/x", "unix:/run/x", "unix:/run/x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct endpoint endpoint = parsed(rows[i].text);
		char room[ENDPOINT_TEXT_MAX];

		assert_string_equal(endpoint_print(&endpoint, room).bytes, rows[i].printed);
		assert_string_equal(endpoint_print_ip(&endpoint, room).bytes, rows[i].ip);
		const struct endpoint again = parsed(rows[i].printed);

		assert_true(endpoint_equal(&endpoint, &again));
	}
}

static void other_text_is_refused(void **state)
{
	static const struct text bad[] = {
		{ "", 0 },
		{ "host", 4 },
		{ "host:25", 7 },
		{ "192.0.2", 7 },
		{ "192.0.2.256", 11 },
		{ "192.0.2.01", 10 },
		{ "192.0.2.1:", 10 },
		{ "192.0.2.1:0", 11 },
		{ "192.0.2.1:65536", 15 },
		{ "192.0.2.1:+5", 12 },
		{ "192.0.2.1:25 ", 13 },
		{ " 192.0.2.1", 10 },
		{ "192.0.2.1\0", 10 },
		{ "[::1", 4 },
		{ "::1]", 4 },
		{ "[]", 2 },
		{ "[", 1 },
		{ "[::1]25", 7 },
		{ ":25", 3 },
		{ "fe80::1%eth0", 12 },
		{ "unix:", 5 },
		{ "unix:a\0b", 8 },
		{ "IPv6:192.0.2.1", 14 },
		{ "1:2:3:4:5:6:7:8:25", 18 },
	};
	struct endpoint endpoint = { .port = 7 };
	char path[5 + ENDPOINT_PATH_MAX + 1] = "unix:";

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (endpoint_parse(bad[i], 25, &endpoint))
			fail_msg("%s", bad[i].bytes);
	memset(path + 5, 'a', ENDPOINT_PATH_MAX + 1);
	assert_false(endpoint_parse((struct text){ path, sizeof path }, 0, &endpoint));
	assert_int_equal(endpoint.port, 7);
	assert_true(endpoint_parse((struct text){ path, sizeof path - 1 }, 0, &endpoint));
	char room[ENDPOINT_TEXT_MAX];

	assert_int_equal(endpoint_print(&endpoint, room).length, sizeof path - 1);
}

static void loopback_is_known_in_every_dress(void **state)
{
	static const struct {
		const char *text;
		bool loopback;
	} rows[] = {
		{ "127.0.0.1", true },
		{ "127.255.0.9", true },
		{ "128.0.0.1", false },
		{ "::1", true },
		{ "::2", false },
		{ "::ffff:127.0.0.1", true },
		{ "::ffff:192.0.2.1", false },
		{ "::127.0.0.1", false },
		{ "unix:/x", true },
		{ "0.0.0.0", false },
	};
	const struct endpoint none = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct endpoint endpoint = parsed(rows[i].text);

		assert_int_equal(endpoint_is_loopback(&endpoint), rows[i].loopback);
	}
	assert_false(endpoint_is_loopback(&none));
}

static void networks_hold_what_they_should(void **state)
{
	static const struct {
		const char *network, *address;
		bool holds;
	} rows[] = {
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.77/24", "192.0.2.1", true }, /* Host bits do not count. */
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.0", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "192.0.2.1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "192.0.2.0/24", "::ffff:192.0.2.9", true },
		{ "::ffff:192.0.2.0/120", "192.0.2.9", true },
		{ "::ffff:192.0.2.0/120", "::ffff:192.0.2.9", true },
		{ "::ffff:192.0.2.0/120", "192.0.3.9", false },
		{ "[2001:db8::1]/128", "2001:db8::1", true },
		{ "127.0.0.1", "unix:/x", false },
	};
	static const char *const bad[] = { "", "/8", "192.0.2.0/", "192.0.2.0/33", "::/129", "192.0.2.0/-1",
		"192.0.2/24", "x/8", "192.0.2.0/8/8", "unix:/x" };
	struct network network;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct endpoint endpoint = parsed(rows[i].address);

		assert_true(network_parse(text_of(rows[i].network), &network));
		if (network_holds(&network, &endpoint) != rows[i].holds)
			fail_msg("%s in %s", rows[i].address, rows[i].network);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (network_parse(text_of(bad[i]), &network))
			fail_msg("%s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_are_read_and_written),
		cmocka_unit_test(other_text_is_refused),
		cmocka_unit_test(loopback_is_known_in_every_dress),
		cmocka_unit_test(networks_hold_what_they_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
