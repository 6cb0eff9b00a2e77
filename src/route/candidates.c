#include "route/candidates.h"

#include "base/buffer.h"
#include "base/must.h"

enum { EXPLANATION_BYTES_MAX = 8192 };

/* -- Ourselves -------------------------------------------------------------------- */

bool hosts_name_is_own(const struct hosts_settings *settings, struct text name)
{
	return settings->hostname.length > 0 && text_equal_nocase(settings->hostname, name);
}

static bool is_unspecified(const struct endpoint *endpoint)
{
	static const uint8_t zero[16] = { 0 };

	return endpoint->family != ENDPOINT_UNIX && memcmp(endpoint->ip, zero, sizeof zero) == 0;
}

bool hosts_endpoint_is_own(const struct hosts_settings *settings, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < settings->own_count; i++) {
		const struct endpoint *own = &settings->own[i];

		if (endpoint_equal(own, endpoint))
			return true;
		/* All a wildcard surely holds is this machine's loopback. */
		if (is_unspecified(own) && own->family == endpoint->family && own->port == endpoint->port &&
		    endpoint_is_loopback(endpoint))
			return true;
	}
	return false;
}

static bool is_own(const struct hosts_settings *settings, const struct candidate *candidate)
{
	for (size_t family = 0; family < FAMILY_COUNT; family++)
		for (size_t i = 0; i < candidate->families[family].count; i++)
			if (hosts_endpoint_is_own(settings, &candidate->families[family].endpoints[i]))
				return true;
	return false;
}

static void cut_own(struct candidate_set *set, const struct hosts_settings *settings)
{
	uint32_t limit = UINT32_MAX;

	for (size_t i = 0; i < set->count; i++) {
		struct candidate *candidate = &set->items[i];

		if (!is_own(settings, candidate))
			continue;
		candidate->is_cut = true;
		if (candidate->preference < limit && !candidate->is_fallback)
			limit = candidate->preference;
	}
	for (size_t i = 0; i < set->count && !set->items[i].is_fallback; i++) {
		if (set->origin == FROM_MX && set->items[i].preference >= limit)
			set->items[i].is_cut = true; /* N1 */
		set->was_cut = set->was_cut || set->items[i].is_cut;
	}
}

/* -- MTA-STS ---------------------------------------------------------------------------- */

bool candidates_policy(struct candidate_set *set, const struct sts_found *found, struct arena *arena)
{
	struct host_policy policy = { .holds = found->policy != NULL,
		.wanted = found->wanted,
		.failure = found->memory->failure };

	if (policy.holds) {
		policy.sts = *found->policy;
		policy.fetched_ms = found->memory->fetched_ms;
		policy.ends_ms = sts_memory_end_ms(found->memory);
		policy.renewed_ms = sts_memory_refresh_ms(found->memory);
	}
	if (!arena_copy(arena, policy.sts.patterns, &policy.sts.patterns) ||
	    !arena_copy(arena, found->memory->trouble, &policy.trouble))
		return false;
	set->policy = policy;
	return true;
}

static void bar(struct candidate_set *set)
{
	if (!set->policy.holds || set->policy.sts.mode != STS_ENFORCE)
		return;
	for (size_t i = 0; i < set->count && !set->items[i].is_fallback; i++)
		set->items[i].is_barred = !sts_policy_allows(&set->policy.sts, set->items[i].name);
}

/* -- DANE -------------------------------------------------------------------------------- */

bool candidate_is_secure(const struct candidate_set *set, const struct candidate *candidate)
{
	size_t count = 0;

	if (candidate->is_endpoint || (set->origin != FROM_VIA && !set->mx_secure && !candidate->is_fallback))
		return false;
	for (size_t family = 0; family < FAMILY_COUNT; family++) {
		if (candidate->families[family].count > 0 && !candidate->families[family].secure)
			return false;
		count += candidate->families[family].count;
	}
	return count > 0;
}

struct text candidate_canonical_name(const struct candidate *candidate)
{
	const struct candidate_addresses *ip4 = &candidate->families[FAMILY_IP4], *ip6 = &candidate->families[FAMILY_IP6];

	return ip4->count > 0 ? ip4->canonical : ip6->count > 0 ? ip6->canonical : candidate->name;
}

