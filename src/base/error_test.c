#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void every_error_has_a_text_of_its_own(void **state)
{
	(void)state;
	assert_string_equal(error_text(OK), "success");
	for (int i = 0; i < ERROR_COUNT; i++) {
		const char *text = error_text((enum error)(-1 - i));

		assert_true(text != NULL && text[0] != '\0' && text[strlen(text) - 1] != '.');
		for (int k = 0; k < i; k++)
			assert_string_not_equal(text, error_text((enum error)(-1 - k)));
	}
	assert_true(ERR_IO < 0 && ERR_TLS < 0);
}

static void errno_is_translated(void **state)
{
	static const struct {
		int number;
		enum error error;
	} pairs[] = {
		{ ENOSPC, ERR_NO_SPACE },
		{ EDQUOT, ERR_NO_SPACE },
		{ ENOMEM, ERR_NO_MEMORY },
		{ ENOENT, ERR_NOT_FOUND },
		{ EEXIST, ERR_EXISTS },
		{ ECONNREFUSED, ERR_REFUSED },
		{ ENETUNREACH, ERR_UNREACHABLE },
		{ EPIPE, ERR_RESET },
		{ ETIMEDOUT, ERR_TIMEOUT },
		{ ECANCELED, ERR_CANCELLED },
		{ EAGAIN, ERR_BUSY },
		{ EACCES, ERR_DENIED },
		{ EMFILE, ERR_DESCRIPTORS },
		{ EFBIG, ERR_TOO_LARGE },
		{ EIO, ERR_IO },
		{ EXDEV, ERR_IO },
		{ 99999, ERR_IO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		assert_int_equal(error_from_errno(pairs[i].number), pairs[i].error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_has_a_text_of_its_own),
		cmocka_unit_test(errno_is_translated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
