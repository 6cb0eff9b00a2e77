/* Acting on the queue: "queue retry", "hold", "release", "delete", "expire", "bounce", "reroute", and "resume".
 *
 * One request acts on one page of messages (A2). Each message is a change of its
 * own: one that left meanwhile does not keep the others back. Nor does a recipient that left
 * between reading and changing: what is left of its message is read and changed again. */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <utlist.h>

#include "admin/admin_private.h"
#include "base/must.h"
#include "route/via.h"
#include "spool/record.h"

enum action {
	ACTION_RETRY,
	ACTION_HOLD,
	ACTION_RELEASE,
	ACTION_DELETE,
	ACTION_EXPIRE,
	ACTION_BOUNCE,
	ACTION_REROUTE,
	ACTION_RESUME /* Release what a pause has held, and take its note away. */
};

static const struct {
	const char *word;
	enum event_kind event;
} actions[] = {
	[ACTION_RETRY] = { "retry", EVENT_RETRIED },
	[ACTION_HOLD] = { "hold", EVENT_HELD },
	[ACTION_RELEASE] = { "release", EVENT_RELEASED },
	[ACTION_DELETE] = { "delete", EVENT_DELETED },
	[ACTION_EXPIRE] = { "expire", EVENT_EXPIRED },
	[ACTION_BOUNCE] = { "bounce", EVENT_RETURNED },
	[ACTION_REROUTE] = { "reroute", EVENT_REROUTED },
	[ACTION_RESUME] = { "resume", EVENT_RELEASED },
};

/* A request under way: answers when its last change has been answered. */
struct operation {
	struct admin_pending pending;
	struct admin *admin;
	struct piece *pieces;       /* Those not yet answered. */
	json_t *request;            /* The filter borrows from it. */
	struct admin_filter filter;
	uint32_t uid;
	admin_answered *answered;
	void *context;
	enum action action;
	struct text via;   /* ACTION_REROUTE; empty: where the routes say. */
	size_t open;       /* Changes not yet answered, and one for the request itself. */
	size_t recipients; /* Changed for good. */
	size_t messages;
	enum error failure;
	queue_id next;
};

/* One message's part of it. */
struct piece {
	struct piece *prev, *next; /* utlist */
	struct operation *operation;
	struct arena *arena;
	struct event event;
	size_t recipients;
	bool is_pause; /* No message's: a note. */
};

static void operation_free(struct operation *operation)
{
	json_decref(operation->request);
	free(operation);
}

static void operation_step(struct operation *operation)
{
	char next[QUEUE_ID_TEXT_SIZE];

	if (--operation->open > 0)
		return;

	json_t *answer = operation->failure != OK
	    ? admin_failure(EX_TEMPFAIL, "the spool did not take the change: %s", error_text(operation->failure))
	    : json_pack("{s:b, s:I, s:I, s:o}", "ok", 1, "messages", (json_int_t)operation->messages, "recipients",
	          (json_int_t)operation->recipients, "next",
	          operation->next ? json_string(queue_id_print(operation->next, next).bytes) : json_null());

	DL_DELETE(operation->admin->pending, &operation->pending);
	operation->answered(operation->context, answer);
	operation_free(operation);
}

/* The changes may yet become durable, or not: nobody is told. */
static void operation_give_up(struct admin_pending *pending)
{
	struct operation *operation = (struct operation *)pending;

	while (operation->pieces != NULL) {
		struct piece *piece = operation->pieces;

		DL_DELETE(operation->pieces, piece);
		arena_free(piece->arena);
	}
	operation->answered(operation->context, admin_stopping());
	operation_free(operation);
}

static void change_message(struct operation *operation, queue_id id);

