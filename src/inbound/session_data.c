/* DATA and BDAT: the text of a message from the word to begin to the reply that ends it. */
#include "base/must.h"
#include "inbound/session_private.h"

/* -- Beginning ------------------------------------------------------------------------ */

/* RFC 5321 §3.3 leaves the choice between 503 and 554; RFC 2033 §4.2 does not. */
static struct verdict no_recipients(const struct session *session)
{
	if (session->transaction->refused_any && session->peer.role != SESSION_LMTP)
		return VERDICT(554, 5, 5, 1, "No valid recipients");
	return VERDICT(503, 5, 5, 1, "Give a recipient with RCPT first");
}

/* RFC 2920 §3.1: DATA ends what is pipelined. Who sends the text along with it, and is refused, would have it taken for
 * commands. Octets of BDAT are counted, so those that come unasked are dropped by their number (RFC 3030 §2). */
void leave_early_text(struct session_step *step)
{
	say_goodbye(step, VERDICT(421, 4, 5, 0, "Nothing may stand behind DATA before its answer"));
}

void refuse_data(struct session_step *step)
{
	complain(step, no_recipients(step->session));
}

void refuse_data_no_sender(struct session_step *step)
{
	complain(step, VERDICT(503, 5, 5, 1, "Give a sender with MAIL first"));
}

void begin_data(struct session_step *step)
{
	step->session->transaction->body = (struct body_scan){ .dots = true };
	step->session->transaction->followed = step->followed;
	step->session->state = STATE_BEGINNING;
	act(step, SESSION_BEGIN);
}

static bool too_large(const struct session *session, uint64_t more)
{
	const uint64_t size_max = session->settings->message_size_max;
	const uint64_t so_far = session->transaction->wire_bytes;

	return size_max > 0 && (so_far > size_max || more > size_max - so_far);
}

static struct chunk chunk_of(const struct session_step *step)
{
	const struct command_bdat *bdat = &step->command->bdat;

	return (struct chunk){ bdat->size, bdat->size, bdat->last, { 0 }, step->session->state };
}

/* A BDAT out of place: its octets come all the same (RFC 3030 §2), the reply stands behind them. */
void refuse_chunk(struct session_step *step)
{
	struct session *session = step->session;
	struct verdict refusal = VERDICT(503, 5, 5, 1, "Give a sender with MAIL first");

	if (lacks_tls(session, COMMAND_BDAT))
		refusal = TLS_FIRST;
	else if (session->state == STATE_CONNECTED)
		refusal = VERDICT(503, 5, 5, 1, "Say EHLO first");
	else if (session->state == STATE_SENDER)
		refusal = no_recipients(session);
	if (step->command->bdat.size == 0) {
		complain(step, refusal);
		return;
	}
	session->chunk = chunk_of(step);
	session->chunk.refusal = refusal;
	session->state = STATE_CHUNK;
}

void begin_chunk(struct session_step *step)
{
	struct transaction *transaction = step->session->transaction;

	step->session->chunk = chunk_of(step);
	transaction->chunked = true;
	transaction->body = (struct body_scan){ .dots = false };
	step->session->state = STATE_BEGINNING;
	act(step, SESSION_BEGIN);
}

/* -- The end --------------------------------------------------------------------------- */

/* The message is refused: said once, or with LMTP once for each recipient behind a final chunk or dot. */
static void end_refused(struct session_step *step, bool last)
{
	const struct verdict verdict = step->session->transaction->ruin;

	must(verdict.code != 0);
	if (last)
		say_of_message(step, verdict);
	else
		refuse(step, verdict, NULL);
	become_ready(step);
}

