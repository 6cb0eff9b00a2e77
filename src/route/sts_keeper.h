/* MTA-STS for a lane: which policy holds for a domain (route/sts_check.h), asked of DNS, web and what all lanes remember
 * (spool/policy_store.h). Once a day it renews what it remembers of the domains whose mail the lane delivers.
 *
 *   L1  A domain is asked for while its mail waits: a policy that nobody had fetched before would otherwise protect from
 *       the second message on. So the callback may come after STS_FETCH_MS_MAX and the patience of DNS.
 *   L2  What has not been used for STS_UNUSED_MS is not renewed, and ends with its max_age.
 *   L3  The callback runs once, later, never inside sts_find; not after sts_cancel or sts_keeper_free.
 *
 * Life: sts_keeper_new, searches, sts_keeper_free. */
#ifndef ROUTE_STS_KEEPER_H
#define ROUTE_STS_KEEPER_H

#include "events/sink.h"
#include "route/sts_check.h"
#include "route/web.h"
#include "spool/policy_store.h"

enum { STS_FETCH_MS_MAX = 30 * 1000 };

struct sts_keeper_parts {            /* Borrows all; they must outlive the keeper. */
	struct loop *loop;
	struct web *web;
	struct policy_store *store;
	uint32_t shards;             /* Whose domains are renewed here: bit s for shard s. */
	struct event_sink sink;
};

struct sts_keeper;

/* NULL: no memory. */
[[nodiscard]] struct sts_keeper *sts_keeper_new(const struct sts_keeper_parts *parts);
void sts_keeper_free(struct sts_keeper *keeper);

/* From now on records are asked of this one (borrows). */
void sts_keeper_set_dns(struct sts_keeper *keeper, struct dns *dns);

/* Whether policies are renewed; at first they are not. */
void sts_keeper_renew(struct sts_keeper *keeper, bool renew);

struct sts_found {                           /* Borrows; valid during the callback. */
	const struct sts_policy *policy;     /* NULL: none holds. */
	const struct sts_memory *memory;     /* Whence it is, and what failed. */
	bool wanted;                         /* The domain has a record, and no policy for it could be had. */
};
typedef void sts_callback(void *context, const struct sts_found *found);

struct sts_search;

/* Copies the domain (A-labels). NULL: no memory. */
[[nodiscard]] struct sts_search *sts_find(
    struct sts_keeper *keeper, struct text domain, sts_callback *callback, void *context);
void sts_cancel(struct sts_search *search); /* NULL is fine. */

#endif
