/* Holding who ended the process twice, and telling the postmaster (Q5).
 *
 * Nothing here looks into the message: whatever in it was fatal stays unread, and the report names it by its
 * ID alone. Hold, history and report are one change; only when it is durable is the message acquitted, so
 * that a crash in between holds it again, and a release by an operator is a new beginning. */
#include <stdlib.h>

#include "mail/date.h"
#include "queue/queue_private.h"
#include "spool/record.h"

enum { QUARANTINE_AGAIN_MS = 5000, REPORT_TEXT_MAX = 8 << 10, FACT_HELD = 0, FACT_REPORT = 1 };

struct quarantine {
	struct queue *queue;
	struct arena *arena;
	queue_id id;
	struct event facts[2];
};

static const struct verdict held = {
	451, { 4, 3, 0 }, { "Held: the mail role died twice with it in hand", 46 }, { NULL, 0 }
};

void quarantine_free(struct quarantine *quarantine)
{
	if (quarantine != NULL)
		arena_free(quarantine->arena);
}

/* -- The report ------------------------------------------------------------------------------ */

static bool compose(const struct queue *queue, queue_id id, queue_id about, int64_t now_ms, struct buffer *out)
{
	char date[DATE_TEXT_SIZE], id_room[QUEUE_ID_TEXT_SIZE], about_room[QUEUE_ID_TEXT_SIZE];
	const struct text host = queue->settings.hostname, subject = queue_id_print(about, about_room);

	return buffer_print(out,
	           "From: Mail Delivery System <MAILER-DAEMON@%.*s>\r\n"
	           "To: postmaster@%.*s\r\n"
	           "Subject: Message %.*s is quarantined\r\n"
	           "Date: %.*s\r\n"
	           "Message-ID: <%.*s@%.*s>\r\n"
	           "Auto-Submitted: auto-generated\r\n"
	           "MIME-Version: 1.0\r\n"
	           "Content-Type: text/plain; charset=us-ascii\r\n"
	           "\r\n",
	           TEXT_FORMAT(host), TEXT_FORMAT(host), TEXT_FORMAT(subject),
	           TEXT_FORMAT(date_print(now_ms, 0, date)), TEXT_FORMAT(queue_id_print(id, id_room)),
	           TEXT_FORMAT(host)) &&
	    buffer_print(out,
	        "The mail server on %.*s died twice while it had this message in hand, and\r\n"
	        "holds it now instead of trying it once more. Other mail is not affected.\r\n"
	        "\r\n"
	        "    postroad queue show %.*s       what it is\r\n"
	        "    postroad trace %.*s            what happened to it\r\n"
	        "    postroad queue release %.*s    try it again\r\n"
	        "    postroad queue delete %.*s     give it up\r\n"
	        "\r\n"
	        "Its sender has not been told. Please report the crash to those who maintain\r\n"
	        "the software.\r\n",
	        TEXT_FORMAT(host), TEXT_FORMAT(subject), TEXT_FORMAT(subject), TEXT_FORMAT(subject),
	        TEXT_FORMAT(subject));
}

static bool put_report(struct quarantine *quarantine, struct spool_change *change, int64_t now_ms)
{
	struct queue *queue = quarantine->queue;
	const queue_id id = queue_id_next(queue->parts.ids, now_ms);
	struct recipient recipient = { .address = { .local = TEXT("postmaster") },
		.notify = DSN_NOTIFY_NEVER,
		.due_ms = now_ms };
	struct message message = { .envelope = { .id = id,
		                       .arrived_ms = now_ms,
		                       .expires_ms = now_ms + queue->settings.lifetime_ms,
		                       .flags = ENVELOPE_BOUNCE },
		.recipients = &recipient,
		.recipient_count = 1 };
	struct event *fact = &quarantine->facts[FACT_REPORT];
	char *room = arena_alloc(quarantine->arena, QUEUE_ID_TEXT_SIZE);
	struct buffer body;

	buffer_init(&body, REPORT_TEXT_MAX);

	const bool ok = room != NULL && compose(queue, id, quarantine->id, now_ms, &body);

	if (ok) {
		report_put_body(change, id, buffer_text(&body), &message.envelope);
		spool_change_put_message(change, &message);
		*fact = (struct event){ .kind = EVENT_GENERATED, .time_ms = now_ms, .id = id };
		fact->fields[EVENT_FIELD_SENDER] = TEXT("<>");
		fact->fields[EVENT_FIELD_RECIPIENT] = TEXT("postmaster");
		fact->fields[EVENT_FIELD_PARENT] = queue_id_print(quarantine->id, room);
		spool_record_event(change, fact, &fact->fields[EVENT_FIELD_RECIPIENT], 1);
	}
	buffer_done(&body);
	return ok;
}

