/* What becomes of a message by what was found about where it is from.
 *
 * Pure.
 *
 *   Y1  Nothing that was not asked for in the settings makes a message go elsewhere than it would have gone.
 *   Y2  A temporary failure never reads as a fail: at most the message is to be handed in again. */
#ifndef INBOUND_POLICY_H
#define INBOUND_POLICY_H

#include "base/endpoint.h"
#include "inbound/evaluation.h"
#include "mail/verdict.h"

enum policy_spf { POLICY_SPF_MARK, POLICY_SPF_OFF, POLICY_SPF_REJECT };
enum policy_dkim { POLICY_DKIM_MARK, POLICY_DKIM_OFF };
enum policy_dmarc {
	POLICY_DMARC_QUARANTINE, /* What the author's domain disowns is junk, whether it asks for quarantine or rejection. */
	POLICY_DMARC_OFF,
	POLICY_DMARC_MARK,
	POLICY_DMARC_ENFORCE     /* As the domain asks. */
};

struct policy { /* Borrows. All 0: mark, and put aside what is disowned. */
	enum policy_spf spf;
	enum policy_dkim dkim;
	enum policy_dmarc dmarc;
	bool seals;                       /* What is forwarded. */
	bool puts_received_spf;
	bool defers;                      /* For now, what a temporary failure may have kept from being refused. */
	bool reports_failures;            /* Messages that fail it are told of (inbound/dmarc_failure.h). */
	bool tallies_dmarc;               /* What DMARC finds is counted for reports (inbound/dmarc_tally.h). */
	int64_t patience_ms;              /* For the DNS, when all text has come. */
	const struct text *arc_trusted;   /* Domains whose seals are believed. */
	size_t arc_trusted_count;
	const struct network *forwarders; /* Whose mail is refused and put aside for none of this. */
	size_t forwarder_count;
};

enum policy_course { POLICY_TAKE, POLICY_JUNK, POLICY_REFUSE, POLICY_DEFER };

struct policy_decision {
	enum policy_course course;
	struct verdict verdict;  /* With REFUSE and DEFER. */
	const char *override;    /* Why DMARC was not followed, in the words of its reports; NULL: it was. */
};

/* Is there anything to look for? */
bool policy_looks(const struct policy *policy);

struct policy_decision policy_decide(
    const struct policy *policy, const struct endpoint *client, const struct evaluation_findings *findings);

#endif
