/* What a message adds to the aggregate report of DMARC of its author's domain (RFC 9990): one row, counted once. Pure.
 *
 *   T1  Only what DMARC came to a result about, under a record that asks for such reports, is told of; and nothing of a message that is
 *       to be handed in again.
 *   T2  Where the policy was not followed, the row says why. */
#ifndef INBOUND_DMARC_TALLY_H
#define INBOUND_DMARC_TALLY_H

#include "dsn/dmarc_result.h"
#include "inbound/policy.h"
#include "spool/tally.h"

struct dmarc_tally { /* Points into itself: not to be copied. */
	struct tally_set set;
	struct text row;
	char domain[ADDRESS_DOMAIN_MAX];
	char room[DMARC_RESULT_ROW_MAX];
};

struct dmarc_tally_facts { /* Borrows. */
	const struct evaluation_findings *findings;
	const struct policy_decision *decision;
	struct endpoint client;
	int64_t now_ms;
};

/* False: there is nothing to tell (T1). */
[[nodiscard]] bool dmarc_tally_make(const struct dmarc_tally_facts *facts, struct dmarc_tally *out_tally);

#endif
