/* Pauses: "queue pause" and "queue pauses". Their end is in queue_change.c, because it releases mail. */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <utlist.h>

#include "admin/admin_private.h"
#include "mail/date.h"

struct pausing {
	struct admin_pending pending; /* First. */
	struct admin *admin;
	struct arena *arena;
	struct event event;
	admin_answered *answered;
	void *context;
};

/* The one that is named. Borrows from the request. */
static json_t *read_subject(const json_t *request, enum pause_kind *out_kind, struct text *out_subject)
{
	unsigned count = 0;

	for (unsigned kind = 0; kind < PAUSE_KIND_COUNT; kind++) {
		const struct text subject = admin_member(request, pause_word((enum pause_kind)kind));

		if (subject.length == 0)
			continue;
		*out_kind = (enum pause_kind)kind;
		*out_subject = subject;
		count++;
	}
	if (count != 1)
		return admin_failure(EX_USAGE, "a pause is of one domain, one sender or one user");
	if (*out_kind == PAUSE_SENDER && text_find_byte(*out_subject, '@') == out_subject->length)
		return admin_failure(EX_USAGE, "%.*s is no sender (hint: an address, or @domain)", TEXT_FORMAT(*out_subject));
	return NULL;
}

json_t *admin_pause_read(
    const json_t *request, uint32_t uid, struct arena *arena, struct text *out_key, struct event *out_event)
{
	enum pause_kind kind = PAUSE_DOMAIN;
	struct text subject = TEXT_EMPTY;
	json_t *failure = read_subject(request, &kind, &subject);

	if (failure != NULL)
		return failure;
	*out_event = (struct event){ 0 };
	const enum error error = pause_key(kind, subject, arena, out_key);

	if (error == ERR_TOO_LARGE)
		return admin_failure(EX_USAGE, "that is too long for an address or a name");
	if (error != OK || !arena_print(arena, &out_event->fields[EVENT_FIELD_OPERATOR], "uid %u", uid) ||
	    !arena_print(arena, &out_event->fields[EVENT_FIELD_REASON], "%s %.*s", pause_word(kind), TEXT_FORMAT(subject)))
		return admin_failure(EX_OSERR, "out of memory");
	return NULL;
}

json_t *admin_queue_pauses(struct spool *spool)
{
	struct arena *arena = arena_new(ADMIN_ARENA_BYTES);
	json_t *list = json_array();
	struct pause *pauses = NULL;
	size_t count = 0;
	const enum error error = arena ? pauses_read(spool, arena, &pauses, &count) : ERR_NO_MEMORY;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "of", pause_word(pauses[i].kind), "subject",
						admin_string(pauses[i].subject), "since", admin_string(pauses[i].value)));
	arena_free(arena);
	if (error == OK)
		return json_pack("{s:b, s:o}", "ok", 1, "pauses", list);
	json_decref(list);
	return admin_failure(EX_IOERR, "the spool cannot be read: %s", error_text(error));
}

static void pausing_free(struct pausing *pausing)
{
	arena_free(pausing->arena);
	free(pausing);
}

static void pausing_done(void *context, enum error result)
{
	struct pausing *pausing = context;
	const struct event_sink *sink = &pausing->admin->settings.sink;

	if (result == OK)
		sink->report(sink->context, &pausing->event);
	DL_DELETE(pausing->admin->pending, &pausing->pending);
	pausing->answered(pausing->context, result == OK
	        ? json_pack("{s:b}", "ok", 1)
	        : admin_failure(EX_TEMPFAIL, "the spool did not take the change: %s", error_text(result)));
	pausing_free(pausing);
}

/* Its change stays with the port, which is closed without another poll. */
static void pausing_give_up(struct admin_pending *pending)
{
	struct pausing *pausing = (struct pausing *)pending;

	pausing->answered(pausing->context, admin_stopping());
	pausing_free(pausing);
}

/* The note says since when, and by whom. */
static json_t *write_pause(struct pausing *pausing, const json_t *request, uint32_t uid, struct spool_change *change)
{
	struct event *event = &pausing->event;
	char room[DATE_TEXT_SIZE];
	struct text key, value;
	json_t *failure = admin_pause_read(request, uid, pausing->arena, &key, event);

	if (failure != NULL)
		return failure;
	event->kind = EVENT_PAUSE_BEGAN;
	event->time_ms = loop_unix_ms(pausing->admin->settings.loop);
	if (!arena_print(pausing->arena, &value, "%s by uid %u", date_print_rfc3339(event->time_ms, room).bytes, uid))
		return admin_failure(EX_OSERR, "out of memory");
	spool_change_note(change, key, value);
	return NULL;
}

void admin_queue_pause(struct admin *admin, const json_t *request, uint32_t uid, admin_answered *answered, void *context)
{
	struct pausing *pausing = calloc(1, sizeof *pausing);
	struct spool_change *change = pausing ? spool_change_new() : NULL;
	json_t *failure = NULL;

	if (pausing != NULL)
		*pausing = (struct pausing){ .pending.give_up = pausing_give_up,
			.admin = admin,
			.arena = arena_new(ADMIN_ARENA_BYTES),
			.answered = answered,
			.context = context };
	if (change == NULL || pausing->arena == NULL)
		failure = admin_failure(EX_OSERR, "out of memory");
	else
		failure = write_pause(pausing, request, uid, change);
	if (failure != NULL) {
		answered(context, failure);
		spool_change_free(change);
		if (pausing != NULL)
			pausing_free(pausing);
		return;
	}
	DL_APPEND(admin->pending, &pausing->pending);
	spool_submit(admin->settings.port, change, pausing_done, pausing);
}
