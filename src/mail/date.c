#include "mail/date.h"

#include <stdio.h>

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

struct text date_print(int64_t unix_ms, int offset_minutes, char room[DATE_TEXT_SIZE])
{
	const struct parts parts = parts_of(floor_divide(unix_ms, 1000) + (int64_t)offset_minutes * 60);
	const int distance = offset_minutes < 0 ? -offset_minutes : offset_minutes;

	must(distance <= DATE_OFFSET_MAX);
	snprintf(room, DATE_TEXT_SIZE, "%s, %d %s %04lld %02d:%02d:%02d %c%02d%02d", days[parts.weekday],
	    parts.day, months[parts.month - 1], (long long)parts.year, parts.hour, parts.minute, parts.second,
	    offset_minutes < 0 ? '-' : '+', distance / 60, distance % 60);
	return text_of(room);
}

struct text date_print_rfc3339(int64_t unix_ms, char room[DATE_TEXT_SIZE])
{
	const struct parts parts = parts_of(floor_divide(unix_ms, 1000));

	snprintf(room, DATE_TEXT_SIZE, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ", (long long)parts.year,
	    parts.month, parts.day, parts.hour, parts.minute, parts.second,
	    (int)((unix_ms % 1000 + 1000) % 1000));
	return text_of(room);
}
