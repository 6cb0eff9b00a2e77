#include "inbound/policy.h"

bool policy_looks(const struct policy *policy)
{
	return policy->spf != POLICY_SPF_OFF || policy->dkim != POLICY_DKIM_OFF || policy->dmarc != POLICY_DMARC_OFF;
}

static bool is_forwarder(const struct policy *policy, const struct endpoint *client)
{
	for (size_t i = 0; i < policy->forwarder_count; i++)
		if (network_holds(&policy->forwarders[i], client))
			return true;
	return false;
}

/* RFC 8617 §7.2.1: somebody we believe saw the message pass, before he changed it. */
static bool is_vouched_for(const struct policy *policy, const struct evaluation_findings *findings)
{
	const struct arc_verdict *arc = findings->arc;

	if (arc == NULL || arc->result != AUTH_PASS || text_find(arc->results, TEXT("dmarc=pass")) == arc->results.length)
		return false;
	for (size_t i = 0; i < policy->arc_trusted_count; i++)
		if (text_equal_nocase(arc->domain, policy->arc_trusted[i]))
			return true;
	return false;
}

/* RFC 7372 §3.2, RFC 7208 §8.4 and §8.6 */
static struct policy_decision by_spf(const struct policy *policy, const struct spf_verdict *spf)
{
	struct policy_decision decision = { .course = POLICY_TAKE };

	if (policy->spf != POLICY_SPF_REJECT || spf == NULL)
		return decision;
	if (spf->result == AUTH_FAIL) {
		decision.course = POLICY_REFUSE;
		decision.verdict = VERDICT(550, 5, 7, 23, "The sender's domain does not let this client send (SPF)");
	} else if (spf->result == AUTH_TEMPERROR && policy->defers) {
		decision.course = POLICY_DEFER;
		decision.verdict = VERDICT(451, 4, 7, 24, "The sender's domain could not be asked (SPF), try again later");
	}
	return decision;
}

static struct policy_decision by_dmarc(const struct policy *policy, const struct evaluation_findings *findings)
{
	const struct dmarc_verdict *dmarc = findings->dmarc;
	struct policy_decision decision = { .course = POLICY_TAKE };
	const bool follows = policy->dmarc == POLICY_DMARC_QUARANTINE || policy->dmarc == POLICY_DMARC_ENFORCE;

	if (!follows || dmarc == NULL)
		return decision;
	if (dmarc->result == AUTH_TEMPERROR && policy->defers) {
		decision.course = POLICY_DEFER;
		decision.verdict = VERDICT(451, 4, 7, 0, "The author's domain could not be asked (DMARC), try again later");
	}
	if (dmarc->result != AUTH_FAIL || dmarc->disposition < DMARC_QUARANTINE)
		return decision;
	if (is_vouched_for(policy, findings)) {
		decision.override = "trusted_forwarder";
	} else if (dmarc->disposition == DMARC_REJECT && policy->dmarc == POLICY_DMARC_ENFORCE) {
		decision.course = POLICY_REFUSE;
		decision.verdict = VERDICT(550, 5, 7, 1, "The author's domain asks to refuse what it has not sent (DMARC)");
	} else {
		decision.course = POLICY_JUNK;
		decision.override = dmarc->disposition == DMARC_REJECT ? "local_policy" : NULL;
	}
	return decision;
}

struct policy_decision policy_decide(
    const struct policy *policy, const struct endpoint *client, const struct evaluation_findings *findings)
{
	struct policy_decision decision = { .course = POLICY_TAKE };

	if (findings->no_memory)
		return (struct policy_decision){ POLICY_DEFER, VERDICT(452, 4, 3, 1, "Insufficient system resources"), NULL };
	if (findings->header_too_large)
		return (struct policy_decision){ POLICY_REFUSE, VERDICT(552, 5, 3, 4, "The header is too large"), NULL };
	if (is_forwarder(policy, client)) {
		decision.override = "trusted_forwarder";
		return decision;
	}
	decision = by_spf(policy, findings->spf);
	if (decision.course == POLICY_TAKE || decision.course == POLICY_DEFER) {
		const struct policy_decision other = by_dmarc(policy, findings);

		if (decision.course == POLICY_TAKE || other.course == POLICY_REFUSE)
			decision = other;
	}
	return decision;
}
