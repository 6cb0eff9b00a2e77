/* The questions for the TLSA records of hosts (RFC 7672 §2.2.2):
 *
 *     the host's addresses are secure ─► TLSA? where its aliases end ─┬─ none ─► TLSA? at its own name ─► taken
 *                                                                     └─ some, or no answer ────────────► taken
 *
 * They are asked only where DNSSEC vouches for the way to the host: elsewhere they would prove nothing, and name servers that cannot
 * answer them would cost mail. */
#include "route/hosts_private.h"

static dns_callback answered;

static void take_failure(struct candidate *candidate, enum dns_status status)
{
	candidate->tlsa_status = status;
	candidate->tlsa = (struct host_tlsa){ .finding = TLSA_ABSENT };
}

/* False: nothing was asked. */
static bool ask_at(struct asked_tlsa *asked, struct text base)
{
	struct hosts_search *search = asked->search;
	struct candidate *candidate = asked->candidate;
	char room[TLSA_NAME_SIZE];
	struct text name;

	candidate->tlsa.base = base;
	if (!tlsa_name(base, candidate->port, room, &name))
		return false; /* There can be none. */
	asked->query = dns_ask(search->settings->dns, name, DNS_TLSA, answered, asked);
	if (asked->query != NULL)
		search->open_count++;
	else
		take_failure(candidate, DNS_SERVFAIL);
	return asked->query != NULL;
}

static bool is_failure(const struct dns_answer *answer)
{
	return answer->status != DNS_FOUND && answer->status != DNS_NODATA && answer->status != DNS_NXDOMAIN;
}

static void take(struct asked_tlsa *asked, const struct dns_answer *answer)
{
	struct candidate *candidate = asked->candidate;
	struct host_tlsa *tlsa = &candidate->tlsa;

	if (!tlsa_choose(answer->records, answer->record_count, asked->search->arena, &tlsa->usable))
		take_failure(candidate, DNS_SERVFAIL); /* Better luck next time. */
	else
		tlsa->finding = tlsa->usable.count > 0 ? TLSA_USABLE : TLSA_UNUSABLE;
}

static void answered(void *context, const struct dns_answer *answer)
{
	struct asked_tlsa *asked = context;
	struct candidate *candidate = asked->candidate;

	asked->query = NULL;
	hosts_note_ttl(asked->search, answer);
	if (is_failure(answer))
		take_failure(candidate, answer->status);
	else if (answer->status == DNS_FOUND && answer->secure)
		take(asked, answer);
	else if (!text_equal_nocase(candidate->tlsa.base, candidate->name))
		(void)!ask_at(asked, candidate->name);
	hosts_step(asked->search);
}

void hosts_ask_tlsa(struct hosts_search *search, struct candidate *candidate)
{
	struct asked_tlsa *asked = &search->asked_tlsa[candidate - search->set.items];

	if (!search->dane || !candidate_is_secure(&search->set, candidate))
		return;
	*asked = (struct asked_tlsa){ search, candidate, NULL };
	(void)!ask_at(asked, candidate_canonical_name(candidate));
}
