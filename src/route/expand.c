#include "route/expand.h"

#include "base/must.h"

/* Aliases passed through on the way count, too. */
enum { SEEN_MAX = 2 * ROUTER_TARGET_MAX, SCRATCH_BYTES_MAX = 256 * 1024 };

struct seen {
	struct address address;
	bool is_target; /* Else an alias that was opened. */
};

struct walk {
	const struct router *router;
	struct arena *scratch;
	uint64_t *hashes; /* Beside `seen`, so that a search runs over few cache lines. */
	struct seen *seen;
	size_t seen_count, target_count;
	enum expansion_end end;
};

/* A step of the walk: an address, and the alias that named it. */
struct step {
	struct address address;
	bool final;
	const struct alias *from;
	struct text from_domain;
	unsigned depth;
};

/* Case counts in the local parts of others (RFC 5321 §2.4), not in ours. */
static bool same_address(const struct router *router, const struct address *a, const struct address *b)
{
	if (!text_equal(a->domain, b->domain))
		return false;
	return router_owns(router, a->domain) ? text_equal_nocase(a->local, b->local)
					      : text_equal(a->local, b->local);
}

/* True when it was not there before. False also at the bound, which ends the walk. */
static bool see(struct walk *walk, const struct address *address, bool is_target)
{
	const uint64_t hash = text_hash_nocase(address->domain, text_hash_nocase(address->local, 0));

	for (size_t i = 0; i < walk->seen_count; i++)
		if (walk->hashes[i] == hash && walk->seen[i].is_target == is_target &&
		    same_address(walk->router, &walk->seen[i].address, address))
			return false;
	if (walk->seen_count == SEEN_MAX || (is_target && walk->target_count == ROUTER_TARGET_MAX)) {
		walk->end = EXPANSION_LARGE;
		return false;
	}
	walk->hashes[walk->seen_count] = hash;
	walk->seen[walk->seen_count++] = (struct seen){ *address, is_target };
	walk->target_count += is_target;
	return true;
}

static void visit(struct walk *walk, const struct step *step);

static void open_alias(
    struct walk *walk, const struct address *address, const struct alias *alias, unsigned depth)
{
	if (depth > ROUTER_ALIAS_DEPTH_MAX) {
		walk->end = EXPANSION_DEEP;
		return;
	}
	if (!see(walk, address, false))
		return;
	for (size_t i = 0; i < alias->target_count && walk->end == EXPANSION_DONE; i++) {
		const struct alias_target *target = &alias->targets[i];
		struct step step = { target->address, target->final, alias, address->domain, depth };

		if (step.address.domain.length == 0)
			step.address.domain = address->domain;
		visit(walk, &step);
	}
}

static void visit(struct walk *walk, const struct step *step)
{
	if (!step->final && router_owns(walk->router, step->address.domain)) {
		const struct match match =
		    router_match(walk->router, step->address.local, step->address.domain, true);
		const bool itself =
		    match.alias == step->from && text_equal(step->address.domain, step->from_domain); /* X2 */

		if (match.kind == MATCH_ALIAS && !itself) {
			open_alias(walk, &step->address, match.alias, step->depth + 1);
			return;
		}
	}
	see(walk, &step->address, true);
}

static enum error copy_targets(const struct walk *walk, struct arena *arena, struct expansion *expansion)
{
	struct address *targets = arena_array(arena, walk->target_count, sizeof *targets);
	size_t count = 0;

	if (targets == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < walk->seen_count; i++) {
		const struct seen *seen = &walk->seen[i];

		if (!seen->is_target)
			continue;
		if (!arena_copy(arena, seen->address.local, &targets[count].local) ||
		    !arena_copy(arena, seen->address.domain, &targets[count].domain))
			return ERR_NO_MEMORY;
		count++;
	}
	must(count == walk->target_count);
	must(count <= ROUTER_TARGET_MAX); /* R2 */
	expansion->targets = targets;
	expansion->target_count = count;
	return OK;
}

enum error expand_alias(const struct router *router, const struct address *address,
    const struct alias *alias, struct arena *arena, struct expansion *out_expansion)
{
	struct walk walk = { .router = router, .scratch = arena_new(SCRATCH_BYTES_MAX) };
	struct expansion expansion = { 0 };
	enum error error = ERR_NO_MEMORY;

	if (walk.scratch == NULL)
		return ERR_NO_MEMORY;
	walk.hashes = arena_array(walk.scratch, SEEN_MAX, sizeof *walk.hashes);
	walk.seen = arena_array(walk.scratch, SEEN_MAX, sizeof *walk.seen);
	if (walk.hashes != NULL && walk.seen != NULL) {
		open_alias(&walk, address, alias, 1);
		if (walk.end == EXPANSION_DONE && walk.target_count == 0)
			walk.end = EXPANSION_LOOP;
		expansion.end = walk.end;
		error = walk.end == EXPANSION_DONE ? copy_targets(&walk, arena, &expansion) : OK;
	}
	arena_free(walk.scratch);
	if (error == OK)
		*out_expansion = expansion;
	return error;
}
