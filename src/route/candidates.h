/* The hosts of a next hop with what the DNS said of them, and the list that follows from it.
 *
 * Pure: hosts.c asks and shuffles, this decides.
 *
 *   N1  In a set from MX records, a host that is us takes all of equal or worse preference with it
 *       (RFC 5321 §5.1); in a set from configuration it goes alone.
 *   N2  A host without address counts as failing for now if any of its look-ups failed for now; one
 *       such host makes an otherwise empty list temporary, and is passed over in any other.
 *   N3  An enforced MTA-STS policy bars hosts that it does not name (RFC 8461 §4.1). When no other is left the list
 *       is empty for now, never for good: the policy or the MX records may be about to change. DANE does not lift that: it says
 *       how a host is known, not that the domain's mail is for it.
 *   N4  A host whose TLSA records cannot be looked up is out for now (RFC 7672 §2.1.2): it may have some. So it is where DANE is
 *       demanded and the host has none that is usable.
 *   N5  A fallback relay is barred by no policy of the domain, and stands in no list without another host. Where the domain's
 *       mail is protected (an enforced policy, TLSA records of a host, or ones that cannot be looked up), it must be verified. */
#ifndef ROUTE_CANDIDATES_H
#define ROUTE_CANDIDATES_H

#include "base/arena.h"
#include "route/hosts.h"

enum { HOSTS_TTL_MAX_S = 3600, HOSTS_TTL_TEMPORARY_S = 30, HOSTS_CANDIDATES_MAX = HOSTS_MX_MAX + ROUTER_FALLBACK_MAX };

enum candidate_family { FAMILY_IP4, FAMILY_IP6, FAMILY_COUNT };

/* What was answered for one address family of a host. */
struct candidate_addresses {
	enum dns_status status;
	bool secure;
	const struct endpoint *endpoints; /* With port. */
	size_t count;
	struct text canonical;    /* Where its aliases end; empty without addresses. */
};

struct candidate {
	struct text name;
	uint16_t preference;
	uint16_t port;
	bool is_endpoint;         /* No look-up: one endpoint, in families[FAMILY_IP4] whatever its kind. */
	bool is_cut;              /* By N1. */
	bool is_barred;           /* By N3. */
	bool is_fallback;
	struct candidate_addresses families[FAMILY_COUNT];
	enum dns_status tlsa_status; /* SERVFAIL, TIMEOUT, BOGUS: the look-up of its TLSA records failed. Else DNS_FOUND. */
	struct host_tlsa tlsa;
};

enum candidate_origin {
	FROM_MX,
	FROM_IMPLICIT_MX, /* The domain itself, for want of MX records. */
	FROM_VIA,
	FROM_LITERAL
};

struct candidate_set {
	enum candidate_origin origin;
	struct text domain;       /* For texts. */
	struct candidate items[HOSTS_CANDIDATES_MAX];
	size_t count;             /* In the order of trial, fallback relays last. */
	bool mx_secure;
	bool dane_demanded;
	bool names_demanded;      /* Somebody must vouch for the names of the hosts (RFC 8689 §4.2.1). */
	enum tls_level fallback_least; /* Of fallback relays, by configuration. */
	bool was_cut;             /* A host was dropped as ourselves, here or before. */
	uint32_t ttl_s;           /* Least of all answers. */
	struct host_policy policy;
};

/* Is this host name, or this endpoint, ours? */
bool hosts_name_is_own(const struct hosts_settings *settings, struct text name);
bool hosts_endpoint_is_own(const struct hosts_settings *settings, const struct endpoint *endpoint);

/* Does DNSSEC vouch for the way to the host: MX, if there is one, and all of its addresses? */
bool candidate_is_secure(const struct candidate_set *set, const struct candidate *candidate);

/* Where its aliases end. */
struct text candidate_canonical_name(const struct candidate *candidate);

/* Keep what was found of MTA-STS. False: the arena is full. */
[[nodiscard]] bool candidates_policy(struct candidate_set *set, const struct sts_found *found, struct arena *arena);

/* Marks what N1 cuts and N3 bars, leaves out what N4 does. False: the arena is full. */
[[nodiscard]] bool candidates_list(struct candidate_set *set, const struct hosts_settings *settings,
    struct arena *arena, struct host_list *out_list);

#endif
