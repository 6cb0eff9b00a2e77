/* One stream and its session: bytes in, actions done, replies out. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/must.h"
#include "inbound/arrival.h"
#include "inbound/connection_private.h"

enum {
	PAUSE_ABOVE = 64 << 10, /* Bytes of input that may wait for an answer of ours. */
	DEAF_ABOVE = 64 << 10   /* Bytes of replies that may wait to be read, until no more is taken. */
};

/* -- Life -------------------------------------------------------------------------- */

static void link_connection(struct inbound *inbound, struct connection *connection)
{
	connection->next = inbound->connections;
	if (connection->next != NULL)
		connection->next->previous = connection;
	inbound->connections = connection;
	inbound->connection_count++;
}

static void unlink_connection(struct connection *connection)
{
	struct inbound *inbound = connection->inbound;

	if (connection->previous != NULL)
		connection->previous->next = connection->next;
	else
		inbound->connections = connection->next;
	if (connection->next != NULL)
		connection->next->previous = connection->previous;
	inbound->connection_count--;
}

struct connection *connection_next(const struct connection *connection)
{
	return connection->next;
}

void connection_free(struct connection *connection)
{
	struct inbound *inbound = connection->inbound;

	unlink_connection(connection);
	vetting_free(connection->vetting);
	connection_release(connection);
	connection_forget_client(connection);
	connection_discharge(connection);
	if (connection->intake != NULL)
		intake_abandon(connection->intake);
	arrival_free(connection->arrival);
	stream_free(connection->stream);
	if (connection->timer != NULL)
		loop_timer_free(connection->timer);
	loop_timer_free(connection->hold);
	sasl_dialogue_free(connection->login);
	session_free(connection->session);
	buffer_done(&connection->input);
	buffer_done(&connection->late);
	inbound_snapshot_unref(connection->snapshot);
	free(connection);
	inbound_look_drained(inbound);
}

static void count(struct connection *connection, enum counter counter)
{
	if (connection->inbound->wiring.counters != NULL)
		counters_add(connection->inbound->wiring.counters, counter, 1);
}


/* -- The way of the bytes ---------------------------------------------------------------- */

/* What a client lets us say without reading it is bounded: then it has to read first. */
static bool is_deaf(const struct connection *connection)
{
	const size_t backlog = stream_backlog(connection->stream);

	return backlog > DEAF_ABOVE || (backlog > 0 && inbound_is_short(connection->inbound));
}

static bool may_consume(const struct connection *connection)
{
	return !connection->over && !connection->held && !session_awaits(connection->session) && !is_deaf(connection) &&
	    (connection->intake == NULL || !intake_is_congested(connection->intake));
}

/* Returns how many bytes the session took. */
static size_t consume(struct connection *connection, struct text bytes)
{
	size_t consumed = 0;

	while (consumed < bytes.length && may_consume(connection)) {
		const struct session_event event = { .kind = SESSION_BYTES, .bytes = text_from(bytes, consumed) };
		const bool in_text = session_phase(connection->session) == PACE_TEXT;
		const size_t taken = connection_step(connection, &event);

		if (in_text)
			pace_text(&connection->pace, taken);
		consumed += taken;
		if (taken == 0) /* Half a line, or so many replies that they must be sent first. */
			break;
	}
	return consumed;
}

/* Nothing waits any more. False: the stream is broken. */
static bool send_late(struct connection *connection)
{
	const bool sent = connection->late.length == 0 || stream_write(connection->stream, buffer_text(&connection->late));

	connection_release(connection);
	buffer_release(&connection->late);
	return sent;
}

/* All replies of the steps just made go out in one write, or wait. False: the stream is broken. */
static bool send_replies(struct connection *connection)
{
	struct buffer *replies = &connection->inbound->output.replies;
	bool sent;

	if (connection->held)
		sent = buffer_append(&connection->late, buffer_text(replies));
	else
		sent = replies->length == 0 || stream_write(connection->stream, buffer_text(replies));

	if (replies->capacity > SESSION_REPLIES_MAX)
		buffer_release(replies);
	else
		buffer_clear(replies);
	return sent;
}

/* The session ended: say what is left, then go. */
static void leave(struct connection *connection, bool sound)
{
	if (sound && connection->stream != NULL)
		stream_finish(take(connection->stream), INBOUND_LINGER_MS);
	connection_free(connection);
}

static enum pace_phase phase_of(const struct connection *connection)
{
	const enum pace_phase phase = session_phase(connection->session);

	if (phase == PACE_OURS || connection->over)
		return PACE_OURS;
	if (is_deaf(connection))
		return PACE_DEAF;
	return may_consume(connection) ? phase : PACE_OURS;
}

