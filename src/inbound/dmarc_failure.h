/* Whether the domain that a message claims to be from asks to be told of it when it fails, and what it is told (RFC 9991). Pure.
 *
 *   F1  As its record's fo says: of messages that fail DMARC, of those of which anything is not aligned, or of which a
 *       signature or SPF fails.
 *   F2  Never of a report, nor of what a machine has written: two servers would tell each other of what they tell for ever. */
#ifndef INBOUND_DMARC_FAILURE_H
#define INBOUND_DMARC_FAILURE_H

#include "auth/header_index.h"
#include "dsn/failure_report.h"
#include "inbound/policy.h"

struct dmarc_failure_facts { /* Borrows. */
	const struct evaluation_findings *findings;
	const struct policy_decision *decision;
	const struct header_index *header;
	struct text client;      /* Its address. */
	int64_t now_ms;
};

/* False: it is not told. Borrows from the facts; all but the results. */
[[nodiscard]] bool dmarc_failure_make(const struct dmarc_failure_facts *facts, struct auth_failure *out_failure);

#endif
