/* The client session's machine: events and replies.
 *
 *   CONNECTING ──► GREETING ──► EHLO ──► READY ◄─────────────────────────────────┐
 *                                │5yz     ▲ │ quit ──► QUIT ──► ENDED            │
 *                                ▼        │ │ send                               │
 *                               HELO ─────┘ ├──► SCAN ─┐ (8-bit body? only       │
 *                                           │          │  where 8BITMIME lacks)  │
 *                                           ▼          ▼                         │
 *     RSET ◄── SWALLOW ◄── refused ◄─────  MAIL ──► RCPT ──► DATA ──► BODY ──► DOT
 *      │          ▲                         │        │  └──► BDAT ───────────────┤
 *      │          └──── while answers ──────┴────────┘       (more chunks)       │
 *      └────────────────are still to come────────────────────────────────────────┘
 *
 * Where TLS is wanted it comes between EHLO and READY, or, from the first byte, before GREETING:
 *
 *     EHLO ──► STARTTLS ──220──► HANDSHAKE ──secured──► EHLO ──► READY
 *                 └──4yz, 5yz, and TLS is not demanded──────────► READY
 *     CONNECTING ──► HANDSHAKE ──secured──► GREETING
 *
 * Where a login is demanded AUTH stands before READY, and goes round with every 334 (RFC 4954).
 *
 * The state names the reply that comes next; the sender may be further along (session_private.h). A
 * delivery with more recipients than a transaction may hold goes round again from READY. From every
 * state: 421, a lost connection, a time-out and bytes that are no reply lead to ENDED. */
#include "outbound/session_private.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

typedef void chunk_handler(struct client_session *session, struct text bytes);

static chunk_handler chunk_unasked, chunk_scan, chunk_body;

struct state_row {
	size_t timeout_offset; /* Into client_timeouts. */
	client_reply_handler *on_reply;
	chunk_handler *on_chunk;
	const char *prose;
};