static void piece_done(void *context, enum error result)
{
	struct piece *piece = context;
	struct operation *operation = piece->operation;
	const struct event_sink *sink = &operation->admin->settings.sink;

	DL_DELETE(operation->pieces, piece);
	if (result == OK) {
		operation->messages += !piece->is_pause;
		operation->recipients += piece->recipients;
		sink->report(sink->context, &piece->event);
	} else if (result == ERR_GONE) {
		change_message(operation, piece->event.id); /* Ends: a message has ever fewer that may leave. */
	} else {
		operation->failure = result;
	}
	arena_free(piece->arena);
	operation_step(operation);
}

/* Put what `action` does to one recipient into the change; false if it changes nothing. */
static bool change_recipient(struct spool_change *change, queue_id id, const struct recipient *recipient,
    const struct operation *operation, int64_t now_ms)
{
	struct spool_steering steering = { .held = STEER_AS_IT_WAS, .due_ms = now_ms };
	const bool held = recipient->flags & RECIPIENT_HELD;

	switch (operation->action) {
	case ACTION_HOLD:
		if (held && !(recipient->flags & RECIPIENT_PAUSED))
			return false;
		steering = (struct spool_steering){ .held = STEER_HELD, .due_ms = -1 };
		break;
	case ACTION_RELEASE:
		if (!held)
			return false;
		steering.held = STEER_NOT_HELD;
		break;
	case ACTION_RESUME:
		if (!(recipient->flags & RECIPIENT_PAUSED))
			return false;
		steering.held = STEER_NOT_HELD;
		break;
	case ACTION_RETRY:
		if (held)
			return false;
		break;
	case ACTION_EXPIRE:
	case ACTION_BOUNCE:
		/* A report quotes the message, and whoever looks into this one may die of it. */
		if (recipient->flags & (RECIPIENT_QUARANTINED | RECIPIENT_ENDED))
			return false;
		steering.held = STEER_NOT_HELD;
		steering.end = operation->action == ACTION_EXPIRE ? STEER_EXPIRED : STEER_BOUNCED;
		break;
	case ACTION_REROUTE:
		if (text_equal(recipient->via, operation->via))
			return false;
		steering.via = operation->via;
		break;
	case ACTION_DELETE:
		spool_change_retire(change, id, recipient->index);
		return true;
	}
	spool_change_steer(change, id, recipient->index, &steering);
	return true;
}

static void change_message(struct operation *operation, queue_id id)
{
	const struct admin_settings *settings = &operation->admin->settings;
	const struct admin_filter *filter = &operation->filter;
	const int64_t now_ms = loop_unix_ms(settings->loop);
	struct arena *arena = arena_new(ADMIN_ARENA_BYTES);
	struct piece *piece = arena ? arena_alloc(arena, sizeof *piece) : NULL;
	struct spool_change *change = piece ? spool_change_new() : NULL;
	struct message message;

	if (change == NULL || spool_read_message(settings->spool, id, arena, &message) != OK ||
	    !admin_filter_takes_message(filter, &message, arena))
		goto nothing;
	*piece = (struct piece){ .operation = operation,
		.arena = arena,
		.event = { .kind = actions[operation->action].event, .time_ms = now_ms, .id = id } };
	for (uint32_t i = 0; i < message.recipient_count; i++)
		if (admin_filter_takes_recipient(filter, &message.recipients[i], arena))
			piece->recipients += change_recipient(change, id, &message.recipients[i], operation, now_ms);
	if (piece->recipients == 0)
		goto nothing;
	if (!arena_print(arena, &piece->event.fields[EVENT_FIELD_OPERATOR], "uid %u", operation->uid) ||
	    !arena_print(arena, &piece->event.fields[EVENT_FIELD_RECIPIENTS], "%zu", piece->recipients))
		goto nothing;
	if (operation->action == ACTION_REROUTE)
		piece->event.fields[EVENT_FIELD_REASON] = operation->via.length > 0 ? operation->via : TEXT("by its routes");
	spool_record_event(change, &piece->event, NULL, 0);
	operation->open++;
	DL_APPEND(operation->pieces, piece);
	spool_submit(settings->port, change, piece_done, piece);
	return;
nothing:
	spool_change_free(change);
	arena_free(arena);
}

