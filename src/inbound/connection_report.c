#include "inbound/arrival.h"
#include "inbound/connection_private.h"

void connection_report_refusal(struct connection *connection, const struct session_action *action)
{
	struct inbound *inbound = connection->inbound;
	struct arena *arena = inbound->output.arena;
	const struct verdict *verdict = &action->verdict;
	struct event event = { .kind = EVENT_REJECTED, .time_ms = loop_unix_ms(inbound->wiring.loop) };
	struct text *fields = event.fields;
	bool fits = true;

	fields[EVENT_FIELD_CLIENT] = session_client_text(connection->session, arena);
	fields[EVENT_FIELD_PROTOCOL] = text_of(session_protocol(connection->session));
	fields[EVENT_FIELD_SENDER] = action->bytes;
	if (session_user(connection->session).length > 0)
		fields[EVENT_FIELD_USER] = session_user(connection->session);
	if (session_tls(connection->session).length > 0)
		fields[EVENT_FIELD_TLS] = session_tls(connection->session);
	if (action->recipient == NULL && arrival_results(connection->abandoned).length > 0)
		fields[EVENT_FIELD_RESULTS] = arrival_results(connection->abandoned);
	fields[EVENT_FIELD_REPLY] = verdict->text;
	fits &= arena_print(arena, &fields[EVENT_FIELD_CODE], "%u", verdict->code);
	fits &= arena_print(arena, &fields[EVENT_FIELD_STATUS], "%u.%u.%u", verdict->enhanced.class,
	    verdict->enhanced.subject, verdict->enhanced.detail);
	if (action->recipient != NULL)
		fits &= address_print(action->recipient, arena, &fields[EVENT_FIELD_RECIPIENT]);
	if (fits)
		inbound->wiring.sink.report(inbound->wiring.sink.context, &event);
}

/* Not the name: somebody may have typed his password there. */
void connection_report_login(struct connection *connection, enum event_kind kind, struct text reason)
{
	struct inbound *inbound = connection->inbound;
	struct event event = { .kind = kind, .time_ms = loop_unix_ms(inbound->wiring.loop) };

	event.fields[EVENT_FIELD_CLIENT] = session_client_text(connection->session, inbound->output.arena);
	event.fields[EVENT_FIELD_PROTOCOL] = text_of(session_protocol(connection->session));
	event.fields[EVENT_FIELD_TLS] = session_tls(connection->session);
	event.fields[EVENT_FIELD_MECHANISM] = text_of(sasl_mechanism_word(connection->mechanism));
	if (reason.length > 0)
		event.fields[EVENT_FIELD_REASON] = reason;
	inbound->wiring.sink.report(inbound->wiring.sink.context, &event);
}

static void report_handshake(struct connection *connection, const char *reason)
{
	struct inbound *inbound = connection->inbound;
	const struct text client = session_client_text(connection->session, inbound->output.arena);
	struct event event = { .kind = EVENT_HANDSHAKE_FAILED, .time_ms = loop_unix_ms(inbound->wiring.loop) };

	event.fields[EVENT_FIELD_CLIENT] = client;
	event.fields[EVENT_FIELD_REASON] = text_of(reason);
	inbound->wiring.sink.report(inbound->wiring.sink.context, &event);
}

/* A handshake that breaks off, or records that make no sense. */
void connection_report_tls_failure(struct connection *connection, enum error reason)
{
	const char *trouble = connection->filter ? tls_filter_trouble(connection->filter) : "";

	if (connection->filter != NULL && (!connection->filter->ready || reason == ERR_TLS))
		report_handshake(connection, trouble[0] != '\0' ? trouble : error_text(reason));
}

void connection_report_slowness(struct connection *connection, struct text how)
{
	struct inbound *inbound = connection->inbound;
	struct event event = { .kind = EVENT_TIMED_OUT, .time_ms = loop_unix_ms(inbound->wiring.loop) };

	event.fields[EVENT_FIELD_CLIENT] = session_client_text(connection->session, inbound->output.arena);
	event.fields[EVENT_FIELD_PROTOCOL] = text_of(session_protocol(connection->session));
	event.fields[EVENT_FIELD_REASON] = how;
	inbound->wiring.sink.report(inbound->wiring.sink.context, &event);
}
