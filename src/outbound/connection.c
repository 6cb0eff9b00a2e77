/* One connection: carries bytes between a stream and a session, and does what the session asks.
 *
 *   dialled ──► serving a job ──► idle ──► serving ... ──► leaving (QUIT) ──► freed
 *
 * On its way to the first delivery the stream may get TLS, when the session says so.
 *
 * Every callback ends in step(), which is the last thing it does: step may free the connection. */
#include "outbound/courier_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/must.h"

enum { WRITE_AHEAD_MAX = 128 * 1024 };

struct connection {
	struct outbound *outbound;
	struct connection *next, *prev;           /* utlist: all */
	struct connection *idle_next, *idle_prev; /* utlist: idle */
	struct stream *stream;
	struct stream_filter *filter;             /* The stream's; NULL in clear text. */
	struct client_session *session;
	struct loop_timer *timer;
	struct job *job;                          /* Whom it serves. */
	struct text destination, peer;            /* In `names`. */
	struct text host;                         /* In `names`: whom a certificate must name. */
	struct endpoint endpoint;
	struct tls_demand demand;                 /* Of the route, */
	struct tls_demand used;                   /* and what of it holds for this host. */
	bool lmtp, idle;
	bool yields;                              /* The timer stands for its next turn. */
	char names[];
};

static void step(struct connection *connection);

/* -- The body -------------------------------------------------------------------- */

static void feed_chunk(struct connection *connection, uint32_t number)
{
	struct outbound *outbound = connection->outbound;
	size_t length;
	const enum error error = spool_read_chunk(outbound->world.spool,
	    connection->job->delivery->message->envelope.id, number, outbound->chunk, &length);
	const struct verdict verdict = error == ERR_CORRUPT
	    ? VERDICT(451, 4, 3, 0, "stored message is damaged")
	    : VERDICT(451, 4, 3, 0, "stored message cannot be read");

	if (error == OK)
		client_session_chunk(connection->session, (struct text){ outbound->chunk, length });
	else
		client_session_chunk_failed(connection->session, &verdict);
}

/* Gather what fits into one write. */
static const struct client_todo *feed_chunks(struct connection *connection)
{
	const struct client_todo *todo = client_session_todo(connection->session);

	while (todo->want_chunk && todo->write.length + stream_backlog(connection->stream) < WRITE_AHEAD_MAX) {
		feed_chunk(connection, todo->chunk);
		todo = client_session_todo(connection->session);
	}
	return todo;
}

/* U1. When all slots are taken we go on without: after a crash such a recipient is repeated all the
 * same, only the log does not say that it may be a duplicate. */
static void mark_in_doubt(struct connection *connection)
{
	const struct outbound_world *world = &connection->outbound->world;
	const struct message *message = connection->job->delivery->message;

	if (world->in_doubt == NULL)
		return;
	for (uint32_t i = 0; i < message->recipient_count; i++)
		if (client_session_at_stake(connection->session, i))
			in_doubt_mark(world->in_doubt, world->lane, message->envelope.id, message->recipients[i].index);
}

/* -- The pool -------------------------------------------------------------------- */

static void leave_pool(struct connection *connection)
{
	if (!connection->idle)
		return;
	connection->idle = false;
	DL_DELETE2(connection->outbound->idle, connection, idle_prev, idle_next);
	connection->outbound->counts.idle--;
}

static void enter_pool(struct connection *connection)
{
	struct outbound *outbound = connection->outbound;

	if (outbound->counts.idle >= outbound->settings.idle_max) {
		client_session_quit(connection->session);
		step(connection);
		return;
	}
	connection->idle = true;
	DL_PREPEND2(outbound->idle, connection, idle_prev, idle_next);
	outbound->counts.idle++;
	loop_timer_set(connection->timer, outbound->settings.idle_ms);
}

/* Policies may have changed since it was opened. */
static bool is_good_for(const struct connection *connection, const struct host_list *hosts)
{
	for (size_t i = 0; i < hosts->host_count; i++)
		if (endpoint_equal(&hosts->hosts[i].endpoint, &connection->endpoint))
			return connection->used.level >= hosts->hosts[i].tls_least;
	return false;
}

/* At most idle_max are looked at. */
struct connection *outbound_take_idle(struct outbound *outbound, const struct delivery *delivery)
{
	const struct next_hop *next_hop = &delivery->route->next_hop;
	struct connection *connection;

	DL_FOREACH2(outbound->idle, connection, idle_next)
		if (connection->lmtp == next_hop->lmtp && tls_demand_equal(connection->demand, next_hop->tls) &&
		    text_equal(connection->destination, next_hop->destination) && is_good_for(connection, delivery->hosts))
			break;
	if (connection != NULL)
		leave_pool(connection);
	return connection;
}

static void send_delivery(struct connection *connection)
{
	struct delivery *delivery = connection->job->delivery;

	delivery->now_ms = loop_unix_ms(connection->outbound->world.loop);
	client_session_send(connection->session, delivery);
}

