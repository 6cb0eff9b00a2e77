#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "ctl/progress.h"

static void tells_how_far_it_is(void **state)
{
	static const struct {
		uint64_t total, done;
		int64_t now_ms;
		const char *line;
	} rows[] = {
		{ 0, 4711, 5000, "4711 messages" },
		{ 1000, 0, 5000, "  0 %  [                    ]  0 of 1000 messages" },
		{ 1000, 250, 11000, " 25 %  [=====               ]  250 of 1000 messages, 31 s left" },
		{ 1000, 1000, 11000, "100 %  [====================]  1000 of 1000 messages" },
		{ 1000, 2000, 11000, "100 %  [====================]  2000 of 1000 messages" }, /* More came meanwhile. */
		{ UINT64_MAX, UINT64_MAX - 1, INT64_MAX, "100 %" },
	};
	char line[PROGRESS_LINE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct progress progress = { .what = "messages", .total = rows[i].total, .began_ms = 1000 };

		progress_line(&progress, rows[i].done, rows[i].now_ms, line);
		assert_int_equal(strncmp(line, rows[i].line, i < 5 ? sizeof line : strlen(rows[i].line)), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(tells_how_far_it_is) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
