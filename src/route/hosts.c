/* The search for the hosts of a next hop:
 *
 *     via ──────────────┐
 *     [literal] ────────┤
 *     domain ─┬► MX? ───┼─► A? and AAAA? of all hosts at once, then TLSA? of each ─┬─► list
 *             │    └─► no mail there, or not now ───────────────────────────────────┼─► verdict
 *             └► MTA-STS policy? ───────────────────────────────────────────────────┘
 *
 * `open_count` is how many questions have no answer yet; whoever brings it to 0 finishes. */
#include "route/hosts.h"

#include <stdlib.h>

#include "base/must.h"
#include "route/hosts_private.h"
#include "route/via.h"

enum { SEARCH_BYTES_MAX = 512 * 1024, LMTP_PORT = 24, SUBMISSIONS_PORT = 465 };

/* -- The end -------------------------------------------------------------------------- */

static void search_free(struct hosts_search *search)
{
	if (search->timer != NULL)
		loop_timer_free(search->timer);
	arena_free(search->arena);
	free(search);
}

static void finish(struct hosts_search *search)
{
	struct host_list list = { .ttl_s = search->set.ttl_s, .mx_secure = search->set.mx_secure };

	must(search->open_count == 0);
	if (search->verdict.code != 0) {
		list.verdict = search->verdict;
		list.explanation = search->verdict.text;
		if (verdict_is_temporary(&list.verdict))
			list.ttl_s = HOSTS_TTL_TEMPORARY_S;
	} else if (!candidates_list(&search->set, search->settings, search->arena, &list)) {
		list = (struct host_list){ .verdict = VERDICT(451, 4, 3, 0, "out of memory") };
	}
	must((list.verdict.code == 0) == (list.host_count > 0));
	search->callback(search->context, &list);
	search_free(search);
}

static void timer_due(void *context)
{
	finish(context);
}

static void give_up(struct hosts_search *search, struct verdict verdict, const char *why)
{
	search->verdict = verdict;
	if (!arena_print(search->arena, &search->verdict.text, "%.*s: %s", TEXT_FORMAT(search->set.domain), why))
		search->verdict.text = text_of(why);
}

void hosts_note_ttl(struct hosts_search *search, const struct dns_answer *answer)
{
	if (answer->ttl_s < search->set.ttl_s)
		search->set.ttl_s = answer->ttl_s;
}

/* Below `bound`, > 0. The bias of the remainder does not matter for spreading load. */
static size_t random_below(struct hosts_search *search, size_t bound)
{
	return loop_random(search->loop) % bound;
}

void hosts_step(struct hosts_search *search)
{
	must(search->open_count > 0);
	if (--search->open_count == 0)
		finish(search);
}

/* -- MTA-STS ------------------------------------------------------------------------------ */

static void policy_found(void *context, const struct sts_found *found)
{
	struct hosts_search *search = context;

	search->sts = NULL;
	if (!candidates_policy(&search->set, found, search->arena))
		give_up(search, VERDICT(451, 4, 3, 0, ""), "out of memory");
	hosts_step(search);
}

static bool ask_policy(struct hosts_search *search)
{
	struct sts_keeper *keeper = search->settings->sts;

	if (keeper == NULL || search->waived)
		return true;
	search->sts = sts_find(keeper, search->set.domain, policy_found, search);
	search->open_count += search->sts != NULL;
	return search->sts != NULL;
}

/* There will be no host to judge. */
static void forget_policy(struct hosts_search *search)
{
	if (search->sts == NULL)
		return;
	sts_cancel(search->sts);
	search->sts = NULL;
	search->open_count--;
}

/* -- Addresses --------------------------------------------------------------------------- */

/* Nobody can be reached at 0.0.0.0 but ourselves; an IPv4 address in IPv6 clothes would
 * slip through the loop check. */
static bool is_usable(const struct endpoint *address)
{
	static const uint8_t nothing[12] = { 0 }, mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t zero[16] = { 0 };

	if (memcmp(address->ip, zero, sizeof zero) == 0)
		return false;
	if (address->family == ENDPOINT_IP4)
		return true;
	return memcmp(address->ip, mapped, sizeof mapped) != 0 &&
	    (memcmp(address->ip, nothing, sizeof nothing) != 0 || endpoint_is_loopback(address));
}

