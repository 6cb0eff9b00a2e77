#include "mail/date.h"

#include <stdio.h>
#include <time.h>

#include "base/must.h"

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
	"Dec" };

static struct tm parts_of(int64_t unix_s)
{
	const time_t moment = (time_t)unix_s;
	struct tm parts;

	must(gmtime_r(&moment, &parts) != NULL);
	return parts;
}

struct text date_print(int64_t unix_ms, int offset_minutes, char room[DATE_TEXT_SIZE])
{
	const struct tm parts = parts_of(unix_ms / 1000 + (int64_t)offset_minutes * 60);
	const int distance = offset_minutes < 0 ? -offset_minutes : offset_minutes;

	snprintf(room, DATE_TEXT_SIZE, "%s, %d %s %d %02d:%02d:%02d %c%02d%02d", days[parts.tm_wday], parts.tm_mday,
	    months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec,
	    offset_minutes < 0 ? '-' : '+', distance / 60 % 100, distance % 60);
	return text_of(room);
}

struct text date_print_rfc3339(int64_t unix_ms, char room[DATE_TEXT_SIZE])
{
	const struct tm parts = parts_of(unix_ms / 1000);

	snprintf(room, DATE_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
	    parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (int)(unix_ms % 1000));
	return text_of(room);
}
