/* A message of ours on its way into the spool: an ordinary one, signed, of which no report of delivery is wanted. */
#include "reports/outgoing.h"

#include "auth/message_signing.h"
#include "base/must.h"
#include "spool/record.h"

/* With our signatures before it, in `room`; or as it is, if nobody signs it. *out_domain is in the arena. */
static struct text sign(const struct outgoing *outgoing, struct text message, struct buffer *room, struct text *out_domain)
{
	struct message_signing *signing = outgoing->signing != NULL
	    ? message_signing_new(outgoing->signing, outgoing->mail->from.domain, outgoing->mail->now_ms / 1000)
	    : NULL;
	struct text domain;

	if (signing == NULL)
		return message;
	message_signing_add(signing, message);

	const bool is_signed = message_signing_end(signing, room, &domain) == OK && buffer_append(room, message) &&
	    arena_copy(outgoing->arena, domain, out_domain);

	message_signing_free(signing);
	return is_signed ? buffer_text(room) : message;
}

static void put_chunks(struct spool_change *change, struct text body, struct envelope *envelope)
{
	envelope->body_size = body.length;
	for (; body.length > 0; body = text_from(body, SPOOL_CHUNK_SIZE))
		spool_change_put_chunk(change, envelope->id, envelope->chunk_count++, text_part(body, 0, SPOOL_CHUNK_SIZE));
}

/* Into log and history, findable by whom it is for. */
static bool note(const struct outgoing *outgoing, const struct envelope *envelope, struct text signed_by,
    struct spool_change *change, struct event *event)
{
	const struct report_mail *mail = outgoing->mail;
	struct text names[1 + OUTGOING_PLACES_MAX];

	*event = (struct event){ .kind = EVENT_GENERATED, .time_ms = mail->now_ms, .id = envelope->id };
	for (size_t i = 0; i < mail->to_count; i++)
		if (!address_print(&mail->to[i], outgoing->arena, &names[1 + i]))
			return false;
	if (!address_print(&mail->from, outgoing->arena, &names[0]) ||
	    !arena_print(outgoing->arena, &event->fields[EVENT_FIELD_SIZE], "%llu", (unsigned long long)envelope->body_size))
		return false;
	event->fields[EVENT_FIELD_SIGNED] = signed_by;
	event->fields[EVENT_FIELD_SENDER] = names[0];
	event->fields[EVENT_FIELD_RECIPIENT] = names[1];
	spool_record_event(change, event, names, 1 + mail->to_count);
	return true;
}

static bool put_message(
    const struct outgoing *outgoing, struct text message, struct spool_change *change, struct event *out_generated)
{
	const struct report_mail *mail = outgoing->mail;
	struct recipient recipients[OUTGOING_PLACES_MAX];
	struct envelope envelope = { .id = mail->id,
		.arrived_ms = mail->now_ms,
		.expires_ms = mail->now_ms + OUTGOING_LIFETIME_MS,
		.flags = outgoing->flags,
		.reverse_path = mail->from };
	struct text signed_by = TEXT_EMPTY;
	struct buffer room;

	buffer_init(&room, REPORT_MAIL_MAX + DKIM_KEYS_MAX * DKIM_FIELD_BYTES_MAX);
	put_chunks(change, sign(outgoing, message, &room, &signed_by), &envelope);
	buffer_done(&room);
	for (size_t i = 0; i < mail->to_count; i++)
		recipients[i] = (struct recipient){ .index = (uint32_t)i,
			.address = mail->to[i],
			.notify = DSN_NOTIFY_NEVER, /* It would be a daily one. */
			.due_ms = mail->now_ms };

	const struct message whole = { envelope, recipients, (uint32_t)mail->to_count };

	spool_change_put_message(change, &whole);
	return note(outgoing, &envelope, signed_by, change, out_generated);
}

bool outgoing_put(const struct outgoing *outgoing, struct spool_change *change, struct event *out_generated)
{
	struct buffer message;

	must(outgoing->mail->to_count > 0 && outgoing->mail->to_count <= OUTGOING_PLACES_MAX);
	buffer_init(&message, REPORT_MAIL_MAX);

	const bool ok = report_mail_compose(outgoing->mail, &message) &&
	    put_message(outgoing, buffer_text(&message), change, out_generated);

	buffer_done(&message);
	return ok;
}
