/* What many reports say together: messages by source, and sessions by failure.
 *
 *   G1  A report counts once, by who made it, its name and its domain: the same one may lie about in several copies.
 *   G2  At most FINDINGS_ROWS_MAX sources and failures, and as many reports are remembered; what is beyond is counted in "overflow".
 *
 * Life: new, any number of files, its sum as JSON, free. */
#ifndef REPORTS_FINDINGS_H
#define REPORTS_FINDINGS_H

#include <jansson.h>

#include "reports/reading.h"

enum { FINDINGS_ROWS_MAX = 100000 };

struct findings;

/* NULL: no memory. */
[[nodiscard]] struct findings *findings_new(void);
void findings_free(struct findings *findings); /* NULL is fine. */

/* From now on only what is about this domain (borrows; empty: any), and reports whose time ends at this moment or later. */
void findings_limit(struct findings *findings, struct text domain, int64_t since_s);

/* Count everything that is found in a file (reports/unpack.h). What cannot be read is noted under `name`, which is UTF-8; *out_found
 * tells how many documents were reports, or wanted to be. False: no memory. */
[[nodiscard]] bool findings_file(struct findings *findings, struct text name, struct text file, size_t *out_found);

/* Count one. False: no memory. */
[[nodiscard]] bool findings_dmarc(struct findings *findings, const struct dmarc_reading *reading);
[[nodiscard]] bool findings_tls(struct findings *findings, const struct tls_reading *reading);

/* Gives {"reports", "repeated", "left_out", "overflow", "unreadable": [{"file", "reason"}], "dmarc": [...], "tls": [...]}, the
 * domains in their order and of each the most first; manual page postroad(8). NULL: no memory. */
[[nodiscard]] json_t *findings_sum(const struct findings *findings);

#endif
