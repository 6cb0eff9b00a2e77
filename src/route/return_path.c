/* The reverse-path of mail that an alias sends on to other servers (SRS), and the way of reports back along it.
 *
 * A rewritten address is known in the domain that is named for it, and in every other domain of ours that has no route of
 * its own: so the domain may be changed while reports are on their way. Behind a route there may be another server that
 * rewrites, and its addresses are its own.
 *
 * Its day counts when the recipient is judged, and not any more behind that: what was taken is delivered. */
#include "route/router_private.h"

enum { SCRATCH_BYTES_MAX = 16 << 10 };

bool router_reverses(const struct router *router, const struct address *address)
{
	if (router->srs.count == 0 || !srs_looks_like(address->local))
		return false;
	return text_equal(address->domain, router->srs_domain) ||
	    (router_owns(router, address->domain) && router_route_of(router, address->domain) == NULL);
}

struct verdict router_reverse_verdict(enum error error)
{
	if (error == OK)
		return VERDICT(250, 2, 1, 5, "recipient ok");
	if (error == ERR_DENIED)
		return VERDICT(550, 5, 1, 1, "this rewritten address (SRS) was not made here");
	if (error == ERR_GONE)
		return VERDICT(550, 5, 1, 1, "this rewritten address (SRS) has expired");
	if (error == ERR_NO_MEMORY)
		return VERDICT(452, 4, 3, 1, "out of memory");
	return VERDICT(550, 5, 1, 1, "this rewritten address (SRS) is not complete");
}

struct verdict router_judge_reverse(const struct router *router, const struct address *address, int64_t now_ms)
{
	struct arena *arena = arena_new(SCRATCH_BYTES_MAX);
	struct address sender;
	const enum error error =
	    arena != NULL ? srs_reverse(&router->srs, address->local, now_ms, arena, &sender) : ERR_NO_MEMORY;

	arena_free(arena);
	return router_reverse_verdict(error);
}

/* In A-labels: what stands in a local part cannot be translated for a server that has no SMTPUTF8. */
static enum error rewrite(const struct router *router, const struct address *sender, int64_t now_ms, struct arena *arena,
    struct router_return_path *out_path)
{
	struct address ascii = { .local = sender->local };
	const enum error error = address_domain_to_ascii(sender->domain, arena, &ascii.domain);

	if (error != OK || router_owns(router, ascii.domain) || text_equal(ascii.domain, router->hostname))
		return error;
	return srs_forward(&router->srs, router->srs_domain, &ascii, now_ms, arena, &out_path->address);
}

enum error router_return_path(const struct router *router, const struct address *sender, int64_t now_ms, struct arena *arena,
    struct router_return_path *out_path)
{
	struct router_return_path path = { .address = { .local = TEXT_EMPTY } };

	if (router->srs.count > 0 && !address_is_null(sender) && sender->domain.length > 0 && sender->domain.bytes[0] != '[') {
		const enum error error = rewrite(router, sender, now_ms, arena, &path);

		if (error == ERR_NO_MEMORY)
			return error;
		path.rewritten = error == OK && path.address.domain.length > 0;
		path.too_long = error == ERR_TOO_LARGE;
	}
	if (!path.rewritten)
		path.address = *sender;
	*out_path = path;
	return OK;
}

struct text router_rewrites_into(const struct router *router)
{
	return router->srs.count > 0 ? router->srs_domain : TEXT_EMPTY;
}
