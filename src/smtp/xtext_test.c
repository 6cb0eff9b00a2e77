#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "smtp/xtext.h"

static struct arena *arena;

static int make_arena(void **state)
{
	(void)state;
	arena = arena_new(1 << 20);
	return arena ? 0 : -1;
}

static int drop_arena(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static void every_byte_survives(void **state)
{
	char all[256];
	struct text xtext, plain;

	(void)state;
	for (unsigned i = 0; i < sizeof all; i++)
		all[i] = (char)i;
	const struct text bytes = { all, sizeof all };

	assert_true(xtext_encode(bytes, arena, &xtext));
	for (size_t i = 0; i < xtext.length; i++)
		assert_true(xtext.bytes[i] >= '!' && xtext.bytes[i] <= '~' && xtext.bytes[i] != '=');
	assert_int_equal(xtext_decode(xtext, arena, &plain), OK);
	assert_true(text_equal(plain, bytes));
}

static void decoding(void **state)
{
	static const struct {
		const char *xtext, *plain; /* plain NULL: a syntax error. */
	} cases[] = {
		{ "", "" }, { "abc", "abc" }, { "a+2Bb", "a+b" }, { "a+3Db", "a=b" }, { "a+3db", "a=b" },
		{ "+", NULL }, { "+2", NULL }, { "+2G", NULL }, { "a b", NULL }, { "a=b", NULL }, { "\xc3\xbc", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct text plain;
		const enum error error = xtext_decode(text_of(cases[i].xtext), arena, &plain);

		assert_int_equal(error, cases[i].plain ? OK : ERR_SYNTAX);
		if (cases[i].plain != NULL)
			assert_true(text_equal(plain, text_of(cases[i].plain)));
	}
}

static void decoding_addresses(void **state)
{
	static const struct {
		const char *xtext, *plain;
		bool utf8;
	} cases[] = {
		{ "a@b", "a@b", false }, { "\\x{FC}@b", "\xc3\xbc@b", false }, { "\\x{1F600}", "\xf0\x9f\x98\x80", false },
		{ "\\x{5C}", "\\", false }, { "a+2Bb", "a+b", false }, { "\xc3\xbc@b", "\xc3\xbc@b", true },
		{ "\xc3\xbc@b", NULL, false }, { "\\x{D800}", NULL, false }, { "\\x{110000}", NULL, false },
		{ "\\x{}", NULL, false }, { "\\x{41", NULL, false }, { "\\y{41}", NULL, false }, { "\\", NULL, false },
		{ "\xff", NULL, true }, { "+C3+BC", NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct text plain;
		const enum error error = xtext_decode_address(text_of(cases[i].xtext), cases[i].utf8, arena, &plain);

		assert_int_equal(error, cases[i].plain ? OK : ERR_SYNTAX);
		if (cases[i].plain != NULL)
			assert_true(text_equal(plain, text_of(cases[i].plain)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_byte_survives, make_arena, drop_arena),
		cmocka_unit_test_setup_teardown(decoding, make_arena, drop_arena),
		cmocka_unit_test_setup_teardown(decoding_addresses, make_arena, drop_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
