#include "inbound/dmarc_failure.h"

/* -- F1 --------------------------------------------------------------------------------------- */

static const struct dkim_finding *failed_signature(const struct evaluation_findings *findings)
{
	for (size_t i = 0; i < findings->dkim_count; i++)
		if (findings->dkim[i].result == AUTH_FAIL)
			return &findings->dkim[i];
	return NULL;
}

static bool is_asked_for(const struct evaluation_findings *findings)
{
	const struct dmarc_verdict *dmarc = findings->dmarc;
	struct text options = dmarc->record->fo.length > 0 ? dmarc->record->fo : TEXT("0"), option;
	const bool spf_failed =
	    findings->spf != NULL && (findings->spf->result == AUTH_FAIL || findings->spf->result == AUTH_SOFTFAIL);

	while (text_cut(&options, ':', &option)) {
		option = text_trim(option);
		if ((text_equal(option, TEXT("0")) && dmarc->result == AUTH_FAIL) ||
		    (text_equal(option, TEXT("1")) && !(dmarc->dkim_aligned && dmarc->spf_aligned)) ||
		    (text_equal_nocase(option, TEXT("d")) && failed_signature(findings) != NULL) ||
		    (text_equal_nocase(option, TEXT("s")) && spf_failed))
			return true;
	}
	return false;
}

/* -- F2 --------------------------------------------------------------------------------------- */

static bool is_written_by_a_machine(const struct evaluation_findings *findings, const struct header_index *header)
{
	if (findings->spf_request == NULL || findings->spf_request->sender.length == 0)
		return true;
	for (size_t i = 0; i < header->count; i++) {
		const struct header_field *field = &header->fields[i];
		const struct text value = text_trim(field->value);

		if ((text_equal_nocase(field->name, TEXT("Auto-Submitted")) && !text_starts_nocase(value, TEXT("no"))) ||
		    (text_equal_nocase(field->name, TEXT("Content-Type")) &&
			text_starts_nocase(value, TEXT("multipart/report"))))
			return true;
	}
	return header->count == 0;
}

/* -- All of it ---------------------------------------------------------------------------------- */

static const char *delivery(const struct policy_decision *decision)
{
	switch (decision->course) {
	case POLICY_JUNK:
		return "spam";
	case POLICY_REFUSE:
		return "reject";
	case POLICY_TAKE:
	case POLICY_DEFER:
		break;
	}
	return "delivered";
}

bool dmarc_failure_make(const struct dmarc_failure_facts *facts, struct auth_failure *out_failure)
{
	const struct evaluation_findings *findings = facts->findings;
	const struct dmarc_verdict *dmarc = findings->dmarc;

	if (dmarc == NULL || (dmarc->result != AUTH_PASS && dmarc->result != AUTH_FAIL) || dmarc->record == NULL ||
	    dmarc->record->ruf.length == 0 || facts->decision->course == POLICY_DEFER || !is_asked_for(findings) ||
	    is_written_by_a_machine(findings, facts->header))
		return false;

	const struct header_field *first = &facts->header->fields[0], *last = &facts->header->fields[facts->header->count - 1];
	const struct dkim_finding *failed = failed_signature(findings);

	*out_failure = (struct auth_failure){ .domain = dmarc->domain,
		.author = dmarc->author,
		.client = facts->client,
		.sender = findings->spf_request->sender,
		.dkim_aligned = dmarc->dkim_aligned,
		.spf_aligned = dmarc->spf_aligned,
		.delivery = delivery(facts->decision),
		.header = { first->whole.bytes, (size_t)(last->whole.bytes + last->whole.length - first->whole.bytes) },
		.arrived_ms = facts->now_ms };
	if (failed != NULL) {
		out_failure->dkim_domain = failed->signature->domain;
		out_failure->dkim_selector = failed->signature->selector;
	}
	return true;
}
