/* Telling a sender: the report as a new message in the change that settles the delivery. */
#include <stdlib.h>

#include "auth/message_signing.h"
#include "base/must.h"
#include "queue/queue_private.h"

enum { REPORT_WORDS_MAX = DSN_REPORT_MAX };

static struct dsn_recipient told_recipient(const struct job *job, uint32_t number)
{
	const struct recipient *recipient = &job->message.recipients[number];
	const struct fate *fate = &job->fates[number];

	return (struct dsn_recipient){
		.address = recipient->address,
		.original = recipient->original,
		.action = fate->action,
		.expired = fate->expired,
		.verdict = job->outcomes[number].verdict,
		.attempted_ms = job->started_ms,
		.retry_until_ms = fate->kind == FATE_WAITS ? job->message.envelope.expires_ms : 0,
	};
}

/* How the original begins. What cannot be read is left out: the report is the more important. */
static void read_original(struct job *job, struct dsn_report *report)
{
	struct queue *queue = job->queue;
	const struct envelope *envelope = &job->message.envelope;
	size_t length;

	if (spool_read_start(queue->parts.spool, envelope, queue->start_room, &length, &report->original_complete) == OK)
		report->original = (struct text){ queue->start_room, length };
}

void report_put_body(struct spool_change *change, queue_id id, struct text body, struct envelope *envelope)
{
	envelope->body_size = body.length;
	for (; body.length > 0; body = text_from(body, SPOOL_CHUNK_SIZE))
		spool_change_put_chunk(change, id, envelope->chunk_count++, text_part(body, 0, SPOOL_CHUNK_SIZE));
}

/* The report with our signatures before it, in `room`; or as it is, if nobody signs it. *out_domain is in the arena. */
static struct text sign_report(struct job *job, struct text body, struct buffer *room, struct text *out_domain)
{
	const struct queue *queue = job->queue;
	struct message_signing *signing = queue->signing != NULL
	    ? message_signing_new(queue->signing, TEXT_EMPTY, queue_now_ms(queue) / 1000)
	    : NULL;
	struct text domain;

	if (signing == NULL)
		return body;
	message_signing_add(signing, body);
	const bool is_signed = message_signing_end(signing, room, &domain) == OK && buffer_append(room, body) &&
	    arena_copy(job->settle_arena, domain, out_domain);

	message_signing_free(signing);
	return is_signed ? buffer_text(room) : body;
}

static bool note_report(
    struct job *job, const struct dsn_report *report, const struct envelope *envelope, struct text signed_by)
{
	char *parent = arena_alloc(job->settle_arena, QUEUE_ID_TEXT_SIZE);
	struct event *fact = fact_new(job, EVENT_GENERATED);

	fact->id = report->id;
	fact->fields[EVENT_FIELD_SENDER] = TEXT("<>");
	fact->fields[EVENT_FIELD_SIGNED] = signed_by;
	if (parent == NULL ||
	    !address_print(&report->to, job->settle_arena, &fact->fields[EVENT_FIELD_RECIPIENT]) ||
	    !fact_number(job, fact, EVENT_FIELD_SIZE, (int64_t)envelope->body_size))
		return false;
	fact->fields[EVENT_FIELD_PARENT] = queue_id_print(job->message.envelope.id, parent);
	return true;
}

/* An ordinary message, but for its null reverse-path (RFC 3461 §6.2). */
static bool put_report(struct job *job, struct spool_change *change, const struct dsn_report *report, struct text body)
{
	const bool to_postmaster = address_is_null(&job->message.envelope.reverse_path);
	struct envelope envelope = {
		.id = report->id,
		.arrived_ms = report->now_ms,
		.expires_ms = report->now_ms + job->queue->settings.lifetime_ms,
		/* What the message tells of its people, its report tells, too (RFC 8689 §5). */
		.flags = dsn_envelope_flags(report, body) | (job->message.envelope.flags & ENVELOPE_REQUIRETLS),
		.priority = job->message.envelope.priority, /* RFC 6710 §4.3 */
	};
	struct recipient recipient = {
		.address = report->to,
		.notify = to_postmaster ? DSN_NOTIFY_NEVER : 0, /* F2 */
		.due_ms = report->now_ms,
	};
	const struct message message = { .recipients = &recipient, .recipient_count = 1 };
	struct message whole = message;
	struct text signed_by = TEXT_EMPTY;
	struct buffer room;

	buffer_init(&room, REPORT_WORDS_MAX + DKIM_KEYS_MAX * DKIM_FIELD_BYTES_MAX);
	report_put_body(change, report->id, sign_report(job, body, &room, &signed_by), &envelope);
	buffer_done(&room);
	whole.envelope = envelope;
	spool_change_put_message(change, &whole);
	return note_report(job, report, &envelope, signed_by);
}

bool report_add(struct job *job, struct spool_change *change, queue_id *out_report)
{
	struct queue *queue = job->queue;
	const struct envelope *envelope = &job->message.envelope;
	struct dsn_recipient *told =
	    arena_array(job->settle_arena, job->message.recipient_count, sizeof *told);
	size_t count = 0;

	if (told == NULL)
		return false;
	for (uint32_t i = 0; i < job->message.recipient_count; i++)
		if (job->fates[i].told)
			told[count++] = told_recipient(job, i);
	if (count == 0) {
		*out_report = 0;
		return true;
	}

	const int64_t now_ms = queue_now_ms(queue);
	struct dsn_report report = {
		.hostname = queue->settings.hostname,
		.id = queue_id_next(queue->parts.ids, now_ms),
		.now_ms = now_ms,
		/* A message without return address is our postmaster's concern: by RFC 5321 §4.5.1 the bare
		 * name always has a mailbox. */
		.to = address_is_null(&envelope->reverse_path) ? (struct address){ .local = TEXT("postmaster") }
		                                               : envelope->reverse_path,
		.envelope = envelope,
		.recipients = told,
		.recipient_count = count,
	};
	struct buffer body;

	read_original(job, &report);
	buffer_init(&body, REPORT_WORDS_MAX);

	const bool ok = dsn_compose(&report, &body) && put_report(job, change, &report, buffer_text(&body));

	buffer_done(&body);
	if (ok)
		*out_report = report.id;
	return ok;
}
