#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"

static const struct {
	const char *plain, *coded;
} pairs[] = { /* RFC 4648 §10 */
	{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xff\xfe\xfd\x80", "//79gA==" }
};

static void examples_of_the_rfc(void **state)
{
	struct arena *arena = arena_new(1 << 16);
	struct text text;

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		assert_true(base64_encode(text_of(pairs[i].plain), arena, &text));
		assert_true(text_equal(text, text_of(pairs[i].coded)));
		assert_int_equal(text.length, base64_length(strlen(pairs[i].plain)));
		assert_int_equal(base64_decode(text_of(pairs[i].coded), arena, &text), OK);
		assert_true(text_equal(text, text_of(pairs[i].plain)));
	}
	arena_free(arena);
}

static void folded_and_unpadded(void **state)
{
	static const char *const good[] = { " Zm9v\r\n\tYg==", "Zm 9v Yg", "Z\nm9vYg=\t=" };
	static const char *const bad[] = { "Z", "Zm9vY", "Zm9vYg=", "Zm9v====", "Zg==Zg==", "Zm9v!", "=",
		"Zm-_", "Zg===" };
	struct arena *arena = arena_new(1 << 16);
	struct text text;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_int_equal(base64_decode(text_of(good[i]), arena, &text), OK);
		assert_true(text_equal(text, TEXT("foob")));
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(base64_decode(text_of(bad[i]), arena, &text), ERR_SYNTAX);
	arena_free(arena);
}

static void the_strict_way(void **state)
{
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Z===", "=g==", "Zg==Zg==", "Zm 9",
		"Zm-_", "Zm9v\r", "Zm8=\n", "Zg=a", "Zm9vYg" };
	struct arena *arena = arena_new(1 << 16);
	struct text text;

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		assert_int_equal(base64_decode_strict(text_of(pairs[i].coded), arena, &text), OK);
		assert_true(text_equal(text, text_of(pairs[i].plain)));
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(base64_decode_strict(text_of(bad[i]), arena, &text), ERR_SYNTAX);
	assert_int_equal(base64_decode_strict(TEXT("Zm9\0"), arena, &text), ERR_SYNTAX);
	arena_free(arena);
}

static void url_way(void **state)
{
	/* RFC 7515, appendix C, and what only looks like it. */
	static const struct {
		const char *base64url;
		struct text bytes;
		enum error want;
	} rows[] = {
		{ "A-z_4ME", { "\x03\xec\xff\xe0\xc1", 5 }, OK },
		{ "", { "", 0 }, OK },
		{ "A+z/4ME", TEXT_EMPTY, ERR_SYNTAX },
		{ "A-z_4ME=", TEXT_EMPTY, ERR_SYNTAX },
		{ "A-z_4MF", TEXT_EMPTY, ERR_SYNTAX },
		{ "A-z_4", TEXT_EMPTY, ERR_SYNTAX },
		{ "A-z_ 4ME", TEXT_EMPTY, ERR_SYNTAX },
	};
	struct arena *arena = arena_new(1 << 16);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct text bytes = TEXT_EMPTY;

		assert_int_equal(base64url_decode(text_of(rows[i].base64url), arena, &bytes), rows[i].want);
		if (rows[i].want == OK)
			assert_true(text_equal(bytes, rows[i].bytes));
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(examples_of_the_rfc), cmocka_unit_test(folded_and_unpadded),
		cmocka_unit_test(the_strict_way), cmocka_unit_test(url_way) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
