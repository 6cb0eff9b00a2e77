/* The report of a day's mail in the name of one domain (RFC 9990): its XML. Pure.
 *
 *   X1  It is well-formed, and right by the schema, whatever strangers put into names.
 *   X2  A report tells one published policy: when it changed within the day, the one that most messages came under, and
 *       then it says so. */
#ifndef DSN_DMARC_REPORT_H
#define DSN_DMARC_REPORT_H

#include "base/buffer.h"
#include "dsn/dmarc_result.h"

enum { DMARC_REPORT_RECORD_MAX = 3 << 10 }; /* Bytes of XML for one row. */

struct dmarc_report_row {
	struct dmarc_result result;
	uint64_t count;          /* Messages. */
};

struct dmarc_report {                   /* Borrows all. */
	struct text organization, contact, id, generator;
	struct text domain;             /* Where the policy was found. */
	int64_t start_ms, end_ms;       /* Unix time; the first and the last second of it. */
	uint64_t unlisted;              /* Messages for which there was no row any more. */
	const struct dmarc_report_row *rows;
	size_t row_count;               /* >= 1 */
};

/* Append the XML to `out`. False: no memory, or the limit of `out`. */
[[nodiscard]] bool dmarc_report_compose(const struct dmarc_report *report, struct buffer *out);

#endif
