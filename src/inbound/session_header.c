/* What we add to a message, and what we watch for while its header streams by. */
#include "base/cleanup.h"
#include "base/must.h"
#include "inbound/session_private.h"
#include "mail/date.h"
#include "mail/received.h"

#include <stdio.h>

#define NO_MEMORY VERDICT(452, 4, 3, 1, "Insufficient system resources")

void ruin(struct session_step *step, struct verdict verdict)
{
	struct transaction *transaction = step->session->transaction;

	if (transaction->ruin.code != 0)
		return;
	transaction->ruin = verdict;
	if (transaction->begun)
		act(step, SESSION_ABANDON);
	transaction->begun = false;
}

static void give(struct session_step *step, struct text bytes)
{
	if (bytes.length > 0 && step->session->transaction->ruin.code == 0)
		act(step, SESSION_BODY)->bytes = bytes;
}

/* A copy that lives as long as the actions of this step. */
static void give_copy(struct session_step *step, struct text bytes)
{
	struct text copy;

	if (arena_copy(step->output->arena, bytes, &copy))
		give(step, copy);
	else
		ruin(step, NO_MEMORY);
}

static void put_on_top(struct session_step *step, struct text field)
{
	struct text copy;

	if (arena_copy(step->output->arena, field, &copy))
		act(step, SESSION_ON_TOP)->bytes = copy;
	else
		ruin(step, NO_MEMORY);
}

/* RFC 3848, RFC 6531 §4.3: what stands behind "with". */
static struct text protocol_of(const struct session *session)
{
	const bool utf8 = session->transaction->message.envelope.flags & ENVELOPE_SMTPUTF8;

	if (!utf8 || session->peer.role == SESSION_LOCAL)
		return text_of(session_protocol(session));
	if (session->peer.role == SESSION_LMTP)
		return session->secured ? TEXT("UTF8LMTPS") : TEXT("UTF8LMTP");
	if (is_logged_in(session))
		return session->secured ? TEXT("UTF8SMTPSA") : TEXT("UTF8SMTPA");
	return session->secured ? TEXT("UTF8SMTPS") : TEXT("UTF8SMTP");
}

/* RFC 5321 §4.4: the time-stamp line. "for" only for one recipient, so that it tells nobody of another. */
void put_received(struct session_step *step)
{
	enum { FIELD_MAX = 4096 };
	const struct session *session = step->session;
	const struct message *message = &session->transaction->message;
	struct received received = {
		.helo = session_helo(session),
		.client = &session->peer.client,
		.user = session->peer.user,
		.hostname = session->settings->hostname,
		.protocol = protocol_of(session),
		.tls = session_tls(session),
		.id = message->envelope.id,
		.unix_ms = message->envelope.arrived_ms,
	};
	cleanup(buffer_done) struct buffer field;

	buffer_init(&field, FIELD_MAX);
	if ((message->recipient_count == 1 &&
		!address_print(&message->recipients[0].address, step->output->arena, &received.recipient)) ||
	    !received_print(&received, &field))
		ruin(step, NO_MEMORY);
	else
		put_on_top(step, buffer_text(&field));
}

/* Mail of our own users is completed (RFC 6409 §8); other people's is passed on as it is. */
static bool adds_fields(const struct session *session)
{
	return session->peer.role == SESSION_SUBMISSION || session->peer.role == SESSION_LOCAL;
}

/* What the submitter left out and every message must have. */
static void add_missing_fields(struct session_step *step)
{
	const struct session *session = step->session;
	struct transaction *transaction = session->transaction;
	const struct envelope *envelope = &transaction->message.envelope;
	char date[DATE_TEXT_SIZE], id[QUEUE_ID_TEXT_SIZE];
	struct text field;

	if (!adds_fields(session))
		return;
	if (!transaction->header.has_date) {
		if (!arena_print(step->output->arena, &field, "Date: %.*s\r\n",
			TEXT_FORMAT(date_print(envelope->arrived_ms, 0, date))))
			ruin(step, NO_MEMORY);
		else
			give(step, field);
	}
	if (!transaction->header.has_message_id) {
		const struct text hostname = text_part(session->settings->hostname, 0, COMMAND_NAME_MAX);

		snprintf(transaction->message_id_room, MESSAGE_ID_MAX, "<%.*s@%.*s>",
		    TEXT_FORMAT(queue_id_print(envelope->id, id)), TEXT_FORMAT(hostname));
		transaction->message_id = text_of(transaction->message_id_room);
		if (!arena_print(step->output->arena, &field, "Message-ID: %.*s\r\n",
			TEXT_FORMAT(transaction->message_id)))
			ruin(step, NO_MEMORY);
		else
			give(step, field);
	}
}

/* The header is over: add to it, and separate from it what is no header but has no empty line before it. */
static void end_header(struct session_step *step)
{
	struct header_scan *header = &step->session->transaction->header;

	step->session->transaction->header_done = true;
	add_missing_fields(step);
	if (adds_fields(step->session) && !header->empty_line)
		give(step, TEXT("\r\n"));
	give_copy(step, header_scan_held(header));
}

static void watch_hops(struct session_step *step)
{
	if (step->session->transaction->header.received_count > SESSION_HOPS_MAX)
		ruin(step, VERDICT(554, 5, 4, 6, "Too many hops: this message goes round in a loop"));
}

void pass_text(struct session_step *step, struct text piece)
{
	struct transaction *transaction = step->session->transaction;

	while (!transaction->header_done && piece.length > 0) {
		struct text part;

		switch (header_scan_next(&transaction->header, &piece, &part)) {
		case HEADER_PIECE:
			give(step, part);
			break;
		case HEADER_HELD:
			give_copy(step, part);
			break;
		case HEADER_END:
			end_header(step);
			break;
		case HEADER_MORE:
			break;
		}
	}
	watch_hops(step);
	give(step, piece);
}

void finish_text(struct session_step *step)
{
	struct transaction *transaction = step->session->transaction;
	struct header_scan *header = &transaction->header;

	if (transaction->header_done || transaction->ruin.code != 0)
		return;
	if (header->position == HEADER_VALUE && adds_fields(step->session))
		give(step, TEXT("\r\n")); /* BDAT ended inside a field; ours would become its end. */
	header_scan_finish(header);
	end_header(step);
}
