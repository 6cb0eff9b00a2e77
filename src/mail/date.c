#include "mail/date.h"

#include <string.h>

#include "base/must.h"

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
	"Nov", "Dec" };

enum {
	DAY_S = 86400,
	ERA_DAYS = 146097,     /* 400 years, after which the calendar repeats itself. */
	DAYS_TO_1970 = 719468, /* From 0000-03-01, where the first era begins. */
	CENTURY_DAYS = 36524,
	LEAP_CYCLE_DAYS = 1460 /* Four years without the leap day at their end. */
};

struct parts {
	int64_t year;
	int month, day, weekday; /* 1..12, 1..31, 0 is Sunday */
	int hour, minute, second;
};

static int64_t floor_divide(int64_t number, int64_t by)
{
	return number / by - (number % by < 0);
}

/* The Gregorian date of a day counted from 1970-01-01. Not gmtime_r: it takes the lock of the time zone, and all
 * lanes date their messages. Years begin in March here, so that the leap day is the last of its year. */
static void date_of_day(int64_t unix_day, struct parts *out_parts)
{
	const int64_t days_since = unix_day + DAYS_TO_1970;
	const int64_t era = floor_divide(days_since, ERA_DAYS);
	const int day_of_era = (int)(days_since - era * ERA_DAYS);
	const int year_of_era = (day_of_era - day_of_era / LEAP_CYCLE_DAYS + day_of_era / CENTURY_DAYS -
				    day_of_era / (ERA_DAYS - 1)) /
	    365;
	const int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	const int month = (5 * day_of_year + 2) / 153; /* 0 is March; 153 days in every five months. */

	must(day_of_year >= 0 && day_of_year < 366 && month < 12);
	out_parts->month = month < 10 ? month + 3 : month - 9;
	out_parts->day = day_of_year - (153 * month + 2) / 5 + 1;
	out_parts->year = era * 400 + year_of_era + (out_parts->month <= 2);
	out_parts->weekday = (int)((unix_day % 7 + 7 + 4) % 7); /* 1970 began on a Thursday. */
}

static struct parts parts_of(int64_t unix_s)
{
	const int64_t day = floor_divide(unix_s, DAY_S);
	const int second = (int)(unix_s - day * DAY_S);
	struct parts parts = { .hour = second / 3600, .minute = second / 60 % 60, .second = second % 60 };

	date_of_day(day, &parts);
	return parts;
}

/* By hand, for it stands in every message: printf takes ten times as long. */
static char *put_number(char *at, int64_t number, int width)
{
	char digits[20];
	int count = 0;

	if (number < 0) {
		*at++ = '-';
		width--;
	}
	do {
		const int digit = (int)(number % 10);

		digits[count++] = (char)('0' + (digit < 0 ? -digit : digit));
		number /= 10;
	} while (number != 0 || count < width);
	while (count > 0)
		*at++ = digits[--count];
	return at;
}

static char *put_word(char *at, const char word[4])
{
	memcpy(at, word, 3);
	return at + 3;
}

/* "Tue, 24 Nov 2026 " */
static char *put_date(char *at, const struct parts *parts)
{
	at = put_word(at, days[parts->weekday]);
	*at++ = ',';
	*at++ = ' ';
	at = put_number(at, parts->day, 1);
	*at++ = ' ';
	at = put_word(at, months[parts->month - 1]);
	*at++ = ' ';
	at = put_number(at, parts->year, 4);
	*at++ = ' ';
	return at;
}

/* "04:28:01" */
static char *put_clock(char *at, const struct parts *parts)
{
	at = put_number(at, parts->hour, 2);
	*at++ = ':';
	at = put_number(at, parts->minute, 2);
	*at++ = ':';
	return put_number(at, parts->second, 2);
}

struct text date_print(int64_t unix_ms, int offset_minutes, char room[DATE_TEXT_SIZE])
{
	const struct parts parts = parts_of(floor_divide(unix_ms, 1000) + (int64_t)offset_minutes * 60);
	const int distance = offset_minutes < 0 ? -offset_minutes : offset_minutes;

	must(distance <= DATE_OFFSET_MAX);
	char *at = put_clock(put_date(room, &parts), &parts);

