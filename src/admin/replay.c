/* The facts of messages, from the spool and its history, and the requests for them. */
#include "admin/replay.h"

#include <sysexits.h>

#include "admin/admin_private.h"
#include "base/clock.h"

/* -- facts ------------------------------------------------------------------------ */

struct gathering {
	json_t *facts, *to;
	struct text aliases[REPLAY_RECIPIENTS_MAX]; /* Borrow from the steps. */
	size_t alias_count, omitted;
	bool known; /* How it came here. */
};

/* `waiting`: as the spool has it; NULL: it is done. */
static void add_recipient(struct gathering *gathering, struct text address, const struct recipient *waiting)
{
	const json_t *recipient;
	size_t i;

	json_array_foreach (gathering->to, i, recipient)
		if (text_equal_nocase(admin_member(recipient, "address"), address))
			return;
	if (json_array_size(gathering->to) == REPLAY_RECIPIENTS_MAX) { /* P2 */
		gathering->omitted++;
		return;
	}
	json_t *fresh = json_pack("{s:o, s:b, s:b}", "address", admin_string(address), "waiting", waiting != NULL, "expanded",
	    waiting != NULL && (waiting->flags & RECIPIENT_EXPANDED) != 0);

	if (waiting != NULL && waiting->via.length > 0)
		json_object_set_new(fresh, "via", admin_string(waiting->via));
	json_array_append_new(gathering->to, fresh);
}

/* "rfc822;team@example.org", where that is an alias of this message. */
static bool came_of_alias(const struct gathering *gathering, struct text original)
{
	const struct text address = admin_bare_address(original);

	for (size_t i = 0; i < gathering->alias_count; i++)
		if (text_equal_nocase(gathering->aliases[i], address))
			return true;
	return false;
}

static void take_arrival(struct gathering *gathering, const struct event *event)
{
	uint64_t size = 0, recipients = 0;

	(void)!text_to_u64(event->fields[EVENT_FIELD_SIZE], &size);
	(void)!text_to_u64(event->fields[EVENT_FIELD_RECIPIENTS], &recipients);
	gathering->known = true;
	json_object_set_new(gathering->facts, "arrived_ms", json_integer(event->time_ms));
	json_object_set_new(gathering->facts, "ours", json_boolean(event->kind == EVENT_GENERATED));
	json_object_set_new(gathering->facts, "sender",
	    event->kind == EVENT_GENERATED ? json_string("<>") : admin_string(admin_bare_address(event->fields[EVENT_FIELD_SENDER])));
	json_object_set_new(gathering->facts, "user", admin_string(event->fields[EVENT_FIELD_USER]));
	json_object_set_new(gathering->facts, "client", admin_string(event->fields[EVENT_FIELD_CLIENT]));
	json_object_set_new(gathering->facts, "size", json_integer((json_int_t)size));
	json_object_set_new(gathering->facts, "recipients", json_integer((json_int_t)recipients));
}

/* Recipients as they came: an alias, not what became of it. */
static void take_step(struct gathering *gathering, const struct event *event)
{
	const struct text to = event->fields[EVENT_FIELD_RECIPIENT];

	switch (event->kind) {
	case EVENT_RECEIVED:
	case EVENT_GENERATED:
		if (!gathering->known)
			take_arrival(gathering, event);
		break;
	case EVENT_EXPANDED:
		if (to.length == 0)
			break;
		add_recipient(gathering, to, NULL);
		if (gathering->alias_count < REPLAY_RECIPIENTS_MAX)
			gathering->aliases[gathering->alias_count++] = to;
		break;
	case EVENT_DELIVERED:
	case EVENT_BOUNCED:
	case EVENT_DISCARDED:
		if (to.length > 0 && !came_of_alias(gathering, event->fields[EVENT_FIELD_ORIGINAL]))
			add_recipient(gathering, to, NULL);
		break;
	default:
		break;
	}
}

static void take_waiting(struct gathering *gathering, const struct message *message, struct arena *arena)
{
	for (uint32_t i = 0; i < message->recipient_count; i++) {
		const struct recipient *recipient = &message->recipients[i];
		struct text address;

		if ((recipient->flags & RECIPIENT_ENDED) == 0 && address_print(&recipient->address, arena, &address))
			add_recipient(gathering, address, recipient);
	}
}

