#include "route/tls_notes.h"

#include "base/must.h"

bool tls_notes_apply(const struct next_hop *hop)
{
	return hop->via_count == 0 && !hop->lmtp && !hop->tls.waived && !text_starts(hop->domain, TEXT("["));
}

/* Its lines, in the order of RFC 8461 §3.2, though the domain may have written them in another. */
static struct text policy_lines(const struct sts_policy *policy, struct arena *arena)
{
	struct text lines = TEXT_EMPTY, rest = policy->patterns, pattern;
	bool ok = arena_print(arena, &lines, "version: STSv1\nmode: %s", sts_mode_word(policy->mode));

	while (ok && sts_pattern_cut(&rest, &pattern))
		ok = arena_print(arena, &lines, "%.*s\nmx: %.*s", TEXT_FORMAT(lines), TEXT_FORMAT(pattern));
	ok = ok && arena_print(arena, &lines, "%.*s\nmax_age: %u", TEXT_FORMAT(lines), policy->max_age_s);
	return ok ? lines : TEXT_EMPTY;
}

/* Its records, as a zone has them. */
static struct text record_lines(const struct host_tlsa *tlsa, struct arena *arena)
{
	char room[TLSA_PRINTED_SIZE];
	struct text lines = TEXT_EMPTY;

	for (size_t i = 0; i < tlsa->usable.count && lines.length < TLS_RESULT_POLICY_MAX; i++)
		if (!arena_print(arena, &lines, "%.*s%s%.*s", TEXT_FORMAT(lines), i > 0 ? "\n" : "",
			TEXT_FORMAT(tlsa_print(tlsa->usable.records[i], room))))
			break;
	return lines;
}

struct tls_result tls_notes_policy(const struct host_policy *policy, const struct host_tlsa *tlsa, struct arena *arena)
{
	if (tlsa->finding == TLSA_USABLE)
		return (struct tls_result){ .policy = TLS_POLICY_TLSA, .policy_text = record_lines(tlsa, arena) };
	if (!policy->holds || policy->sts.mode == STS_NONE) /* RFC 8461 §5: as if there were none. */
		return (struct tls_result){ .policy = TLS_POLICY_NONE_FOUND };
	return (struct tls_result){ .policy = TLS_POLICY_STS, .policy_text = policy_lines(&policy->sts, arena) };
}

void tls_notes_add(struct tls_notes *notes, const struct tls_result *result, struct arena *arena)
{
	struct tls_result copy = *result;

	if (!notes->wanted || notes->count == TLS_NOTES_MAX)
		return;
	if (notes->results == NULL)
		notes->results = arena_array(arena, TLS_NOTES_MAX, sizeof *notes->results);
	if (notes->results == NULL || !arena_copy(arena, result->policy_text, &copy.policy_text) ||
	    !arena_copy(arena, result->sending_ip, &copy.sending_ip) || !arena_copy(arena, result->mx, &copy.mx) ||
	    !arena_copy(arena, result->mx_ip, &copy.mx_ip) || !arena_copy(arena, result->reason, &copy.reason))
		return;
	notes->results[notes->count++] = copy;
}

static enum tls_result_type type_of_failure(enum sts_failure failure)
{
	switch (failure) {
	case STS_POLICY_INVALID:
		return TLS_RESULT_STS_POLICY_INVALID;
	case STS_WEBPKI_INVALID:
		return TLS_RESULT_STS_WEBPKI_INVALID;
	case STS_NO_FAILURE:
	case STS_FETCH_ERROR:
		break;
	}
	return TLS_RESULT_STS_POLICY_FETCH_ERROR;
}

void tls_notes_add_missing_policy(struct tls_notes *notes, const struct host_policy *policy, struct arena *arena)
{
	const struct tls_result result = {
		.policy = TLS_POLICY_STS, .type = type_of_failure(policy->failure), .reason = policy->trouble
	};

	if (policy->wanted)
		tls_notes_add(notes, &result, arena);
}

void tls_notes_add_unusable(struct tls_notes *notes, struct text mx, struct arena *arena)
{
	const struct tls_result result = { .policy = TLS_POLICY_TLSA,
		.type = TLS_RESULT_TLSA_INVALID,
		.mx = mx,
		.reason = TEXT("none of its TLSA records can be used") };

	tls_notes_add(notes, &result, arena);
}

void tls_notes_add_barred(struct tls_notes *notes, const struct host_list *list, struct arena *arena)
{
	static const struct host_tlsa none = { .finding = TLSA_ABSENT };
	struct tls_result result = { .policy = TLS_POLICY_TLSA };

	if (!notes->wanted)
		return;
	switch (list->barred) {
	case HOSTS_NOT_BARRED:
		return;
	case HOSTS_BARRED_BY_STS:
		result = tls_notes_policy(&list->policy, &none, arena);
		result.type = TLS_RESULT_VALIDATION_FAILURE;
		result.reason = TEXT("the policy names none of the mail hosts");
		break;
	case HOSTS_BARRED_BY_DNSSEC:
		result.type = TLS_RESULT_DNSSEC_INVALID;
		result.reason = TEXT("the TLSA records of the mail hosts cannot be looked up");
		break;
	case HOSTS_BARRED_BY_DANE:
		result.type = TLS_RESULT_DANE_REQUIRED;
		break;
	}
	tls_notes_add(notes, &result, arena);
}
