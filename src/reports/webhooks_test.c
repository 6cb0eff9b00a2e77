#include "reports/webhooks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The code is Python's. */
static void a_body_is_signed_with_its_time(void **state)
{
	char field[WEBHOOK_SIGNATURE_SIZE];

	(void)state;
	assert_true(webhook_sign(TEXT("swordfish"), 1700000000, TEXT("[{\"event\":\"delivered\"}]"), field));
	assert_string_equal(field, "Webhook-Signature: t=1700000000,v1=96437a3c0c7aea82e98dc788420df7b56196e9b024ff9c4527d793fa74c843bf");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_body_is_signed_with_its_time) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