static bool lacks_tlsa(const struct candidate_set *set, const struct candidate *candidate)
{
	return set->dane_demanded && candidate->tlsa.finding != TLSA_USABLE;
}

static bool policy_is_enforced(const struct candidate_set *set)
{
	return set->policy.holds && set->policy.sts.mode == STS_ENFORCE;
}

/* N5. Also where a newer policy is there that cannot be had. */
static bool is_protected(const struct candidate_set *set)
{
	bool is = policy_is_enforced(set) || set->policy.wanted;

	for (size_t i = 0; i < set->count && !set->items[i].is_fallback; i++)
		is = is || set->items[i].tlsa.finding != TLSA_ABSENT || set->items[i].tlsa_status != DNS_FOUND;
	return is;
}

static enum tls_level stronger(enum tls_level a, enum tls_level b)
{
	return a > b ? a : b;
}

/* MX records that nobody vouches for may name anybody's hosts. A domain that is its own host, and those of the
 * configuration, are what they are called. */
static bool lacks_names(const struct candidate_set *set)
{
	return set->names_demanded && set->origin == FROM_MX && !set->mx_secure && !policy_is_enforced(set);
}

static enum tls_level least_level(const struct candidate_set *set, const struct candidate *candidate)
{
	static const enum tls_level by_dane[] = { [TLSA_ABSENT] = TLS_UNUSED, [TLSA_UNUSABLE] = TLS_ENCRYPTED,
		[TLSA_USABLE] = TLS_VERIFIED };
	const enum tls_level least = by_dane[candidate->tlsa.finding];

	if (candidate->is_fallback)
		return is_protected(set) ? TLS_VERIFIED : stronger(least, set->fallback_least);
	return policy_is_enforced(set) ? TLS_VERIFIED : least;
}

static bool is_out(const struct candidate_set *set, const struct candidate *candidate)
{
	return candidate->is_cut || candidate->is_barred || candidate->tlsa_status != DNS_FOUND || /* N4 */
	    lacks_tlsa(set, candidate) || lacks_names(set);
}

/* -- The list ------------------------------------------------------------------------ */

static size_t address_count(const struct candidate *candidate)
{
	return candidate->families[FAMILY_IP4].count + candidate->families[FAMILY_IP6].count;
}

/* Append one host's addresses, the families taking turns. */
static size_t append_addresses(const struct candidate_set *set, const struct candidate *candidate,
    bool prefer_ip6, struct host *hosts, size_t count, size_t count_max)
{
	size_t taken[FAMILY_COUNT] = { 0 };
	enum candidate_family turn = prefer_ip6 ? FAMILY_IP6 : FAMILY_IP4;

	for (size_t left = address_count(candidate); left > 0 && count < count_max; left--) {
		if (taken[turn] == candidate->families[turn].count)
			turn = FAMILY_COUNT - 1 - turn;
		const struct candidate_addresses *addresses = &candidate->families[turn];

		must(taken[turn] < addresses->count);
		hosts[count++] = (struct host){
			.name = candidate->name,
			.preference = candidate->preference,
			.secure = addresses->secure && (set->mx_secure || set->origin == FROM_VIA || candidate->is_fallback),
			.tls_least = least_level(set, candidate),
			.tlsa = candidate->tlsa,
			.endpoint = addresses->endpoints[taken[turn]++],
			.fallback = candidate->is_fallback,
		};
		turn = FAMILY_COUNT - 1 - turn;
	}
	return count;
}

static bool list_hosts(const struct candidate_set *set, bool prefer_ip6, struct arena *arena, struct host_list *list)
{
	size_t totals[2] = { 0 }, count = 0; /* The second of fallback relays. */

	for (size_t i = 0; i < set->count; i++)
		if (!is_out(set, &set->items[i]))
			totals[set->items[i].is_fallback] += address_count(&set->items[i]);
	if (totals[0] > HOSTS_ADDRESS_MAX)
		totals[0] = HOSTS_ADDRESS_MAX;
	if (totals[1] > HOSTS_FALLBACK_ADDRESS_MAX)
		totals[1] = HOSTS_FALLBACK_ADDRESS_MAX;
	if (totals[0] == 0)
		totals[1] = 0; /* N5 */
	const size_t total = totals[0] + totals[1];
	struct host *hosts = arena_array(arena, total, sizeof *hosts);

	if (hosts == NULL)
		return false;
	for (size_t i = 0; i < set->count; i++)
		if (!is_out(set, &set->items[i]))
			count = append_addresses(
			    set, &set->items[i], prefer_ip6, hosts, count, set->items[i].is_fallback ? total : totals[0]);
	must(count == total);
	list->hosts = hosts;
	list->host_count = count;
	return true;
}

