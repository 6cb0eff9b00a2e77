/* An alias replaced by what it stands for, aliases of its targets included.
 *
 *   X1  Every address is looked at once: twice the same target is one, and loops end.
 *   X2  An alias that names itself (`joe: joe, joe@elsewhere`) means the mailbox itself, as
 *       sendmail has it. Two aliases that name each other are a loop: that branch yields
 *       nothing, and an expansion that yields nothing at all is refused.
 *   X3  A target that nobody here has stays in the list: it is refused by name when its turn comes. */
#ifndef ROUTE_EXPAND_H
#define ROUTE_EXPAND_H

#include "route/router_private.h"

enum expansion_end { EXPANSION_DONE, EXPANSION_LOOP, EXPANSION_DEEP, EXPANSION_LARGE };

struct expansion {
	enum expansion_end end;
	const struct address *targets; /* EXPANSION_DONE: at least one, in the caller's arena. */
	size_t target_count;
};

/* `address` is one of ours (domain in A-label form) and matches `alias`. ERR_NO_MEMORY only. */
[[nodiscard]] enum error expand_alias(const struct router *router, const struct address *address,
    const struct alias *alias, struct arena *arena, struct expansion *out_expansion);

#endif