json_t *replay_facts(struct spool *spool, queue_id id, struct arena *arena)
{
	char id_text[QUEUE_ID_TEXT_SIZE];
	struct gathering gathering = { .to = json_array() };
	struct message message;
	struct text *steps;
	size_t count;

	gathering.facts = json_pack("{s:s, s:o}", "id", queue_id_print(id, id_text).bytes, "to", gathering.to);
	const bool waiting = spool_read_message(spool, id, arena, &message) == OK;

	json_object_set_new(gathering.facts, "waiting", json_boolean(waiting));
	if (waiting)
		take_waiting(&gathering, &message, arena);
	if (spool_read_history(spool, id, arena, &steps, &count) == OK) {
		for (size_t i = 0; i < count; i++) {
			struct event event;

			if (event_decode(id, steps[i], &event) == OK)
				take_step(&gathering, &event);
		}
	}
	json_object_set_new(gathering.facts, "omitted", json_integer((json_int_t)gathering.omitted));
	if (gathering.known)
		return gathering.facts;
	json_decref(gathering.facts);
	return NULL;
}

/* -- requests ---------------------------------------------------------------------- */

static json_t *ids_json(const queue_id *ids, size_t count)
{
	char room[QUEUE_ID_TEXT_SIZE];
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(queue_id_print(ids[i], room).bytes));
	return list;
}

json_t *admin_replay_list(struct spool *spool, const json_t *request)
{
	const json_int_t wanted = json_integer_value(json_object_get(request, "limit"));
	const size_t limit = wanted <= 0 ? REPLAY_LIMIT_DEFAULT : wanted < REPLAY_LIMIT_MAX ? (size_t)wanted : REPLAY_LIMIT_MAX;
	struct arena *arena = arena_new(ADMIN_ARENA_BYTES);
	queue_id *waiting, *newest;
	size_t waiting_count, newest_count;
	json_t *answer;

	if (arena == NULL)
		answer = admin_failure(EX_OSERR, "out of memory");
	else if (spool_list(spool, 0, limit + 1, arena, &waiting, &waiting_count) != OK ||
	    spool_list_newest(spool, limit, arena, &newest, &newest_count) != OK)
		answer = admin_failure(EX_IOERR, "the spool cannot be read");
	else
		answer = json_pack("{s:b, s:o, s:o, s:b}", "ok", 1, "waiting", ids_json(waiting, waiting_count < limit ? waiting_count : limit),
		    "history", ids_json(newest, newest_count), "more_waiting", waiting_count > limit);
	arena_free(arena);
	return answer;
}

json_t *admin_replay(struct spool *spool, const struct replay_side *side, const json_t *request)
{
	const json_t *ids = json_object_get(request, "ids"), *id_text;
	struct arena *arena = arena_new(ADMIN_ARENA_BYTES);
	json_t *cases = json_array();
	const int64_t until_ms = clock_monotonic_ms() + REPLAY_MS;
	size_t i;
	bool right = json_is_array(ids) && json_array_size(ids) <= REPLAY_IDS_MAX;

	json_array_foreach (ids, i, id_text) {
		queue_id id;

		if (i > 0 && clock_monotonic_ms() >= until_ms) /* P3 */
			break;
		right = right && json_is_string(id_text) && queue_id_parse(text_of(json_string_value(id_text)), &id);
		if (!right || arena == NULL)
			break;
		arena_reset(arena);
		json_t *facts = replay_facts(spool, id, arena);

		if (facts != NULL)
			json_array_append_new(cases, json_pack("{s:o, s:o}", "facts", facts, "judged", replay_judge(side, facts)));
	}
	arena_free(arena);
	if (right && arena != NULL)
		return json_pack("{s:b, s:o, s:I}", "ok", 1, "cases", cases, "done", (json_int_t)i);
	json_decref(cases);
	return arena == NULL ? admin_failure(EX_OSERR, "out of memory")
			     : admin_failure(EX_USAGE, "\"ids\" is a list of at most %d queue IDs", REPLAY_IDS_MAX);
}
