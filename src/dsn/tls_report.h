/* The report of a day's TLS with one domain (RFC 8460 §4): the JSON of it, and the record by which a domain asks for it. Pure.
 *
 *   J1  The JSON is well-formed whatever a stranger wrote into a policy or the name of a host.
 *   J2  A record says where to at most TLS_REPORT_PLACES_MAX times; what follows is not looked at. */
#ifndef DSN_TLS_REPORT_H
#define DSN_TLS_REPORT_H

#include "base/buffer.h"
#include "base/error.h"
#include "dsn/report_place.h"
#include "dsn/tls_result.h"

enum { TLS_REPORT_PLACES_MAX = 8, TLS_REPORT_JSON_MAX = 32 << 20 };

struct tls_report_row {
	struct tls_result result;
	uint64_t count;          /* Sessions. */
};

struct tls_report {                 /* Borrows all. */
	struct text organization, contact;
	struct text id;             /* Unique. */
	struct text domain;         /* Whose policy it is, A-labels. */
	int64_t start_ms, end_ms;   /* Unix time; the first and the last second of it. */
	const struct tls_report_row *rows;
	size_t row_count;
};

/* Append the JSON to `out`. Rows come in any order. False: no memory, or the limit of `out`. */
[[nodiscard]] bool tls_report_compose(const struct tls_report *report, struct buffer *out);

/* The TXT records of _smtp._tls.DOMAIN (RFC 8460 §3): ERR_NOT_FOUND when none is one of TLSRPT, ERR_SYNTAX when there are
 * two or it is not well-formed; both mean that nobody wants a report. Places of kinds that are not known are left out, so
 * there may be none. They live in `arena`. */
[[nodiscard]] enum error tls_report_record_choose(const struct text *records, size_t count, struct arena *arena,
    struct report_place out_places[TLS_REPORT_PLACES_MAX], size_t *out_count);

#endif
