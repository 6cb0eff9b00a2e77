/* The inside of a search for hosts.
 *
 * hosts.c       what is asked, and when it is over
 * hosts_tlsa.c  the questions for TLSA records, which follow those for addresses */
#ifndef ROUTE_HOSTS_PRIVATE_H
#define ROUTE_HOSTS_PRIVATE_H

#include "route/candidates.h"

/* One question for addresses. */
struct asked {
	struct hosts_search *search;
	struct candidate *candidate;
	enum candidate_family family;
	struct dns_query *query; /* NULL: answered. */
};

struct asked_tlsa {
	struct hosts_search *search;
	struct candidate *candidate;
	struct dns_query *query; /* NULL: not asked or answered. */
};

struct hosts_search {
	struct loop *loop;
	const struct hosts_settings *settings;
	struct arena *arena;
	struct loop_timer *timer;   /* For a search that has nothing to ask. */
	struct dns_query *mx_query; /* NULL: not asked or answered. */
	struct sts_search *sts;     /* The same. */
	bool dane;                  /* TLSA records are asked for. */
	bool waived;         /* The policy of the domain is not asked for. */
	size_t open_count;
	struct candidate_set set;
	struct asked asked[HOSTS_CANDIDATES_MAX][FAMILY_COUNT];
	struct asked_tlsa asked_tlsa[HOSTS_CANDIDATES_MAX];
	struct text fallback[ROUTER_FALLBACK_MAX]; /* To become candidates behind the others. */
	size_t fallback_count;
	uint16_t fallback_port;
	struct verdict verdict;     /* Code != 0: decided before any address was asked for. */
	hosts_callback *callback;
	void *context;
};

/* -- hosts.c ------------------------------------------------------------------------ */

void hosts_note_ttl(struct hosts_search *search, const struct dns_answer *answer);

/* One question less; ends the search with the last. */
void hosts_step(struct hosts_search *search);

/* -- hosts_tlsa.c -------------------------------------------------------------------- */

/* All that can be known of the host's addresses is: ask for its TLSA records, if they would count. */
void hosts_ask_tlsa(struct hosts_search *search, struct candidate *candidate);

#endif
