#include "inbound/dmarc_tally.h"

#include "auth/domain.h"

_Static_assert((int)DMARC_RESULT_ROW_MAX <= (int)TALLY_ROW_BYTES_MAX, "each result is a row");
_Static_assert((int)DMARC_RESULT_SIGNATURES_MAX >= (int)DKIM_SIGNATURES_MAX, "every signature that was looked at fits");

static const char *word_if_set(enum dmarc_policy policy)
{
	return policy != DMARC_UNSET ? dmarc_policy_word(policy) : NULL;
}

static struct dmarc_published published_by(const struct dmarc_record *record)
{
	return (struct dmarc_published){ .policy = dmarc_policy_word(record->policy),
		.subdomains = word_if_set(record->subdomain_policy),
		.absent = word_if_set(record->absent_policy),
		.dkim_strict = record->dkim_strict,
		.spf_strict = record->spf_strict,
		.testing = record->testing,
		.failure_options = record->fo };
}

/* -- The policy ----------------------------------------------------------------------------- */

static enum dmarc_policy applied_by(const struct policy_decision *decision)
{
	switch (decision->course) {
	case POLICY_REFUSE:
		return DMARC_REJECT;
	case POLICY_JUNK:
		return DMARC_QUARANTINE;
	case POLICY_TAKE:
	case POLICY_DEFER:
		break;
	}
	return DMARC_NONE;
}

/* T2 */
static void put_disposition(
    const struct dmarc_verdict *dmarc, const struct policy_decision *decision, struct dmarc_result *result)
{
	const enum dmarc_policy applied = applied_by(decision);

	result->disposition = dmarc_policy_word(applied);
	if (dmarc->result == AUTH_PASS && applied == DMARC_NONE) {
		if (dmarc->policy > DMARC_NONE)
			result->disposition = "pass";
		return;
	}
	if (applied != dmarc->disposition)
		result->override = decision->override != NULL ? decision->override : "local_policy";
	else if (dmarc->untested != dmarc->policy)
		result->override = "policy_test_mode";
}

/* -- Signatures ------------------------------------------------------------------------------- */

/* What decided comes first (RFC 9990 §3.1.1.12). */
static unsigned rank(const struct dkim_finding *finding, const struct dmarc_verdict *dmarc)
{
	if (finding->result != AUTH_PASS)
		return 2;
	return domain_is_within(domain_without_dot(finding->signature->domain), dmarc->domain) ? 0 : 1;
}

static void put_signatures(const struct evaluation_findings *findings, struct dmarc_result *result)
{
	for (unsigned wanted = 0; wanted <= 2; wanted++) {
		for (size_t i = 0; i < findings->dkim_count && result->signature_count < DMARC_RESULT_SIGNATURES_MAX; i++) {
			const struct dkim_finding *finding = &findings->dkim[i];

			if (rank(finding, findings->dmarc) == wanted)
				result->signatures[result->signature_count++] = (struct dmarc_result_signature){
					auth_result_word(finding->result), finding->signature->domain,
					finding->signature->selector };
		}
	}
}

/* -- All of it ---------------------------------------------------------------------------------- */

/* T1 */
static bool is_told_of(const struct dmarc_tally_facts *facts)
{
	const struct dmarc_verdict *dmarc = facts->findings->dmarc;

	return dmarc != NULL && (dmarc->result == AUTH_PASS || dmarc->result == AUTH_FAIL) && dmarc->record != NULL &&
	    dmarc->record->rua.length > 0 && facts->decision->course != POLICY_DEFER && dmarc->domain.length > 0 &&
	    dmarc->domain.length <= ADDRESS_DOMAIN_MAX && memchr(dmarc->domain.bytes, '\0', dmarc->domain.length) == NULL;
}

static struct text sender_domain(const struct evaluation_findings *findings)
{
	const struct text sender = findings->spf_request != NULL ? findings->spf_request->sender : TEXT_EMPTY;

	return text_from(sender, text_find_byte_last(sender, '@') + 1);
}

bool dmarc_tally_make(const struct dmarc_tally_facts *facts, struct dmarc_tally *out_tally)
{
	const struct evaluation_findings *findings = facts->findings;
	const struct dmarc_verdict *dmarc = findings->dmarc;
	char client[ENDPOINT_TEXT_MAX];

	if (!is_told_of(facts))
		return false;

	struct dmarc_result result = { .published = published_by(dmarc->record),
		.client = endpoint_print_ip(&facts->client, client),
		.dkim_aligned = dmarc->dkim_aligned,
		.spf_aligned = dmarc->spf_aligned,
		.author = dmarc->author,
		.sender = sender_domain(findings) };

	put_disposition(dmarc, facts->decision, &result);
	put_signatures(findings, &result);
	if (findings->spf != NULL) {
		result.spf = auth_result_word(findings->spf->result);
		result.spf_domain = findings->spf->domain;
	}
	memcpy(out_tally->domain, dmarc->domain.bytes, dmarc->domain.length);
	out_tally->set = (struct tally_set){ TALLY_DMARC, tally_day(facts->now_ms),
		{ out_tally->domain, dmarc->domain.length } };
	out_tally->row = dmarc_result_encode(&result, out_tally->room);
	return true;
}
