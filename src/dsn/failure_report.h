/* The report of one message that failed DMARC, to its author's domain (RFC 9991, in the form of RFC 6591). Pure.
 *
 *   F1  It tells of the message what shows where it came from and what was signed: the fields of its header that FAILURE_FIELDS names, and
 *       nothing of its text, its subject or its recipients.
 *   F2  Of every address the local part is left out (RFC 6590); of From the domain alone is left.
 *   F3  It is 7-bit, and bounded by FAILURE_HEADER_MAX. */
#ifndef DSN_FAILURE_REPORT_H
#define DSN_FAILURE_REPORT_H

#include "dsn/report_mail.h"

enum { FAILURE_HEADER_MAX = 16 << 10, FAILURE_PARTS = 2 };

/* FIELD("name") */
#define FAILURE_FIELDS(FIELD)    \
	FIELD("Received")        \
	FIELD("DKIM-Signature")  \
	FIELD("Date")            \
	FIELD("Message-ID")      \
	FIELD("List-ID")

struct auth_failure {               /* Borrows. */
	struct text domain;         /* Where the policy was found. */
	struct text author;         /* The domain of From. */
	struct text client;         /* Its address. */
	struct text sender;         /* The reverse-path without brackets. */
	struct text results;        /* The value of Authentication-Results, with its line end. */
	bool dkim_aligned, spf_aligned;
	const char *delivery;       /* "delivered", "spam", "reject" */
	struct text dkim_domain, dkim_selector; /* Of a signature that failed; empty: none did. */
	struct text header;         /* Of the message. */
	int64_t arrived_ms;
};

/* What the report says: subject, words and parts of `mail`, in `arena` and `parts`. False: no memory. */
[[nodiscard]] bool failure_report_dress(const struct auth_failure *failure, struct arena *arena,
    struct report_part parts[FAILURE_PARTS], struct report_mail *mail);

#endif