static void keep_addresses(
    struct hosts_search *search, const struct asked *asked, const struct dns_answer *answer)
{
	struct candidate_addresses *addresses = &asked->candidate->families[asked->family];
	const size_t most = answer->record_count < HOSTS_ADDRESS_MAX ? answer->record_count : HOSTS_ADDRESS_MAX;
	struct endpoint *endpoints = arena_array(search->arena, most, sizeof *endpoints);
	size_t count = 0;

	if (endpoints == NULL) {
		addresses->status = DNS_SERVFAIL; /* Better luck next time. */
		return;
	}
	for (uint32_t i = 0; i < answer->record_count && count < most; i++) {
		if (!is_usable(&answer->records[i].address))
			continue;
		const size_t place = random_below(search, count + 1);

		/* Each order is as likely as any other. */
		endpoints[count++] = endpoints[place];
		endpoints[place] = answer->records[i].address;
		endpoints[place].port = asked->candidate->port;
	}
	addresses->endpoints = endpoints;
	addresses->count = count;
	if (!arena_copy(search->arena, answer->canonical, &addresses->canonical))
		addresses->secure = false; /* Without DANE. */
}

static bool are_known(const struct asked families[FAMILY_COUNT])
{
	return families[FAMILY_IP4].query == NULL && families[FAMILY_IP6].query == NULL;
}

static void address_answered(void *context, const struct dns_answer *answer)
{
	struct asked *asked = context;
	struct hosts_search *search = asked->search;
	struct candidate_addresses *addresses = &asked->candidate->families[asked->family];

	asked->query = NULL;
	addresses->status = answer->status;
	addresses->secure = answer->secure;
	hosts_note_ttl(search, answer);
	if (answer->status == DNS_FOUND)
		keep_addresses(search, asked, answer);
	if (are_known(search->asked[asked->candidate - search->set.items]))
		hosts_ask_tlsa(search, asked->candidate);
	hosts_step(search);
}

static void ask_candidates(struct hosts_search *search)
{
	static const enum dns_type types[FAMILY_COUNT] = { [FAMILY_IP4] = DNS_A, [FAMILY_IP6] = DNS_AAAA };

	for (size_t i = 0; i < search->set.count; i++) {
		struct candidate *candidate = &search->set.items[i];

		for (size_t family = 0; !candidate->is_endpoint && family < FAMILY_COUNT; family++) {
			struct asked *asked = &search->asked[i][family];

			*asked = (struct asked){ search, candidate, (enum candidate_family)family, NULL };
			asked->query = dns_ask(
			    search->settings->dns, candidate->name, types[family], address_answered, asked);
			if (asked->query != NULL)
				search->open_count++;
			else
				candidate->families[family].status = DNS_SERVFAIL;
		}
	}
}

static bool add_candidate(
    struct hosts_search *search, struct text name, uint16_t preference, uint16_t port)
{
	struct candidate candidate = { .preference = preference, .port = port };

	must(search->set.count < HOSTS_CANDIDATES_MAX);
	if (!arena_copy(search->arena, name, &candidate.name))
		return false;
	search->set.items[search->set.count++] = candidate;
	return true;
}

static bool add_endpoint(struct hosts_search *search, struct text name, const struct endpoint *endpoint)
{
	struct endpoint *copy = arena_alloc(search->arena, sizeof *copy);

	if (copy == NULL || !add_candidate(search, name, 0, endpoint->port))
		return false;
	*copy = *endpoint;
	struct candidate *candidate = &search->set.items[search->set.count - 1];

	candidate->is_endpoint = true;
	candidate->families[FAMILY_IP4] = (struct candidate_addresses){ .endpoints = copy, .count = 1 };
	return true;
}

/* As configuration names it. What cannot be understood was refused when the router was made. */
static bool add_via(struct hosts_search *search, struct text item, uint16_t port)
{
	struct via via;

	if (!via_parse(item, port, &via))
		return true;
	return via.is_endpoint ? add_endpoint(search, item, &via.endpoint) : add_candidate(search, via.name, 0, via.port);
}

