/* A step of the session, and the doing of what it asks for: messages begun and committed, logins, TLS, the end. */
#include "base/cleanup.h"
#include "base/must.h"
#include "inbound/arrival.h"
#include "inbound/connection_private.h"
#include "mail/queue_id.h"

static struct session_event begin(struct connection *connection)
{
	struct inbound *inbound = connection->inbound;
	const int64_t now_ms = loop_unix_ms(inbound->wiring.loop);
	const queue_id id = queue_id_next(inbound->wiring.ids, now_ms);

	must(connection->intake == NULL);
	if (!inbound_is_short(inbound))
		connection->intake = intake_new(inbound, connection, id);
	if (connection->intake != NULL && session_is_trusted(connection->session))
		intake_sign(connection->intake, session_reverse_path(connection->session)->domain);
	if (connection->intake != NULL && !arrival_new(inbound, connection->snapshot, connection, connection->session,
	        connection->intake, &connection->arrival))
		intake_abandon(take(connection->intake));
	return (struct session_event){ .kind = SESSION_BEGUN, .id = id, .unix_ms = now_ms,
		.client_name = vetting_client_name(connection->vetting),
		.verdict = connection->intake != NULL
		    ? VERDICT(250, 2, 0, 0, "Begin")
		    : SHORT_OF_MEMORY };
}

/* When it is tried, and given up: its life begins when it may go (RFC 4865), and ends early if its sender says so (RFC 2852). */
static void set_times(struct message *message, int64_t lifetime_ms)
{
	struct envelope *envelope = &message->envelope;
	const int64_t start_ms = envelope_start_ms(envelope);

	envelope->expires_ms = start_ms + lifetime_ms;
	if ((envelope->flags & ENVELOPE_BY_RETURN) && envelope->deliver_by_ms < envelope->expires_ms)
		envelope->expires_ms = envelope->deliver_by_ms;
	for (uint32_t i = 0; i < message->recipient_count; i++)
		message->recipients[i].due_ms = start_ms;
}

/* OK: the answer comes later, by connection_stored. */
static enum error commit(struct connection *connection, const struct session_action *action)
{
	struct message *message = action->message;
	const struct session *session = connection->session;
	const struct intake_facts facts = { .protocol = session_protocol(session),
		.message_id = action->message_id,
		.claim_key = action->claim_key,
		.claim_mark = action->claim_mark,
		.tls = session_tls(session),
		.certificate = session_certificate(session),
		.results = arrival_results(connection->arrival),
		.sealed = arrival_sealed(connection->arrival),
		.tally = arrival_tally(connection->arrival) };

	message->envelope.flags |= arrival_flags(connection->arrival);
	set_times(message, connection->snapshot->lifetime_ms);
	const enum error error = intake_commit(connection->intake, message, &facts);

	if (error != OK) {
		connection->intake = NULL;
		arrival_free(take(connection->arrival));
	}
	return error;
}

/* False: it cannot be begun. */
static bool begin_login(struct connection *connection, const struct session_action *action)
{
	char binding[TLS_EXPORTER_SIZE], room[ENDPOINT_TEXT_MAX];
	struct sasl_facts facts = { .mechanism = action->mechanism };
	const struct endpoint *client = &session_peer(connection->session)->client;

	must(connection->login == NULL && connection->filter != NULL);
	if (action->mechanism == SASL_SCRAM_SHA_256_PLUS) {
		if (!tls_filter_exporter(connection->filter, binding))
			return false;
		facts.binding = (struct text){ binding, sizeof binding };
	}
	if (client->family == ENDPOINT_IP4 || client->family == ENDPOINT_IP6)
		facts.client = endpoint_print_ip(client, room);
	connection->mechanism = action->mechanism;
	connection->login = sasl_dialogue_begin(
	    connection->inbound->wiring.asker, &facts, action->bytes, connection_login_answered, connection);
	return connection->login != NULL;
}

/* One action. True: *out_answer answers it. */
static bool perform_one(
    struct connection *connection, const struct session_action *action, struct session_event *out_answer)
{
	switch (action->kind) {
	case SESSION_ASK:
		*out_answer = (struct session_event){ .kind = SESSION_JUDGED,
			.verdict = connection_judge(connection, action),
			.unix_ms = loop_unix_ms(connection->inbound->wiring.loop) };
		return out_answer->verdict.code != 0;
	case SESSION_BEGIN:
		*out_answer = begin(connection);
		return true;
	case SESSION_ON_TOP:
		intake_put_on_top(connection->intake, action->bytes);
		break;
	case SESSION_BODY:
		if (connection->arrival != NULL)
			arrival_text(connection->arrival, action->bytes);
		else
			intake_body(connection->intake, action->bytes);
		break;
	case SESSION_COMMIT: {
		const enum error error = commit(connection, action);

		if (error == OK)
			break;
		*out_answer = (struct session_event){ .kind = SESSION_STORED, .verdict = intake_verdict(error) };
		return true;
	}
	case SESSION_ABANDON:
		intake_abandon(take(connection->intake));
		arrival_free(connection->abandoned);
		connection->abandoned = take(connection->arrival);
		break;
	case SESSION_START_TLS:
		connection->wants_tls = true;
		break;
	case SESSION_AUTH_BEGIN:
		*out_answer = (struct session_event){ .kind = SESSION_AUTH_ANSWERED, .auth.result = SASL_TROUBLE };
		if (!connection_may_log_in(connection))
			out_answer->text = TEXT("Too many failed logins from your address, try again later");
		else if (begin_login(connection, action))
			break;
		return true;
	case SESSION_AUTH_STEP:
		sasl_dialogue_step(connection->login, action->bytes);
		break;
	case SESSION_AUTH_ABORT:
		sasl_dialogue_free(take(connection->login));
		break;
	case SESSION_REFUSED:
		connection_report_refusal(connection, action);
		connection_note_refusal(connection, action);
		break;
	case SESSION_CLOSE:
		connection->over = true;
		break;
	}
	return false;
}

size_t connection_step(struct connection *connection, const struct session_event *event)
{
	struct session_output *output = &connection->inbound->output;
	const size_t consumed = session_step(connection->session, event, output);
	const bool secret = output->secret;
	struct session_event answer;
	bool answered;

	do {
		answered = false;
		for (size_t i = 0; i < output->action_count; i++)
			answered |= perform_one(connection, &output->actions[i], &answer);
		if (answered)
			(void)session_step(connection->session, &answer, output);
	} while (answered);
	arrival_free(take(connection->abandoned));
	if (secret)
		arena_wipe(output->arena);
	return consumed;
}
