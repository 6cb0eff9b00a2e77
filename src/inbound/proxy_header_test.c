/* Headers of the PROXY protocol, right and wrong, whole and cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inbound/proxy_header.h"

#define BLOCK(command, kind, length, rest) "\r\n\r\n\0\r\nQUIT\n" command kind "\0" length rest
#define FOUR "\xc0\0\2\1\xc0\0\2\x19\xdc\4\0\x19"
#define SIX "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\7\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\xdc\4\0\x19"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\2\xdc\4\0\x19"
#define CASE(bytes, answer, client) { { (bytes), sizeof(bytes) - 1 }, answer, client }

static const struct header_case {
	struct text bytes;
	enum proxy_answer answer;
	const char *client;
} cases[] = {
	CASE("PROXY TCP4 192.0.2.1 192.0.2.25 56324 25\r\n", PROXY_CLIENT, "192.0.2.1:56324"),
	CASE("PROXY TCP6 2001:db8::7 2001:db8::1 56324 25\r\n", PROXY_CLIENT, "[2001:db8::7]:56324"),
	CASE("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 25\r\n", PROXY_CLIENT, "192.0.2.1:1"),
	CASE("PROXY UNKNOWN\r\n", PROXY_UNKNOWN, NULL),
	CASE("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", PROXY_UNKNOWN, NULL),
	CASE(BLOCK("\x21", "\x11", "\x0c", FOUR), PROXY_CLIENT, "192.0.2.1:56324"),
	CASE(BLOCK("\x21", "\x21", "\x24", SIX), PROXY_CLIENT, "[2001:db8::7]:56324"),
	CASE(BLOCK("\x21", "\x21", "\x24", MAPPED), PROXY_CLIENT, "192.0.2.1:56324"),
	CASE(BLOCK("\x21", "\x11", "\x10", FOUR "\4\0\1x"), PROXY_CLIENT, "192.0.2.1:56324"),
	CASE(BLOCK("\x20", "\0", "\0", ""), PROXY_UNKNOWN, NULL),
	CASE(BLOCK("\x20", "\x11", "\x0c", FOUR), PROXY_UNKNOWN, NULL),
	CASE(BLOCK("\x21", "\0", "\0", ""), PROXY_UNKNOWN, NULL),
	CASE(BLOCK("\x21", "\x31", "\2", "ab"), PROXY_UNKNOWN, NULL),
	/* Wrong. */
	CASE("EHLO client.test\r\n", PROXY_WRONG, NULL),
	CASE("PROXY\tTCP4", PROXY_WRONG, NULL),
	CASE("proxy TCP4", PROXY_WRONG, NULL),
	CASE("PROXY TCP4 192.0.2.1 192.0.2.25 56324\r\n", PROXY_WRONG, NULL),
	CASE("PROXY TCP4 192.0.2.1 192.0.2.25 56324 25 \r\n", PROXY_WRONG, NULL),
	CASE("PROXY TCP4  192.0.2.1 192.0.2.25 56324 25\r\n", PROXY_WRONG, NULL),
	CASE("PROXY TCP4 2001:db8::7 2001:db8::1 56324 25\r\n", PROXY_WRONG, NULL),
	CASE("PROXY TCP6 192.0.2.1 192.0.2.25 56324 25\r\n", PROXY_WRONG, NULL),
	CASE("PROXY TCP6 [2001:db8::7] 2001:db8::1 56324 25\r\n", PROXY_WRONG, NULL),
	CASE("PROXY TCP6 IPv6:2001:db8::7 2001:db8::1 56324 25\r\n", PROXY_WRONG, NULL),
	CASE("PROXY TCP4 192.0.2.1 192.0.2.25 65536 25\r\n", PROXY_WRONG, NULL),
	CASE("PROXY TCP4 192.0.2.1 192.0.2.25 000001 25\r\n", PROXY_WRONG, NULL),
	CASE("PROXY UDP4 192.0.2.1 192.0.2.25 56324 25\r\n", PROXY_WRONG, NULL),
	CASE("PROXY UNKNOWNs\r\n", PROXY_WRONG, NULL),
	CASE("PROXY \r\n", PROXY_WRONG, NULL),
	CASE(BLOCK("\x11", "\x11", "\x0c", FOUR), PROXY_WRONG, NULL),
	CASE(BLOCK("\x22", "\x11", "\x0c", FOUR), PROXY_WRONG, NULL),
	CASE(BLOCK("\x21", "\x12", "\x0c", FOUR), PROXY_WRONG, NULL),
	CASE(BLOCK("\x21", "\x11", "\x0b", FOUR), PROXY_WRONG, NULL),
	CASE(BLOCK("\x21", "\x21", "\x0c", FOUR), PROXY_WRONG, NULL),
	CASE("\r\n\r\n\0\r\nQUIT\n\x21\x11\x10\0", PROXY_WRONG, NULL),
	CASE("\r\n\r\n\0\r\nQUIT\r\n", PROXY_WRONG, NULL),
};

static void headers_say_what_they_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct header_case *one = &cases[i];
		struct proxy_header header = { .length = 77 };
		const enum proxy_answer answer = proxy_header_read(one->bytes, &header);
		char room[ENDPOINT_TEXT_MAX];

		if (answer != one->answer)
			fail_msg("case %zu (%s): %d", i, one->bytes.bytes, answer);
		assert_int_equal(header.length, answer == PROXY_WRONG ? 77 : one->bytes.length);
		if (one->client != NULL)
			assert_string_equal(endpoint_print(&header.client, room).bytes, one->client);
	}
}

static void a_part_waits_for_the_rest(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t length = 0; cases[i].answer != PROXY_WRONG && length < cases[i].bytes.length; length++) {
			struct proxy_header header = { 0 };

			assert_int_equal(proxy_header_read(text_part(cases[i].bytes, 0, length), &header), PROXY_MORE);
		}
	}
}

static void what_follows_is_left_alone(void **state)
{
	struct proxy_header header;

	(void)state;
	assert_int_equal(proxy_header_read(TEXT("PROXY UNKNOWN\r\nEHLO x\r\n"), &header), PROXY_UNKNOWN);
	assert_int_equal(header.length, 15);
}

static void a_line_without_end_is_wrong(void **state)
{
	char line[200] = "PROXY UNKNOWN ";
	struct proxy_header header;

	(void)state;
	memset(line + 14, 'x', sizeof line - 14);
	assert_int_equal(proxy_header_read((struct text){ line, 106 }, &header), PROXY_MORE);
	assert_int_equal(proxy_header_read((struct text){ line, 107 }, &header), PROXY_WRONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_say_what_they_say),
		cmocka_unit_test(a_part_waits_for_the_rest),
		cmocka_unit_test(what_follows_is_left_alone),
		cmocka_unit_test(a_line_without_end_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
