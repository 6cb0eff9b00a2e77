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

struct connection *outbound_take_idle(const struct job *job)
{
	struct connection *connection = reuse_find(job);

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

/* For the log. */
static void note_source(const struct connection *connection)
{
	struct delivery *delivery = connection->job->delivery;
	char room[ENDPOINT_TEXT_MAX];

	if (connection->proxy.family != ENDPOINT_NONE) {
		if (!arena_print(delivery->arena, &delivery->source, "socks5 %s", endpoint_print(&connection->proxy, room).bytes))
			delivery->source = TEXT_EMPTY;
		return;
	}
	if (connection->source.family == ENDPOINT_NONE ||
	    !arena_copy(delivery->arena, endpoint_print_ip(&connection->source, room), &delivery->source))
		delivery->source = TEXT_EMPTY;
}

static void note_tls(struct connection *connection, bool not_offered, struct text failure)
{
	const bool proxied = connection->proxy.family != ENDPOINT_NONE; /* The host sees another address than ours. */
	const struct session_facts facts = { connection->host, &connection->endpoint, proxied ? &connection->source : stream_local(connection->stream),
		connection->filter, &connection->tlsa, not_offered, failure };

	if (connection->job != NULL && !connection->noted && !connection->fallback)
		outbound_note_tls(connection->job->delivery, &facts);
	connection->noted = true;
}

/* For a domain that it was not opened for it is a session like one of its own. */
static void note_tls_again(struct connection *connection)
{
	if (!reuse_note_domain(connection, connection->job->delivery) || connection->used.level == TLS_UNUSED)
		return;
	connection->noted = false;
	note_tls(connection, connection->filter == NULL, TEXT_EMPTY);
}

void outbound_serve(struct connection *connection, struct job *job)
{
	must(connection->job == NULL);
	connection->job = job;
	job->connection = connection;
	connection->limits = job->delivery->limits;
	note_source(connection);
	note_tls_again(connection);
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
	if (todo->unsafe)
		return CONNECTION_UNSAFE;
	if (todo->login_refused)
		return CONNECTION_LOGIN_REFUSED;
	return todo->trouble.code != 0 ? CONNECTION_FAILED : CONNECTION_USED;
}

static void leave_job(struct connection *connection, enum connection_end end, const struct verdict *trouble)
{
	struct job *job = connection->job;

	connection->job = NULL;
	if (job == NULL)
		return;
	if (race_left(job, connection))
		outbound_job_lost_rival(job, connection->host_index, end, trouble);
	else
		outbound_job_left(job, end, trouble);
}

static void count(const struct connection *connection, enum counter counter)
{
	if (connection->outbound->world.counters != NULL)
		counters_add(connection->outbound->world.counters, counter, 1);
}

/* `trouble`: why it failed; NULL: it was taken. */
static void note_login(const struct connection *connection, const struct verdict *trouble)
{
	const struct outbound_world *world = &connection->outbound->world;
	struct event event = { .kind = trouble ? EVENT_HOST_LOGIN_FAILED : EVENT_HOST_LOGIN_WORKS,
		.time_ms = loop_unix_ms(world->loop) };

	count(connection, trouble ? COUNTER_HOST_LOGINS_FAILED : COUNTER_HOST_LOGINS);
	if (!logins_note(connection->logins, connection->login, trouble == NULL) || world->sink.report == NULL)
		return;
	event.fields[EVENT_FIELD_USER] = connection->login->user;
	event.fields[EVENT_FIELD_HOST] = connection->peer;
	if (trouble != NULL)
		event.fields[EVENT_FIELD_REASON] = trouble->text;
	world->sink.report(world->sink.context, &event);
}

/* In order (QUIT was answered) or not: nothing that is still to be sent is worth it. */
static void end(struct connection *connection, const struct client_todo *todo)
{
	if (connection->filter != NULL && !connection->filter->ready) {
		count(connection, COUNTER_TLS_OUT_FAILED);
		if (connection->records != NULL)
			count(connection, COUNTER_DANE_FAILED);
		note_tls(connection, false, todo->trouble.code != 0 ? todo->trouble.text : TEXT("the connection ended"));
	}
	if (todo->login_failed)
		note_login(connection, &todo->trouble);
	leave_job(connection, end_of(todo), &todo->trouble);
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
	const bool dane = connection->records != NULL;
	const struct tls_expectation expectation = { .host = dane ? connection->tlsa.base : connection->host,
		.verified = connection->used.level >= TLS_VERIFIED,
		.judged = connection->job != NULL && outbound_judges(connection->job->delivery),
		.tlsa = connection->tlsa.usable.records,
		.tlsa_count = connection->tlsa.usable.count,
		.domain = connection->by_domain ? connection->domain : TEXT_EMPTY };
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
	if (todo->tls_not_offered) {
		note_tls(connection, true, TEXT_EMPTY);
		known_note_no_tls(connection);
	}
	if (todo->ready && connection->job != NULL && !connection->known) {
		known_note_heard(connection);
		connection->known = true;
	}

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

	if (todo->logged_in)
		note_login(connection, NULL);

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

/* -- The proxy of its pool ------------------------------------------------------------ */

/* The stream is the host's from here on. */
static void greet_host(struct connection *connection)
{
	race_won(connection->job, connection);
	note_source(connection);
	client_session_connected(connection->session);
}

static void proxy_failed(struct connection *connection)
{
	const struct verdict trouble = proxied_trouble(connection->proxied, connection->peer, connection->job->delivery->arena);

	leave_job(connection, proxied_end(connection->proxied), &trouble);
	outbound_hang_up(connection);
}

/* What it says last may have the host's greeting behind it. */
static void hear_proxy(struct connection *connection, struct text bytes)
{
	const enum proxied_state state = proxied_heard(connection->proxied, connection->stream, &bytes);

	if (state == PROXIED_FAILED)
		proxy_failed(connection);
	if (state != PROXIED_OPEN)
		return;
	proxied_free(take(connection->proxied));
	greet_host(connection);
	if (bytes.length > 0)
		client_session_bytes(connection->session, bytes);
	step(connection);
}

/* -- Callbacks ------------------------------------------------------------------------ */

static void secured(struct connection *connection)
{
	char words[64];
	struct tls_facts facts;

	tls_filter_facts(connection->filter, &facts);
	snprintf(words, sizeof words, "%s %s%s", facts.version, facts.cipher,
	    facts.dane ? " (DANE)" : facts.verified ? " (verified)" : "");
	count(connection, COUNTER_TLS_OUT);
	if (facts.dane)
		count(connection, COUNTER_DANE);
	note_tls(connection, false, TEXT_EMPTY);
	client_session_secured(connection->session, text_of(words));
}

static void on_opened(void *context)
{
	struct connection *connection = context;

	if (connection->proxied != NULL) {
		if (proxied_opened(connection->proxied, connection->stream) == PROXIED_FAILED)
			proxy_failed(connection);
		return;
	}
	if (connection->filter != NULL)
		secured(connection);
	else
		greet_host(connection);
	step(connection);
}

static void on_bytes(void *context, struct text bytes)
{
	struct connection *connection = context;

	if (connection->proxied != NULL) {
		hear_proxy(connection, bytes);
		return;
	}
	client_session_bytes(connection->session, bytes);
	step(connection);
}

static void on_drained(void *context)
{
	struct connection *connection = context;

	if (connection->proxied == NULL)
		step(connection);
}

static void on_ended(void *context, enum error reason)
{
	struct connection *connection = context;

	if (connection->proxied != NULL) {
		proxied_ended(connection->proxied, reason);
		proxy_failed(connection);
		return;
	}
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

	if (connection->proxied != NULL) {
		proxied_timed_out(connection->proxied);
		proxy_failed(connection);
		return;
	}
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

static struct text put_name(char **at, struct text name)
{
	const struct text put = { *at, name.length };

	if (name.length > 0)
		memcpy(*at, name.bytes, name.length);
	*at += name.length;
	return put;
}

/* With its names in one block: "mx.example.net[192.0.2.1]", the destination, its domain, the name to be certified, and ours. */
static struct connection *connection_new(
    struct outbound *outbound, const struct next_hop *next_hop, const struct host *host)
{
	const struct outbound_pool *pool = source_pool(outbound, next_hop);
	const struct text hostname = pool != NULL ? pool->hostname : TEXT_EMPTY;
	char ip_room[ENDPOINT_TEXT_MAX];
	const struct text ip = endpoint_print_ip(&host->endpoint, ip_room);
	const struct text certified = host_certified_name(host, ip);
	const size_t peer_length = host->name.length + ip.length + 2;
	struct connection *connection = calloc(1, sizeof *connection + peer_length + next_hop->destination.length +
	        next_hop->domain.length + certified.length + hostname.length);

	if (connection == NULL)
		return NULL;
	char *at = connection->names;

	connection->peer = (struct text){ at, peer_length };
	put_name(&at, host->name);
	put_name(&at, TEXT("["));
	put_name(&at, ip);
	put_name(&at, TEXT("]"));
	connection->destination = put_name(&at, next_hop->destination);
	connection->domain = put_name(&at, next_hop->domain);
	connection->host = put_name(&at, certified);
	connection->hostname = put_name(&at, hostname);
	connection->endpoint = host->endpoint;
	if (source_proxy(pool, host) != NULL)
		connection->proxy = *source_proxy(pool, host);
	connection->lmtp = next_hop->lmtp;
	connection->demand = next_hop->tls;
	connection->fallback = host->fallback;
	connection->by_domain = next_hop->via_count == 0 && !host->fallback;
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
	proxied_free(connection->proxied);
	arena_free(connection->records);
	client_session_free(connection->session);
	logins_unref(connection->logins);
	free(connection);
}

/* The one that was idle for longest leaves where one more would be too many. Those that are under way are not: the queue has no more
 * deliveries in hand than there may be connections. (An address that races with another one comes on top, until one has won.) */
static void make_room(struct outbound *outbound, const struct delivery_limits *limits)
{
	struct connection *connection, *oldest = NULL;
	uint32_t count = 0;

	if (limits->connections_max == 0)
		return;
	DL_FOREACH(outbound->connections, connection)
		count += connection->limits.site == limits->site && (connection->job != NULL || connection->idle);
	if (count < limits->connections_max)
		return;
	DL_FOREACH2(outbound->idle, connection, idle_next)
		if (connection->limits.site == limits->site)
			oldest = connection;
	if (oldest == NULL)
		return;
	leave_pool(oldest);
	client_session_quit(oldest->session);
	step(oldest);
}

/* It is there: who has none does not dial (courier.c). The snapshot stays as long as the session may look at it. */
static void demand_login(struct connection *connection, const struct next_hop *next_hop)
{
	connection->logins = logins_ref(connection->outbound->logins);
	connection->login = logins_find(connection->logins, next_hop);
	must(connection->login != NULL);
	client_session_demand_login(connection->session, connection->login);
}

static bool copy_tlsa(struct connection *connection, const struct host_tlsa *tlsa)
{
	enum { ARENA_BYTES = 2 * TLSA_BYTES_MAX };

	connection->tlsa.finding = tlsa->finding;
	if (tlsa->finding != TLSA_USABLE)
		return true;
	connection->records = arena_new(ARENA_BYTES);
	return connection->records != NULL && arena_copy(connection->records, tlsa->base, &connection->tlsa.base) &&
	    tlsa_copy(&tlsa->usable, connection->records, &connection->tlsa.usable);
}

bool outbound_dial(struct job *job, size_t host_index)
{
	struct outbound *outbound = job->outbound;
	const struct host *host = &job->delivery->hosts->hosts[host_index];
	struct loop *loop = outbound->world.loop;
	const struct next_hop *next_hop = &job->delivery->route->next_hop;
	const struct endpoint *source;

	make_room(outbound, &job->delivery->limits);
	struct connection *connection =
	    source_choose(outbound, next_hop, host, &source) ? connection_new(outbound, next_hop, host) : NULL;

	if (connection == NULL)
		return false;
	if (source != NULL)
		connection->source = *source;
	connection->used = reuse_demand(job, host);
	connection->session = client_session_new(
	    next_hop->lmtp ? &outbound->lmtp : &outbound->smtp, connection->peer, connection->used);
	connection->timer = loop_timer_new(loop, on_timer, connection);
	if (connection->proxy.family != ENDPOINT_NONE)
		connection->proxied = proxied_new(outbound, source_pool(outbound, next_hop), &host->endpoint);
	connection->stream = stream_dial(loop, connection->proxy.family != ENDPOINT_NONE ? &connection->proxy : &host->endpoint, source,
	    &stream_handler, connection);
	if (connection->session == NULL || connection->timer == NULL || connection->stream == NULL ||
	    (connection->proxied == NULL && connection->proxy.family != ENDPOINT_NONE) ||
	    !copy_tlsa(connection, &host->tlsa)) {
		outbound_hang_up(connection);
		return false;
	}
	client_session_introduce_as(connection->session, connection->hostname);
	if (next_hop->user.length > 0 && !host->fallback)
		demand_login(connection, next_hop);
	client_session_limit_messages(connection->session, job->delivery->limits.messages_max);
	connection->limits = job->delivery->limits;
	loop_timer_set(connection->timer, outbound->settings.dial_ms);
	outbound->counts.dialled++;
	known_note_dialled(job, host_index);
	connection->job = job;
	(void)reuse_note_domain(connection, job->delivery);
	connection->host_index = host_index;
	note_source(connection);
	if (job->connection == NULL) {
		job->connection = connection;
		job->host_index = host_index;
	} else {
		job->rival = connection;
		job->rival_index = host_index;
	}
	return true;
}
