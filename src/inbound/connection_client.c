/* What a connection may do because of who its client is: limits that it shares with the client's other
 * connections, the wait before the banner, and slow replies to who makes mistakes.
 *
 * Clients that may relay, by their address or a login, know none of this. */
#include "base/must.h"
#include "inbound/arrival.h"
#include "inbound/connection_private.h"

enum {
	MISTAKES_FREE = 3, /* That are answered at once. */
	SLOW_MAX = 5,      /* Mistakes made at once that are paid for. */
	HELD_MAX = 1000    /* Connections of a lane whose replies wait: beyond, slowness would be a way to keep us busy. */
};

#define YES VERDICT(250, 2, 0, 0, "Ok")
#define LATER ((struct verdict){ 0 })
#define WANTED " from your address, try again later"

static const struct client_limits *limits_of(const struct connection *connection)
{
	return &connection->snapshot->client;
}

static int64_t now_of(const struct connection *connection)
{
	return loop_now_ms(connection->inbound->wiring.loop);
}

static bool is_stranger(const struct connection *connection)
{
	const enum endpoint_family family = session_peer(connection->session)->client.family;

	return (family == ENDPOINT_IP4 || family == ENDPOINT_IP6) && !session_is_trusted(connection->session);
}

static bool is_limited(const struct connection *connection)
{
	return connection->inbound->wiring.clients != NULL && is_stranger(connection);
}

static struct client_key key_of(const struct connection *connection)
{
	return client_key_of(&session_peer(connection->session)->client);
}

static bool may(const struct connection *connection, enum client_deed deed)
{
	return clients_may(connection->inbound->wiring.clients, limits_of(connection), deed, key_of(connection), now_of(connection));
}

/* It has done so, and is counted for it; false: it was one too many. */
static bool count_deed(const struct connection *connection, enum client_deed deed)
{
	return clients_do(connection->inbound->wiring.clients, limits_of(connection), deed, key_of(connection), now_of(connection));
}

static struct verdict limited(const struct connection *connection, struct verdict verdict)
{
	struct counters *counters = connection->inbound->wiring.counters;

	if (counters != NULL)
		counters_add(counters, COUNTER_LIMITED, 1);
	return verdict;
}

/* -- What it may do ------------------------------------------------------------------------ */

static struct verdict admit_client(struct connection *connection)
{
	connection_forget_client(connection); /* A front end may have named it anew (XCLIENT). */
	if (!may(connection, CLIENT_ERRORS))
		return limited(connection, VERDICT(421, 4, 7, 0, "Too many errors" WANTED));
	if (!may(connection, CLIENT_UNKNOWN))
		return limited(connection, VERDICT(421, 4, 7, 0, "Too many unknown recipients" WANTED));
	if (!count_deed(connection, CLIENT_CONNECTS))
		return limited(connection, VERDICT(421, 4, 7, 0, "Too many connections in a short time" WANTED));
	if (!clients_enter(connection->inbound->wiring.clients, limits_of(connection), key_of(connection)))
		return limited(connection, VERDICT(421, 4, 7, 0, "Too many connections at one time" WANTED));
	connection->client = key_of(connection);
	return YES;
}

static struct verdict admit(struct connection *connection, const struct session_action *question)
{
	switch (question->question) {
	case SESSION_OF_CLIENT:
		return admit_client(connection);
	case SESSION_OF_HANDSHAKE:
		if (!count_deed(connection, CLIENT_HANDSHAKES))
			return limited(connection, VERDICT(421, 4, 7, 0, "Too many handshakes" WANTED));
		break;
	case SESSION_OF_SENDER:
		if (!count_deed(connection, CLIENT_MESSAGES))
			return limited(connection, VERDICT(451, 4, 7, 0, "Too many messages" WANTED));
		break;
	case SESSION_OF_RECIPIENT:
		if (!may(connection, CLIENT_UNKNOWN))
			return limited(connection, VERDICT(421, 4, 7, 0, "Too many unknown recipients" WANTED));
		if (!count_deed(connection, CLIENT_RECIPIENTS))
			return limited(connection, VERDICT(451, 4, 7, 0, "Too many recipients" WANTED));
		break;
	case SESSION_OF_MESSAGE:
		break;
	}
	return YES;
}

/* A client that speaks TLS from the first byte speaks first. */
static bool waits_for_banner(const struct connection *connection)
{
	return limits_of(connection)->greet_delay_ms > 0 && is_stranger(connection) &&
	    connection->filter == NULL && session_peer(connection->session)->tls != SESSION_TLS_IMPLICIT;
}