/* "via": a host as routes have it, or "routes". */
static json_t *read_via(struct operation *operation)
{
	const struct text word = admin_member(operation->request, "via");
	struct via via;

	if (text_equal(word, TEXT("routes"))) {
		operation->via = TEXT("");
		return NULL;
	}
	if (word.length == 0 || word.length > VIA_LENGTH_MAX || !via_parse(word, 25, &via))
		return admin_failure(EX_USAGE, "\"via\" is a host, a host with a port, or routes: %.*s", TEXT_FORMAT(word));
	operation->via = word;
	return NULL;
}

/* The note goes with the first page, and first: what a queue takes in hand behind it is not held any more. */
static json_t *end_pause(struct operation *operation)
{
	const struct admin_settings *settings = &operation->admin->settings;
	struct arena *arena = arena_new(ADMIN_ARENA_BYTES);
	struct piece *piece = arena ? arena_alloc(arena, sizeof *piece) : NULL;
	struct spool_change *change = piece ? spool_change_new() : NULL;
	struct text key = TEXT_EMPTY;
	json_t *failure = NULL;

	if (change == NULL)
		failure = admin_failure(EX_OSERR, "out of memory");
	else
		failure = admin_pause_read(operation->request, operation->uid, arena, &key, &piece->event);
	if (failure != NULL) {
		spool_change_free(change);
		arena_free(arena);
		return failure;
	}
	piece->operation = operation;
	piece->arena = arena;
	piece->is_pause = true;
	piece->event.kind = EVENT_PAUSE_ENDED;
	piece->event.time_ms = loop_unix_ms(settings->loop);
	spool_change_note(change, key, TEXT_EMPTY);
	operation->open++;
	DL_APPEND(operation->pieces, piece);
	spool_submit(settings->port, change, piece_done, piece);
	return NULL;
}

/* What a request means, its messages aside. */
static json_t *read_request(struct operation *operation)
{
	json_t *failure = admin_filter_read(operation->request, &operation->filter);

	if (failure == NULL && operation->action == ACTION_REROUTE)
		failure = read_via(operation);
	return failure;
}

bool admin_queue_change(struct admin *admin, const json_t *request, struct text word, uint32_t uid,
    admin_answered *answered, void *context)
{
	const struct admin_settings *settings = &admin->settings;
	size_t which = 0, count;
	queue_id *ids;

	while (which < sizeof actions / sizeof actions[0] && !text_equal(word, text_of(actions[which].word)))
		which++;
	if (which == sizeof actions / sizeof actions[0])
		return false;

	struct arena *arena = arena_new(ADMIN_ARENA_BYTES);
	struct operation *operation = arena ? calloc(1, sizeof *operation) : NULL;

	if (operation == NULL) {
		answered(context, admin_failure(EX_OSERR, "out of memory"));
		goto done;
	}
	*operation = (struct operation){ .pending.give_up = operation_give_up,
		.admin = admin,
		.request = json_deep_copy(request),
		.uid = uid,
		.answered = answered,
		.context = context,
		.action = (enum action)which,
		.open = 1 };

	json_t *failure = operation->request ? read_request(operation) : admin_failure(EX_OSERR, "out of memory");

	if (failure == NULL)
		failure = admin_page(settings->spool, operation->request, &operation->filter, arena, &ids, &count, &operation->next);
	if (failure == NULL && operation->action == ACTION_RESUME && operation->filter.after.length == 0)
		failure = end_pause(operation);
	if (failure != NULL) {
		answered(context, failure);
		operation_free(operation);
		goto done;
	}
	DL_APPEND(admin->pending, &operation->pending);
	for (size_t i = 0; i < count; i++)
		change_message(operation, ids[i]);
	operation_step(operation);
done:
	arena_free(arena);
	return true;
}
