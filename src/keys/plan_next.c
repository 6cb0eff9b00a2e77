/* What comes next in the life of a key, for whoever looks at it. */
#include <time.h>

#include "keys/plan.h"

const char *key_time_print(int64_t moment_s, char room[KEY_TIME_SIZE])
{
	const time_t moment = (time_t)moment_s;
	struct tm parts;

	if (gmtime_r(&moment, &parts) == NULL || strftime(room, KEY_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		room[0] = '\0';
	return room;
}

int64_t key_plan_next_s(const struct planned_key *key, const struct plan_settings *settings, int64_t now_s)
{
	switch (key_state_at(key, now_s)) {
	case KEY_WAITING:
		return key->active_s;
	case KEY_ACTIVE:
		if (key->until_s != 0)
			return key->until_s;
		return settings->rotate_s > 0 ? key->active_s + settings->rotate_s : 0;
	case KEY_RETIRING:
		return key->removed_s;
	case KEY_NEW:
	case KEY_RETIRED:
		return 0;
	}
	return 0;
}

static bool next_of_active(const struct key_plan *plan, const struct planned_key *key, const struct plan_settings *settings,
    int64_t now_s, struct arena *arena, struct text *out_words)
{
	char time[KEY_TIME_SIZE];

	if (key->until_s != 0)
		return arena_print(arena, out_words, "signs until %s", key_time_print(key->until_s, time));
	if (key_plan_is_due(plan, key, settings, now_s))
		return arena_print(arena, out_words, "due: postroad dkim rotate %.*s", TEXT_FORMAT(key->domain));
	*out_words = TEXT("-");
	return true;
}

bool key_plan_next(const struct key_plan *plan, const struct planned_key *key, const struct plan_settings *settings,
    int64_t now_s, struct arena *arena, struct text *out_words)
{
	char time[KEY_TIME_SIZE];

	switch (key_state_at(key, now_s)) {
	case KEY_NEW:
		return arena_print(arena, out_words, "publish its record (postroad dkim record %.*s), then postroad dkim check",
		    TEXT_FORMAT(key->domain));
	case KEY_WAITING:
		return arena_print(arena, out_words, "signs from %s", key_time_print(key->active_s, time));
	case KEY_ACTIVE:
		return next_of_active(plan, key, settings, now_s, arena, out_words);
	case KEY_RETIRING:
		return arena_print(arena, out_words, "keep its record until %s", key_time_print(key->removed_s, time));
	case KEY_RETIRED:
		return arena_print(arena, out_words, "remove its record, then postroad dkim remove %.*s --selector %.*s",
		    TEXT_FORMAT(key->domain), TEXT_FORMAT(key->selector));
	}
	return false;
}
