#include "outbound/courier_private.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/must.h"

/* More connections than this because of a server's limits (RFC 9422) are too many for one delivery. */
enum { SPLITS_MAX = 20 };

const struct outbound_settings outbound_settings_default = {
	.timeouts = CLIENT_TIMEOUTS_DEFAULT,
	.dial_ms = 30'000,
	.search_ms_max = 300'000,
	.idle_ms = 3'000,
	.hosts_max = 10,
	.messages_max = 100,
	.idle_max = 100,
};

/* -- The end of a delivery ---------------------------------------------------------- */

/* U6. The timer of no delay gathers what ends in one round of the loop. */
static void deliveries_done(void *context)
{
	struct outbound *outbound = context;

	/* Those that end while we call are for the next round. */
	struct delivery *delivery = outbound->done_first, *next;

	outbound->done_first = outbound->done_last = NULL;
	for (; delivery != NULL; delivery = next) {
		next = delivery->courier;
		delivery->courier = NULL;
		delivery->done(delivery);
	}
}

static void put_done(struct outbound *outbound, struct delivery *delivery)
{
	delivery->courier = NULL;
	if (outbound->done_last != NULL)
		outbound->done_last->courier = delivery;
	else
		outbound->done_first = delivery;
	outbound->done_last = delivery;
	loop_timer_set(outbound->done_timer, 0);
}

static void fill_missing(struct delivery *delivery, const struct verdict *verdict)
{
	for (uint32_t i = 0; i < delivery->message->recipient_count; i++) {
		struct delivery_outcome *outcome = &delivery->outcomes[i];

		if (outcome->verdict.code != 0)
			continue;
		outcome->verdict = *verdict;
		outcome->pressure = true;
	}
}

static bool is_complete(const struct delivery *delivery)
{
	for (uint32_t i = 0; i < delivery->message->recipient_count; i++)
		if (delivery->outcomes[i].verdict.code == 0)
			return false;
	return true;
}

/* An operator wants to know why mail went in clear text to a host that offers TLS. */
static void tell_why_clear(struct job *job)
{
	struct delivery *delivery = job->delivery;

	if (job->clear && text_equal(delivery->tls, TEXT("none")))
		(void)!arena_print(delivery->arena, &delivery->tls, "none (%.*s)", TEXT_FORMAT(job->trouble.text));
}

static void job_finish(struct job *job)
{
	struct outbound *outbound = job->outbound;

	must(job->connection == NULL);
	must(is_complete(job->delivery)); /* C2 */
	tell_why_clear(job);
	put_done(outbound, job->delivery);
	DL_DELETE(outbound->jobs, job);
	free(job);
}

/* What a failed host said, as an outcome of ours: its message may yet go through another time (U3). */
static struct verdict soften(struct arena *arena, const struct verdict *trouble)
{
	struct verdict verdict = *trouble;

	if (!verdict_is_permanent(trouble))
		return verdict;
	verdict.code = 451;
	verdict.enhanced = (struct enhanced_code){ 4, 3, 2 };
	if (!arena_print(arena, &verdict.text, "the host does not take mail: %u %.*s", trouble->code,
		TEXT_FORMAT(trouble->text)))
		verdict.text = TEXT("the host does not take mail");
	return verdict;
}

static void job_give_up(struct job *job)
{
	struct verdict verdict = VERDICT(451, 4, 4, 1, "no host could be reached");

	if (job->trouble.code != 0)
		verdict = job->only_521 ? job->trouble : soften(job->delivery->arena, &job->trouble);
	fill_missing(job->delivery, &verdict);
	job_finish(job);
}

/* -- Hosts ------------------------------------------------------------------------------ */

static void note_trouble(struct job *job, const struct verdict *trouble)
{
	struct arena *arena = job->delivery->arena;
	struct verdict kept = *trouble;

	if (!arena_copy(arena, trouble->text, &kept.text))
		kept.text = TEXT_EMPTY;
	if (!arena_copy(arena, trouble->host, &kept.host))
		kept.host = TEXT_EMPTY;
	job->trouble = kept;
	job->failure_count++;
	job->only_521 = job->only_521 && trouble->code == 521;
}

static bool may_dial(const struct job *job)
{
	const struct outbound *outbound = job->outbound;

	return job->host_index < job->delivery->hosts->host_count &&
	    job->failure_count < outbound->settings.hosts_max &&
	    loop_now_ms(outbound->world.loop) - job->started_ms < outbound->settings.search_ms_max;
}

static void next_host(struct job *job)
{
	job->host_index++;
	job->clear = false;
}