static void set_timer(struct connection *connection, bool progressed)
{
	const bool endless = session_skips(connection->session);
	const struct pace_facts facts = { .phase = phase_of(connection),
		.progressed = progressed,
		.in_line = endless || connection->input.length > 0,
		.endless = endless,
		.now_ms = loop_now_ms(connection->inbound->wiring.loop) };
	const int64_t left_ms = pace_step(&connection->pace, &connection->snapshot->pace, &facts);

	if (left_ms > 0)
		loop_timer_set(connection->timer, left_ms);
	else
		loop_timer_stop(connection->timer);
}

/* Read on, or not: held input is bounded, and so is what the spool has not got yet. */
static void set_reading(struct connection *connection)
{
	/* What comes before the filter of an implicit TLS is there is for the filter. */
	const bool early = connection->implicit && connection->filter == NULL;
	const bool full = early || (!may_consume(connection) &&
	    (connection->input.length > PAUSE_ABOVE || !session_awaits(connection->session) ||
		inbound_is_short(connection->inbound)));

	if (full == connection->paused)
		return;
	connection->paused = full;
	if (full)
		stream_pause(connection->stream);
	else
		stream_resume(connection->stream);
}

/* -- TLS ---------------------------------------------------------------------------------- */

/* False: no memory; or a reload has taken the certificate away since the session offered TLS. */
static bool start_handshake(struct connection *connection)
{
	struct tls_server *server = connection->inbound->tls;

	connection->wants_tls = false;
	must(connection->filter == NULL && connection->input.length == 0);
	connection->filter = server ? tls_server_filter(server) : NULL;
	if (connection->filter != NULL)
		stream_set_filter(connection->stream, connection->filter);
	return connection->filter != NULL;
}

/* After every event: what was said goes out, and the connection is set for what comes next. False: it is gone. */
static bool settle(struct connection *connection, bool progressed)
{
	connection_note_mistakes(connection);
	/* The last words do not wait. */
	if ((connection->over && !send_late(connection)) || !send_replies(connection)) {
		connection_free(connection);
		return false;
	}
	if (connection->over) {
		leave(connection, true);
		return false;
	}
	/* Nobody is there any more for a handshake. */
	if (connection->wants_tls && !connection->held && (connection->half_closed || !start_handshake(connection))) {
		connection_free(connection);
		return false;
	}
	connection_charge(connection);
	set_timer(connection, progressed);
	set_reading(connection);
	return true;
}

/* The client is gone, or will be when it has heard what was said. */
static void end(struct connection *connection)
{
	const struct session_event event = { .kind = SESSION_ENDED };

	(void)connection_step(connection, &event);
	buffer_clear(&connection->inbound->output.replies);
	leave(connection, connection->half_closed && (connection->filter == NULL || connection->filter->ready));
}

/* Give the session what is held, until it has enough. */
static void work_off_input(struct connection *connection)
{
	size_t taken;

	do {
		taken = consume(connection, buffer_text(&connection->input));
		buffer_consume(&connection->input, taken);
		if (connection->input.length == 0)
			buffer_release(&connection->input);
		if (!settle(connection, taken > 0))
			return;
	} while (taken > 0 && connection->input.length > 0);
	/* Nothing is due any more, and what is held is half a line. */
	if (connection->half_closed && may_consume(connection))
		end(connection);
}

static void bytes_came(void *context, struct text bytes)
{
	struct connection *connection = context;
	size_t taken = 0;

	if (connection->greeting) {
		connection_spoke_early(connection);
		return;
	}
	/* The usual way: nothing is held, whole lines come, no byte is copied. */
	if (connection->input.length == 0) {
		taken = consume(connection, bytes);
		if (!settle(connection, taken > 0) || taken == bytes.length)
			return;
	}
	if (!inbound_is_exhausted(connection->inbound) && buffer_append(&connection->input, text_from(bytes, taken)))
		work_off_input(connection);
	else
		connection_free(connection);
}

static void stream_ended(void *context, enum error reason)
{
	struct connection *connection = context;

	connection_report_tls_failure(connection, reason);
	/* Who writes a whole session and then closes its side, like a batch piped into sendmail -bs, gets the answers
	 * to what came before the end. */
	connection->half_closed = reason == ERR_CLOSED;
	if (!connection->half_closed || may_consume(connection))
		end(connection);
}

static void ran_out_of_patience(void *context)
{
	struct connection *connection = context;
	const int64_t now_ms = loop_now_ms(connection->inbound->wiring.loop);
	const char *complaint = pace_complaint(&connection->pace, &connection->snapshot->pace, now_ms);
	struct session_event event = { .kind = SESSION_TIMED_OUT };

	if (complaint == NULL) { /* Nothing is late: the timer was set for something that is over. */
		settle(connection, false);
		return;
	}
	event.text = text_of(complaint);
	connection_report_slowness(connection, event.text);
	connection_report_tls_failure(connection, ERR_TIMEOUT);
	(void)connection_step(connection, &event);
	settle(connection, true);
}

void connection_shut_down(struct connection *connection)
{
	const struct session_event event = { .kind = SESSION_SHUT_DOWN };

	if (connection->arrival != NULL)
		arrival_hurry(connection->arrival);

	(void)connection_step(connection, &event);
	settle(connection, false);
}

