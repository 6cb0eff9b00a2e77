/* What one session tells of TLS (RFC 8460 §4.3): told once for each connection, when it is known. */
#include "outbound/courier_private.h"

static enum tls_result_type type_of_fault(enum tls_fault fault)
{
	switch (fault) {
	case TLS_EXPIRED:
		return TLS_RESULT_CERTIFICATE_EXPIRED;
	case TLS_OTHER_HOST:
		return TLS_RESULT_CERTIFICATE_HOST_MISMATCH;
	case TLS_UNTRUSTED:
		return TLS_RESULT_CERTIFICATE_NOT_TRUSTED;
	case TLS_SOUND:
	case TLS_INVALID:
		break;
	}
	return TLS_RESULT_VALIDATION_FAILURE;
}

bool outbound_judges(const struct delivery *delivery)
{
	const struct host_policy *policy = &delivery->hosts->policy;

	return delivery->tls_notes.wanted && policy->holds && policy->sts.mode != STS_NONE;
}

/* A policy that is only tested lets hosts be tried that it does not name. */
static bool is_named(const struct delivery *delivery, struct text host)
{
	return !outbound_judges(delivery) || sts_policy_allows(&delivery->hosts->policy.sts, host);
}

void outbound_note_tls(struct delivery *delivery, const struct session_facts *facts)
{
	char sending[ENDPOINT_TEXT_MAX], receiving[ENDPOINT_TEXT_MAX];
	struct tls_result result;
	const char *words = "";

	if (!delivery->tls_notes.wanted)
		return;
	const bool dane = facts->tlsa->finding == TLSA_USABLE;

	result = tls_notes_policy(&delivery->hosts->policy, facts->tlsa, delivery->arena);
	result.mx = facts->host;
	result.mx_ip = endpoint_print_ip(facts->endpoint, receiving);
	if (facts->local->family != ENDPOINT_UNIX && facts->local->port != 0)
		result.sending_ip = endpoint_print_ip(facts->local, sending);

	const enum tls_fault fault =
	    facts->filter != NULL && (dane || outbound_judges(delivery)) ? tls_filter_fault(facts->filter, &words) : TLS_SOUND;

	if (facts->not_offered) {
		result.type = TLS_RESULT_STARTTLS_NOT_SUPPORTED;
	} else if (fault != TLS_SOUND) {
		result.type = type_of_fault(fault);
		result.reason = text_of(words);
	} else if (facts->failure.length > 0) {
		result.type = TLS_RESULT_VALIDATION_FAILURE;
		words = facts->filter != NULL ? tls_filter_trouble(facts->filter) : "";
		result.reason = words[0] != '\0' ? text_of(words) : facts->failure;
	} else if (!dane && !is_named(delivery, facts->host)) {
		result.type = TLS_RESULT_VALIDATION_FAILURE;
		result.reason = TEXT("the policy does not name this host");
	} else {
		result.type = TLS_RESULT_SUCCESS;
	}
	if (facts->tlsa->finding == TLSA_UNUSABLE)
		tls_notes_add_unusable(&delivery->tls_notes, facts->host, delivery->arena);
	tls_notes_add_missing_policy(&delivery->tls_notes, &delivery->hosts->policy, delivery->arena);
	tls_notes_add(&delivery->tls_notes, &result, delivery->arena);
}