void outbound_serve(struct connection *connection, struct job *job)
{
	must(connection->job == NULL);
	connection->job = job;
	job->connection = connection;
	send_delivery(connection);
	step(connection);
}

/* -- Steps ------------------------------------------------------------------------- */

static enum connection_end end_of(const struct client_todo *todo)
{
	if (todo->stale)
		return CONNECTION_STALE;
	if (todo->clear_text_may_do)
		return CONNECTION_TLS_FAILED;
	return todo->trouble.code != 0 ? CONNECTION_FAILED : CONNECTION_USED;
}

static void leave_job(struct connection *connection, const struct client_todo *todo)
{
	struct job *job = connection->job;

	connection->job = NULL;
	if (job == NULL)
		return;
	job->connection = NULL;
	outbound_job_left(job, end_of(todo), &todo->trouble);
}

static void count(const struct connection *connection, enum counter counter)
{
	if (connection->outbound->world.counters != NULL)
		counters_add(connection->outbound->world.counters, counter, 1);
}

/* In order (QUIT was answered) or not: nothing that is still to be sent is worth it. */
static void end(struct connection *connection, const struct client_todo *todo)
{
	if (connection->filter != NULL && !connection->filter->ready)
		count(connection, COUNTER_TLS_OUT_FAILED);
	leave_job(connection, todo);
	outbound_hang_up(connection);
}

static bool write_out(struct connection *connection, const struct client_todo *todo)
{
	if (todo->final)
		mark_in_doubt(connection);
	return todo->write.length == 0 || stream_write(connection->stream, todo->write);
}

/* False: it failed, and the session was told. */
static bool start_handshake(struct connection *connection)
{
	const struct tls_expectation expectation = { connection->host, connection->used.level >= TLS_VERIFIED };
	struct tls_client *client = connection->outbound->tls;

	connection->filter = client ? tls_client_filter(client, &expectation) : NULL;
	if (connection->filter == NULL) {
		client_session_tls_failed(connection->session, TEXT("our side has no memory or no means for it"));
		return false;
	}
	stream_set_filter(connection->stream, connection->filter);
	return true;
}

static void step(struct connection *connection)
{
	struct client_session *session = connection->session;
	const struct client_todo *todo = feed_chunks(connection);

	connection->yields = false;

	/* A stream that takes no more has ended or is beyond hope. */
	if (!todo->ended && !write_out(connection, todo)) {
		client_session_closed(session, ERR_RESET);
		todo = client_session_todo(session);
	}
	if (todo->ended) {
		end(connection, todo);
		return;
	}
	if (todo->timeout_ms > 0)
		loop_timer_set(connection->timer, todo->timeout_ms);

	/* The socket took all: `drained` will not come. Others have their turn before the next piece. */
	if (todo->want_chunk && stream_backlog(connection->stream) == 0) {
		connection->yields = true;
		loop_timer_set(connection->timer, 0);
	}

	const bool finished = todo->finished, start_tls = todo->start_tls;

	client_session_did(session);
	if (start_tls && !start_handshake(connection)) {
		step(connection);
		return;
	}
	if (!finished && todo->ready && connection->job != NULL) {
		send_delivery(connection);
		step(connection);
		return;
	}
	/* First into the pool, then on with the job: it may want a fresh connection, but its end may
	 * bring the next delivery for this one. */
	struct job *job = finished ? connection->job : NULL;

	if (finished)
		connection->job = NULL;
	if (todo->ready && !connection->idle)
		enter_pool(connection);
	if (job != NULL) {
		job->connection = NULL;
		outbound_job_left(job, CONNECTION_USED, NULL);
	}
}

/* -- Callbacks ------------------------------------------------------------------------ */

static void secured(struct connection *connection)
{
	char words[64];
	struct tls_facts facts;

	tls_filter_facts(connection->filter, &facts);
	snprintf(words, sizeof words, "%s %s", facts.version, facts.cipher);
	count(connection, COUNTER_TLS_OUT);
	client_session_secured(connection->session, text_of(words));
}

static void on_opened(void *context)
{
	struct connection *connection = context;

	if (connection->filter != NULL)
		secured(connection);
	else
		client_session_connected(connection->session);
	step(connection);
}

static void on_bytes(void *context, struct text bytes)
{
	struct connection *connection = context;

	client_session_bytes(connection->session, bytes);
	step(connection);
}

static void on_drained(void *context)
{
	step(context);
}

static void on_ended(void *context, enum error reason)
{
	struct connection *connection = context;

	if (connection->filter != NULL && !connection->filter->ready) {
		const char *trouble = tls_filter_trouble(connection->filter);

		client_session_tls_failed(connection->session, text_of(trouble[0] != '\0' ? trouble : error_text(reason)));
	} else {
		client_session_closed(connection->session, reason);
	}
	step(connection);
}