/* There may be room for what is held. */
static void go_on(struct connection *connection)
{
	if (settle(connection, true) && (connection->input.length > 0 || connection->half_closed))
		work_off_input(connection);
}

void connection_wait_over(void *context)
{
	struct connection *connection = context;

	if (connection->greeting) {
		connection_release(connection);
		connection_greet(connection);
	} else if (send_late(connection)) {
		go_on(connection);
	} else {
		connection_free(connection);
	}
}

void connection_judged(struct connection *connection, struct verdict verdict)
{
	const struct session_event event = { .kind = SESSION_JUDGED,
		.verdict = verdict,
		.unix_ms = loop_unix_ms(connection->inbound->wiring.loop) };

	(void)connection_step(connection, &event);
	go_on(connection);
}

void connection_stored(struct connection *connection, struct verdict verdict)
{
	const struct session_event event = { .kind = SESSION_STORED, .verdict = verdict };

	connection->intake = NULL;
	arrival_free(take(connection->arrival));
	if (verdict_is_success(&verdict))
		pace_message(&connection->pace, loop_now_ms(connection->inbound->wiring.loop));
	(void)connection_step(connection, &event);
	go_on(connection);
}

void connection_login_answered(void *context, const struct sasl_answer *answer)
{
	struct connection *connection = context;
	const struct session_event event = { .kind = SESSION_AUTH_ANSWERED,
		.auth = { answer->result, answer->challenge, answer->user } };
	const bool over = answer->result != SASL_CONTINUE;

	if (answer->result == SASL_SUCCESS)
		count(connection, COUNTER_LOGINS);
	else if (answer->result == SASL_FAILURE)
		connection_report_login(connection, EVENT_LOGIN_FAILED, answer->reason);
	else if (answer->result == SASL_TROUBLE)
		connection_report_login(connection, EVENT_LOGIN_DEFERRED, answer->reason);
	if (answer->result == SASL_FAILURE)
		connection_note_failed_login(connection);
	(void)connection_step(connection, &event);
	if (over)
		sasl_dialogue_free(take(connection->login));
	go_on(connection);
}

void connection_relieved(struct connection *connection)
{
	go_on(connection);
}

/* -- Coming --------------------------------------------------------------------------------- */

/* An accepted stream is open already: it is TLS that is ready. */
static void secured(void *context)
{
	struct connection *connection = context;
	struct session_event event = { .kind = SESSION_TLS_STARTED };
	struct tls_facts facts;
	char binding[TLS_EXPORTER_SIZE];

	tls_filter_facts(connection->filter, &facts);
	event.tls.version = text_of(facts.version);
	event.tls.cipher = text_of(facts.cipher);
	event.tls.certificate = text_of(facts.name);
	event.tls.binding = tls_filter_exporter(connection->filter, binding);
	count(connection, COUNTER_TLS_IN);
	(void)connection_step(connection, &event);
	settle(connection, true);
}

/* The client has read what was said: it may have been deaf before. */
static void replies_left(void *context)
{
	struct connection *connection = context;

	if (connection->paused)
		go_on(connection);
}

static const struct stream_handler handler = { secured, bytes_came, replies_left, stream_ended };

static bool equip(struct connection *connection, const struct session_peer *peer)
{
	struct session_peer own = *peer;

	must(peer->user.length < sizeof connection->user);
	if (peer->user.length > 0)
		memcpy(connection->user, peer->user.bytes, peer->user.length);
	own.user = text_of(connection->user);
	connection->vetting = vetting_new(connection->inbound, connection, connection->snapshot);
	connection->session = session_new(&connection->snapshot->session, &own);
	connection->timer = loop_timer_new(connection->inbound->wiring.loop, ran_out_of_patience, connection);
	return connection->session != NULL && connection->timer != NULL;
}

void connection_new(struct inbound *inbound, struct stream *stream, const struct session_peer *peer)
{
	struct connection *connection = calloc(1, sizeof *connection);
	const struct session_event opened = { .kind = SESSION_OPENED };

	if (connection == NULL) {
		stream_free(stream);
		return;
	}
	connection->inbound = inbound;
	connection->stream = stream;
	connection->snapshot = inbound->snapshot;
	connection->snapshot->reference_count++;
	connection->implicit = peer->tls == SESSION_TLS_IMPLICIT;
	connection->paused = true; /* As an accepted stream is. */
	buffer_init_secret(&connection->input, INBOUND_INPUT_MAX);
	buffer_init(&connection->late, SESSION_REPLIES_MAX + SESSION_TRANSACTION_MAX);
	pace_init(&connection->pace, loop_now_ms(inbound->wiring.loop));
	link_connection(inbound, connection);
	if (!equip(connection, peer)) {
		connection_free(connection);
		return;
	}
	stream_set_handler(stream, &handler, connection);
	(void)connection_step(connection, &opened);
	settle(connection, true);
}
