#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/hex.h"

static void what_is_printed_is_read(void **state)
{
	char digits[3], expected[3];

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		hex_print(&(uint8_t){ (uint8_t)i }, 1, digits);
		snprintf(expected, sizeof expected, "%02x", i);
		assert_string_equal(digits, expected);
		assert_int_equal(hex_value(digits[0]) << 4 | hex_value(digits[1]), i);
	}
	hex_print((const uint8_t *)"", 0, digits);
	assert_string_equal(digits, "");
}

static void other_bytes_are_no_digits(void **state)
{
	unsigned count = 0;

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		count += hex_value((char)i) >= 0;
	assert_int_equal(count, 22);
	assert_true(hex_value('A') == 10 && hex_value('F') == 15 && hex_value('G') == -1 && hex_value('g') == -1);
	assert_true(hex_value('/') == -1 && hex_value(':') == -1 && hex_value('@') == -1 && hex_value('`') == -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_printed_is_read), cmocka_unit_test(other_bytes_are_no_digits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
