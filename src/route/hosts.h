/* The hosts of a next hop, in the order they are to be tried (RFC 5321 §5.1).
 *
 * Asks the DNS for MX, A and AAAA. Equal preferences are shuffled; hosts from our own
 * on are cut off, a list that starts with us is a loop (5.4.6); null MX is 5.1.10 (RFC 7505).
 *
 *   no such domain            550 5.1.2     DNS failed, timed out, bogus    451 4.4.3
 *   no MX, no address         550 5.4.4     some hosts failed to resolve    the others are used
 *   MX hosts, no address      550 5.4.4     a `via` host has no address     451 4.3.5 (our slip)
 *   MTA-STS bars all hosts    451 4.7.5     TLSA records not to be had      451 4.4.3, or the other hosts are used
 *   only ourselves            554 5.4.6     null MX                         556 5.1.10
 *   DANE demanded, no host has it           451 4.7.5
 *
 * Fallback relays (next_hop.fallback) stand at the end of a list that has other hosts, never alone: while it is not known where mail
 * goes, or its policies leave no host, it waits. Where DANE or MTA-STS protects the way to the domain, or may, a relay must be
 * known by its certificate: else whoever can cut us off from the domain could read its mail on the way round.
 *
 * DANE (RFC 7672): TLSA records are asked for where MX and address answers are secure, at the port that is used. Where a host has
 * usable ones, they alone say which certificate is believed; no authority and no MTA-STS policy can stand in for them
 * (RFC 8461 §2). */
#ifndef ROUTE_HOSTS_H
#define ROUTE_HOSTS_H

#include "dns/dns.h"
#include "route/router.h"
#include "route/sts_keeper.h"
#include "route/tlsa.h"

enum { HOSTS_MX_MAX = 20, HOSTS_ADDRESS_MAX = 50, HOSTS_FALLBACK_ADDRESS_MAX = 8 };

struct host_tlsa {
	enum tlsa_finding finding;
	struct tlsa_set usable;     /* Not empty with TLSA_USABLE, */
	struct text base;           /* for a server of this name (the TLSA base domain), which TLS tells it (RFC 7672 §8.1). */
};

struct host {
	struct text name;           /* As DNS or configuration names it. */
	uint16_t preference;
	bool secure;                /* MX and address answers were DNSSEC-validated. */
	enum tls_level tls_least;   /* What the policies of domain and host demand, whatever the next hop does. */
	struct host_tlsa tlsa;
	struct endpoint endpoint;   /* One address with port; a host with two addresses appears twice. */
	bool fallback;              /* A relay of ours in place of the destination's hosts; stands behind all of them. */
};

/* The MTA-STS policy of the domain (RFC 8461). Hosts that it does not name are not in the list when it is enforced. */
struct host_policy {
	bool holds;                 /* There is one; the rest, up to `wanted`, is about it. */
	struct sts_policy sts;
	int64_t fetched_ms, ends_ms, renewed_ms; /* Unix time: since when we have it, until when, when it is asked for again. */
	bool wanted;                /* There should be one, but it cannot be fetched: */
	enum sts_failure failure;   /* And so it is with a newer one than `sts`, if not STS_NO_FAILURE. */
	struct text trouble;
};

enum hosts_barred {
	HOSTS_NOT_BARRED,
	HOSTS_BARRED_BY_STS,        /* Its policy names none of them. */
	HOSTS_BARRED_BY_DNSSEC,     /* Whether they have TLSA records cannot be found out now, or is forged. */
	HOSTS_BARRED_BY_DANE        /* They have no records that can be used, and the next hop demands them. */
};

struct host_list {
	struct verdict verdict;     /* code 0: `hosts` holds at least one. Else 4yz or 5yz with its reason. */
	const struct host *hosts;
	size_t host_count;
	uint32_t ttl_s;             /* How long the list may be reused. */
	bool mx_secure;
	struct host_policy policy;
	enum hosts_barred barred;   /* Why there is none, though there are hosts. */
	struct text explanation;    /* "MX 10 mx.example.net (192.0.2.1, 2001:db8::1), ..." */
};

struct hosts_settings {             /* Borrows; must outlive the searches. */
	struct dns *dns;
	struct text hostname;       /* Ours, to detect loops. */
	/* Addresses and ports we listen on; a wildcard address counts as loopback, all it surely holds. */
	const struct endpoint *own;
	size_t own_count;
	uint16_t port;              /* 25, or what `outbound { port }` says. */
	bool prefer_ip6;
	struct sts_keeper *sts;     /* NULL: nobody's MTA-STS policy is asked for. */
	bool dane;                  /* TLSA records are asked for; else only where a next hop demands them. */
};

typedef void hosts_callback(void *context, const struct host_list *list);

struct hosts_search;
/* The callback runs once, later, never inside this call; the list is valid during it, the search is over
 * when it begins. Copies what it needs of next_hop. NULL: no memory. */
[[nodiscard]] struct hosts_search *hosts_find(struct loop *loop, const struct hosts_settings *settings,
    const struct next_hop *next_hop, hosts_callback *callback, void *context);

/* The callback will not come. Only for a search whose callback has not begun; NULL is fine. */
void hosts_cancel(struct hosts_search *search);

#endif