/* Behind the limits: what its mail may do, what the DNS says of it, and of whom its message is. */
static struct verdict judge_all(struct connection *connection, const struct session_action *question)
{
	struct verdict verdict = judge(connection->inbound, connection->session, question);

	if (connection->vetting != NULL && verdict_is_success(&verdict))
		verdict = vetting_judge(connection->vetting, connection->session, question);
	if (connection->arrival != NULL && question->question == SESSION_OF_MESSAGE && verdict_is_success(&verdict))
		verdict = arrival_judge(connection->arrival);
	return verdict;
}

struct verdict connection_judge(struct connection *connection, const struct session_action *question)
{
	const bool grows = question->question == SESSION_OF_SENDER || question->question == SESSION_OF_RECIPIENT;

	if (grows && inbound_is_short(connection->inbound))
		return SHORT_OF_MEMORY;
	const struct verdict verdict = is_limited(connection) ? admit(connection, question) : YES;

	if (!verdict_is_success(&verdict) || question->question == SESSION_OF_HANDSHAKE)
		return verdict;
	if (question->question == SESSION_OF_CLIENT && waits_for_banner(connection) &&
	    connection_hold(connection, limits_of(connection)->greet_delay_ms)) {
		connection->greeting = true;
		return LATER;
	}
	return judge_all(connection, question);
}

void connection_greet(struct connection *connection)
{
	const struct session_action question = { .kind = SESSION_ASK, .question = SESSION_OF_CLIENT };

	connection->greeting = false;
	const struct verdict verdict = judge_all(connection, &question);

	if (verdict.code != 0)
		connection_judged(connection, verdict);
}

/* RFC 5321 §4.3.1: a client waits for the banner. Who cannot wait is a program that only throws mail at us. */
void connection_spoke_early(struct connection *connection)
{
	connection->greeting = false;
	connection_release(connection);
	if (is_limited(connection))
		(void)!count_deed(connection, CLIENT_ERRORS);
	connection_judged(connection, VERDICT(554, 5, 7, 0, "You spoke before you were greeted"));
}

const struct iprev *connection_iprev(const struct connection *connection)
{
	return vetting_iprev(connection->vetting);
}

bool connection_may_log_in(struct connection *connection)
{
	if (!is_limited(connection) || may(connection, CLIENT_LOGINS))
		return true;
	(void)limited(connection, YES);
	connection_report_login(connection, EVENT_LOGIN_REFUSED, TEXT_EMPTY);
	return false;
}

/* -- What it did --------------------------------------------------------------------------- */

void connection_note_failed_login(struct connection *connection)
{
	if (is_limited(connection))
		(void)!count_deed(connection, CLIENT_LOGINS);
}

void connection_note_refusal(struct connection *connection, const struct session_action *action)
{
	const struct enhanced_code *code = &action->verdict.enhanced;

	if (is_limited(connection) && action->recipient != NULL && code->class == 5 && code->subject == 1 && code->detail == 1)
		(void)!count_deed(connection, CLIENT_UNKNOWN);
}

void connection_note_mistakes(struct connection *connection)
{
	const uint32_t count = session_mistake_count(connection->session);
	uint32_t slow_count = 0;

	for (; connection->mistake_count < count; connection->mistake_count++) {
		slow_count += connection->mistake_count >= MISTAKES_FREE;
		if (is_limited(connection))
			(void)!count_deed(connection, CLIENT_ERRORS);
	}
	if (slow_count > SLOW_MAX)
		slow_count = SLOW_MAX;
	if (slow_count > 0 && limits_of(connection)->tarpit_ms > 0 && is_stranger(connection))
		(void)!connection_hold(connection, slow_count * limits_of(connection)->tarpit_ms);
}

void connection_forget_client(struct connection *connection)
{
	if (connection->client.length > 0)
		clients_leave(connection->inbound->wiring.clients, connection->client);
	connection->client.length = 0;
}

/* -- Waiting --------------------------------------------------------------------------------- */

bool connection_hold(struct connection *connection, int64_t delay_ms)
{
	struct inbound *inbound = connection->inbound;

	if (connection->held)
		return true;
	if (inbound->held_count >= HELD_MAX)
		return false;
	if (connection->hold == NULL)
		connection->hold = loop_timer_new(inbound->wiring.loop, connection_wait_over, connection);
	if (connection->hold == NULL)
		return false;
	inbound->held_count++;
	connection->held = true;
	loop_timer_set(connection->hold, delay_ms);
	return true;
}

void connection_release(struct connection *connection)
{
	if (!connection->held)
		return;
	must(connection->inbound->held_count > 0);
	connection->inbound->held_count--;
	connection->held = false;
	loop_timer_stop(connection->hold);
}
