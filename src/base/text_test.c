#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"

static void texts_are_compared(void **state)
{
	const struct text abc = TEXT("abc"), empty = TEXT_EMPTY;

	(void)state;
	assert_true(text_equal(abc, TEXT("abc")));
	assert_false(text_equal(abc, TEXT("abd")));
	assert_false(text_equal(abc, TEXT("ab")));
	assert_true(text_equal(empty, TEXT("")));
	assert_true(text_equal_nocase(abc, TEXT("AbC")));
	assert_false(text_equal_nocase(TEXT("@"), TEXT("`"))); /* Differ in the bit of the case only. */
	assert_false(text_equal_nocase(TEXT("\xc3"), TEXT("\xe3")));
	assert_true(text_starts(abc, TEXT("ab")) && text_starts(abc, empty) && !text_starts(TEXT("ab"), abc));
	assert_true(text_starts_nocase(abc, TEXT("AB")) && !text_starts_nocase(abc, TEXT("BC")));
	assert_true(text_ends(abc, TEXT("bc")) && text_ends(abc, empty) && !text_ends(TEXT("bc"), abc));
	assert_true(text_compare(TEXT("a"), TEXT("b")) < 0 && text_compare(TEXT("b"), TEXT("a")) > 0);
	assert_true(text_compare(TEXT("a"), TEXT("ab")) < 0 && text_compare(empty, TEXT("")) == 0);
	assert_true(text_compare(TEXT("a"), TEXT("\xff")) < 0); /* Bytes are unsigned. */
}

static void hashes_tell_texts_apart(void **state)
{
	char long_one[200], long_other[200];

	(void)state;
	assert_true(text_hash(TEXT("abc"), 0) == text_hash(TEXT("abc"), 0));
	assert_true(text_hash(TEXT("abc"), 0) != text_hash(TEXT("abC"), 0));
	assert_true(text_hash(TEXT("abc"), 0) != text_hash(TEXT("abc"), 1));
	assert_true(text_hash_nocase(TEXT("abc"), 7) == text_hash_nocase(TEXT("aBC"), 7));
	memset(long_one, 'x', sizeof long_one);
	memset(long_other, 'X', sizeof long_other);
	const struct text one = { long_one, sizeof long_one }, other = { long_other, sizeof long_other };

	assert_true(text_hash_nocase(one, 0) == text_hash_nocase(other, 0));
	long_other[sizeof long_other - 1] = 'Y'; /* Behind the pieces in which it is read. */
	assert_true(text_hash_nocase(one, 0) != text_hash_nocase(other, 0));
}

static void parts_are_clipped(void **state)
{
	const struct text abc = TEXT("abc");

	(void)state;
	assert_true(text_equal(text_from(abc, 1), TEXT("bc")));
	assert_int_equal(text_from(abc, 3).length, 0);
	assert_int_equal(text_from(abc, SIZE_MAX).length, 0);
	assert_ptr_equal(text_from(abc, 99).bytes, abc.bytes + 3);
	assert_null(text_from(TEXT_EMPTY, 1).bytes);
	assert_true(text_equal(text_part(abc, 1, 1), TEXT("b")));
	assert_true(text_equal(text_part(abc, 1, SIZE_MAX), TEXT("bc")));
}

static void bytes_and_parts_are_found(void **state)
{
	const struct text text = TEXT("a.b\0.c");

	(void)state;
	assert_int_equal(text_find_byte(text, '.'), 1);
	assert_int_equal(text_find_byte_last(text, '.'), 4);
	assert_int_equal(text_find_byte(text, '\0'), 3);
	assert_int_equal(text_find_byte(text, 'x'), text.length);
	assert_int_equal(text_find_byte_last(TEXT_EMPTY, 'x'), 0);
	assert_int_equal(text_find_line_end(TEXT("ab\rc\n")), 2);
	assert_int_equal(text_find_line_end(TEXT("ab\nc\r")), 2);
	assert_int_equal(text_find_line_end(TEXT("ab")), 2);
	assert_int_equal(text_find_line_end(TEXT_EMPTY), 0);
	assert_int_equal(text_find(text, TEXT("b\0.")), 2);
	assert_int_equal(text_find(text, TEXT("c.")), text.length);
	assert_int_equal(text_find(text, TEXT_EMPTY), 0);
	assert_int_equal(text_find(TEXT_EMPTY, TEXT("a")), 0);
	assert_int_equal(text_find(TEXT("a"), TEXT("ab")), 1);
}

