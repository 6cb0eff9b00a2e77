/* What each reply means, and how a transaction begins and ends. The diagram is in session.c. */
#include "outbound/session_private.h"

#include "base/must.h"

/* -- Between transactions ----------------------------------------------------- */

static bool is_spent(const struct client_session *session)
{
	const uint32_t announced = session->capabilities.mail_max;

	return session->transaction_count >= session->settings->messages_max ||
	    (session->messages_max > 0 && session->transaction_count >= session->messages_max) ||
	    (announced > 0 && session->transaction_count >= announced);
}

void client_say_quit(struct client_session *session)
{
	session->todo.ready = false;
	session->state = CLIENT_QUIT;
	client_send_line(session, TEXT("QUIT"));
}

/* The server waits for MAIL: go on with the delivery, wait for one, or leave. */
void client_rest(struct client_session *session)
{
	must(session->unanswered == 0);
	session->state = CLIENT_READY;
	if (session->delivery != NULL) {
		client_begin_transaction(session);
	} else if (is_spent(session)) {
		client_say_quit(session);
	} else {
		session->todo.ready = true;
	}
}

/* Every recipient of the transaction is settled or waits for another. `clean`: the server
 * has closed the transaction, too. */
static void conclude(struct client_session *session, bool clean)
{
	client_stop_sending(session);
	session->committed = false;
	if (client_next_marked(session, 0, MARK_WAITING) == session->delivery->message->recipient_count)
		client_session_finish(session);
	if (session->unanswered > 0) {
		session->state = CLIENT_SWALLOW;
	} else if (clean) {
		client_rest(session);
	} else {
		session->state = CLIENT_RSET;
		client_send_line(session, TEXT("RSET"));
	}
}

void client_begin_transaction(struct client_session *session)
{
	session->todo.ready = false;
	if (is_spent(session) || client_choose_recipients(session) == 0) {
		client_session_finish(session);
		client_rest(session);
		return;
	}
	session->send_cursor = session->reply_cursor = 0;
	session->accepted_count = session->chunk = 0;
	session->replied = session->data_sent = session->committed = session->oddly_accepted = false;
	session->reused = session->transaction_count > 0;
	body_writer_init(&session->body, !client_uses_bdat(session));
	session->state = CLIENT_MAIL;
	session->sending = SEND_MAIL;
	client_send_more(session);
}

/* The message cannot go this way at all. */
void client_refuse_all(struct client_session *session, const struct verdict *verdict)
{
	client_settle_marked(session, MARK_WAITING, verdict, false);
	client_session_finish(session);
	client_rest(session);
}

/* -- Replies: opening --------------------------------------------------------- */

void client_reply_unasked(struct client_session *session, const struct verdict *reply)
{
	client_session_out_of_step(session, reply);
}

void client_await_greeting(struct client_session *session)
{
	session->state = CLIENT_GREETING;
	session->unanswered = 1;
}

void client_say_hello(struct client_session *session)
{
	session->capabilities = (struct capabilities){ 0 }; /* O6 */
	session->state = CLIENT_EHLO;
	client_send_hello(session, session->settings->lmtp ? TEXT("LHLO") : TEXT("EHLO"));
}

void client_await_handshake(struct client_session *session)
{
	session->state = CLIENT_HANDSHAKE;
	session->todo.start_tls = true;
}

void client_reply_greeting(struct client_session *session, const struct verdict *reply)
{
	if (reply->code / 100 == 3) {
		client_session_out_of_step(session, reply);
	} else if (!verdict_is_success(reply)) {
		client_session_trouble(session, reply);
	} else {
		client_say_hello(session);
	}
}

/* The server knows us; the next step is TLS, if it is to be. */
static void greeted(struct client_session *session)
{
	const struct verdict missing = session->demand.whole_way
	    ? VERDICT(550, 5, 7, 10, "the message requires TLS all the way, and the host does not offer it")
	    : VERDICT(451, 4, 7, 4, "TLS is demanded, and the host does not offer it");
	const struct verdict not_beyond =
	    VERDICT(550, 5, 7, 30, "the message requires TLS all the way, which the host does not promise");

	if (session->tls[0] != '\0' && session->demand.whole_way &&
	    !capabilities_offer(&session->capabilities, CAPABILITY_REQUIRETLS)) {
		client_session_unsafe(session, &not_beyond);
	} else if (session->tls[0] != '\0' || session->demand.level == TLS_UNUSED) {
		client_introduced(session);
	} else if (capabilities_offer(&session->capabilities, CAPABILITY_STARTTLS)) {
		session->state = CLIENT_STARTTLS;
		client_send_line(session, TEXT("STARTTLS"));
	} else {
		session->todo.tls_not_offered = true;
		if (session->demand.level == TLS_OPPORTUNISTIC)
			client_introduced(session);
		else
			client_session_unsafe(session, &missing);
	}
}

/* RFC 5321 §3.2: a server that does not know EHLO answers 5yz, and is asked by HELO. */
void client_reply_ehlo(struct client_session *session, const struct verdict *reply)
{
	if (verdict_is_success(reply)) {
		greeted(session);
		return;
	}
	session->capabilities = (struct capabilities){ 0 };
	if (verdict_is_permanent(reply) && !session->settings->lmtp) {
		session->state = CLIENT_HELO;
		client_send_hello(session, TEXT("HELO"));
	} else {
		client_reply_helo(session, reply);
	}
}

void client_reply_helo(struct client_session *session, const struct verdict *reply)
{
	if (verdict_is_success(reply))
		greeted(session);
	else if (reply->code / 100 == 3)
		client_session_out_of_step(session, reply);
	else
		client_session_trouble(session, reply);
}

