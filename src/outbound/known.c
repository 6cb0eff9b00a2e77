/* What deliveries learn of hosts, and make of what others learned (host_memory.h). */
#include "base/must.h"
#include "outbound/courier_private.h"

/* Of enhanced status codes (RFC 3463 §3.8). */
enum { SUBJECT_SECURITY = 7 };

static const struct host *host_of(const struct job *job, size_t index)
{
	return &job->delivery->hosts->hosts[index];
}

static struct text pool_of(const struct job *job)
{
	return job->delivery->route->next_hop.pool;
}

static int64_t now_ms(const struct job *job)
{
	return loop_now_ms(job->outbound->world.loop);
}

static const struct host_known *find(const struct job *job, size_t index)
{
	return host_memory_find(job->outbound->memory, &host_of(job, index)->endpoint, pool_of(job));
}

/* -- Learned ------------------------------------------------------------------------ */

void known_note_heard(const struct connection *connection)
{
	const struct job *job = connection->job;
	const struct capabilities *capabilities = client_session_capabilities(connection->session);

	host_memory_heard(job->outbound->memory, &connection->endpoint, pool_of(job), capabilities,
	    connection->filter != NULL || capabilities_offer(capabilities, CAPABILITY_STARTTLS), now_ms(job));
}

/* Somebody on the way may have taken it out of what the host offers; where nothing demands TLS, mail goes all the same (RFC 7435). */
void known_note_no_tls(const struct connection *connection)
{
	const struct outbound_world *world = &connection->outbound->world;
	struct event event = { .kind = EVENT_TLS_WITHDRAWN, .time_ms = loop_unix_ms(world->loop) };

	if (connection->job == NULL ||
	    !host_memory_lost_tls(connection->outbound->memory, &connection->endpoint, pool_of(connection->job)))
		return;
	if (world->sink.report == NULL)
		return;
	event.fields[EVENT_FIELD_HOST] = connection->peer;
	world->sink.report(world->sink.context, &event);
}

bool known_is_refusal(const struct verdict *trouble)
{
	return verdict_is_permanent(trouble) || trouble->enhanced.subject == SUBJECT_SECURITY;
}

void known_note_failed(const struct job *job, size_t index, enum connection_end end, const struct verdict *trouble)
{
	const bool unreached = end == CONNECTION_FAILED || end == CONNECTION_WAY_FAILED;

	if (unreached && !known_is_refusal(trouble))
		host_memory_failed(
		    job->outbound->memory, &host_of(job, index)->endpoint, pool_of(job), trouble->text, now_ms(job));
}

void known_note_dialled(const struct job *job, size_t index)
{
	host_memory_dialled(job->outbound->memory, &host_of(job, index)->endpoint, pool_of(job),
	    job->outbound->settings.dial_ms, now_ms(job));
}

/* -- Made of it --------------------------------------------------------------------- */

/* Of hosts of the same preference any may be first (RFC 5321 §5.1); an order that is configured stays. */
static bool are_equal(const struct job *job, size_t a, size_t b)
{
	return !job->at_relays && job->delivery->route->next_hop.via_count == 0 &&
	    host_of(job, a)->preference == host_of(job, b)->preference;
}

bool known_is_better(const struct job *job, size_t index, size_t than)
{
	const struct envelope *envelope = &job->delivery->message->envelope;
	const bool whole_way = job->delivery->route->next_hop.tls.whole_way;
	const struct host_known *a = find(job, index), *b = find(job, than);
	const int64_t now = now_ms(job);

	if (host_known_rests(a, now) != host_known_rests(b, now))
		return host_known_rests(b, now);
	return are_equal(job, index, than) && host_known_unsuitable(b, envelope, whole_way, now) &&
	    !host_known_unsuitable(a, envelope, whole_way, now);
}

bool known_all_rest(const struct job *job, struct verdict *out_trouble)
{
	const struct host_list *hosts = job->delivery->hosts;
	bool rest = false;

	for (size_t i = 0; i < hosts->host_count && !host_of(job, i)->fallback; i++) {
		const struct host_known *known = find(job, i);

		if (!race_may_take(job, i))
			continue;
		if (!host_known_rests(known, now_ms(job)))
			return false;
		*out_trouble = (struct verdict){ .code = 451,
			.enhanced = { 4, 4, 1 },
			.text = known->trouble,
			.host = host_of(job, i)->name };
		rest = true;
	}
	return rest;
}

bool outbound_known(const struct outbound *outbound, const struct endpoint *host, struct text pool,
    const struct host_known **out_known, int64_t *out_now_ms)
{
	const struct host_known *known = host_memory_find(outbound->memory, host, pool);

	if (known == NULL)
		return false;
	*out_known = known;
	*out_now_ms = loop_now_ms(outbound->world.loop);
	return true;
}