/* -- Why it is empty --------------------------------------------------------------------- */

static bool is_temporary(enum dns_status status)
{
	return status == DNS_SERVFAIL || status == DNS_TIMEOUT || status == DNS_BOGUS;
}

static bool fails_for_now(const struct candidate *candidate)
{
	return address_count(candidate) == 0 &&
	    (is_temporary(candidate->families[FAMILY_IP4].status) ||
		is_temporary(candidate->families[FAMILY_IP6].status)); /* N2 */
}

/* Fallback relays do not count: without another host they are not in the list. */
static bool may_be_used(const struct candidate *candidate)
{
	return !candidate->is_cut && !candidate->is_barred && !candidate->is_fallback;
}

static bool any_fails_for_now(const struct candidate_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (may_be_used(&set->items[i]) && fails_for_now(&set->items[i]))
			return true;
	return false;
}

static bool any_tlsa_fails(const struct candidate_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (may_be_used(&set->items[i]) && set->items[i].tlsa_status != DNS_FOUND)
			return true;
	return false;
}

/* One that is not us, and has an address. */
static bool any_is_barred(const struct candidate_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->items[i].is_barred && !set->items[i].is_cut && address_count(&set->items[i]) > 0)
			return true;
	return false;
}

static bool any_lacks_tlsa(const struct candidate_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (lacks_tlsa(set, &set->items[i]) && may_be_used(&set->items[i]) && address_count(&set->items[i]) > 0)
			return true;
	return false;
}

static bool explain_none(const struct candidate_set *set, struct arena *arena, struct host_list *list)
{
	const char *why;

	if (any_fails_for_now(set)) {
		list->verdict = VERDICT(451, 4, 4, 3, "");
		why = "the addresses of its mail hosts cannot be looked up now";
		list->ttl_s = list->ttl_s < HOSTS_TTL_TEMPORARY_S ? list->ttl_s : HOSTS_TTL_TEMPORARY_S;
	} else if (any_tlsa_fails(set)) {
		list->verdict = VERDICT(451, 4, 4, 3, ""); /* N4 */
		list->barred = HOSTS_BARRED_BY_DNSSEC;
		why = "the TLSA records (DANE) of its mail hosts cannot be looked up now";
	} else if (any_is_barred(set)) {
		list->verdict = VERDICT(451, 4, 7, 5, ""); /* N3 */
		list->barred = HOSTS_BARRED_BY_STS;
		why = "its MTA-STS policy names none of its mail hosts";
	} else if (any_lacks_tlsa(set)) {
		list->verdict = VERDICT(451, 4, 7, 5, ""); /* N4 */
		list->barred = HOSTS_BARRED_BY_DANE;
		why = "DANE is demanded, and none of its mail hosts has TLSA records that can be used";
	} else if (lacks_names(set) && set->policy.wanted) {
		list->verdict = VERDICT(451, 4, 7, 30, "");
		why = "the message requires TLS all the way, and the MTA-STS policy cannot be fetched now";
	} else if (lacks_names(set)) {
		list->verdict = VERDICT(550, 5, 7, 30, "");
		why = "the message requires TLS all the way, and neither DNSSEC nor an MTA-STS policy vouches for its mail hosts";
	} else if (set->was_cut) {
		list->verdict = VERDICT(554, 5, 4, 6, "");
		why = "mail for it loops back to us";
	} else if (set->origin == FROM_VIA) {
		/* Our operator's slip, not the sender's: it must not cost mail. */
		list->verdict = VERDICT(451, 4, 3, 5, "");
		why = "no host of its route has an address";
	} else if (set->origin == FROM_IMPLICIT_MX) {
		list->verdict = VERDICT(550, 5, 4, 4, "");
		why = "it has neither MX nor address records";
	} else {
		list->verdict = VERDICT(550, 5, 4, 4, "");
		why = "none of its mail hosts has an address";
	}
	return arena_print(arena, &list->verdict.text, "%.*s: %s", TEXT_FORMAT(set->domain), why);
}

