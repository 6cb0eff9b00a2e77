#include "keys/plan.h"

#include <stdio.h>
#include <time.h>

#include "base/must.h"

/* When it came into each state; 0: it did not. */
static int64_t moment_of(const struct planned_key *key, enum key_state state)
{
	switch (state) {
	case KEY_NEW:
		return key->made_s;
	case KEY_WAITING:
		return key->seen_s;
	case KEY_ACTIVE:
		return key->active_s;
	case KEY_RETIRING:
		return key->until_s;
	case KEY_RETIRED:
		return key->removed_s;
	}
	return 0;
}

enum key_state key_state_at(const struct planned_key *key, int64_t now_s)
{
	enum key_state state = KEY_RETIRED;

	while (state > KEY_NEW && (moment_of(key, state) == 0 || now_s < moment_of(key, state)))
		state--;
	return state;
}

const char *key_state_word(enum key_state state)
{
	static const char *const words[] = { "new", "published", "active", "retiring", "retired" };

	return words[state];
}

int64_t key_state_since(const struct planned_key *key, int64_t now_s)
{
	return moment_of(key, key_state_at(key, now_s));
}

static bool is_kin(const struct planned_key *key, struct text domain, enum key_kind kind)
{
	return key->kind == kind && text_equal(key->domain, domain);
}

const struct planned_key *key_plan_coming(
    const struct key_plan *plan, struct text domain, enum key_kind kind, int64_t now_s)
{
	for (size_t i = 0; i < plan->count; i++)
		if (is_kin(&plan->keys[i], domain, kind) && key_state_at(&plan->keys[i], now_s) < KEY_ACTIVE)
			return &plan->keys[i];
	return NULL;
}

bool key_plan_is_due(const struct key_plan *plan, const struct planned_key *key, const struct plan_settings *settings,
    int64_t now_s)
{
	return settings->rotate_s > 0 && key_state_at(key, now_s) == KEY_ACTIVE && key->until_s == 0 &&
	    now_s - key->active_s >= settings->rotate_s &&
	    key_plan_coming(plan, key->domain, key->kind, now_s) == NULL;
}

struct planned_key *key_plan_find(const struct key_plan *plan, struct text domain, struct text selector)
{
	for (size_t i = 0; i < plan->count; i++)
		if (text_equal(plan->keys[i].domain, domain) && text_equal(plan->keys[i].selector, selector))
			return &plan->keys[i];
	return NULL;
}

/* -- changes ----------------------------------------------------------------- */

bool key_plan_name(
    const struct key_plan *plan, struct text domain, enum key_kind kind, int64_t now_s, struct text *out_selector)
{
	const time_t now = (time_t)now_s;
	struct text name;
	struct tm day;

	must(gmtime_r(&now, &day) != NULL);
	for (size_t number = 1; number <= plan->count + 1; number++) {
		char suffix[24] = "";

		if (number > 1)
			snprintf(suffix, sizeof suffix, "-%zu", number);
		if (!arena_print(plan->arena, &name, "%04d%02d%02d%c%s", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday,
			kind == KEY_RSA ? 'r' : 'e', suffix))
			return false;
		if (key_plan_find(plan, domain, name) == NULL)
			break;
	}
	*out_selector = name;
	return true;
}

static bool make_room(struct key_plan *plan)
{
	const size_t room = plan->room * 2 + 16;

	if (plan->count < plan->room)
		return true;
	struct planned_key *keys = arena_array(plan->arena, room, sizeof *keys);

	if (keys == NULL)
		return false;
	for (size_t i = 0; i < plan->count; i++)
		keys[i] = plan->keys[i];
	plan->keys = keys;
	plan->room = room;
	return true;
}

enum error key_plan_add(
    struct key_plan *plan, struct text domain, struct text selector, enum key_kind kind, int64_t now_s)
{
	if (key_plan_find(plan, domain, selector) != NULL || key_plan_coming(plan, domain, kind, now_s) != NULL)
		return ERR_EXISTS;
	if (plan->count >= PLAN_KEYS_MAX)
		return ERR_TOO_LARGE;
	if (!make_room(plan))
		return ERR_NO_MEMORY;
	plan->keys[plan->count++] =
	    (struct planned_key){ .domain = domain, .selector = selector, .kind = kind, .made_s = now_s };
	return OK;
}

void key_plan_seen(
    struct key_plan *plan, struct planned_key *key, const struct plan_settings *settings, int64_t now_s)
{
	bool follows = false;

	if (key_state_at(key, now_s) != KEY_NEW)
		return;
	key->seen_s = now_s;
	for (size_t i = 0; i < plan->count; i++) {
		struct planned_key *other = &plan->keys[i];

		if (other == key || !is_kin(other, key->domain, key->kind) || other->until_s != 0 ||
		    key_state_at(other, now_s) != KEY_ACTIVE)
			continue;
		follows = true;
		other->until_s = now_s + settings->wait_s; /* P2 */
		other->removed_s = other->until_s + settings->retire_s;
	}
	key->active_s = follows ? now_s + settings->wait_s : now_s;
}

void key_plan_remove(struct key_plan *plan, struct planned_key *key, int64_t now_s)
{
	const size_t position = (size_t)(key - plan->keys);
	const bool waits = key_state_at(key, now_s) == KEY_WAITING;

	must(position < plan->count);
	for (size_t i = 0; i < plan->count && waits; i++) {
		struct planned_key *other = &plan->keys[i];

		if (is_kin(other, key->domain, key->kind) && other->until_s == key->active_s)
			other->until_s = other->removed_s = 0;
	}
	for (size_t i = position; i + 1 < plan->count; i++)
		plan->keys[i] = plan->keys[i + 1];
	plan->count--;
}
