#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "web/claim.h"

static struct web_claim claim(const char *name, const char *shown, const char *one, const char *other)
{
	const struct text content[] = { text_of(one), text_of(other) };
	struct web_claim claim;

	assert_true(web_claim_make(text_of(name), text_of(shown), content, 2, &claim));
	assert_int_equal(strlen(claim.key), 64);
	assert_int_equal(strlen(claim.mark), 32);
	return claim;
}

static void the_same_makes_the_same(void **state)
{
	const struct web_claim first = claim("shop", "order-7", "to=a", "Hello"), again = claim("shop", "order-7", "to=a", "Hello");

	(void)state;
	assert_memory_equal(&first, &again, sizeof first);
	assert_string_not_equal(claim("news", "order-7", "to=a", "Hello").key, first.key);
	assert_string_not_equal(claim("shop", "order-8", "to=a", "Hello").key, first.key);
	assert_string_not_equal(claim("shoporder", "-7", "to=a", "Hello").key, first.key);
	assert_string_equal(claim("shop", "order-7", "to=b", "Hello").key, first.key);
	assert_string_not_equal(claim("shop", "order-7", "to=b", "Hello").mark, first.mark);
	assert_string_not_equal(claim("shop", "order-7", "to=aH", "ello").mark, first.mark);
}

static void keys_are_short_and_printable(void **state)
{
	char long_key[WEB_KEY_MAX + 1];

	(void)state;
	memset(long_key, 'k', sizeof long_key);
	assert_true(web_claim_key_is_right(TEXT("8e03978e-40d5-43dd-bc93-6894a57f9324")));
	assert_true(web_claim_key_is_right((struct text){ long_key, WEB_KEY_MAX }));
	assert_false(web_claim_key_is_right((struct text){ long_key, WEB_KEY_MAX + 1 }));
	assert_false(web_claim_key_is_right(TEXT("")));
	assert_false(web_claim_key_is_right(TEXT("a\tb")));
	assert_false(web_claim_key_is_right(TEXT("\xc3\xa9")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_same_makes_the_same),
		cmocka_unit_test(keys_are_short_and_printable) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
