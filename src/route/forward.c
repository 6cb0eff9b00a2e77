/* Whose mail goes on to other servers. */
#include "base/must.h"
#include "route/router.h"

enum { SCRATCH_BYTES_MAX = 1 << 20, TARGET_BYTES_MAX = 64 << 10 };

enum error router_forwards(const struct router *router, const struct address *recipient,
    const struct address *sender, bool *out_forwards)
{
	struct arena *scratch = arena_new(SCRATCH_BYTES_MAX), *arena = arena_new(TARGET_BYTES_MAX);
	struct route_decision decision = { .kind = ROUTE_REFUSE }, next;
	enum error error = ERR_NO_MEMORY;
	bool forwards = false;

	if (scratch != NULL && arena != NULL)
		error = router_decide(router, recipient, sender, false, scratch, &decision);
	if (decision.kind != ROUTE_EXPAND)
		decision.target_count = 0;
	for (size_t i = 0; i < decision.target_count && error == OK && !forwards; i++) {
		arena_reset(arena);
		error = router_decide(router, &decision.targets[i], sender, true, arena, &next);
		forwards = error == OK && next.kind == ROUTE_HOSTS && !next.next_hop.lmtp;
	}
	arena_free(arena);
	arena_free(scratch);
	if (error == OK)
		*out_forwards = forwards;
	return error;
}
