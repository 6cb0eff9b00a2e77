#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/hmac.h"

/* RFC 4231 §4.3 (test case 2). */
static const uint8_t of_jefe[HMAC_BYTES] = { 0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
	0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9,
	0x64, 0xec, 0x38, 0x43 };

static void the_example_of_the_rfc(void **state)
{
	uint8_t code[HMAC_BYTES], other[HMAC_BYTES];

	(void)state;
	assert_true(hmac(TEXT("Jefe"), TEXT("what do ya want for nothing?"), code));
	assert_memory_equal(code, of_jefe, sizeof code);
	assert_true(hmac(TEXT("Jeff"), TEXT("what do ya want for nothing?"), other));
	assert_memory_not_equal(code, other, sizeof code);
	assert_true(hmac(TEXT("Jefe"), TEXT_EMPTY, other));
	assert_memory_not_equal(code, other, sizeof code);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_example_of_the_rfc) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
