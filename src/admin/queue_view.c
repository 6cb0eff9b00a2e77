/* Looking at the queue: "queue list" and "queue show". */
#include <sysexits.h>

#include "admin/admin_private.h"
#include "base/must.h"

static json_t *address_json(const struct address *address, struct arena *arena)
{
	struct text printed = TEXT_EMPTY;

	if (address_is_null(address))
		return json_string("<>");
	if (!address_print(address, arena, &printed))
		return json_null();
	return admin_string(printed);
}

static json_t *recipient_json(const struct recipient *recipient, struct arena *arena)
{
	const bool held = recipient->flags & RECIPIENT_HELD;

	return json_pack("{s:o, s:s, s:i, s:o, s:o, s:o}", "address", address_json(&recipient->address, arena),
	    "state", admin_state(recipient), "attempts", (int)recipient->attempt_count, "next",
	    held ? json_null() : admin_time(recipient->due_ms), "last", admin_verdict(&recipient->last), "original",
	    recipient->original.length > 0 ? admin_string(recipient->original) : json_null());
}

static json_t *message_json(const struct message *message, const struct admin_filter *filter, struct arena *arena)
{
	const struct envelope *envelope = &message->envelope;
	char id[QUEUE_ID_TEXT_SIZE];
	json_t *recipients = json_array();

	for (uint32_t i = 0; i < message->recipient_count; i++)
		if (filter == NULL || admin_filter_takes_recipient(filter, &message->recipients[i], arena))
			json_array_append_new(recipients, recipient_json(&message->recipients[i], arena));
	json_t *view = json_pack("{s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:o}", "id", queue_id_print(envelope->id, id).bytes,
	    "arrived", admin_time(envelope->arrived_ms), "expires", admin_time(envelope->expires_ms), "sender",
	    address_json(&envelope->reverse_path, arena), "size", (json_int_t)envelope->body_size, "client",
	    admin_string(envelope->client), "user", admin_string(envelope->user), "recipients", recipients);

	if (envelope->held_until_ms != 0)
		json_object_set_new(view, "held_until", admin_time(envelope->held_until_ms));
	if (envelope->priority != 0)
		json_object_set_new(view, "priority", json_integer(envelope->priority));
	if (envelope_tls_demand(envelope).length > 0)
		json_object_set_new(view, "demands", admin_string(envelope_tls_demand(envelope)));
	if (envelope->deliver_by_ms != 0)
		json_object_set_new(view, "deliver_by", admin_time(envelope->deliver_by_ms));
	return view;
}

json_t *admin_queue_list(struct spool *spool, const json_t *request)
{
	struct arena *ids_arena = arena_new(ADMIN_ARENA_BYTES), *arena = arena_new(ADMIN_ARENA_BYTES);
	struct admin_filter filter;
	queue_id *ids, next;
	size_t count;
	json_t *answer = NULL;

	if (ids_arena == NULL || arena == NULL) {
		answer = admin_failure(EX_OSERR, "out of memory");
		goto done;
	}
	answer = admin_filter_read(request, &filter);
	if (answer == NULL)
		answer = admin_page(spool, request, &filter, ids_arena, &ids, &count, &next);
	if (answer != NULL)
		goto done;

	json_t *messages = json_array();
	size_t recipients = 0;

	for (size_t i = 0; i < count; i++) {
		struct message message;

		arena_reset(arena);
		/* It may have left between the two reads: then it is not in the list. */
		if (spool_read_message(spool, ids[i], arena, &message) != OK ||
		    !admin_filter_takes_message(&filter, &message, arena))
			continue;
		json_array_append_new(messages, message_json(&message, &filter, arena));
		recipients += message.recipient_count;
		if (recipients >= ADMIN_RECIPIENTS_MAX && i + 1 < count) {
			next = ids[i];
			break;
		}
	}

	char next_text[QUEUE_ID_TEXT_SIZE];

	answer = json_pack("{s:b, s:o, s:o}", "ok", 1, "messages", messages, "next",
	    next ? json_string(queue_id_print(next, next_text).bytes) : json_null());
done:
	arena_free(arena);
	arena_free(ids_arena);
	return answer;
}

json_t *admin_queue_show(struct spool *spool, const json_t *request)
{
	const struct text id_text = admin_member(request, "id");
	struct arena *arena = arena_new(ADMIN_ARENA_BYTES);
	struct message message;
	queue_id id;
	json_t *answer;

	if (!queue_id_parse(id_text, &id)) {
		answer = admin_failure(EX_USAGE, "%.*s is not a queue ID", TEXT_FORMAT(id_text));
	} else if (arena == NULL || spool_read_message(spool, id, arena, &message) != OK) {
		answer = admin_failure(EX_NOINPUT,
		    "no message %.*s in the queue (postroad trace tells what became of it)", TEXT_FORMAT(id_text));
	} else {
		char start[SPOOL_START_SIZE];
		size_t length;
		bool complete;
		json_t *text = json_null();

		if (message.envelope.chunk_count > 0 &&
		    spool_read_start(spool, &message.envelope, start, &length, &complete) == OK) {
			const struct text whole = { start, length };
			const size_t end = text_find(whole, TEXT("\r\n\r\n"));

			text = admin_string(text_part(whole, 0, end < length ? end + 2 : length));
		}
		answer = json_pack("{s:b, s:o, s:o}", "ok", 1, "message", message_json(&message, NULL, arena), "header", text);
	}
	arena_free(arena);
	return answer;
}