static void on_timer(void *context)
{
	struct connection *connection = context;

	if (connection->idle) {
		leave_pool(connection);
		client_session_quit(connection->session);
	} else if (!connection->yields) {
		client_session_timed_out(connection->session);
	}
	step(connection);
}

static const struct stream_handler stream_handler = { on_opened, on_bytes, on_drained, on_ended };

/* -- Birth and death --------------------------------------------------------------------- */

/* One of our addresses of this family; NULL: the system's choice. */
static const struct endpoint *draw_source(struct outbound *outbound, enum endpoint_family family)
{
	const struct outbound_settings *settings = &outbound->settings;
	const struct endpoint *drawn = NULL;
	uint32_t seen = 0;

	for (size_t i = 0; i < settings->source_count; i++)
		if (settings->sources[i].family == family && loop_random(outbound->world.loop) % ++seen == 0)
			drawn = &settings->sources[i];
	return drawn;
}

/* An address stands in certificates without port and brackets. */
static struct text certified_name(const struct host *host, struct text ip)
{
	struct endpoint endpoint;

	return endpoint_parse(host->name, 1, &endpoint) || endpoint_parse_ip(host->name, &endpoint) ? ip : host->name;
}

/* What the route and the domain's policy demand, but: between two processes of this machine TLS hides nothing from anybody, and where it failed
 * a moment ago it is not tried again (U5). */
static struct tls_demand usable_demand(const struct job *job, const struct host *host)
{
	struct tls_demand demand = job->delivery->route->next_hop.tls;
	const bool pointless = host->endpoint.family == ENDPOINT_UNIX || job->outbound->tls == NULL || job->clear;

	if (demand.level < host->tls_least)
		demand.level = host->tls_least;
	if (demand.level == TLS_OPPORTUNISTIC && pointless)
		demand.level = TLS_UNUSED;
	return demand;
}

/* "mx.example.net[192.0.2.1]", the destination and the name to be certified, in one block with the connection. */
static struct connection *connection_new(
    struct outbound *outbound, const struct next_hop *next_hop, const struct host *host)
{
	char ip_room[ENDPOINT_TEXT_MAX];
	const struct text ip = endpoint_print_ip(&host->endpoint, ip_room);
	const struct text certified = certified_name(host, ip);
	const size_t peer_length = host->name.length + ip.length + 2;
	const size_t names_length = peer_length + next_hop->destination.length;
	struct connection *connection = calloc(1, sizeof *connection + names_length + certified.length);

	if (connection == NULL)
		return NULL;
	char *names = connection->names;

	memcpy(names, host->name.length > 0 ? host->name.bytes : "", host->name.length);
	names[host->name.length] = '[';
	memcpy(names + host->name.length + 1, ip.bytes, ip.length);
	names[peer_length - 1] = ']';
	if (next_hop->destination.length > 0)
		memcpy(names + peer_length, next_hop->destination.bytes, next_hop->destination.length);
	connection->peer = (struct text){ names, peer_length };
	connection->destination = (struct text){ names + peer_length, next_hop->destination.length };
	if (certified.length > 0)
		memcpy(names + names_length, certified.bytes, certified.length);
	connection->host = (struct text){ names + names_length, certified.length };
	connection->endpoint = host->endpoint;
	connection->lmtp = next_hop->lmtp;
	connection->demand = next_hop->tls;
	connection->outbound = outbound;
	DL_APPEND(outbound->connections, connection);
	outbound->counts.open++;
	return connection;
}

void outbound_hang_up(struct connection *connection)
{
	if (connection == NULL)
		return;
	leave_pool(connection);
	DL_DELETE(connection->outbound->connections, connection);
	connection->outbound->counts.open--;
	stream_free(connection->stream);
	loop_timer_free(connection->timer);
	client_session_free(connection->session);
	free(connection);
}

bool outbound_dial(struct job *job, const struct host *host)
{
	struct outbound *outbound = job->outbound;
	struct loop *loop = outbound->world.loop;
	const struct next_hop *next_hop = &job->delivery->route->next_hop;
	struct connection *connection = connection_new(outbound, next_hop, host);

	if (connection == NULL)
		return false;
	connection->used = usable_demand(job, host);
	connection->session = client_session_new(
	    next_hop->lmtp ? &outbound->lmtp : &outbound->smtp, connection->peer, connection->used);
	connection->timer = loop_timer_new(loop, on_timer, connection);
	connection->stream = stream_dial(loop, &host->endpoint, draw_source(outbound, host->endpoint.family),
	    &stream_handler, connection);
	if (connection->session == NULL || connection->timer == NULL || connection->stream == NULL) {
		outbound_hang_up(connection);
		return false;
	}
	loop_timer_set(connection->timer, outbound->settings.dial_ms);
	outbound->counts.dialled++;
	connection->job = job;
	job->connection = connection;
	return true;
}