static void end_text(struct session_step *step)
{
	struct session *session = step->session;
	struct transaction *transaction = session->transaction;

	finish_text(step);
	if (transaction->ruin.code != 0) {
		end_refused(step, true);
		return;
	}
	must(transaction->begun);
	settle_priority(session);
	if (transaction->body.found & BODY_8BIT)
		transaction->message.envelope.flags |= ENVELOPE_8BIT;
	/* Who wants TLS all the way wants that, whatever the header says (RFC 8689 §4.1). */
	if (header_scan_waives_tls(&transaction->header) && !(transaction->message.envelope.flags & ENVELOPE_REQUIRETLS))
		transaction->message.envelope.flags |= ENVELOPE_TLS_WAIVED;
	struct session_action *question = await_verdict(step, SESSION_OF_MESSAGE);

	question->message = &transaction->message;
	if (transaction->edit != NULL)
		(void)!header_edit_authors(transaction->edit, &question->authors);
}

size_t message_judged(struct session_step *step)
{
	struct session *session = step->session;
	struct transaction *transaction = session->transaction;

	if (!verdict_is_success(&step->event->verdict)) {
		ruin(step, step->event->verdict);
		end_refused(step, true);
		return 0;
	}
	transaction->begun = false;
	session->state = STATE_STORING;
	struct session_action *commit = act(step, SESSION_COMMIT);

	commit->message = &transaction->message;
	commit->claim_key = transaction->claim_key;
	commit->claim_mark = transaction->claim_mark;
	commit->message_id = transaction->message_id.length > 0
	    ? transaction->message_id
	    : header_scan_message_id(&transaction->header);
	return 0;
}

size_t message_stored(struct session_step *step)
{
	struct session *session = step->session;
	const struct verdict verdict = step->event->verdict;

	must(verdict.code != 0);
	if (verdict_is_success(&verdict)) {
		session->error_count = session->junk_count = session->put_off_count = 0;
		session->dropped_bytes = 0;
	}
	say_of_message(step, verdict_with_priority(step, verdict));
	become_ready(step);
	return 0;
}

/* -- The text --------------------------------------------------------------------------- */

/* Why we refuse a message with a CR or LF of its own, and do not hang up or repair it: another server
 * may take LF . LF for the end of a message, so a message that holds it means different things to
 * different servers (SMTP smuggling). Repairing it would deliver what its sender may have meant to hide,
 * and 521 would also punish what was pipelined honestly behind the true end, which we do find. RFC 5321
 * §2.3.8 forbids such bytes. Programs of our own users write LF, though, and mean CRLF: that alone is
 * repaired, and only where no other server stands between. */
static void judge_findings(struct session_step *step)
{
	const struct session_peer *peer = &step->session->peer;
	const uint8_t found = step->session->transaction->body.found;
	const bool own_program = peer->role == SESSION_LOCAL || (peer->role == SESSION_SUBMISSION && peer->trusted);

	if (found & BODY_BARE_CR || (found & BODY_BARE_LF && !own_program))
		ruin(step, VERDICT(550, 5, 6, 0, "A message must not hold CR or LF alone, only CR LF"));
	if (found & BODY_LONG_LINE)
		ruin(step, VERDICT(550, 5, 6, 0, "A line of the message is too long"));
}

/* The next piece of `text`, or what ends it. Returns how many bytes that took. */
static size_t take_piece(struct session_step *step, struct text text, enum body_event *out_event)
{
	struct session *session = step->session;
	struct transaction *transaction = session->transaction;
	struct text rest, piece;

	if (transaction->edit != NULL && !transaction->header_done)
		text = text_part(text, 0, SESSION_EDIT_UNIT);
	rest = text;
	*out_event = body_scan_next(&transaction->body, &rest, &piece);
	judge_findings(step);
	if (*out_event == BODY_PIECE) {
		if (too_large(session, piece.length))
			ruin(step, VERDICT(552, 5, 3, 4, "Message size exceeds the limit"));
		transaction->wire_bytes += piece.length;
		if (transaction->ruin.code == 0)
			pass_text(step, piece);
	}
	return text.length - rest.length;
}

