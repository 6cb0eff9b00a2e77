/* The machine of the session: its diagram, its two tables, and the truths of its states.
 *
 *      NEW ──opened──► judging ──► CONNECTED ──EHLO──► READY ◄───────────────────────────┐
 *                                                        │ MAIL                          │
 *                                                     judging                            │
 *                                                        ▼                               │
 *                         judging ◄──RCPT── SENDER ◄─────┘                               │
 *                         │  │ ▲                                                         │
 *                  refused│  │ └──RCPT──┐                                                │
 *                   (back)│  │accepted  │                                                │
 *                         ▼  └────► RECIPIENTS ──DATA──► BEGINNING ──► TEXT ──CRLF.CRLF──┤
 *                                        │                   │                           ▼
 *                                        └──BDAT─────────────┤                  judging, then STORING
 *                                                            ▼                           ▲
 *                                        CHUNKS ──BDAT──►  CHUNK ──last octet of LAST────┘
 *                                           ▲                │
 *                                           └────────────────┘ last octet of another
 *
 *      READY ──STARTTLS──► judging ──► SECURING ──tls started──► CONNECTED
 *
 *      NEW ──opened──► judging ──► judging ──► SECURING, if TLS is implicit
 *
 *      READY ──AUTH──► PROVING ──answer──► READY      PROVING ──challenge──► RESPONSE ──line──► PROVING
 *
 *      CONNECTED, READY ──XCLIENT──► judging ──► CONNECTED
 *
 * Where "judging" stands the session is JUDGING, and session->question tells what waits for its verdict. A refused
 * client or handshake leads to CLOSED, a refused sender or message to READY.
 *
 * EHLO and RSET lead back to READY from every state that takes commands; QUIT, a time-out, the end of
 * the connection and too many errors lead to CLOSED from everywhere. A message that is refused at its
 * end, and a BDAT that is refused, lead to READY. The octets of a BDAT that is out of place run through
 * CHUNK as well, to keep in step, and lead back to where it was sent.
 *
 * Input bytes are consumed in the states that take commands, in TEXT and in CHUNK. JUDGING, BEGINNING,
 * PROVING and STORING wait for their answer (session.h S3), RESPONSE takes one line that is no command, SECURING for the handshake; from there READY is reached by
 * a new EHLO only (S8). */
#include "base/must.h"
#include "inbound/session_private.h"

#include <stdio.h>
#include <stdlib.h>

/* -- The table of commands ----------------------------------------------------- */

/* verb        CONNECTED           READY               SENDER              RECIPIENTS          CHUNKS */
#define COMMAND_TABLE(ROW)                                                                                           \
	ROW(HELO, greet_plain, greet_plain, greet_plain, greet_plain, greet_plain)                                   \
	ROW(EHLO, greet, greet, greet, greet, greet)                                                                 \
	ROW(LHLO, greet, greet, greet, greet, greet)                                                                 \
	ROW(MAIL, refuse_early, begin_transaction, refuse_nested, refuse_nested, refuse_nested)                      \
	ROW(RCPT, refuse_early, refuse_no_sender, add_recipient, add_recipient, refuse_chunks_open)                  \
	ROW(DATA, refuse_early, refuse_data_no_sender, refuse_data, begin_data, refuse_chunks_open)                       \
	ROW(BDAT, refuse_chunk, refuse_chunk, refuse_chunk, begin_chunk, next_chunk)                                 \
	ROW(RSET, noop, reset, reset, reset, reset)                                                                  \
	ROW(NOOP, noop, noop, noop, noop, noop)                                                                      \
	ROW(VRFY, verify, verify, verify, verify, verify)                                                            \
	ROW(EXPN, refuse_not_offered, refuse_not_offered, refuse_not_offered, refuse_not_offered,                    \
	    refuse_not_offered)                                                                                      \
	ROW(HELP, help, help, help, help, help)                                                                      \
	ROW(QUIT, quit, quit, quit, quit, quit)                                                                      \
	ROW(STARTTLS, refuse_early, start_tls, refuse_tls_now, refuse_tls_now, refuse_tls_now)                       \
	ROW(AUTH, refuse_early, begin_auth, refuse_auth_now, refuse_auth_now, refuse_auth_now)                       \
	ROW(XCLIENT, take_xclient, take_xclient, refuse_xclient_now, refuse_xclient_now, refuse_xclient_now)         \
	ROW(UNKNOWN, refuse_unknown, refuse_unknown, refuse_unknown, refuse_unknown, refuse_unknown)