	*at++ = ' ';
	*at++ = offset_minutes < 0 ? '-' : '+';
	at = put_number(at, distance / 60, 2);
	at = put_number(at, distance % 60, 2);
	*at = '\0';
	return (struct text){ room, (size_t)(at - room) };
}

struct text date_print_rfc3339(int64_t unix_ms, char room[DATE_TEXT_SIZE])
{
	const struct parts parts = parts_of(floor_divide(unix_ms, 1000));

	char *at = put_number(room, parts.year, 4);

	*at++ = '-';
	at = put_number(at, parts.month, 2);
	*at++ = '-';
	at = put_number(at, parts.day, 2);
	*at++ = 'T';
	at = put_clock(at, &parts);
	*at++ = '.';
	at = put_number(at, (unix_ms % 1000 + 1000) % 1000, 3);
	*at++ = 'Z';
	*at = '\0';
	return (struct text){ room, (size_t)(at - room) };
}

/* Days from 1970-01-01 to a Gregorian date; the way back of date_of_day. */
static int64_t day_of_date(int64_t year, int month, int day)
{
	const int64_t march_year = year - (month <= 2);
	const int64_t era = floor_divide(march_year, 400);
	const int64_t year_of_era = march_year - era * 400;
	const int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - DAYS_TO_1970;
}

static int days_of_month(int64_t year, int month)
{
	static const int days_of[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days_of[month - 1] + (month == 2 && leap);
}

/* `width` digits from the front of *text, then `behind` unless it is 0. */
static bool cut_number(struct text *text, size_t width, char behind, int *out_number)
{
	const size_t length = width + (behind != '\0');

	if (text->length < length || (behind != '\0' && text->bytes[width] != behind))
		return false;
	*out_number = 0;
	for (size_t i = 0; i < width; i++) {
		if (!byte_is_digit(text->bytes[i]))
			return false;
		*out_number = *out_number * 10 + (text->bytes[i] - '0');
	}
	*text = text_from(*text, length);
	return true;
}

/* ".25": milliseconds; what is finer is cut off. */
static bool cut_fraction(struct text *text, int *out_ms)
{
	int weight = 100;

	*out_ms = 0;
	if (text->length == 0 || text->bytes[0] != '.')
		return true;
	*text = text_from(*text, 1);
	if (text->length == 0 || !byte_is_digit(text->bytes[0]))
		return false;
	for (; text->length > 0 && byte_is_digit(text->bytes[0]); weight /= 10, *text = text_from(*text, 1))
		*out_ms += (text->bytes[0] - '0') * weight;
	return true;
}

/* "Z" or "+01:00", and nothing behind it. */
static bool read_offset(struct text text, int *out_minutes)
{
	int hours, minutes;

	*out_minutes = 0;
	if (text_equal_nocase(text, TEXT("Z")))
		return true;
	if (text.length == 0 || (text.bytes[0] != '+' && text.bytes[0] != '-'))
		return false;
	const int sign = text.bytes[0] == '-' ? -1 : 1;

	text = text_from(text, 1);
	if (!cut_number(&text, 2, ':', &hours) || !cut_number(&text, 2, '\0', &minutes) || text.length > 0 || hours > 23 ||
	    minutes > 59)
		return false;
	*out_minutes = sign * (hours * 60 + minutes);
	return true;
}

bool date_parse_rfc3339(struct text text, int64_t *out_unix_ms)
{
	int year, month, day, hour, minute, second, ms, offset;

	if (!cut_number(&text, 4, '-', &year) || !cut_number(&text, 2, '-', &month) || !cut_number(&text, 2, '\0', &day) ||
	    text.length == 0 || (text.bytes[0] != 'T' && text.bytes[0] != 't'))
		return false;
	text = text_from(text, 1);
	if (!cut_number(&text, 2, ':', &hour) || !cut_number(&text, 2, ':', &minute) || !cut_number(&text, 2, '\0', &second) ||
	    !cut_fraction(&text, &ms) || !read_offset(text, &offset))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) || hour > 23 || minute > 59 || second > 60)
		return false;
	const int64_t seconds = day_of_date(year, month, day) * DAY_S + (hour * 60 + minute - offset) * 60LL + second;

	*out_unix_ms = seconds * 1000 + ms;
	return true;
}
