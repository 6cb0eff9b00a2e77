/* Authentication-Results (RFC 8601): saying what was found, and knowing fields that only pretend that we said it.
 *
 * Pure.
 *
 *   A1  What comes from a stranger stands in quotes unless it is a token; no control byte of his gets into the field.
 *   A2  Of several DKIM signatures each has its own result, told apart by header.b (RFC 6008). */
#ifndef AUTH_AUTH_RESULTS_H
#define AUTH_AUTH_RESULTS_H

#include "auth/arc.h"
#include "auth/dkim.h"
#include "auth/dmarc.h"
#include "auth/iprev.h"
#include "auth/spf.h"
#include "base/buffer.h"

struct auth_results {            /* Borrows. NULL: that method was not used. */
	struct text authserv_id; /* Our name (§2.5). */
	const struct iprev *iprev;
	const struct spf_verdict *spf;
	const struct spf_verdict *spf_helo; /* Of the HELO name besides the sender; said unless it is none. */
	const struct dkim_finding *dkim; /* With dkim_used and none of them: dkim=none. */
	size_t dkim_count;
	bool dkim_used;
	const struct arc_verdict *arc;
	const struct dmarc_verdict *dmarc;
};

/* Append the field, folded, with its line end. False: `out` is full. */
[[nodiscard]] bool auth_results_compose(const struct auth_results *results, struct buffer *out);

/* Does the value of such a field speak in the name of `authserv_id`? A stranger's must be removed then (§5). What cannot be
 * read does, too. */
bool auth_results_claims(struct text value, struct text authserv_id);

#endif
