/* Names and records from the bytes a server may send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "dns/name.h"
#include "dns/rdata.h"

#define BYTES(literal) ((struct text){ literal, sizeof(literal) - 1 })

static void assert_text(struct text got, const char *want)
{
	char room[2048];

	snprintf(room, sizeof room, "%.*s", TEXT_FORMAT(got));
	assert_string_equal(room, want);
}

static void names_to_ask_for(void **state)
{
	static const struct {
		const char *given, *want; /* want NULL: refused */
	} rows[] = {
		{ "Example.ORG", "example.org" },
		{ "example.org.", "example.org" },
		{ "_25._tcp.mx.example.org", "_25._tcp.mx.example.org" },
		{ "a+b=c._spf.example.org", "a+b=c._spf.example.org" },
		{ "0/25.2.0.192.in-addr.arpa", "0/25.2.0.192.in-addr.arpa" },
		{ "", NULL },
		{ ".", NULL },
		{ "a..b", NULL },
		{ ".a", NULL },
		{ "a..", NULL },
		{ "a b", "a b" },
		{ "a\tb", NULL },
		{ "a\\b", NULL },
		{ "b\xc3\xbc" "cher.example", NULL },
		{ "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg.x",
		    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg.x" },
		{ "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg.x", NULL },
	};
	char room[DNS_NAME_SIZE];
	struct text name;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const bool taken = dns_name_normalise(text_of(rows[i].given), room, &name);

		assert_int_equal(taken, rows[i].want != NULL);
		if (taken)
			assert_text(name, rows[i].want);
	}
}

static void names_have_253_bytes(void **state)
{
	char given[300], room[DNS_NAME_SIZE];
	struct text name;

	(void)state;
	for (size_t i = 0; i < sizeof given; i++)
		given[i] = i % 2 == 0 ? 'a' : '.';
	assert_true(dns_name_normalise((struct text){ given, 253 }, room, &name));
	assert_int_equal(name.length, 253);
	assert_true(dns_name_normalise((struct text){ given, 254 }, room, &name)); /* The dot does not count. */
	assert_false(dns_name_normalise((struct text){ given, 255 }, room, &name));
}

static void names_in_wire_form(void **state)
{
	static const struct {
		struct text wire;
		const char *want;
	} rows[] = {
		{ BYTES("\2mX\7Example\3org\0"), "mx.example.org" },
		{ BYTES("\0"), "" },
		{ BYTES("\3a.b\1c\0"), "a\\046b.c" },
		{ BYTES("\2\0\377\0"), "\\000\\255" },
		{ BYTES(""), NULL },
		{ BYTES("\2mx"), NULL },          /* No root. */
		{ BYTES("\5mx\0"), NULL },        /* Longer than there is. */
		{ BYTES("\2mx\0x"), NULL },       /* More behind the root. */
		{ BYTES("\300\0"), NULL },        /* A pointer. */
		{ BYTES("\100aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0"), NULL },
	};
	char room[DNS_NAME_PRINTED_SIZE];
	struct text name;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const bool taken = dns_name_from_wire(rows[i].wire, room, &name);

		assert_int_equal(taken, rows[i].want != NULL);
		if (taken)
			assert_text(name, rows[i].want);
	}
}

static void the_longest_name_prints(void **state)
{
	char wire[DNS_NAME_WIRE_MAX + 2], room[DNS_NAME_PRINTED_SIZE];
	struct text name;

	(void)state;
	memset(wire, 0, sizeof wire);
	for (size_t at = 0; at < 254; at += 2)
		wire[at] = 1; /* Labels of one zero byte each. */
	assert_true(dns_name_from_wire((struct text){ wire, 255 }, room, &name));
	assert_int_equal(name.length, 127 * 5 - 1);
	assert_false(dns_name_from_wire((struct text){ wire, 256 }, room, &name));
}

static void records(void **state)
{
	static const struct {
		enum dns_type type;
		struct text rdata;
		enum error error;
		const char *name, *data;
		uint16_t preference;
	} rows[] = {
		{ DNS_MX, BYTES("\1\2\2mx\7example\0"), OK, "mx.example", "", 258 },
		{ DNS_MX, BYTES("\0\0\0"), OK, "", "", 0 },
		{ DNS_MX, BYTES("\0\12"), ERR_SYNTAX, "", "", 0 },
		{ DNS_MX, BYTES("\0\12\2mx"), ERR_SYNTAX, "", "", 0 },
		{ DNS_PTR, BYTES("\4host\0"), OK, "host", "", 0 },
		{ DNS_TXT, BYTES("\3abc\0\2de"), OK, "", "abcde", 0 },
		{ DNS_TXT, BYTES("\0"), OK, "", "", 0 },
		{ DNS_TXT, BYTES(""), ERR_SYNTAX, "", "", 0 },
		{ DNS_TXT, BYTES("\4abc"), ERR_SYNTAX, "", "", 0 },
		{ DNS_TLSA, BYTES("\3\1\1x"), OK, "", "\3\1\1x", 0 },
		{ DNS_TLSA, BYTES("\3\1\1"), ERR_SYNTAX, "", "", 0 },
		{ DNS_A, BYTES("\300\0\2"), ERR_SYNTAX, "", "", 0 },
		{ DNS_AAAA, BYTES("\300\0\2\1"), ERR_SYNTAX, "", "", 0 },
	};
	struct arena *arena = arena_new(1 << 16);

	(void)state;
	assert_non_null(arena);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_record record = { 0 };

		assert_int_equal(rdata_parse(rows[i].type, rows[i].rdata, arena, &record), rows[i].error);
		assert_text(record.name, rows[i].name);
		assert_text(record.data, rows[i].data);
		assert_int_equal(record.preference, rows[i].preference);
	}
	arena_free(arena);
}

static void addresses(void **state)
{
	char room[ENDPOINT_TEXT_MAX];
	struct dns_record record;

	(void)state;
	assert_int_equal(rdata_parse(DNS_A, BYTES("\300\0\2\1"), NULL, &record), OK);
	assert_text(endpoint_print_ip(&record.address, room), "192.0.2.1");
	assert_int_equal(
	    rdata_parse(DNS_AAAA, BYTES("\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1"), NULL, &record), OK);
	assert_text(endpoint_print_ip(&record.address, room), "2001:db8::1");
	assert_int_equal(record.address.port, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_to_ask_for),
		cmocka_unit_test(names_have_253_bytes),
		cmocka_unit_test(names_in_wire_form),
		cmocka_unit_test(the_longest_name_prints),
		cmocka_unit_test(records),
		cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
