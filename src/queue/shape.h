/* Limits that the configuration fixes for a destination, and which of them hold for a domain and its hosts.
 *
 * Pure. The domain decides before the hosts, and both before "*":
 *
 *     the exact domain   ──►   the longest .suffix   ──►   a pattern of the MX hosts   ──►   "*"
 *
 *   S1  Limits of domains and of "*" are for each set of hosts by itself; those of a pattern of MX hosts are for all together
 *       that it names, which are one provider. */
#ifndef QUEUE_SHAPE_H
#define QUEUE_SHAPE_H

#include "base/rate_table.h"
#include "route/hosts.h"

struct shape_limits {                 /* Each 0: not fixed. */
	uint32_t concurrency;         /* Deliveries at one time. */
	uint32_t connections;         /* Open at one time, those included that wait for the next message. */
	uint32_t connection_messages; /* Over one of them. */
	struct rate rate;             /* Of messages, spread evenly. */
};

struct shape {                  /* One `destination` of the configuration. Borrows. */
	struct text pattern;    /* "example.net", ".example.net", "*"; with `mx` a name. In A-labels. */
	const struct text *mx;  /* "mx.example.net", ".example.net" */
	size_t mx_count;        /* 0: for recipient domains. */
	struct shape_limits limits;
};

/* NULL: none holds. `hosts`: NULL, or without one, while they are not known. */
const struct shape *shape_find(
    const struct shape *shapes, size_t count, struct text domain, const struct host_list *hosts);

/* Copies them with their text. False: no memory. */
[[nodiscard]] bool shapes_copy(
    const struct shape *shapes, size_t count, struct arena *arena, const struct shape **out_shapes);

/* Of what a rate allows, at once no more than a second's worth: servers count over short times, too. */
struct rate shape_spread(struct rate rate);

/* Who the hosts are, whatever their order, their preferences and addresses: "mx1.example.net:25,mx2.example.net:25". Of those of a
 * provider it is only "provider NAME". False: no memory. */
[[nodiscard]] bool shape_site_key(
    const struct shape *shape, const struct host_list *hosts, struct arena *arena, struct text *out_key);

#endif
