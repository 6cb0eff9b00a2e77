#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "mail/date.h"

static const struct {
	int64_t unix_ms;
	int offset_minutes;
	const char *mail, *rfc3339;
} dates[] = {
	{ 0, 0, "Thu, 1 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00.000Z" },
	{ 1795494481123, 0, "Tue, 24 Nov 2026 04:28:01 +0000", "2026-11-24T04:28:01.123Z" },
	{ 1795494481999, 330, "Tue, 24 Nov 2026 09:58:01 +0530", "2026-11-24T04:28:01.999Z" },
	{ 1795494481000, -300, "Mon, 23 Nov 2026 23:28:01 -0500", "2026-11-24T04:28:01.000Z" },
	{ 951782400000, 0, "Tue, 29 Feb 2000 00:00:00 +0000", "2000-02-29T00:00:00.000Z" },
	{ 4107542399000, 0, "Sun, 28 Feb 2100 23:59:59 +0000", "2100-02-28T23:59:59.000Z" },
	{ 4107542400000, 0, "Mon, 1 Mar 2100 00:00:00 +0000", "2100-03-01T00:00:00.000Z" },
	{ -1, 0, "Wed, 31 Dec 1969 23:59:59 +0000", "1969-12-31T23:59:59.999Z" },
	{ 253402300799999, 0, "Fri, 31 Dec 9999 23:59:59 +0000", "9999-12-31T23:59:59.999Z" },
};

static void known_moments_are_written_as_known(void **state)
{
	char room[DATE_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
		assert_string_equal(
		    date_print(dates[i].unix_ms, dates[i].offset_minutes, room).bytes, dates[i].mail);
		assert_string_equal(date_print_rfc3339(dates[i].unix_ms, room).bytes, dates[i].rfc3339);
	}
}

static void every_day_of_three_centuries_agrees_with_the_system(void **state)
{
	char ours[DATE_TEXT_SIZE], theirs[DATE_TEXT_SIZE];

	(void)state;
	for (int64_t day = -36525; day < 2 * 36525; day++) {
		const time_t moment = day * 86400 + day % 86400;
		struct tm parts;

		assert_non_null(gmtime_r(&moment, &parts));
		assert_true(strftime(theirs, sizeof theirs, "%a, %e %b %Y %H:%M:%S +0000", &parts) > 0);
		date_print((int64_t)moment * 1000, 0, ours);
		/* strftime pads the day with a space, which RFC 5322 allows and nobody writes. */
		if (theirs[5] == ' ')
			memmove(theirs + 5, theirs + 6, strlen(theirs + 6) + 1);
		assert_string_equal(ours, theirs);
	}
}

static void what_is_written_is_read(void **state)
{
	static const struct {
		const char *text;
		int64_t unix_ms;
	} others[] = { { "2026-11-24t04:28:01z", 1795494481000 }, { "2026-11-24T09:58:01.9999+05:30", 1795494481999 },
		{ "2026-11-23T23:28:01-05:00", 1795494481000 }, { "1990-12-31T23:59:60Z", 662688000000 } };
	static const char *const none[] = { "", "2026-11-24", "2026-11-24 04:28:01Z", "2026-11-24T04:28Z", "2026-11-24T04:28:01",
		"2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-11-00T00:00:00Z",
		"2026-11-24T24:00:00Z", "2026-11-24T23:60:00Z", "2026-11-24T23:59:61Z", "2026-11-24T04:28:01.Z",
		"2026-11-24T04:28:01+24:00", "2026-11-24T04:28:01+0100", "2026-11-24T04:28:01Zx", "+026-11-24T04:28:01Z" };
	int64_t unix_ms;

	(void)state;
	for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++)
		if (dates[i].unix_ms >= 0) {
			assert_true(date_parse_rfc3339(text_of(dates[i].rfc3339), &unix_ms));
			assert_int_equal(unix_ms, dates[i].unix_ms);
		}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		assert_true(date_parse_rfc3339(text_of(others[i].text), &unix_ms));
		assert_int_equal(unix_ms, others[i].unix_ms);
	}
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		if (date_parse_rfc3339(text_of(none[i]), &unix_ms))
			fail_msg("%s", none[i]);
}

static void every_day_is_read_as_it_is_written(void **state)
{
	char room[DATE_TEXT_SIZE];
	int64_t unix_ms;

	(void)state;
	for (int64_t day = -36525; day < 2 * 36525; day++) {
		assert_true(date_parse_rfc3339(date_print_rfc3339(day * 86400000, room), &unix_ms));
		assert_int_equal(unix_ms, day * 86400000);
	}
}

static void the_ends_of_time_fit_the_room(void **state)
{
	char room[DATE_TEXT_SIZE];

	(void)state;
	assert_true(text_ends(date_print(INT64_MAX, DATE_OFFSET_MAX, room), TEXT("+9959")));
	assert_true(text_ends(date_print(INT64_MIN, -DATE_OFFSET_MAX, room), TEXT("-9959")));
	assert_true(text_ends(date_print_rfc3339(INT64_MAX, room), TEXT("Z")));
	assert_true(text_ends(date_print_rfc3339(INT64_MIN, room), TEXT("Z")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_moments_are_written_as_known),
		cmocka_unit_test(every_day_of_three_centuries_agrees_with_the_system),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(every_day_is_read_as_it_is_written),
		cmocka_unit_test(the_ends_of_time_fit_the_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