/* -- Explanation ------------------------------------------------------------------------------ */

static const char *state_of(const struct candidate *candidate)
{
	static const char *const words[] = {
		[DNS_FOUND] = "no usable address", [DNS_NODATA] = "no address", [DNS_NXDOMAIN] = "no such name",
		[DNS_SERVFAIL] = "DNS failed", [DNS_TIMEOUT] = "DNS timed out", [DNS_BOGUS] = "DNSSEC failed"
	};
	const enum dns_status ip4 = candidate->families[FAMILY_IP4].status;
	const enum dns_status ip6 = candidate->families[FAMILY_IP6].status;

	return words[is_temporary(ip6) ? ip6 : ip4];
}

static bool print_addresses(struct buffer *out, const struct candidate *candidate)
{
	char room[ENDPOINT_TEXT_MAX];
	const char *between = "";

	for (size_t family = 0; family < FAMILY_COUNT; family++) {
		for (size_t i = 0; i < candidate->families[family].count; i++) {
			const struct endpoint *endpoint = &candidate->families[family].endpoints[i];

			if (!buffer_print(out, "%s%.*s", between, TEXT_FORMAT(endpoint_print_ip(endpoint, room))))
				return false;
			between = ", ";
		}
	}
	return *between != '\0' || buffer_print(out, "%s", state_of(candidate));
}

static const char *tlsa_words(const struct candidate_set *set, const struct candidate *candidate)
{
	if (candidate->tlsa_status != DNS_FOUND)
		return ", TLSA records cannot be looked up";
	if (candidate->tlsa.finding != TLSA_ABSENT)
		return candidate->tlsa.finding == TLSA_USABLE ? ", DANE" : ", no TLSA record that can be used";
	return set->dane_demanded ? ", no TLSA records" : "";
}

static bool print_candidate(struct buffer *out, const struct candidate_set *set, size_t at)
{
	const struct candidate *candidate = &set->items[at];
	const char *cut = candidate->is_cut ? ", cut to avoid a loop"
	    : candidate->is_barred          ? ", not named by the MTA-STS policy"
					    : "";

	if (at > 0 && !buffer_append(out, TEXT(", ")))
		return false;
	if (candidate->is_fallback && !buffer_append(out, TEXT("else ")))
		return false;
	if (set->origin == FROM_MX && !candidate->is_fallback && !buffer_print(out, "MX %u ", candidate->preference))
		return false;
	if (set->origin == FROM_IMPLICIT_MX && !candidate->is_fallback && !buffer_append(out, TEXT("no MX, ")))
		return false;
	if (candidate->is_endpoint)
		return buffer_print(out, "%.*s%s", TEXT_FORMAT(candidate->name), cut);
	if (!buffer_print(out, "%.*s", TEXT_FORMAT(candidate->name)))
		return false;
	if ((set->origin == FROM_VIA || candidate->is_fallback) && !buffer_print(out, ":%u", candidate->port))
		return false;
	return buffer_append(out, TEXT(" (")) && print_addresses(out, candidate) &&
	    buffer_print(out, "%s%s)", tlsa_words(set, candidate), cut);
}

static bool explain(const struct candidate_set *set, struct arena *arena, struct host_list *list)
{
	struct buffer out;
	bool copied;

	buffer_init(&out, EXPLANATION_BYTES_MAX);
	for (size_t i = 0; i < set->count; i++)
		if (!print_candidate(&out, set, i))
			break; /* The first hosts tell enough. */
	copied = arena_copy(arena, buffer_text(&out), &list->explanation);
	buffer_done(&out);
	return copied;
}

bool candidates_list(struct candidate_set *set, const struct hosts_settings *settings, struct arena *arena,
    struct host_list *out_list)
{
	struct host_list list = { .mx_secure = set->mx_secure, .ttl_s = set->ttl_s, .policy = set->policy };

	cut_own(set, settings);
	bar(set);
	if (any_tlsa_fails(set) && list.ttl_s > HOSTS_TTL_TEMPORARY_S)
		list.ttl_s = HOSTS_TTL_TEMPORARY_S;
	if (!list_hosts(set, settings->prefer_ip6, arena, &list) || !explain(set, arena, &list))
		return false;
	if (list.host_count == 0 && !explain_none(set, arena, &list))
		return false;
	*out_list = list;
	return true;
}