static bool add_fallback(struct hosts_search *search)
{
	const size_t first = search->set.count;

	for (size_t i = 0; i < search->fallback_count; i++)
		if (!add_via(search, search->fallback[i], search->fallback_port))
			return false;
	for (size_t i = first; i < search->set.count; i++)
		search->set.items[i].is_fallback = true;
	return true;
}

/* All that the mail itself goes to are candidates. */
static void ask_addresses(struct hosts_search *search)
{
	if (!add_fallback(search))
		give_up(search, VERDICT(451, 4, 3, 0, ""), "out of memory");
	ask_candidates(search);
}

/* -- MX ---------------------------------------------------------------------------------- */

/* RFC 7505: one MX that names the root. */
static bool is_null_mx(const struct dns_answer *answer)
{
	return answer->record_count == 1 && answer->records[0].name.length == 0;
}

/* An exchange must be a name (RFC 5321 §2.3.5). Some write an address, and nobody looks it up. */
static bool is_host_name(struct text name)
{
	struct endpoint address;

	return name.length > 0 && !endpoint_parse_ip(name, &address);
}

/* The records to use, best first, equals in random order. Returns how many. */
static size_t sort_mx(struct hosts_search *search, const struct dns_answer *answer,
    const struct dns_record *sorted[DNS_RECORD_MAX])
{
	size_t count = 0;

	for (uint32_t i = 0; i < answer->record_count; i++) {
		const size_t place = random_below(search, count + 1);

		if (!is_host_name(answer->records[i].name))
			continue;
		sorted[count++] = sorted[place];
		sorted[place] = &answer->records[i];
	}
	/* Insertion: stable, so equals stay shuffled. */
	for (size_t i = 1; i < count; i++) {
		const struct dns_record *record = sorted[i];
		size_t at = i;

		for (; at > 0 && sorted[at - 1]->preference > record->preference; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = record;
	}
	return count;
}

/* How many of the sorted records come before ourselves, by name. */
static size_t count_before_own(
    const struct hosts_settings *settings, const struct dns_record *const *sorted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!hosts_name_is_own(settings, sorted[i]->name))
			continue;
		while (i > 0 && sorted[i - 1]->preference == sorted[i]->preference)
			i--;
		return i;
	}
	return count;
}

static void take_mx(struct hosts_search *search, const struct dns_answer *answer)
{
	const struct dns_record *sorted[DNS_RECORD_MAX] = { NULL };
	const size_t count = sort_mx(search, answer, sorted);
	const size_t better = count_before_own(search->settings, sorted, count);

	search->set.origin = FROM_MX;
	search->set.was_cut = better < count;
	for (size_t i = 0; i < better && i < HOSTS_MX_MAX; i++)
		if (!add_candidate(search, sorted[i]->name, sorted[i]->preference, search->settings->port))
			give_up(search, VERDICT(451, 4, 3, 0, ""), "out of memory");
	ask_addresses(search);
}

static void take_implicit_mx(struct hosts_search *search)
{
	search->set.origin = FROM_IMPLICIT_MX;
	if (!add_candidate(search, search->set.domain, 0, search->settings->port))
		give_up(search, VERDICT(451, 4, 3, 0, ""), "out of memory");
	ask_addresses(search);
}

static void mx_answered(void *context, const struct dns_answer *answer)
{
	struct hosts_search *search = context;

	search->mx_query = NULL;
	search->set.mx_secure = answer->secure;
	hosts_note_ttl(search, answer);
	switch (answer->status) {
	case DNS_FOUND:
		if (is_null_mx(answer))
			give_up(search, VERDICT(556, 5, 1, 10, ""), "it takes no mail (null MX)");
		else
			take_mx(search, answer);
		break;
	case DNS_NODATA:
		take_implicit_mx(search);
		break;
	case DNS_NXDOMAIN:
		give_up(search, VERDICT(550, 5, 1, 2, ""), "no such domain");
		break;
	case DNS_SERVFAIL:
		give_up(search, VERDICT(451, 4, 4, 3, ""), "the DNS failed to answer for it");
		break;
	case DNS_TIMEOUT:
		give_up(search, VERDICT(451, 4, 4, 3, ""), "the DNS does not answer for it");
		break;
	case DNS_BOGUS:
		give_up(search, VERDICT(451, 4, 4, 3, ""), "its DNSSEC signatures do not hold");
		break;
	}
	if (search->verdict.code != 0)
		forget_policy(search);
	hosts_step(search);
}

