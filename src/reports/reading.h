/* Reports of a day that others send about our domains, read: of DMARC (RFC 7489 appendix C, RFC 9990) as XML, and of TLS
 * (RFC 8460 §4) as JSON. Pure.
 *
 *   D1  What a stranger writes is bounded: nesting, rows, values, the length of each text (the rest of it is cut off). A
 *       document type, which could define entities, is refused.
 *   D2  A report counts as a whole or not at all.
 *   D3  Texts are UTF-8; what they hold of control bytes is the reader's to hide. */
#ifndef REPORTS_READING_H
#define REPORTS_READING_H

#include "base/arena.h"
#include "base/error.h"

enum {
	READING_ARENA_BYTES = 64 << 20,
	READING_XML_MAX = 32 << 20,
	READING_JSON_MAX = 8 << 20,
	READING_ROWS_MAX = 100000,
	READING_TEXT_MAX = 512,
	READING_DEPTH_MAX = 32,
	READING_VALUES_MAX = 500000 /* Of JSON. */
};

struct dmarc_record {              /* Messages of one source that had the same fate. */
	struct dmarc_record *next;
	uint64_t count;
	struct text source_ip;
	struct text disposition;   /* "none", "pass", "quarantine", "reject" */
	struct text dkim, spf;     /* "pass" if they passed for the domain of the author, or one aligned with it. */
	struct text reason;        /* Why the disposition is another than the policy's. */
	struct text header_from;
};

struct dmarc_reading {
	struct text organization, id;
	int64_t begin_s, end_s;    /* Unix time. */
	struct text domain;        /* Whose policy it is, lower case. */
	struct text p, sp, np;
	struct dmarc_record *records;
	size_t record_count;
};

struct tls_failure {
	struct tls_failure *next;
	uint64_t count;
	struct text result;        /* "certificate-expired" */
	struct text mx, mx_ip, sending_ip, reason;
};

struct tls_policy_reading {
	struct tls_policy_reading *next;
	struct text type;          /* "sts", "tlsa", "no-policy-found" */
	struct text domain;        /* Lower case. */
	uint64_t succeeded, failed;
	struct tls_failure *failures;
};

struct tls_reading {
	struct text organization, id;
	int64_t begin_s, end_s;
	struct tls_policy_reading *policies; /* At least one. */
};

/* All in the arena. ERR_SYNTAX with *out_trouble (in the arena, too), or ERR_NO_MEMORY. */
[[nodiscard]] enum error dmarc_reading_make(
    struct text xml, struct arena *arena, struct dmarc_reading *out_reading, struct text *out_trouble);
[[nodiscard]] enum error tls_reading_make(
    struct text json, struct arena *arena, struct tls_reading *out_reading, struct text *out_trouble);

#endif
