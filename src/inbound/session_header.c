/* What we add to a message, and what we watch for while its header streams by. */
#include "base/cleanup.h"
#include "base/must.h"
#include "inbound/session_private.h"
#include "mail/address_list.h"
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
static void put_received(struct session_step *step)
{
	enum { FIELD_MAX = 4096 };
	const struct session *session = step->session;
	const struct message *message = &session->transaction->message;
	struct received received = {
		.helo = session_helo(session),
		.client = &session->peer.client,
		.client_name = step->event->client_name,
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

/* RFC 5322 §3.6 wants an author; who hands a message in without one is it. */
static void add_author(struct session_step *step)
{
	const struct address *sender = &step->session->transaction->message.envelope.reverse_path;
	struct text address, field;

	if (address_is_null(sender))
		return;
	if (!address_print(sender, step->output->arena, &address) ||
	    !arena_print(step->output->arena, &field, "From: <%.*s>\r\n", TEXT_FORMAT(address)))
		ruin(step, NO_MEMORY);
	else
		give(step, field);
}

/* Whether From names several people. What cannot be understood names nobody that we could count. */
static bool has_several_authors(struct session_step *step, struct text authors)
{
	enum { ENOUGH = 2 };
	struct address list[ENOUGH];
	size_t count = 0;
	const enum error error = address_list_parse(authors, TEXT("invalid"), step->output->arena, list, ENOUGH, &count);

	return error == ERR_TOO_LARGE || (error == OK && count == ENOUGH);
}

static bool is_own(const struct session *session, struct text addresses)
{
	return session->settings->owns(session->settings->owns_context, session_login(session), addresses);
}

/* RFC 6409 §8.1: who hands in mail that others wrote is named as its Sender, unless it names him already. */
static bool wants_own_sender(const struct session *session, const struct header_edit *edit, bool readable, struct text authors)
{
	const struct text kept = header_edit_sender(edit);
	const size_t colon = text_find_byte(kept, ':');

	if (!edit->holds_sender || (readable && (authors.length == 0 || is_own(session, authors))))
		return false;
	return kept.length == 0 || !is_own(session, text_from(kept, colon + 1));
}

/* RFC 5322 §3.6.2: a message of several authors has a Sender. The null path is nobody's, so it sends none. */
static void add_sender(struct session_step *step)
{
	const struct session *session = step->session;
	const struct transaction *transaction = session->transaction;
	const struct address *sender = &transaction->message.envelope.reverse_path;
	const struct text kept = header_edit_sender(transaction->edit);
	const bool present = transaction->edit->holds_sender ? kept.length > 0 : transaction->header.has_sender;
	struct text authors = TEXT_EMPTY, address, field;
	const bool readable = header_edit_authors(transaction->edit, &authors);

	if (address_is_null(sender) ||
	    (!wants_own_sender(session, transaction->edit, readable, authors) &&
		(present || !readable || !has_several_authors(step, authors))))
		give(step, kept);
	else if (!address_print(sender, step->output->arena, &address) ||
	    !arena_print(step->output->arena, &field, "Sender: <%.*s>\r\n", TEXT_FORMAT(address)))
		ruin(step, NO_MEMORY);
	else
		give(step, field);
}

/* What the submitter left out and every message must have. */
static void add_missing_fields(struct session_step *step)
{
	const struct session *session = step->session;
	struct transaction *transaction = session->transaction;
	const struct envelope *envelope = &transaction->message.envelope;
	char date[DATE_TEXT_SIZE], id[QUEUE_ID_TEXT_SIZE];
	struct text field;

	if (transaction->edit == NULL)
		return;
	if (!transaction->header.has_from)
		add_author(step);
	add_sender(step);
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
	if (step->session->transaction->edit != NULL && !header->empty_line)
		give(step, TEXT("\r\n"));
	give_copy(step, header_scan_held(header));
}

/* What the header of our own users' mail becomes. */
static void edit_header(struct session_step *step, struct text *piece)
{
	enum { EDITED_MAX = 2 * SESSION_EDIT_UNIT + HEADER_EDIT_HELD_MAX + HEADER_EDIT_ADDED_MAX };
	struct transaction *transaction = step->session->transaction;
	enum header_event event = HEADER_PIECE;
	bool fits = true;
	struct text part;
	cleanup(buffer_done) struct buffer edited;

	must(piece->length <= SESSION_EDIT_UNIT);
	buffer_init(&edited, EDITED_MAX);
	while (fits && event != HEADER_END && piece->length > 0) {
		event = header_scan_next(&transaction->header, piece, &part);
		if (event == HEADER_PIECE || event == HEADER_HELD)
			fits = header_edit_piece(transaction->edit, &transaction->header, part, &edited);
		else if (event == HEADER_END)
			fits = header_edit_end(transaction->edit, &edited);
	}
	give_copy(step, buffer_text(&edited));
	if (!fits)
		ruin(step, NO_MEMORY);
	if (event == HEADER_END)
		end_header(step);
}

static void watch_header(struct session_step *step)
{
	if (step->session->transaction->header_bytes > SESSION_HEADER_MAX)
		ruin(step, VERDICT(552, 5, 3, 4, "The header of the message is too large"));
	if (step->session->transaction->header.received_count > SESSION_HOPS_MAX)
		ruin(step, VERDICT(554, 5, 4, 6, "Too many hops: this message goes round in a loop"));
}

static void finish_edit(struct session_step *step)
{
	cleanup(buffer_done) struct buffer edited;

	buffer_init(&edited, HEADER_EDIT_HELD_MAX + HEADER_EDIT_ADDED_MAX);
	if (header_edit_end(step->session->transaction->edit, &edited))
		give_copy(step, buffer_text(&edited));
	else
		ruin(step, NO_MEMORY);
}

void begin_header(struct session_step *step)
{
	const struct session *session = step->session;
	struct transaction *transaction = session->transaction;
	struct text domain = session->settings->domain;

	put_received(step);
	if (transaction->edit == NULL)
		return;
	const struct text login = session_login(session);
	const size_t at = text_find_byte_last(login, '@');

	if (at < login.length)
		domain = text_from(login, at + 1);
	header_edit_init(transaction->edit, domain);
	transaction->edit->holds_sender = login.length > 0 && session->settings->owns != NULL;
	transaction->header.split = true;
}

void pass_text(struct session_step *step, struct text piece)
{
	struct transaction *transaction = step->session->transaction;

	if (!transaction->header_done && transaction->edit != NULL)
		edit_header(step, &piece);
	while (!transaction->header_done && piece.length > 0) {
		const size_t length = piece.length;
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
		transaction->header_bytes += (uint32_t)(length - piece.length);
		if (transaction->header_bytes > SESSION_HEADER_MAX)
			break;
	}
	watch_header(step);
	give(step, piece);
}

void finish_text(struct session_step *step)
{
	struct transaction *transaction = step->session->transaction;
	struct header_scan *header = &transaction->header;

	if (transaction->header_done || transaction->ruin.code != 0)
		return;
	if (header->position == HEADER_VALUE && transaction->edit != NULL)
		pass_text(step, TEXT("\r\n")); /* BDAT ended inside a field; ours would become its end. */
	header_scan_finish(header);
	if (transaction->edit != NULL)
		finish_edit(step);
	end_header(step);
}
