/* The next hop that a route makes of a domain, and its names: the one that connections and limits go by, and the line that says which
 * rule decided.
 *
 * Mail that goes another way (other demands, another login, other relays) has another name, so the queue keeps its destinations
 * apart and the courier their connections. What holds for everybody without a route stands in no name, but for a pool: nobody is to
 * get to see another address of ours than he is meant to, not even after a reload. */
#include "route/router_private.h"

bool router_copy_hosts(struct arena *arena, const struct text *hosts, size_t count, const struct text **out_hosts)
{
	struct text *copy = arena_array(arena, count, sizeof *copy);

	for (size_t i = 0; copy != NULL && i < count; i++)
		if (!arena_copy(arena, hosts[i], &copy[i]))
			return false;
	*out_hosts = copy;
	return copy != NULL;
}

/* Behind the hosts of a route. */
static const char *demand_words(struct tls_demand tls)
{
	if (tls.implicit)
		return ", TLS from the first byte";
	if (tls.dane)
		return ", DANE required";
	return tls.level >= TLS_ENCRYPTED ? ", TLS required" : "";
}

/* ", from pool x" */
static bool name_pool(struct arena *arena, struct text pool, struct text *out_name)
{
	*out_name = TEXT_EMPTY;
	return pool.length == 0 || arena_print(arena, out_name, ", from pool %.*s", TEXT_FORMAT(pool));
}

/* `route "*" from @example.org`, as operators know it. */
static bool name_route(struct arena *arena, const struct router_route *route, struct text *out_name)
{
	return arena_print(arena, out_name, "route \"%.*s\"%s%.*s", TEXT_FORMAT(route->pattern),
	    route->from.length > 0 ? " from " : "", TEXT_FORMAT(route->from));
}

/* ", else relay.example:25, TLS required" */
static bool name_relays(struct arena *arena, const struct router_relays *relays, struct text *out_name)
{
	*out_name = TEXT_EMPTY;
	return relays->count == 0 ||
	    arena_print(arena, out_name, ", else %.*s%s", TEXT_FORMAT(relays->joined), demand_words(relays->tls));
}

/* The route demands no less of a relay than of the hosts in whose place it stands. */
static bool take_relays(struct arena *arena, const struct router_relays *relays, struct next_hop *hop)
{
	hop->fallback_count = relays->count;
	hop->fallback_tls = relays->tls;
	if (hop->fallback_tls.level < hop->tls.level)
		hop->fallback_tls.level = hop->tls.level;
	hop->fallback_tls.dane = hop->tls.dane;
	return router_copy_hosts(arena, relays->hosts, relays->count, &hop->fallback);
}

/* To its MX hosts, or to the address that it is. */
static bool name_mx(const struct router *router, const struct router_route *route, struct arena *arena,
    struct route_decision *decision)
{
	const struct text domain = decision->next_hop.domain;
	const char *format = text_starts(domain, TEXT("[")) ? "" : "MX of ";
	const struct router_relays *relays = route != NULL ? &route->relays : &router->relays;
	const bool usual_relays = relays->count == 0 || text_equal(relays->joined, router->relays.joined);
	const char *words = route != NULL && !tls_demand_equal(route->tls, router->tls) ? demand_words(route->tls) : "";
	struct text name = TEXT_EMPTY, relays_name, pool_name;

	if (route != NULL && !name_route(arena, route, &name))
		return false;
	return name_relays(arena, relays, &relays_name) && name_pool(arena, decision->next_hop.pool, &pool_name) &&
	    arena_print(arena, &decision->next_hop.destination, "%.*s%s%.*s%.*s", TEXT_FORMAT(domain), words, TEXT_FORMAT(pool_name),
		TEXT_FORMAT(usual_relays ? TEXT_EMPTY : relays_name)) &&
	    arena_print(arena, &decision->explanation, "%s%.*s%s%.*s%s%s%.*s%.*s", format, TEXT_FORMAT(domain), route ? " (" : "",
		TEXT_FORMAT(name), route ? ")" : "", words, TEXT_FORMAT(pool_name), TEXT_FORMAT(relays_name));
}

static bool name_via(const struct router_route *route, struct arena *arena, struct route_decision *decision)
{
	const char *as = route->user.length > 0 ? ", logs in as " : "", *demand = demand_words(route->tls);
	struct text name, relays_name, pool_name;

	return name_route(arena, route, &name) && name_relays(arena, &route->relays, &relays_name) &&
	    name_pool(arena, decision->next_hop.pool, &pool_name) &&
	    arena_print(arena, &decision->next_hop.destination, "via %.*s%s%.*s%s%.*s%.*s", TEXT_FORMAT(route->via_joined), demand,
		TEXT_FORMAT(pool_name), as, TEXT_FORMAT(route->user), TEXT_FORMAT(relays_name)) &&
	    arena_print(arena, &decision->explanation, "%.*s via %.*s%s%s%.*s%s%.*s%.*s", TEXT_FORMAT(name),
		TEXT_FORMAT(route->via_joined), route->lmtp ? " (LMTP)" : "", demand, TEXT_FORMAT(pool_name), as,
		TEXT_FORMAT(route->user), TEXT_FORMAT(relays_name));
}

enum error router_hop(const struct router *router, struct text domain, const struct router_route *route, struct arena *arena,
    struct route_decision *decision)
{
	struct next_hop *hop = &decision->next_hop;

	decision->kind = ROUTE_HOSTS;
	hop->tls = route != NULL ? route->tls : router->tls;
	if (!arena_copy(arena, domain, &hop->domain) || !arena_copy(arena, route != NULL ? route->pool : router->pool, &hop->pool) ||
	    !take_relays(arena, route != NULL ? &route->relays : &router->relays, hop))
		return ERR_NO_MEMORY;
	if (route == NULL || route->via_count == 0)
		return name_mx(router, route, arena, decision) ? OK : ERR_NO_MEMORY;
	hop->lmtp = route->lmtp;
	hop->via_count = route->via_count;
	return router_copy_hosts(arena, route->via, route->via_count, &hop->via) && arena_copy(arena, route->user, &hop->user) &&
		name_via(route, arena, decision)
	    ? OK
	    : ERR_NO_MEMORY;
}