static command_handler *const command_table[COMMAND_VERB_COUNT][STATE_COMMANDS] = {
#define ROW(verb, connected, ready, sender, recipients, chunks) \
	[COMMAND_##verb] = { connected, ready, sender, recipients, chunks },
	COMMAND_TABLE(ROW)
#undef ROW
};

/* -- The table of events --------------------------------------------------------- */

static event_handler open_session, judged, take_line, time_out, end, shut_down, leave_later, hold, swallow,
    abandon_late, ignore, never;

/*  state       OPENED, BYTES, JUDGED, BEGUN, STORED, TLS_STARTED, AUTH_ANSWERED, TIMED_OUT, ENDED, SHUT_DOWN */
#define EVENT_TABLE(ROW)                                                                                         \
	ROW(CONNECTED, never, take_line, never, never, never, never, never, time_out, end, shut_down)            \
	ROW(READY, never, take_line, never, never, never, never, never, time_out, end, shut_down)                \
	ROW(SENDER, never, take_line, never, never, never, never, never, time_out, end, shut_down)              \
	ROW(RECIPIENTS, never, take_line, never, never, never, never, never, time_out, end, shut_down)          \
	ROW(CHUNKS, never, take_line, never, never, never, never, never, time_out, end, shut_down)              \
	ROW(NEW, open_session, never, never, never, never, never, never, never, end, shut_down)                  \
	ROW(JUDGING, never, hold, judged, never, never, never, never, never, end, leave_later)         \
	ROW(BEGINNING, never, hold, never, message_begun, never, never, never, never, end, leave_later)          \
	ROW(TEXT, never, take_text, never, never, never, never, never, time_out, end, leave_later)               \
	ROW(CHUNK, never, take_chunk, never, never, never, never, never, time_out, end, leave_later)             \
	ROW(SECURING, never, refuse_clear_text, never, never, never, tls_started, never, end, end, end)          \
	ROW(RESPONSE, never, take_response, never, never, never, never, never, time_out, end, shut_down)         \
	ROW(PROVING, never, hold, never, never, never, never, auth_answered, never, end, leave_later)            \
	ROW(STORING, never, hold, never, never, message_stored, never, never, never, end, leave_later)           \
	ROW(CLOSED, never, swallow, ignore, abandon_late, ignore, ignore, ignore, ignore, ignore, ignore)

static event_handler *const event_table[STATE_COUNT][SESSION_EVENT_COUNT] = {
#define ROW(state, opened, bytes, judged, begun, stored, secured, proven, timed_out, ended, shut) \
	[STATE_##state] = { opened, bytes, judged, begun, stored, secured, proven, timed_out, ended, shut },
	EVENT_TABLE(ROW)
#undef ROW
};

/* -- The truths of the states -------------------------------------------------------- */

static bool judges(const struct session *session, enum session_question question)
{
	return session->state == STATE_JUDGING && session->question == question;
}

/* Nothing of a message is there yet. */
static bool judges_client(const struct session *session)
{
	return judges(session, SESSION_OF_CLIENT) || judges(session, SESSION_OF_HANDSHAKE);
}

void session_check(const struct session *session)
{
	const struct transaction *transaction = session->transaction;
	const enum session_state state = session->state;

	must(state < STATE_COUNT);
	must((session->arena != NULL) == (transaction != NULL));
	must((session->helo_length > 0) || state == STATE_CONNECTED || state == STATE_NEW ||
	    state == STATE_CLOSED || state == STATE_SECURING || judges_client(session) ||
	    (state == STATE_CHUNK && session->chunk.after == STATE_CONNECTED));
	must(!session->skipping || state < STATE_COMMANDS || state == STATE_CLOSED);
	if (state == STATE_CONNECTED || state == STATE_READY || state == STATE_NEW || state == STATE_CLOSED ||
	    state == STATE_SECURING || state == STATE_RESPONSE || state == STATE_PROVING ||
	    judges_client(session))
		must(transaction == NULL);
	if (state == STATE_SECURING)
		must(session->secured == NULL && session->helo_length == 0); /* S8 */
	if (state == STATE_RESPONSE || state == STATE_PROVING || (session->login != NULL && !session->login->told))
		must(session->secured != NULL); /* S10 */
	must(session->login == NULL || session->login->proven || state == STATE_RESPONSE || state == STATE_CLOSED);
	if (state == STATE_CHUNK)
		must(session->chunk.left > 0 && (transaction != NULL || session->chunk.refusal.code != 0));
	if (state == STATE_SENDER || state == STATE_TEXT || state == STATE_STORING ||
	    state == STATE_BEGINNING || state == STATE_RECIPIENTS || state == STATE_CHUNKS ||
	    (state == STATE_JUDGING && !judges_client(session)))
		must(transaction != NULL);
	if (transaction == NULL)
		return;

	const uint32_t count = transaction->message.recipient_count;

	must(count <= transaction->recipient_capacity && count <= session->settings->recipient_count_max);
	must((state == STATE_SENDER || judges(session, SESSION_OF_SENDER)) <= (count == 0));
	if (state == STATE_RECIPIENTS || state == STATE_BEGINNING || state == STATE_TEXT ||
	    state == STATE_CHUNKS || state == STATE_STORING || judges(session, SESSION_OF_MESSAGE))
		must(count > 0);
	if (state == STATE_TEXT || state == STATE_CHUNKS)
		must(transaction->begun != (transaction->ruin.code != 0)); /* S4 */
	if (state < STATE_CHUNKS || state == STATE_BEGINNING || state == STATE_STORING)
		must(!transaction->begun);
	if (state == STATE_JUDGING)
		must(transaction->begun == (session->question == SESSION_OF_MESSAGE));
	if (state == STATE_STORING || state == STATE_JUDGING)
		must(transaction->ruin.code == 0); /* S5 */
}

/* -- Stepping -------------------------------------------------------------------------- */

/* One unit (a line, a run of text) never makes more actions than this. */
enum { ACTIONS_OF_A_UNIT = 12 };

/* Nor takes it more of the arena: one command's parts; one message's trace header; a piece of a header that is edited. */
enum { ARENA_OF_A_STEP = 128 << 10, ARENA_OF_A_UNIT = 64 << 10 };
_Static_assert(2 * SESSION_EDIT_UNIT + HEADER_EDIT_HELD_MAX + HEADER_EDIT_ADDED_MAX < ARENA_OF_A_UNIT / 2, "an edit fits");
_Static_assert(SESSION_ACTION_MAX >= 2 * ACTIONS_OF_A_UNIT, "a step must get somewhere");

/* Room for one unit more: an EHLO reply, or LMTP's replies to all recipients, which have their own bound. */
static bool has_room(const struct session_output *output)
{
	return output->action_count + ACTIONS_OF_A_UNIT <= SESSION_ACTION_MAX &&
	    arena_used(output->arena) <= ARENA_OF_A_STEP - ARENA_OF_A_UNIT &&
	    output->replies.length < SESSION_REPLIES_MAX;
}

/* We want to go, and nothing is on its way any more. */
static void look_for_leave(struct session_step *step)
{
	if (step->session->leaving && step->session->state < STATE_COMMANDS)
		shut_down(step);
}

/* A reply that could not be said leaves the client out of step: only closing is honest. */
static void give_up_if_mute(struct session_step *step)
{
	if (step->session->mute && step->session->state != STATE_CLOSED)
		end(step);
}

/* One event, or one unit of bytes; returns how many bytes of it were taken. */
static size_t take_unit(struct session_step *step)
{
	const size_t taken = event_table[step->session->state][step->event->kind](step);

	look_for_leave(step);
	give_up_if_mute(step);
	session_check(step->session);
	return taken;
}

/* Consume what can be consumed, unit by unit. */
static size_t step_bytes(struct session_step *step)
{
	const struct text all = step->event->bytes;
	size_t consumed = 0;

	while (consumed < all.length && has_room(step->output)) {
		const struct session_event part = { .kind = SESSION_BYTES, .bytes = text_from(all, consumed) };
		struct session_step unit = { .session = step->session, .event = &part, .output = step->output };
		const size_t taken = take_unit(&unit);

		must(taken <= part.bytes.length);
		if (taken == 0)
			break;
		consumed += taken;
	}
	return consumed;
}

size_t session_step(
    struct session *session, const struct session_event *event, struct session_output *output)
{
	struct session_step step = { .session = session, .event = event, .output = output };

	must(event->kind < SESSION_EVENT_COUNT);
	output->action_count = 0;
	output->secret = false;
	arena_reset(output->arena);
	if (event->kind == SESSION_BYTES)
		return step_bytes(&step);
	(void)take_unit(&step);
	return 0;
}

/* Take the line (without its LF) as a command. */
static void take_command(struct session_step *step, struct text line)
{
	struct session *session = step->session;
	const bool utf8 = session->transaction != NULL &&
	    (session->transaction->message.envelope.flags & ENVELOPE_SMTPUTF8);
	struct command command;

	/* RFC 5321 §2.3.8: nothing but CRLF ends a line. */
	if (!text_ends(line, TEXT("\r"))) {
		complain(step, VERDICT(500, 5, 5, 2, "Lines end with CR LF"));
		return;
	}
	command_parse(text_part(line, 0, line.length - 1), utf8, step->output->arena, &command);
	step->command = &command;
	if (command.fault.code != 0)
		refuse_fault(step);
	else if (lacks_tls(session, command.verb) && command.verb != COMMAND_BDAT) /* Whose octets come all the same. */
		complain(step, TLS_FIRST);
	else
		command_table[command.verb][session->state](step);
	if (command.verb == COMMAND_DATA && step->followed && session->state != STATE_BEGINNING)
		leave_early_text(step);
	step->command = NULL;
}

/* A token may make AUTH long. Nobody else is granted that, nor is he who could not log in now. */
static size_t line_max(const struct session *session, struct text bytes)
{
	return session->state == STATE_READY && session->login == NULL && offered_mechanisms(session) != 0 &&
	        text_starts_nocase(bytes, TEXT("AUTH "))
	    ? COMMAND_AUTH_LINE_MAX
	    : COMMAND_LINE_MAX;
}

/* One line of a command, or as much of one as has no end in sight. */
static size_t take_line(struct session_step *step)
{
	struct session *session = step->session;
	const struct text bytes = step->event->bytes;
	const size_t max = session->skipping ? COMMAND_LINE_MAX : line_max(session, bytes);
	const size_t end = text_find_byte(text_part(bytes, 0, max), '\n');

	if (end < bytes.length && end < max) {
		step->followed = end + 1 < bytes.length;
		if (!session->skipping)
			take_command(step, text_part(bytes, 0, end));
		session->skipping = false;
		return end + 1;
	}
	if (session->skipping)
		return end;
	if (end < max)
		return 0; /* Its rest is still on the way. */
	session->skipping = true;
	complain(step, VERDICT(500, 5, 5, 2, "Line too long"));
	return end;
}

static size_t open_session(struct session_step *step)
{
	await_verdict(step, SESSION_OF_CLIENT);
	return 0;
}

static size_t judged(struct session_step *step)
{
	must(step->event->verdict.code != 0);
	switch (step->session->question) {
	case SESSION_OF_CLIENT:
		return client_judged(step);
	case SESSION_OF_HANDSHAKE:
		return handshake_judged(step);
	case SESSION_OF_SENDER:
		return sender_judged(step);
	case SESSION_OF_RECIPIENT:
		return recipient_judged(step);
	case SESSION_OF_MESSAGE:
		return message_judged(step);
	}
	must_fail("a question that nobody asked", __FILE__, __LINE__);
}

static size_t time_out(struct session_step *step)
{
	char words[128];
	struct verdict verdict = VERDICT(421, 4, 4, 2, "");
	const struct text how = step->event->text.length > 0 ? step->event->text : TEXT("Timeout");

	snprintf(words, sizeof words, "%.*s, closing the connection", TEXT_FORMAT(how));
	verdict.text = text_of(words);
	say_goodbye(step, verdict);
	return 0;
}

/* Nobody is left to hear a word. */
static size_t end(struct session_step *step)
{
	end_transaction(step);
	step->session->state = STATE_CLOSED;
	act(step, SESSION_CLOSE);
	return 0;
}

static size_t shut_down(struct session_step *step)
{
	say_goodbye(step, VERDICT(421, 4, 3, 2, "The service is shutting down"));
	return 0;
}

/* RFC 5321 §3.8 lets us go at any time. Between commands nobody loses by it; what is on its way, text that is
 * coming or an answer that is due, comes to its end first: see look_for_leave. */
static size_t leave_later(struct session_step *step)
{
	step->session->leaving = true;
	return 0;
}

static size_t hold(struct session_step *step)
{
	(void)step;
	return 0;
}

static size_t swallow(struct session_step *step)
{
	return step->event->bytes.length;
}

/* The word to begin came when nobody was there any more (session.h S4). */
static size_t abandon_late(struct session_step *step)
{
	if (verdict_is_success(&step->event->verdict))
		act(step, SESSION_ABANDON);
	return 0;
}

static size_t ignore(struct session_step *step)
{
	(void)step;
	return 0;
}

static size_t never(struct session_step *step)
{
	(void)step;
	must_fail("an event that cannot come in this state", __FILE__, __LINE__);
}

/* -- Making --------------------------------------------------------------------------------- */

struct session *session_new(const struct session_settings *settings, const struct session_peer *peer)
{
	must(settings->recipient_count_max >= 1 && settings->error_count_max >= 1);
	struct session *session = calloc(1, sizeof *session);

	if (session == NULL)
		return NULL;
	session->settings = settings;
	session->peer = *peer;
	session->state = STATE_NEW;
	return session;
}

void session_free(struct session *session)
{
	if (session == NULL)
		return;
	arena_free(session->arena);
	free(session->secured);
	free(session->login);
	free(session);
}

bool session_output_init(struct session_output *output)
{
	*output = (struct session_output){ .arena = arena_new(ARENA_OF_A_STEP) };
	/* A unit is begun below SESSION_REPLIES_MAX and may be LMTP's answer to every recipient. */
	buffer_init(&output->replies, SESSION_REPLIES_MAX + SESSION_TRANSACTION_MAX);
	return output->arena != NULL;
}

void session_output_done(struct session_output *output)
{
	buffer_done(&output->replies);
	arena_free(output->arena);
	output->arena = NULL;
}

bool session_awaits(const struct session *session)
{
	return session->state == STATE_JUDGING || session->state == STATE_BEGINNING ||
	    session->state == STATE_PROVING || session->state == STATE_STORING;
}

enum pace_phase session_phase(const struct session *session)
{
	switch (session->state) {
	case STATE_CONNECTED:
	case STATE_READY:
	case STATE_SENDER:
	case STATE_RECIPIENTS:
		return PACE_COMMANDS;
	case STATE_CHUNKS:
	case STATE_TEXT:
	case STATE_CHUNK:
		return PACE_TEXT;
	case STATE_SECURING:
	case STATE_RESPONSE:
		return PACE_PROOF;
	default:
		return PACE_OURS;
	}
}
