#include "target.h"

#include "keys/packet.h"

enum { PLAN_ARENA_BYTES = 16 << 20 };

static void check_plan(const struct key_plan *plan)
{
	must(plan->count <= plan->room);
	for (size_t i = 0; i < plan->count; i++)
		must(plan->keys[i].kind == KEY_RSA || plan->keys[i].kind == KEY_ED25519);
}

static void check_keys(const struct signing_keys *keys, int64_t now_s)
{
	struct dkim_signing signings[DKIM_KEYS_MAX];
	const size_t count = signing_keys_find(keys, TEXT("mail.example.org"), now_s, signings);

	must(count <= DKIM_KEYS_MAX);
	for (size_t i = 0; i < count; i++)
		must(text_equal(signings[i].domain, TEXT("mail.example.org")) || text_equal(signings[i].domain, TEXT("example.org")) ||
		    text_equal(signings[i].domain, TEXT("org")));
}

/* The input is what the supervisor hands over: keys and their plan, or no packet at all. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	static const struct dkim_manner manner = { 0 };
	struct key_plan plan = { .arena = arena_new(PLAN_ARENA_BYTES) };

	(void)arena;
	must(plan.arena != NULL);
	struct signing_keys *keys = keys_unpack(input, &manner, choice & 128 ? NULL : &plan);

	if (keys != NULL) {
		check_plan(&plan);
		check_keys(keys, choice);
	}
	signing_keys_unref(keys);
	arena_free(plan.arena);
}
