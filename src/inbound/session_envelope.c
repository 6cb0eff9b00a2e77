/* MAIL and RCPT: how an envelope comes to be, and how it goes. */
#include "base/must.h"
#include "inbound/session_private.h"

#define NO_MEMORY VERDICT(452, 4, 3, 1, "Insufficient system resources")

void end_transaction(struct session_step *step)
{
	struct session *session = step->session;

	if (session->transaction == NULL)
		return;
	if (session->transaction->begun)
		act(step, SESSION_ABANDON);
	arena_free(session->arena);
	session->arena = NULL;
	session->transaction = NULL;
}

void become_ready(struct session_step *step)
{
	struct session *session = step->session;

	if (session->state == STATE_CLOSED)
		return;
	end_transaction(step);
	session->state = STATE_READY;
}

static bool copy_address(struct arena *arena, const struct address *from, struct address *out_address)
{
	return arena_copy(arena, from->local, &out_address->local) &&
	    arena_copy(arena, from->domain, &out_address->domain);
}

/* When it is to go and to be there, counted from now, which is known with the sender's verdict. */
static void note_times(struct session *session, const struct command_mail *mail)
{
	struct transaction *transaction = session->transaction;
	struct envelope *envelope = &transaction->message.envelope;

	transaction->held_for = mail->hold_s > 0;
	envelope->held_until_ms = transaction->held_for ? mail->hold_s * 1000LL : mail->hold_until_ms;
	transaction->by = mail->by;
	envelope->deliver_by_ms = mail->by_s * 1000LL;
	if (mail->by_return)
		envelope->flags |= ENVELOPE_BY_RETURN;
	if (mail->by_trace)
		envelope->flags |= ENVELOPE_BY_TRACE;
}

/* RFC 4865 §4.1; code 0: well. */
static struct verdict settle_times(struct session *session, int64_t now_ms)
{
	struct transaction *transaction = session->transaction;
	struct envelope *envelope = &transaction->message.envelope;

	if (transaction->held_for)
		envelope->held_until_ms += now_ms;
	if (transaction->by)
		envelope->deliver_by_ms += now_ms;
	if (envelope->held_until_ms > now_ms + session->settings->hold_ms_max)
		return VERDICT(501, 5, 5, 4, "Held for longer than is allowed");
	if ((envelope->flags & ENVELOPE_BY_RETURN) && envelope->deliver_by_ms <= envelope->held_until_ms)
		return VERDICT(501, 5, 5, 4, "Held for longer than it is wanted");
	return (struct verdict){ 0 };
}

/* Into the transaction's own arena: what the command says dies with its step. */
static bool fill_envelope(struct session *session, const struct command_mail *mail)
{
	struct envelope *envelope = &session->transaction->message.envelope;

	note_times(session, mail);
	note_priority(session, mail);
	if (mail->requires_tls)
		envelope->flags |= ENVELOPE_REQUIRETLS;
	if (mail->smtputf8)
		envelope->flags |= ENVELOPE_SMTPUTF8;
	if (mail->body_8bit)
		envelope->flags |= ENVELOPE_8BIT;
	envelope->dsn_return = mail->dsn_return;
	envelope->client = session_client_text(session, session->arena);
	return arena_copy(session->arena, mail->claim_key, &session->transaction->claim_key) &&
	    arena_copy(session->arena, mail->claim_mark, &session->transaction->claim_mark) && envelope->client.length > 0 && arena_copy(session->arena, session_user(session), &envelope->user) &&
	    copy_address(session->arena, &mail->reverse_path, &envelope->reverse_path) &&
	    arena_copy(session->arena, mail->envelope_id, &envelope->envelope_id);
}

/* RFC 4865 §4: a matter between a user and his submission server. */
bool may_hold(const struct session *session)
{
	return session->settings->hold_ms_max > 0 && session_is_trusted(session) &&
	    (session->peer.role == SESSION_SUBMISSION || session->peer.role == SESSION_LOCAL);
}

/* Mail of our own users is completed (RFC 6409 §8); other people's is passed on as it is. */
static bool edits_header(const struct session *session)
{
	return session->peer.role == SESSION_SUBMISSION || session->peer.role == SESSION_LOCAL;
}

/* Now, because recipients may take all the rest of the arena. */
static bool open_edit(struct session *session)
{
	if (!edits_header(session))
		return true;
	session->transaction->edit = arena_alloc(session->arena, sizeof *session->transaction->edit);
	return session->transaction->edit != NULL;
}

static bool open_transaction(struct session *session, const struct command_mail *mail)
{
	session->arena = arena_new(SESSION_TRANSACTION_MAX);
	if (session->arena != NULL)
		session->transaction = arena_alloc(session->arena, sizeof *session->transaction);
	if (session->transaction != NULL && open_edit(session) && fill_envelope(session, mail))
		return true;
	arena_free(session->arena);
	session->arena = NULL;
	session->transaction = NULL;
	return false;
}

