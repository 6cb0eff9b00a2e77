/* What DMARC made of one message, as aggregate reports tell it (RFC 9990): a value, and its form as a row of a tally
 * (spool/tally.h). Pure.
 *
 *   R1  A row holds at most DMARC_RESULT_ROW_MAX bytes. What is longer is cut; signatures for which there is no room are
 *       left out, the last ones first.
 *   R2  Names come back in lower case, and bytes that no name holds, but markup is made of, as question marks.
 *   R3  A word comes back only if it is one of its kind; so a report that is made of rows says nothing that is not known. */
#ifndef DSN_DMARC_RESULT_H
#define DSN_DMARC_RESULT_H

#include "base/text.h"

enum { DMARC_RESULT_ROW_MAX = 1024, DMARC_RESULT_SIGNATURES_MAX = 10 };

struct dmarc_published {            /* What the domain's record says. */
	const char *policy;         /* "none", "quarantine", "reject" */
	const char *subdomains;     /* The same, or NULL: not said. */
	const char *absent;         /* The same of domains that do not exist. */
	bool dkim_strict, spf_strict, testing;
	struct text failure_options; /* fo; may be empty. */
};

struct dmarc_result_signature {
	const char *result;         /* As RFC 8601 says it. */
	struct text domain, selector;
};

struct dmarc_result {               /* Borrows all texts; words are static. */
	struct dmarc_published published;
	struct text client;         /* Its address. */
	const char *disposition;    /* "none", "pass", "quarantine", "reject" */
	bool dkim_aligned, spf_aligned;
	const char *override;       /* "local_policy", "trusted_forwarder" ...; NULL: the policy was followed. */
	struct text author, sender; /* Domains: of From, and of the reverse-path (may be empty). */
	const char *spf;            /* As RFC 8601 says it; NULL: not looked for. */
	struct text spf_domain;
	struct dmarc_result_signature signatures[DMARC_RESULT_SIGNATURES_MAX]; /* The most telling first. */
	size_t signature_count;
};

/* In `room`. */
struct text dmarc_result_encode(const struct dmarc_result *result, char room[DMARC_RESULT_ROW_MAX]);

/* Borrows from `row`. False: it is none. */
[[nodiscard]] bool dmarc_result_decode(struct text row, struct dmarc_result *out_result);

bool dmarc_published_equal(const struct dmarc_published *a, const struct dmarc_published *b);

#endif
