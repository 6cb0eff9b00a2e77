/* Dates as mail writes them.
 *
 * Pure: the moment and the offset are arguments, and no time zone is looked up. Texts are NUL-terminated
 * and live in the caller's room. */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "base/text.h"

enum {
	DATE_TEXT_SIZE = 48,
	DATE_OFFSET_MAX = 99 * 60 + 59 /* Minutes; what four digits can say. */
};

/* "Tue, 24 Nov 2026 04:28:01 +0000" (RFC 5322 §3.3) at `offset_minutes` east of UTC. */
struct text date_print(int64_t unix_ms, int offset_minutes, char room[DATE_TEXT_SIZE]);

/* "2026-11-24T04:28:01.123Z" (RFC 3339), in UTC. */
struct text date_print_rfc3339(int64_t unix_ms, char room[DATE_TEXT_SIZE]);

/* "2026-11-24T04:28:01Z", with any offset and fraction of a second; a leap second is the second after it. False: it is none. */
[[nodiscard]] bool date_parse_rfc3339(struct text text, int64_t *out_unix_ms);

#endif