/* A server that offers TLS and then says no, for now or for good, still takes mail in clear text. */
void client_reply_starttls(struct client_session *session, const struct verdict *reply)
{
	session->todo.tls_not_offered = verdict_is_temporary(reply) || verdict_is_permanent(reply);
	if (reply->code == 220)
		client_await_handshake(session);
	else if (verdict_is_success(reply) || reply->code / 100 == 3)
		client_session_out_of_step(session, reply);
	else if (session->demand.level == TLS_OPPORTUNISTIC)
		client_introduced(session);
	else
		client_session_unsafe(session, reply);
}

/* -- Replies: the envelope ---------------------------------------------------- */

/* What a reply says about a message or recipient; 3yz where none belongs says nothing good. */
static struct verdict answer(const struct verdict *reply)
{
	struct verdict verdict = *reply;

	if (reply->code / 100 == 3) {
		verdict.code = 451;
		verdict.enhanced = (struct enhanced_code){ 4, 5, 0 };
	}
	return verdict;
}

void client_reply_mail(struct client_session *session, const struct verdict *reply)
{
	const struct verdict verdict = answer(reply);

	if (verdict_is_success(&verdict)) {
		session->state = CLIENT_RCPT;
		return;
	}
	client_settle_marked(session, MARK_WAITING | MARK_CHOSEN, &verdict, false);
	conclude(session, true);
}

/* "Too many recipients": the rest is welcome in another transaction. 552 is how RFC 821 said it; with another
 * enhanced code than x.5.3 it is about a full mailbox or disk (RFC 5321 §4.5.3.1.10). */
static bool is_too_many(const struct verdict *reply)
{
	const struct enhanced_code *enhanced = &reply->enhanced;

	return (reply->code == 452 || reply->code == 552) &&
	    (enhanced->class == 0 || (enhanced->subject == 5 && enhanced->detail == 3));
}

void client_reply_rcpt(struct client_session *session, const struct verdict *reply)
{
	const uint32_t count = session->delivery->message->recipient_count;
	const uint32_t position = client_next_marked(session, session->reply_cursor, MARK_CHOSEN);
	const struct verdict verdict = answer(reply);

	must(position < session->send_cursor);
	session->reply_cursor = position + 1;
	if (verdict_is_success(&verdict)) {
		session->marks[position] = MARK_ACCEPTED;
		session->accepted_count++;
	} else if (is_too_many(&verdict) && session->accepted_count > 0) {
		session->marks[position] = MARK_WAITING;
	} else {
		client_settle(session, position, &verdict);
	}
	if (client_next_marked(session, position + 1, MARK_CHOSEN) < count)
		return;
	if (session->accepted_count == 0)
		conclude(session, false);
	else
		session->state = client_uses_bdat(session) ? CLIENT_BDAT : CLIENT_DATA;
}

/* -- Replies: the body -------------------------------------------------------- */

static void settle_accepted(struct client_session *session, const struct verdict *reply, bool clean)
{
	const struct verdict verdict = answer(reply);

	client_settle_marked(session, MARK_ACCEPTED, &verdict, false);
	conclude(session, clean);
}

void client_reply_data(struct client_session *session, const struct verdict *reply)
{
	session->data_sent = false;
	if (reply->code == 354) {
		session->state = CLIENT_BODY;
		session->sending = SEND_BODY;
	} else if (verdict_is_success(reply) || reply->code / 100 == 3) {
		client_session_out_of_step(session, reply);
	} else {
		settle_accepted(session, reply, false);
	}
}

/* An answer before the body's end. What was refused early is refused, but the server still takes what we
 * send for the body: there is no way back but to hang up (O5). */
void client_reply_body(struct client_session *session, const struct verdict *reply)
{
	if (verdict_is_temporary(reply) || verdict_is_permanent(reply)) {
		client_settle_marked(session, MARK_ACCEPTED, reply, false);
		client_session_trouble(session, reply);
	} else {
		client_session_out_of_step(session, reply);
	}
}

void client_reply_dot(struct client_session *session, const struct verdict *reply)
{
	if (!session->settings->lmtp) {
		settle_accepted(session, reply, true);
		return;
	}
	const uint32_t position = client_next_marked(session, session->reply_cursor, MARK_ACCEPTED);
	const struct verdict verdict = answer(reply);

	session->reply_cursor = position + 1;
	client_settle(session, position, &verdict);
	if (session->unanswered == 0)
		conclude(session, true);
}

void client_reply_bdat(struct client_session *session, const struct verdict *reply)
{
	const bool last = session->sending == SEND_NOTHING && session->unanswered == 0;

	if (!verdict_is_success(reply))
		settle_accepted(session, reply, false);
	else if (last)
		settle_accepted(session, reply, true);
}

/* -- Replies: after a refusal -------------------------------------------------- */

/* Answers to what was sent ahead. A server that takes DATA all the same gets an empty message, which it
 * has nobody to give to (RFC 2920 §3.1), unless it accepted somebody: then we hang up. */
void client_reply_swallow(struct client_session *session, const struct verdict *reply)
{
	if (verdict_is_success(reply))
		session->oddly_accepted = true;
	if (session->unanswered > 0)
		return;
	if (session->data_sent && reply->code == 354) {
		session->data_sent = false;
		if (session->oddly_accepted || session->settings->lmtp)
			client_session_out_of_step(session, reply);
		else
			client_send_line(session, TEXT("."));
		return;
	}
	session->state = CLIENT_RSET;
	client_send_line(session, TEXT("RSET"));
}

void client_reply_rset(struct client_session *session, const struct verdict *reply)
{
	if (verdict_is_success(reply))
		client_rest(session);
	else
		client_session_out_of_step(session, reply);
}

void client_reply_quit(struct client_session *session, const struct verdict *reply)
{
	(void)reply;
	client_end(session);
}