/* What was not offered to this client is unknown. */
static bool may_say(const struct session *session, const struct command_mail *mail)
{
	return (!mail->holds || may_hold(session)) && (!mail->requires_tls || offers_requiretls(session)) &&
	    (mail->claim_key.length == 0 || session->peer.role == SESSION_LOCAL);
}

void begin_transaction(struct session_step *step)
{
	struct session *session = step->session;
	const struct command_mail *mail = &step->command->mail;
	const uint64_t size_max = session->settings->message_size_max;

	if (session->peer.role == SESSION_SUBMISSION && !session_is_trusted(session)) {
		refuse(step, VERDICT(530, 5, 7, 0, "Authentication required"), NULL);
	} else if (size_max > 0 && mail->size > size_max) { /* RFC 1870 §6.1 */
		refuse(step, VERDICT(552, 5, 3, 4, "Message size exceeds the limit"), NULL);
	} else if (!may_say(session, mail)) {
		complain(step, VERDICT(555, 5, 5, 4, "Parameter not recognized"));
	} else if (!open_transaction(session, mail)) {
		refuse(step, NO_MEMORY, NULL);
	} else {
		await_verdict(step, SESSION_OF_SENDER)->sender = &session->transaction->message.envelope.reverse_path;
	}
}

size_t sender_judged(struct session_step *step)
{
	struct session *session = step->session;
	const struct verdict *verdict = &step->event->verdict;
	const struct verdict fault =
	    verdict_is_success(verdict) ? settle_times(session, step->event->unix_ms) : *verdict;

	if (fault.code == 0) {
		session->state = STATE_SENDER;
		say(step, VERDICT(250, 2, 1, 0, "Sender ok"));
	} else {
		refuse(step, fault, NULL);
		become_ready(step);
	}
	return 0;
}

/* Room for one recipient more. Doubling wastes half of the arena's part for them at most. */
static bool grow_recipients(struct session *session)
{
	struct transaction *transaction = session->transaction;
	const uint32_t count = transaction->message.recipient_count;

	if (count < transaction->recipient_capacity)
		return true;
	const uint32_t capacity = count == 0 ? 1 : count * 2;
	struct recipient *recipients = arena_array(session->arena, capacity, sizeof *recipients);

	if (recipients == NULL)
		return false;
	if (count > 0)
		memcpy(recipients, transaction->message.recipients, count * sizeof *recipients);
	transaction->message.recipients = recipients;
	transaction->recipient_capacity = capacity;
	return true;
}

/* The log hears of the first only: there may be thousands. */
static void refuse_another(struct session_step *step)
{
	struct transaction *transaction = step->session->transaction;
	const struct verdict verdict = VERDICT(452, 4, 5, 3, "Too many recipients");
	const bool told = transaction->overflowed;

	transaction->overflowed = true;
	if (told)
		complain(step, verdict);
	else
		refuse(step, verdict, NULL);
}

void add_recipient(struct session_step *step)
{
	struct session *session = step->session;
	struct transaction *transaction = session->transaction;
	const struct command_rcpt *rcpt = &step->command->rcpt;
	const uint32_t count = transaction->message.recipient_count;

	/* RFC 5321 §4.5.3.1.10: 452, so that the client sends the rest in another transaction. */
	if (count >= session->settings->recipient_count_max) {
		refuse_another(step);
		return;
	}
	transaction->pending = (struct recipient){ .index = count, .notify = rcpt->notify };
	if (!grow_recipients(session) ||
	    !copy_address(session->arena, &rcpt->forward_path, &transaction->pending.address) ||
	    !arena_copy(session->arena, rcpt->original, &transaction->pending.original)) {
		refuse(step, NO_MEMORY, NULL);
		return;
	}
	await_verdict(step, SESSION_OF_RECIPIENT)->recipient = &transaction->pending.address;
}

size_t recipient_judged(struct session_step *step)
{
	struct session *session = step->session;
	struct transaction *transaction = session->transaction;
	struct message *message = &transaction->message;
	const struct verdict verdict = step->event->verdict;

	must(message->recipient_count < transaction->recipient_capacity);
	if (verdict_is_success(&verdict)) {
		message->recipients[message->recipient_count++] = transaction->pending;
		session->state = STATE_RECIPIENTS;
		say(step, VERDICT(250, 2, 1, 5, "Recipient ok"));
	} else {
		transaction->refused_any = true;
		session->state = message->recipient_count > 0 ? STATE_RECIPIENTS : STATE_SENDER;
		refuse(step, verdict, &transaction->pending.address);
	}
	return 0;
}

void refuse_nested(struct session_step *step)
{
	complain(step, VERDICT(503, 5, 5, 1, "A sender was given already"));
}

void refuse_no_sender(struct session_step *step)
{
	complain(step, VERDICT(503, 5, 5, 1, "Give a sender with MAIL first"));
}

/* RFC 3030 §2: between chunks only BDAT goes on, and RSET back. */
void refuse_chunks_open(struct session_step *step)
{
	complain(step, VERDICT(503, 5, 5, 1, "A message sent by BDAT is not complete"));
}