/* -- Holding ----------------------------------------------------------------------------------- */

static void hold_recipients(struct spool_change *change, const struct message *message)
{
	const struct spool_steering hold_it = { .held = STEER_HELD, .due_ms = -1 };

	for (uint32_t i = 0; i < message->recipient_count; i++) {
		struct recipient state = message->recipients[i];

		state.flags |= RECIPIENT_QUARANTINED;
		state.last = held;
		spool_change_update(change, message->envelope.id, &state);
		spool_change_steer(change, message->envelope.id, state.index, &hold_it);
	}
}

static bool fill(struct quarantine *quarantine, struct spool_change *change, const struct message *message)
{
	const int64_t now_ms = queue_now_ms(quarantine->queue);
	struct event *fact = &quarantine->facts[FACT_HELD];

	*fact = (struct event){ .kind = EVENT_QUARANTINED, .time_ms = now_ms, .id = quarantine->id };
	if (!arena_print(quarantine->arena, &fact->fields[EVENT_FIELD_RECIPIENTS], "%u", message->recipient_count))
		return false;
	hold_recipients(change, message);
	spool_record_event(change, fact, NULL, 0);
	return put_report(quarantine, change, now_ms);
}

static void finish(struct quarantine *quarantine)
{
	struct queue *queue = quarantine->queue;

	queue->quarantine = NULL;
	quarantine_free(quarantine);
	queue_kick(queue);
}

static void held_durably(void *context, enum error result)
{
	struct quarantine *quarantine = context;
	struct queue *queue = quarantine->queue;
	const struct event_sink *sink = &queue->parts.sink;

	if (result == OK) {
		suspects_acquit(queue->parts.suspects, quarantine->id);
		for (size_t i = 0; i < sizeof quarantine->facts / sizeof *quarantine->facts; i++)
			sink->report(sink->context, &quarantine->facts[i]);
	} else if (result != ERR_GONE) { /* Gone: an operator deleted a recipient; look again. */
		queue->quarantine_due_ms = queue_now_ms(queue) + QUARANTINE_AGAIN_MS;
	}
	finish(quarantine);
}

static struct quarantine *quarantine_new(struct queue *queue, queue_id id)
{
	struct arena *arena = arena_new(BATCH_ARENA_BYTES);
	struct quarantine *quarantine = arena ? arena_alloc(arena, sizeof *quarantine) : NULL;

	if (quarantine == NULL) {
		arena_free(arena);
		return NULL;
	}
	*quarantine = (struct quarantine){ .queue = queue, .arena = arena, .id = id };
	return quarantine;
}

/* False: not now. */
static bool hold(struct quarantine *quarantine)
{
	struct queue *queue = quarantine->queue;
	struct message message;
	const enum error error = spool_read_message(queue->parts.spool, quarantine->id, quarantine->arena, &message);

	if (error == ERR_NOT_FOUND) {
		suspects_acquit(queue->parts.suspects, quarantine->id);
		finish(quarantine);
		return true;
	}

	struct spool_change *change = error == OK ? spool_change_new() : NULL;

	if (change == NULL || !fill(quarantine, change, &message)) {
		spool_change_free(change);
		return false;
	}
	spool_submit(queue->parts.port, change, held_durably, quarantine);
	return true;
}

void queue_hold_condemned(struct queue *queue, int64_t now_ms)
{
	/* One lane does it: there is one such message in a crash at most. */
	if (queue->parts.lane != 0 || queue->quarantine != NULL || queue->quarantine_due_ms > now_ms)
		return;

	const queue_id id = suspects_next(queue->parts.suspects, 0, true);

	queue->quarantine_due_ms = now_ms + QUARANTINE_AGAIN_MS;
	if (id == 0)
		return;
	queue->quarantine = quarantine_new(queue, id);
	if (queue->quarantine != NULL && !hold(queue->quarantine)) {
		quarantine_free(queue->quarantine);
		queue->quarantine = NULL;
	}
}
