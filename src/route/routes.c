/* Which route holds for a recipient's domain and a sender.
 *
 * The recipient decides first: the route of the exact domain, that of the longest suffix, "*". Among the routes of one pattern
 * the sender decides: the one for his address, for the address without its detail, for "@domain", for the longest
 * ".suffix", and then the one for everybody. A pattern all of whose routes are for other senders is passed over. */
#include <stdlib.h>

#include "route/router_private.h"

static const struct router_route *find(const struct router *router, struct text pattern, struct text from)
{
	const struct router_route key = { .pattern = pattern, .from = from };

	return router->route_count == 0
	    ? NULL
	    : bsearch(&key, router->routes, router->route_count, sizeof key, router_compare_routes);
}

const struct router_route *router_route_of(const struct router *router, struct text pattern)
{
	return find(router, pattern, TEXT_EMPTY);
}

bool router_join_lower(struct text local, struct text at_domain, struct arena *arena, struct text *out)
{
	struct text joined;

	if (!arena_print(arena, &joined, "%.*s%.*s", TEXT_FORMAT(local), TEXT_FORMAT(at_domain)))
		return false;
	for (size_t i = 0; i < joined.length; i++)
		((char *)joined.bytes)[i] = byte_lower(joined.bytes[i]);
	*out = joined;
	return true;
}

bool router_sender_init(const struct router *router, const struct address *address, struct arena *arena,
    struct router_sender *out_sender)
{
	struct router_sender sender = { .exact = TEXT("<>") };
	struct text domain = TEXT_EMPTY, at_domain = TEXT_EMPTY;

	if (address == NULL || !router->has_senders) {
		*out_sender = (struct router_sender){ 0 };
		return true;
	}
	if (!address_is_null(address)) {
		const struct text base = router_without_detail(router, address->local);
		const enum error error =
		    address->domain.length > 0 ? address_domain_to_ascii(address->domain, arena, &domain) : OK;

		if (error == ERR_NO_MEMORY)
			return false;
		if (!arena_print(arena, &at_domain, "@%.*s", TEXT_FORMAT(domain)) ||
		    !router_join_lower(address->local, at_domain, arena, &sender.exact) ||
		    !router_join_lower(base, at_domain, arena, &sender.base))
			return false;
		sender.at_domain = at_domain;
	}
	*out_sender = sender;
	return true;
}

/* The route of this pattern that is most about the sender. */
static const struct router_route *find_for(
    const struct router *router, struct text pattern, const struct router_sender *sender)
{
	const struct router_route *route = NULL;
	struct text rest = sender ? text_from(sender->at_domain, 1) : TEXT_EMPTY;

	if (sender == NULL || !router->has_senders)
		return router_route_of(router, pattern);
	if (sender->exact.length > 0)
		route = find(router, pattern, sender->exact);
	if (route == NULL && sender->base.length > 0)
		route = find(router, pattern, sender->base);
	if (route == NULL && sender->at_domain.length > 0)
		route = find(router, pattern, sender->at_domain);
	for (size_t dot = text_find_byte(rest, '.'); route == NULL && dot < rest.length; dot = text_find_byte(rest, '.')) {
		const struct text suffix = text_from(rest, dot);

		route = find(router, pattern, suffix);
		rest = text_from(suffix, 1);
	}
	return route ? route : router_route_of(router, pattern);
}

/* Address literals have no suffixes. */
const struct router_route *router_route_for(
    const struct router *router, struct text domain, const struct router_sender *sender)
{
	const struct router_route *route = find_for(router, domain, sender);

	if (domain.length == 0 || domain.bytes[0] != '[') {
		for (size_t dot = text_find_byte(domain, '.'); route == NULL && dot < domain.length;) {
			const struct text suffix = text_from(domain, dot);

			route = find_for(router, suffix, sender);
			dot += 1 + text_find_byte(text_from(suffix, 1), '.');
		}
	}
	return route ? route : find_for(router, TEXT("*"), sender);
}