static void job_dial(struct job *job)
{
	while (may_dial(job)) {
		const struct host *host = &job->delivery->hosts->hosts[job->host_index];
		struct verdict trouble = VERDICT(451, 4, 3, 0, "no memory or descriptor for a connection");

		if (outbound_dial(job, host))
			return;
		trouble.host = host->name;
		note_trouble(job, &trouble);
		next_host(job);
	}
	job_give_up(job);
}

static void job_begin(struct job *job)
{
	struct connection *connection = outbound_take_idle(job->outbound, job->delivery);

	if (connection == NULL) {
		job->fresh = true;
		job_dial(job);
		return;
	}
	job->outbound->counts.reused++;
	outbound_serve(connection, job);
}

/* A server that takes only a part at a time; see RFC 9422. */
static void job_split(struct job *job)
{
	const struct verdict verdict = VERDICT(452, 4, 5, 3, "the server takes too few recipients at a time");

	if (job->split_count++ < SPLITS_MAX) {
		job_dial(job);
		return;
	}
	fill_missing(job->delivery, &verdict);
	job_finish(job);
}

void outbound_job_left(struct job *job, enum connection_end end, const struct verdict *trouble)
{
	const bool was_fresh = job->fresh;

	must(job->connection == NULL);
	job->fresh = true;
	if (is_complete(job->delivery)) {
		job_finish(job);
		return;
	}
	switch (end) {
	case CONNECTION_USED:
		job_split(job);
		break;
	case CONNECTION_FAILED:
		note_trouble(job, trouble);
		/* A kept connection says nothing of the first host. */
		if (was_fresh)
			next_host(job);
		job_dial(job);
		break;
	case CONNECTION_TLS_FAILED:
		note_trouble(job, trouble);
		job->clear = true;
		job_dial(job);
		break;
	case CONNECTION_STALE:
		/* Within one delivery, too, a server may hang up after each transaction: that is a split. */
		if (was_fresh)
			job_split(job);
		else
			job_dial(job);
		break;
	}
}

/* -- The courier ---------------------------------------------------------------------------- */

static void deliver(void *context, struct delivery *delivery)
{
	struct outbound *outbound = context;
	struct job *job = calloc(1, sizeof *job);

	must(delivery->route->kind == ROUTE_HOSTS);
	must(delivery->hosts->verdict.code == 0);
	delivery->tls = TEXT_EMPTY;
	if (job == NULL) {
		const struct verdict verdict = VERDICT(451, 4, 3, 0, "out of memory");

		fill_missing(delivery, &verdict);
		put_done(outbound, delivery);
		return;
	}
	job->outbound = outbound;
	job->delivery = delivery;
	job->started_ms = loop_now_ms(outbound->world.loop);
	job->only_521 = true;
	DL_APPEND(outbound->jobs, job);
	job_begin(job);
}

struct courier outbound_courier(struct outbound *outbound)
{
	return (struct courier){ deliver, outbound };
}

void outbound_reload(struct outbound *outbound, const struct outbound_settings *settings)
{
	must(settings->messages_max > 0);
	must(settings->hosts_max > 0);
	outbound->settings = *settings;
	outbound->smtp = (struct client_settings){
		.hostname = settings->hostname,
		.timeouts = settings->timeouts,
		.messages_max = settings->messages_max,
	};
	outbound->lmtp = outbound->smtp;
	outbound->lmtp.lmtp = true;
}

struct outbound *outbound_new(const struct outbound_world *world, const struct outbound_settings *settings)
{
	struct outbound *outbound = calloc(1, sizeof *outbound);

	if (outbound == NULL)
		return NULL;
	outbound->world = *world;
	outbound_reload(outbound, settings);
	outbound->done_timer = loop_timer_new(world->loop, deliveries_done, outbound);
	if (outbound->done_timer == NULL) {
		free(outbound);
		return NULL;
	}
	return outbound;
}

void outbound_set_tls(struct outbound *outbound, struct tls_client *client)
{
	struct tls_client *old = outbound->tls;

	outbound->tls = tls_client_ref(client);
	tls_client_unref(old);
}

void outbound_free(struct outbound *outbound)
{
	struct job *job, *next;

	if (outbound == NULL)
		return;
	while (outbound->connections != NULL)
		outbound_hang_up(outbound->connections);
	DL_FOREACH_SAFE(outbound->jobs, job, next)
		free(job);
	loop_timer_free(outbound->done_timer);
	tls_client_unref(outbound->tls);
	free(outbound);
}

struct outbound_counts outbound_counts(const struct outbound *outbound)
{
	return outbound->counts;
}
