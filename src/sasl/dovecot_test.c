#include "sasl/dovecot.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
	struct text line;
	enum error want;
	enum dovecot_word word;
	uint32_t number;
	const char *bytes, *user;
} rows[] = {
	{ TEXT("VERSION\t1\t2"), OK, DOVECOT_VERSION, 1, "", "" },
	{ TEXT("VERSION"), ERR_SYNTAX, 0, 0, "", "" },
	{ TEXT("VERSION\tx\t1"), ERR_SYNTAX, 0, 0, "", "" },
	{ TEXT("SPID\t77"), OK, DOVECOT_OTHER, 0, "", "" },
	{ TEXT(""), OK, DOVECOT_OTHER, 0, "", "" },
	{ TEXT("MECH"), ERR_SYNTAX, 0, 0, "", "" },
	{ TEXT("DONE"), OK, DOVECOT_DONE, 0, "", "" },
	{ TEXT("CONT\t3\tVXNlcm5hbWU6"), OK, DOVECOT_CONT, 3, "Username:", "" },
	{ TEXT("CONT\t3\t"), OK, DOVECOT_CONT, 3, "", "" },
	{ TEXT("CONT\t3"), OK, DOVECOT_CONT, 3, "", "" },
	{ TEXT("CONT\t3\t!"), ERR_SYNTAX, 0, 0, "", "" },
	{ TEXT("CONT\t4294967296\t"), ERR_SYNTAX, 0, 0, "", "" },
	{ TEXT("CONT\t-1\t"), ERR_SYNTAX, 0, 0, "", "" },
	{ TEXT("CONT"), ERR_SYNTAX, 0, 0, "", "" },
	{ TEXT("OK\t1\tuser=alice"), OK, DOVECOT_OK, 1, "", "alice" },
	{ TEXT("OK\t1\tsomething\tuser=a\0011b\tresp=dj14"), ERR_SYNTAX, 0, 0, "", "" },
	{ TEXT("OK\t1\tsomething\tuser=alice@example.org\tresp=dj14"), OK, DOVECOT_OK, 1, "v=x", "alice@example.org" },
	{ TEXT("OK\t1\tuser=a\001nb"), ERR_SYNTAX, 0, 0, "", "" },
	{ TEXT("OK\t1\tuser=a\001"), ERR_SYNTAX, 0, 0, "", "" },
	{ TEXT("OK\t1\tuser="), ERR_SYNTAX, 0, 0, "", "" },
	{ TEXT("OK\t1"), ERR_SYNTAX, 0, 0, "", "" },
	{ TEXT("FAIL\t2\tuser=alice"), OK, DOVECOT_FAIL, 2, "", "" },
	{ TEXT("FAIL\tx"), ERR_SYNTAX, 0, 0, "", "" },
};

static void lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena *arena = arena_new(1 << 16);
		struct dovecot_line line = { .number = 0 };

		if (dovecot_line_read(rows[i].line, arena, &line) != rows[i].want)
			fail_msg("row %zu", i);
		if (rows[i].want == OK &&
		    (line.word != rows[i].word || line.number != rows[i].number || !text_equal(line.bytes, text_of(rows[i].bytes)) ||
		        !text_equal(line.user, text_of(rows[i].user))))
			fail_msg("row %zu: %.*s %.*s", i, TEXT_FORMAT(line.bytes), TEXT_FORMAT(line.user));
		arena_free(arena);
	}
}

static void mechanisms_and_failures(void **state)
{
	struct arena *arena = arena_new(1 << 16);
	struct dovecot_line line;

	(void)state;
	assert_int_equal(dovecot_line_read(TEXT("MECH\tLOGIN\tplaintext"), arena, &line), OK);
	assert_true(line.known && line.mechanism == SASL_LOGIN);
	assert_int_equal(dovecot_line_read(TEXT("MECH\tPLAIN\tprivate"), arena, &line), OK);
	assert_false(line.known);
	assert_int_equal(dovecot_line_read(TEXT("MECH\tSCRAM-SHA-256-PLUS"), arena, &line), OK);
	assert_false(line.known);
	assert_int_equal(dovecot_line_read(TEXT("MECH\tCRAM-MD5\tdictionary\tactive"), arena, &line), OK);
	assert_false(line.known);
	assert_int_equal(dovecot_line_read(TEXT("FAIL\t1\tuser=a\ttemp"), arena, &line), OK);
	assert_true(line.temporary && line.reason.length > 0);
	assert_int_equal(dovecot_line_read(TEXT("FAIL\t1\tuser=a\tcode=pass_expired"), arena, &line), OK);
	assert_true(!line.temporary && line.reason.length > 0);
	assert_int_equal(dovecot_line_read(TEXT("OK\t1\tuser=a\tnologin\thost=b"), arena, &line), OK);
	assert_true(line.refused);
	arena_free(arena);
}

static void what_is_said(void **state)
{
	struct sasl_request request = { .kind = SASL_BEGIN, .number = 1, .mechanism = SASL_PLAIN, .response = TEXT("\0a\0b"),
		.client = TEXT("2001:db8::1") };
	static const char long_bytes[SASL_BYTES_MAX];
	struct arena *arena = arena_new(1 << 20);
	struct buffer out;

	(void)state;
	buffer_init(&out, 1 << 20);
	assert_true(dovecot_print_hello(&out, 77) && dovecot_print_begin(&out, 5, &request, arena));
	request.mechanism = SASL_LOGIN;
	request.response = TEXT_EMPTY;
	request.client = TEXT("1.2.3.4\tuser=root"); /* D2 */
	assert_true(dovecot_print_begin(&out, 6, &request, arena) && dovecot_print_step(&out, 6, TEXT("a"), arena));
	assert_true(dovecot_print_step(&out, 6, TEXT_EMPTY, arena) && dovecot_print_cancel(&out, 6));
	assert_false(dovecot_print_step(&out, 6, (struct text){ long_bytes, sizeof long_bytes }, arena));
	assert_true(text_equal(buffer_text(&out), TEXT("VERSION\t1\t1\nCPID\t77\n"
						       "AUTH\t5\tPLAIN\tservice=smtp\tsecured\trip=2001:db8::1\tresp=AGEAYg==\n"
						       "AUTH\t6\tLOGIN\tservice=smtp\tsecured\nCONT\t6\tYQ==\nCONT\t6\t\nCANCEL\t6\n")));
	buffer_done(&out);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(mechanisms_and_failures),
		cmocka_unit_test(what_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
