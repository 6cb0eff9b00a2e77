/* The keys of DKIM in "stats": what signs since when, and what comes next. Nothing of it is secret. */
#include <stdlib.h>

#include "admin/admin_private.h"

enum { KEYS_ARENA_BYTES = 1 << 20 };

static json_t *moment(int64_t moment_s)
{
	char room[KEY_TIME_SIZE];

	return moment_s == 0 ? json_null() : json_string(key_time_print(moment_s, room));
}

json_t *admin_key(const struct planned_key *key, const struct plan_settings *settings, int64_t now_s, struct text next)
{
	const int64_t next_s = key_plan_next_s(key, settings, now_s);

	return json_pack("{s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "domain", admin_string(key->domain),
	    "selector", admin_string(key->selector), "algorithm", key->kind == KEY_RSA ? "rsa" : "ed25519", "state",
	    key_state_word(key_state_at(key, now_s)), "since", moment(key_state_since(key, now_s)), "made", moment(key->made_s), "seen",
	    moment(key->seen_s), "signs-from", moment(key->active_s), "signs-until", moment(key->until_s), "record-until",
	    moment(key->removed_s), "next", admin_string(next), "next-at", moment(next_s), "next-at-s",
	    next_s == 0 ? json_null() : json_integer(next_s));
}

/* Those first that an operator is to do something about, then as time brings them. */
static int64_t urgency(const struct planned_key *key, const struct plan_settings *settings, int64_t now_s)
{
	const enum key_state state = key_state_at(key, now_s);
	const int64_t next_s = key_plan_next_s(key, settings, now_s);

	return state == KEY_NEW || state == KEY_RETIRED ? 0 : next_s == 0 ? INT64_MAX : next_s;
}

/* Their positions in the plan, the most urgent first; of two alike the one that stands first. Returns how many. */
static size_t choose(
    const struct key_plan *plan, const struct plan_settings *settings, int64_t now_s, size_t chosen[ADMIN_KEYS_MAX])
{
	int64_t ranks[ADMIN_KEYS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++) {
		const int64_t rank = urgency(&plan->keys[i], settings, now_s);
		size_t place = count < ADMIN_KEYS_MAX ? count++ : ADMIN_KEYS_MAX;

		if (place == ADMIN_KEYS_MAX && ranks[--place] <= rank)
			continue;
		for (; place > 0 && ranks[place - 1] > rank; place--) {
			ranks[place] = ranks[place - 1];
			chosen[place] = chosen[place - 1];
		}
		ranks[place] = rank;
		chosen[place] = i;
	}
	return count;
}

static int by_position(const void *a, const void *b)
{
	const size_t one = *(const size_t *)a, other = *(const size_t *)b;

	return one < other ? -1 : one > other;
}

json_t *admin_keys(const struct admin_settings *settings, int64_t now_s)
{
	struct plan_settings times;
	const struct key_plan *plan = settings->keys ? settings->keys(settings->context, &times) : NULL;
	struct arena *arena = plan ? arena_new(KEYS_ARENA_BYTES) : NULL;
	json_int_t states[KEY_STATE_COUNT] = { 0 };
	size_t chosen[ADMIN_KEYS_MAX];

	if (arena == NULL)
		return json_null();
	for (size_t i = 0; i < plan->count; i++)
		states[key_state_at(&plan->keys[i], now_s)]++;
	const size_t count = choose(plan, &times, now_s, chosen);
	json_t *dkim = json_object(), *keys = json_array();

	qsort(chosen, count, sizeof chosen[0], by_position);
	for (size_t i = 0; i < count; i++) {
		struct text next;

		if (key_plan_next(plan, &plan->keys[chosen[i]], &times, now_s, arena, &next))
			json_array_append_new(keys, admin_key(&plan->keys[chosen[i]], &times, now_s, next));
	}
	for (unsigned i = 0; i < KEY_STATE_COUNT; i++)
		json_object_set_new(dkim, key_state_word((enum key_state)i), json_integer(states[i]));
	json_object_set_new(dkim, "keys", keys);
	arena_free(arena);
	return dkim;
}