static const struct state_row state_rows[] = {
#define STATE(name, timeout, reply, chunk, prose) \
	[CLIENT_##name] = { offsetof(struct client_timeouts, timeout), client_reply_##reply, chunk_##chunk, prose },
	CLIENT_STATE_LIST(STATE)
#undef STATE
};

/* -- Truths ------------------------------------------------------------------ */

static void check(const struct client_session *session)
{
	const bool in_transaction = session->state >= CLIENT_MAIL && session->state <= CLIENT_BDAT;

	if (in_transaction || session->state == CLIENT_SCAN)
		must(session->delivery != NULL);
	if (in_transaction && session->state != CLIENT_BODY && session->state != CLIENT_BDAT)
		must(session->unanswered > 0);
	if (session->todo.want_chunk)
		must(session->state == CLIENT_SCAN || session->sending == SEND_BODY);
	must((session->login != NULL) == (session->state == CLIENT_AUTH) || session->state == CLIENT_ENDED);
	if (session->state >= CLIENT_READY && session->state < CLIENT_ENDED && session->demanded != NULL)
		must(session->logged_in); /* O7 */
	must(session->todo.ready == (session->state == CLIENT_READY));
	must(session->todo.ended == (session->state == CLIENT_ENDED));
}

/* The other side has this long for what comes next. */
static void restart_clock(struct client_session *session)
{
	const char *timeouts = (const char *)&session->settings->timeouts;

	check(session);
	if (session->state != CLIENT_READY && session->state != CLIENT_ENDED)
		session->todo.timeout_ms = *(const int64_t *)(timeouts + state_rows[session->state].timeout_offset);
}

/* -- Ends -------------------------------------------------------------------- */

void client_session_finish(struct client_session *session)
{
	session->delivery = NULL;
	session->marks = NULL;
	session->todo.finished = true;
}

void client_stop_sending(struct client_session *session)
{
	session->sending = SEND_NOTHING;
	session->todo.want_chunk = false;
}

void client_end(struct client_session *session)
{
	client_stop_sending(session);
	session->state = CLIENT_ENDED;
	session->todo.ended = true;
	session->todo.ready = false;
}

/* The connection is lost or useless. O4: what becomes of recipients in doubt was decided before. */
void client_session_trouble(struct client_session *session, const struct verdict *verdict)
{
	if (session->state == CLIENT_ENDED)
		return;
	session->todo.trouble = *verdict;
	session->todo.trouble.host = session->peer;
	session->todo.login_failed = session->state == CLIENT_AUTH;
	if (session->delivery != NULL) {
		if (session->committed && !session->todo.stale)
			client_settle_marked(session, MARK_CHOSEN | MARK_ACCEPTED, verdict, true);
		client_session_finish(session);
	}
	session->committed = session->todo.final = false;
	buffer_clear(&session->out); /* Perhaps half a command. */
	client_end(session);
}

void client_session_unsafe(struct client_session *session, const struct verdict *verdict)
{
	session->todo.unsafe = true;
	client_session_trouble(session, verdict);
}

void client_session_trouble_print(
    struct client_session *session, unsigned subject, unsigned detail, const char *format, ...)
{
	struct verdict verdict = { .code = 451, .enhanced = { 4, (uint16_t)subject, (uint16_t)detail } };
	va_list list;

	va_start(list, format);
	vsnprintf(session->trouble_text, sizeof session->trouble_text, format, list);
	va_end(list);
	verdict.text = text_of(session->trouble_text);
	client_session_trouble(session, &verdict);
}

/* The other side does not speak SMTP as we do: nothing it says can be trusted to belong to what we said. */
void client_session_out_of_step(struct client_session *session, const struct verdict *reply)
{
	client_session_trouble_print(session, 5, 0, "unexpected reply while %s: %u %.*s", state_rows[session->state].prose,
	    reply->code, TEXT_FORMAT(reply->text));
}

/* -- Chunks --------------------------------------------------------------------- */

static void chunk_unasked(struct client_session *session, struct text bytes)
{
	(void)session;
	(void)bytes;
	must(false); /* The shell gives only what was asked for. */
}

static void chunk_body(struct client_session *session, struct text bytes)
{
	client_send_chunk(session, bytes);
}

static void chunk_scan(struct client_session *session, struct text bytes)
{
	if (!text_is_ascii(bytes)) {
		const struct verdict verdict =
		    VERDICT(554, 5, 6, 3, "the message holds 8-bit text, which the server does not take");

		session->todo.want_chunk = false;
		client_refuse_all(session, &verdict);
	} else if (++session->todo.chunk == session->delivery->message->envelope.chunk_count) {
		session->todo.want_chunk = false;
		client_begin_transaction(session);
	}
}

/* -- Events ----------------------------------------------------------------------- */

struct client_session *client_session_new(
    const struct client_settings *settings, struct text peer, struct tls_demand tls)
{
	struct client_session *session = calloc(1, sizeof *session);

	if (session == NULL)
		return NULL;
	session->settings = settings;
	session->peer = peer;
	session->demand = tls;
	session->scratch = arena_new(16384);
	if (session->scratch == NULL) {
		free(session);
		return NULL;
	}
	buffer_init(&session->out, CLIENT_OUTPUT_MAX);
	reply_parser_init(&session->parser);
	return session;
}

void client_session_limit_messages(struct client_session *session, uint32_t messages_max)
{
	session->messages_max = messages_max;
}

void client_session_free(struct client_session *session)
{
	if (session == NULL)
		return;
	sasl_login_free(session->login);
	arena_free(session->scratch);
	buffer_done(&session->out);
	free(session);
}

void client_session_introduce_as(struct client_session *session, struct text hostname)
{
	must(session->state == CLIENT_CONNECTING);
	session->hostname = hostname;
}

void client_session_demand_login(struct client_session *session, const struct client_login *login)
{
	must(session->state == CLIENT_CONNECTING && session->demanded == NULL);
	session->demanded = login;
	buffer_init_secret(&session->out, CLIENT_OUTPUT_MAX);
}

/* O4 */
static bool is_stale(const struct client_session *session)
{
	return session->delivery != NULL && session->reused && !session->replied;
}

void client_session_connected(struct client_session *session)
{
	must(session->state == CLIENT_CONNECTING);
	if (session->demand.implicit)
		client_await_handshake(session);
	else
		client_await_greeting(session);
	restart_clock(session);
}

void client_session_secured(struct client_session *session, struct text tls)
{
	must(session->state == CLIENT_HANDSHAKE);
	snprintf(session->tls, sizeof session->tls, "%.*s", TEXT_FORMAT(tls));
	reply_parser_init(&session->parser);
	if (session->demand.implicit)
		client_await_greeting(session);
	else
		client_say_hello(session);
	if (session->state != CLIENT_ENDED)
		restart_clock(session);
}

void client_session_tls_failed(struct client_session *session, struct text reason)
{
	must(session->state == CLIENT_HANDSHAKE);
	session->todo.clear_text_may_do = session->demand.level == TLS_OPPORTUNISTIC;
	session->todo.unsafe = !session->todo.clear_text_may_do;
	client_session_trouble_print(session, 7, 5, "TLS cannot be had: %.*s", TEXT_FORMAT(reason));
}

/* 421 may come at any time, and ends everything (RFC 5321 §3.8). Where it answers MAIL or RCPT the body that
 * was sent ahead is not taken: nobody is in doubt. */
static void on_service_ends(struct client_session *session, const struct verdict *reply)
{
	if (session->state == CLIENT_MAIL || session->state == CLIENT_RCPT)
		session->committed = false;
	session->todo.stale = is_stale(session);
	client_session_trouble(session, reply);
}

static void on_reply(struct client_session *session)
{
	const struct verdict reply = reply_verdict(&session->parser);

	if (reply.code == 421) {
		on_service_ends(session, &reply);
		return;
	}
	session->replied = true;
	if (session->unanswered > 0)
		session->unanswered--;
	state_rows[session->state].on_reply(session, &reply);
	if (session->state != CLIENT_ENDED)
		client_send_more(session);
}

void client_session_bytes(struct client_session *session, struct text bytes)
{
	bool news = false;

	while (bytes.length > 0 && session->state != CLIENT_ENDED) {
		if (session->state == CLIENT_HANDSHAKE) { /* O6 */
			client_session_trouble_print(session, 5, 0, "bytes in clear text behind the answer to STARTTLS");
			break;
		}
		const enum reply_event event = reply_parser_feed(&session->parser, &bytes);

		/* The first line of the answer to EHLO is the server's name. */
		if ((event == REPLY_LINE || event == REPLY_DONE) && session->state == CLIENT_EHLO &&
		    reply_line_count(&session->parser) > 1)
			capabilities_add_line(&session->capabilities, reply_line(&session->parser));
		if (event == REPLY_DONE)
			on_reply(session);
		else if (event == REPLY_BROKEN)
			client_session_trouble_print(session, 5, 0, "not an SMTP reply, or too long, while %s",
			    state_rows[session->state].prose);
		news = news || event == REPLY_DONE;
	}
	if (news)
		restart_clock(session);
}

/* RFC 3463 §3.5: X.4.1 no answer from host, X.4.2 bad connection. */
static unsigned detail_of(const struct client_session *session)
{
	return session->state == CLIENT_CONNECTING ? 1 : 2;
}

void client_session_closed(struct client_session *session, enum error reason)
{
	if (session->state == CLIENT_READY || session->state == CLIENT_QUIT) {
		client_end(session);
		return;
	}
	session->todo.stale = is_stale(session);
	if (reason == ERR_DESCRIPTORS || reason == ERR_NO_MEMORY) /* X.3.2: we are not up to it, whatever the host is. */
		client_session_trouble_print(session, 3, 2, "%s while %s", error_text(reason), state_rows[session->state].prose);
	else
		client_session_trouble_print(session, 4, detail_of(session), "%s while %s", error_text(reason), state_rows[session->state].prose);
}

void client_session_timed_out(struct client_session *session)
{
	if (session->state == CLIENT_READY || session->state == CLIENT_QUIT)
		client_end(session);
	else if (session->state == CLIENT_HANDSHAKE)
		client_session_tls_failed(session, TEXT("timed out"));
	else
		client_session_trouble_print(session, 4, detail_of(session), "timed out while %s", state_rows[session->state].prose);
}

void client_session_chunk(struct client_session *session, struct text bytes)
{
	must(session->todo.want_chunk);
	state_rows[session->state].on_chunk(session, bytes);
	if (session->state != CLIENT_ENDED)
		restart_clock(session);
}

void client_session_chunk_failed(struct client_session *session, const struct verdict *verdict)
{
	must(session->todo.want_chunk);
	must(!session->committed);
	session->host = TEXT_EMPTY; /* It is us who say so. */
	client_settle_marked(session, MARK_WAITING | MARK_CHOSEN | MARK_ACCEPTED, verdict, false);
	client_session_trouble(session, verdict);
}

/* Recipients that have their outcome are not ours (O2). False: no memory. */
static bool take_delivery(struct client_session *session, struct delivery *delivery)
{
	const uint32_t count = delivery->message->recipient_count;

	session->delivery = delivery;
	delivery->tls = TEXT("none");
	if (session->tls[0] != '\0' && !arena_copy(delivery->arena, text_of(session->tls), &delivery->tls))
		return false;
	session->marks = arena_alloc(delivery->arena, count);
	if (session->marks == NULL || !arena_copy(delivery->arena, session->peer, &session->host))
		return false;
	for (uint32_t i = 0; i < count; i++)
		session->marks[i] = delivery->outcomes[i].verdict.code == 0 ? MARK_WAITING : MARK_SETTLED;
	return true;
}

void client_session_send(struct client_session *session, struct delivery *delivery)
{
	const struct envelope *envelope = &delivery->message->envelope;

	must(session->todo.ready);
	must(session->delivery == NULL);
	session->todo.ready = false;
	session->reused = session->transaction_count > 0;
	session->replied = false;
	if (!take_delivery(session, delivery)) {
		const struct verdict verdict = VERDICT(451, 4, 3, 0, "out of memory");

		session->delivery = NULL;
		session->todo.finished = true;
		client_session_trouble(session, &verdict);
		return;
	}
	const struct verdict unsuitable = client_unsuitable(session);

	if (unsuitable.code != 0) {
		client_refuse_all(session, &unsuitable);
	} else if ((envelope->flags & ENVELOPE_8BIT) && envelope->chunk_count > 0 &&
	    !capabilities_offer(&session->capabilities, CAPABILITY_8BITMIME)) {
		session->state = CLIENT_SCAN;
		session->todo.want_chunk = true;
		session->todo.chunk = 0;
	} else {
		client_begin_transaction(session);
	}
	if (session->state != CLIENT_ENDED)
		restart_clock(session);
}

void client_session_quit(struct client_session *session)
{
	must(session->todo.ready);
	client_say_quit(session);
	if (session->state != CLIENT_ENDED)
		restart_clock(session);
}

/* -- What to do ---------------------------------------------------------------------- */

const struct client_todo *client_session_todo(struct client_session *session)
{
	session->todo.write = buffer_text(&session->out);
	return &session->todo;
}

void client_session_did(struct client_session *session)
{
	/* An idle connection keeps no room for a body. */
	if (session->state == CLIENT_READY)
		buffer_release(&session->out);
	else
		buffer_clear(&session->out);
	session->todo.write = TEXT_EMPTY;
	session->todo.final = session->todo.finished = session->todo.start_tls = session->todo.logged_in = false;
	session->todo.tls_not_offered = false;
	session->todo.timeout_ms = 0;
}

bool client_session_at_stake(const struct client_session *session, uint32_t position)
{
	return session->committed && (session->marks[position] & (MARK_CHOSEN | MARK_ACCEPTED)) != 0;
}

const struct capabilities *client_session_capabilities(const struct client_session *session)
{
	return &session->capabilities;
}