static void blanks_are_trimmed(void **state)
{
	(void)state;
	assert_true(text_equal(text_trim(TEXT(" \t\r\na b\n ")), TEXT("a b")));
	assert_int_equal(text_trim(TEXT(" \t ")).length, 0);
	assert_int_equal(text_trim(TEXT_EMPTY).length, 0);
	assert_true(text_equal(text_trim(TEXT("\0 ")), TEXT("\0")));
}

static void pieces_are_cut(void **state)
{
	static const struct {
		const char *text, *pieces[4];
	} rows[] = {
		{ "a,b,c", { "a", "b", "c" } },
		{ "a", { "a" } },
		{ "", { "" } },
		{ ",", { "", "" } },
		{ "a,,", { "a", "", "" } },
	};
	struct text rest = TEXT_EMPTY, piece;

	(void)state;
	assert_false(text_cut(&rest, ',', &piece));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		rest = text_of(rows[i].text);
		for (size_t k = 0; rows[i].pieces[k] != NULL; k++) {
			assert_true(text_cut(&rest, ',', &piece));
			assert_true(text_equal(piece, text_of(rows[i].pieces[k])));
		}
		assert_false(text_cut(&rest, ',', &piece));
	}
}

static void numbers_are_digits_only(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "1a", "18446744073709551616",
		"99999999999999999999", "0x1", "1.0", "\xff" };
	uint64_t value = 7;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(text_to_u64(text_of(bad[i]), &value));
	assert_int_equal(value, 7);
	assert_true(text_to_u64(TEXT("18446744073709551615"), &value) && value == UINT64_MAX);
	assert_true(text_to_u64(TEXT("0000000000000000000000000012"), &value) && value == 12);
	assert_true(text_to_u64(TEXT("0"), &value) && value == 0);
}

static void utf8_is_well_formed_or_not(void **state)
{
	static const struct {
		const char *text;
		bool ascii, utf8;
	} rows[] = {
		{ "", true, true },
		{ "a\x7f", true, true },
		{ "\xc3\xbc\xe2\x82\xac\xf0\x9f\x93\xa7", false, true },
		{ "\x80", false, false }, /* Continuation without a lead. */
		{ "\xc3", false, false }, /* Cut off. */
		{ "\xe2\x82", false, false },
		{ "\xf0\x9f\x93", false, false },
		{ "\xc3\x28", false, false },
		{ "\xc0\xaf", false, false }, /* Overlong. */
		{ "\xe0\x80\xaf", false, false },
		{ "\xf0\x80\x80\xaf", false, false },
		{ "\xed\xa0\x80", false, false }, /* A surrogate. */
		{ "\xed\x9f\xbf\xee\x80\x80", false, true },
		{ "\xf4\x8f\xbf\xbf", false, true }, /* U+10FFFF, the last. */
		{ "\xf4\x90\x80\x80", false, false },
		{ "\xf5\x80\x80\x80", false, false },
		{ "\xff\xfe", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (text_is_ascii(text_of(rows[i].text)) != rows[i].ascii ||
		    text_is_utf8(text_of(rows[i].text)) != rows[i].utf8)
			fail_msg("row %zu", i);
	}
}

static void bytes_have_classes_without_a_locale(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		const char c = (char)i;
		const bool lower = i >= 'a' && i <= 'z', upper = i >= 'A' && i <= 'Z',
			   digit = i >= '0' && i <= '9';

		assert_int_equal(byte_is_digit(c), digit);
		assert_int_equal(byte_is_alpha(c), lower || upper);
		assert_int_equal(byte_is_alnum(c), lower || upper || digit);
		assert_int_equal(byte_lower(c), upper ? (char)(i + 32) : c);
		assert_int_equal(byte_upper(c), lower ? (char)(i - 32) : c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_compared), cmocka_unit_test(hashes_tell_texts_apart),
		cmocka_unit_test(parts_are_clipped),
		cmocka_unit_test(bytes_and_parts_are_found),
		cmocka_unit_test(blanks_are_trimmed),
		cmocka_unit_test(pieces_are_cut),
		cmocka_unit_test(numbers_are_digits_only),
		cmocka_unit_test(utf8_is_well_formed_or_not),
		cmocka_unit_test(bytes_have_classes_without_a_locale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
