/* The life of a message, from the recorded history. */
#include <sysexits.h>

#include "admin/admin_private.h"
#include "base/must.h"
#include "events/event.h"

json_t *admin_event(const struct event *event)
{
	struct buffer line;
	json_t *step = NULL;

	buffer_init(&line, 256 << 10);
	if (event_print_json(event, &line)) {
		const struct text text = buffer_text(&line);

		step = json_loadb(text.bytes, text.length, JSON_ALLOW_NUL, NULL);
	}
	buffer_done(&line);
	return step ? step : json_null();
}

/* The life of one message; NULL when it is not in the history. Uses up the arena. */
static json_t *life_json(struct spool *spool, queue_id id, struct arena *arena)
{
	struct text *stored;
	size_t count;
	char id_text[QUEUE_ID_TEXT_SIZE];

	if (spool_read_history(spool, id, arena, &stored, &count) != OK)
		return NULL;

	json_t *steps = json_array();

	for (size_t i = 0; i < count; i++) {
		struct event event;

		if (event_decode(id, stored[i], &event) != OK)
			continue;
		json_array_append_new(steps, admin_event(&event));
	}

	struct message message;
	const bool waiting = spool_read_message(spool, id, arena, &message) == OK;
	bool quarantined = false;

	for (uint32_t i = 0; waiting && i < message.recipient_count; i++)
		quarantined |= message.recipients[i].flags & RECIPIENT_QUARANTINED;

	return json_pack("{s:s, s:s, s:o}", "id", queue_id_print(id, id_text).bytes, "state",
	    quarantined ? "quarantined" : waiting ? "in the queue" : "finished", "steps", steps);
}

/* Whether one of its facts has the words in it, in any case. */
static bool event_has(const struct event *event, struct text words)
{
	for (size_t field = 0; field < EVENT_FIELD_COUNT; field++)
		for (struct text fact = event->fields[field]; fact.length >= words.length; fact = text_from(fact, 1))
			if (text_starts_nocase(fact, words))
				return true;
	return false;
}

static bool life_has(struct spool *spool, queue_id id, struct text words, struct arena *arena)
{
	struct event event;
	struct text *stored;
	size_t count;

	if (spool_read_history(spool, id, arena, &stored, &count) != OK)
		return false;
	for (size_t i = 0; i < count; i++)
		if (event_decode(id, stored[i], &event) == OK && event_has(&event, words))
			return true;
	return false;
}

/* There is no index of them: so only the newest messages are looked at. Those found stay in front. Uses up the second arena. */
static enum error find_fact(struct spool *spool, struct text words, struct arena *ids_arena, struct arena *arena, queue_id **out_ids,
    size_t *out_count)
{
	size_t newest = 0, found = 0;
	const enum error error = spool_list_newest(spool, ADMIN_TRACE_LOOKED_AT_MAX, ids_arena, out_ids, &newest);

	for (size_t i = 0; error == OK && i < newest && found < ADMIN_TRACE_MAX; i++) {
		arena_reset(arena);
		if (life_has(spool, (*out_ids)[i], words, arena))
			(*out_ids)[found++] = (*out_ids)[i];
	}
	*out_count = found;
	return error;
}

static enum error find_messages(struct spool *spool, struct text about, struct arena *ids_arena, struct arena *arena, queue_id **out_ids,
    size_t *out_count)
{
	*out_count = 1;
	if (queue_id_parse(about, *out_ids))
		return OK;
	*out_count = 0;
	const enum error error = spool_find_address(spool, about, ADMIN_TRACE_MAX, ids_arena, out_ids, out_count);

	return (error == OK && *out_count == 0) || error == ERR_NOT_FOUND
	    ? (about.length < ADMIN_TRACE_WORDS_MIN ? ERR_NOT_FOUND : find_fact(spool, about, ids_arena, arena, out_ids, out_count))
	    : error;
}

json_t *admin_trace(struct spool *spool, const json_t *request)
{
	const struct text about = admin_member(request, "about");
	struct arena *ids_arena = arena_new(ADMIN_ARENA_BYTES), *arena = arena_new(ADMIN_ARENA_BYTES);
	json_t *messages = json_array();
	queue_id id, *ids = &id;
	size_t count = 0;
	const enum error error =
	    ids_arena != NULL && arena != NULL ? find_messages(spool, about, ids_arena, arena, &ids, &count) : ERR_NO_MEMORY;

	/* Found newest first; a reader wants the oldest first. */
	for (size_t i = error == OK ? count : 0; i > 0; i--) {
		arena_reset(arena);
		json_t *life = life_json(spool, ids[i - 1], arena);

		if (life != NULL)
			json_array_append_new(messages, life);
	}
	arena_free(arena);
	arena_free(ids_arena);
	if (json_array_size(messages) == 0) {
		json_decref(messages);
		return error != OK && error != ERR_NOT_FOUND
		    ? admin_failure(EX_IOERR, "the history cannot be read: %s", error_text(error))
		    : admin_failure(EX_NOINPUT, "nothing known about %.*s", TEXT_FORMAT(about));
	}
	return json_pack("{s:b, s:o}", "ok", 1, "messages", messages);
}
