/* What an earlier process left in doubt: into the history and the log. */
#include <stdlib.h>

#include "queue/queue_private.h"
#include "spool/record.h"

struct doubt {
	struct queue *queue;
	struct arena *arena;
	uint32_t index;
	struct event event;
};

static void forget(struct queue *queue, queue_id id, uint32_t index)
{
	if (queue->parts.in_doubt != NULL)
		in_doubt_forget_left(queue->parts.in_doubt, id, index);
}

static void doubt_recorded(void *context, enum error result)
{
	struct doubt *doubt = context;
	const struct event_sink *sink = &doubt->queue->parts.sink;

	/* The log is told in any case: the warning is about the past, not about the record. Who dies before has told nobody, and
	 * the mark is there for the next. */
	(void)result;
	sink->report(sink->context, &doubt->event);
	forget(doubt->queue, doubt->event.id, doubt->index);
	arena_free(doubt->arena);
}

void queue_report_in_doubt(struct queue *queue, queue_id id, uint32_t index)
{
	struct arena *arena = arena_new(BATCH_ARENA_BYTES);
	struct doubt *doubt = arena ? arena_alloc(arena, sizeof *doubt) : NULL;
	struct spool_change *change = doubt ? spool_change_new() : NULL;
	struct message message;
	const enum error error =
	    change ? spool_read_recipients(queue->parts.spool, id, &index, 1, arena, &message) : ERR_NO_MEMORY;

	/* Gone: it was settled before the crash, nobody gets it twice. */
	if (error == ERR_NOT_FOUND)
		forget(queue, id, index);
	if (error != OK)
		goto nothing;
	*doubt = (struct doubt){ .queue = queue,
		.arena = arena,
		.index = index,
		.event = { .kind = EVENT_IN_DOUBT, .time_ms = queue_now_ms(queue), .id = id } };
	if (!address_print(&message.envelope.reverse_path, arena, &doubt->event.fields[EVENT_FIELD_SENDER]) ||
	    !address_print(&message.recipients[0].address, arena, &doubt->event.fields[EVENT_FIELD_RECIPIENT]))
		goto nothing;
	spool_record_event(change, &doubt->event, NULL, 0);
	spool_submit(queue->parts.port, change, doubt_recorded, doubt);
	return;
nothing:
	spool_change_free(change);
	arena_free(arena);
}