/* -- The start ---------------------------------------------------------------------------- */

static bool start_via(struct hosts_search *search, const struct next_hop *next_hop)
{
	const uint16_t port = next_hop->lmtp ? LMTP_PORT
	    : next_hop->tls.implicit         ? SUBMISSIONS_PORT
					     : search->settings->port;

	search->set.origin = FROM_VIA;
	for (size_t i = 0; i < next_hop->via_count && i < HOSTS_MX_MAX; i++)
		if (!add_via(search, next_hop->via[i], port))
			return false;
	ask_addresses(search);
	return true;
}

static bool start_literal(struct hosts_search *search)
{
	struct endpoint endpoint;

	search->set.origin = FROM_LITERAL;
	if (!endpoint_parse_ip(search->set.domain, &endpoint)) {
		give_up(search, VERDICT(550, 5, 1, 2, ""), "not an address literal");
		return true;
	}
	endpoint.port = search->settings->port;
	if (!add_endpoint(search, search->set.domain, &endpoint))
		return false;
	ask_addresses(search);
	return true;
}

static bool start_domain(struct hosts_search *search)
{
	search->set.origin = FROM_MX;
	search->mx_query = dns_ask(search->settings->dns, search->set.domain, DNS_MX, mx_answered, search);
	search->open_count += search->mx_query != NULL;
	return search->mx_query != NULL && ask_policy(search);
}

/* It may be long until they are needed. */
static bool keep_fallback(struct hosts_search *search, const struct next_hop *next_hop)
{
	search->set.fallback_least = next_hop->fallback_tls.level;
	search->fallback_port = next_hop->fallback_tls.implicit ? SUBMISSIONS_PORT : search->settings->port;
	for (size_t i = 0; i < next_hop->fallback_count && i < ROUTER_FALLBACK_MAX; i++) {
		if (!arena_copy(search->arena, next_hop->fallback[i], &search->fallback[i]))
			return false;
		search->fallback_count++;
	}
	return true;
}

static bool start(struct hosts_search *search, const struct next_hop *next_hop)
{
	if (!keep_fallback(search, next_hop))
		return false;
	if (!arena_copy(search->arena, next_hop->domain, &search->set.domain))
		return false;
	if (next_hop->via_count > 0)
		return start_via(search, next_hop);
	if (text_starts(search->set.domain, TEXT("[")))
		return start_literal(search);
	return start_domain(search);
}

struct hosts_search *hosts_find(struct loop *loop, const struct hosts_settings *settings,
    const struct next_hop *next_hop, hosts_callback *callback, void *context)
{
	struct hosts_search *search = calloc(1, sizeof *search);

	if (search == NULL)
		return NULL;
	search->loop = loop;
	search->settings = settings;
	search->callback = callback;
	search->context = context;
	search->waived = next_hop->tls.waived;
	search->set.names_demanded = next_hop->tls.whole_way;
	search->dane = ((settings->dane && !search->waived) || next_hop->tls.dane) && next_hop->tls.level > TLS_UNUSED &&
	    !next_hop->lmtp;
	search->set.dane_demanded = next_hop->tls.dane;
	search->set.ttl_s = HOSTS_TTL_MAX_S;
	search->arena = arena_new(SEARCH_BYTES_MAX);
	search->timer = loop_timer_new(loop, timer_due, search);
	if (search->arena == NULL || search->timer == NULL || !start(search, next_hop)) {
		hosts_cancel(search);
		return NULL;
	}
	if (search->open_count == 0)
		loop_timer_set(search->timer, 0);
	return search;
}

void hosts_cancel(struct hosts_search *search)
{
	if (search == NULL)
		return;
	dns_cancel(search->mx_query);
	sts_cancel(search->sts);
	for (size_t i = 0; i < HOSTS_CANDIDATES_MAX; i++) {
		for (size_t family = 0; family < FAMILY_COUNT; family++)
			dns_cancel(search->asked[i][family].query);
		dns_cancel(search->asked_tlsa[i].query);
	}
	search_free(search);
}