/* Text that will be refused is read to its end, to say so where the client listens, but not for ever. */
static void count_dropped(struct session_step *step, struct verdict refusal, size_t bytes)
{
	struct session *session = step->session;

	if (refusal.code == 0)
		return;
	session->dropped_bytes += bytes;
	if (session->dropped_bytes <= SESSION_DROPPED_MAX)
		return;
	act(step, SESSION_REFUSED)->verdict = refusal;
	say_goodbye(step, refusal);
}

size_t take_text(struct session_step *step)
{
	enum body_event event;
	const size_t taken = take_piece(step, step->event->bytes, &event);

	if (event == BODY_END)
		end_text(step);
	else
		count_dropped(step, step->session->transaction->ruin, taken);
	return taken;
}

/* A reply for each octet, or for none, is no way to send a message. */
static void count_chunk(struct session_step *step)
{
	struct transaction *transaction = step->session->transaction;

	if (++transaction->chunk_count > SESSION_CHUNKS_FREE &&
	    transaction->wire_bytes / transaction->chunk_count < SESSION_CHUNK_MEAN_MIN)
		say_goodbye(step, VERDICT(421, 4, 7, 0, "Too many small chunks"));
}

/* The last octet of a chunk is here. */
static void end_chunk(struct session_step *step)
{
	struct session *session = step->session;

	if (session->chunk.refusal.code != 0) {
		session->state = session->chunk.after;
		complain(step, session->chunk.refusal);
		return;
	}
	if (session->chunk.last) {
		body_scan_finish(&session->transaction->body);
		judge_findings(step);
		end_text(step);
	} else if (session->transaction->ruin.code != 0) {
		end_refused(step, false);
	} else {
		session->state = STATE_CHUNKS;
		say_format(step, "250 %s%llu octets received\r\n", session->extended ? "2.0.0 " : "",
		    (unsigned long long)session->chunk.size);
		count_chunk(step);
	}
}

size_t take_chunk(struct session_step *step)
{
	struct chunk *chunk = &step->session->chunk;
	const struct text octets = text_part(step->event->bytes, 0, chunk->left);
	enum body_event event;
	const size_t taken = chunk->refusal.code != 0 ? octets.length : take_piece(step, octets, &event);

	must(taken <= chunk->left);
	chunk->left -= taken;
	if (chunk->left == 0)
		end_chunk(step);
	else
		count_dropped(step, chunk->refusal.code != 0 ? chunk->refusal : step->session->transaction->ruin, taken);
	return taken;
}

/* The octets of a good chunk are to come. One too large is read to its end without being kept. */
static void enter_chunk(struct session_step *step)
{
	struct session *session = step->session;

	if (too_large(session, session->chunk.size))
		ruin(step, VERDICT(552, 5, 3, 4, "Message size exceeds the limit"));
	session->state = STATE_CHUNK;
	if (session->chunk.left == 0)
		end_chunk(step);
}

void next_chunk(struct session_step *step)
{
	step->session->chunk = chunk_of(step);
	enter_chunk(step);
}

size_t message_begun(struct session_step *step)
{
	struct session *session = step->session;
	struct transaction *transaction = session->transaction;
	const struct session_event *event = step->event;

	must(event->verdict.code != 0);
	if (verdict_is_success(&event->verdict)) {
		transaction->begun = true;
		transaction->message.envelope.id = event->id;
		transaction->message.envelope.arrived_ms = event->unix_ms;
		begin_header(step);
	} else {
		ruin(step, event->verdict);
	}
	if (transaction->chunked) {
		enter_chunk(step);
	} else if (transaction->ruin.code != 0) { /* Before 354: with LMTP one reply is right, too. */
		const bool followed = transaction->followed;

		end_refused(step, false);
		if (followed)
			leave_early_text(step);
	} else {
		session->state = STATE_TEXT;
		say_format(step, "354 End data with <CR><LF>.<CR><LF>\r\n");
	}
	return 0;
}
