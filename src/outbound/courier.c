#include "outbound/courier_private.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/must.h"

/* More connections than this because of a server's limits (RFC 9422) are too many for one delivery. */
enum { SPLITS_MAX = 20 };

const struct outbound_settings outbound_settings_default = {
	.timeouts = CLIENT_TIMEOUTS_DEFAULT,
	.dial_ms = 30'000,
	.race_ms = 250,
	.search_ms_max = 300'000,
	.idle_ms = 3'000,
	.hosts_max = 10,
	.messages_max = 100,
	.idle_max = 100,
};

/* -- The end of a delivery ---------------------------------------------------------- */

/* U7. The timer of no delay gathers what ends in one round of the loop. */
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

/* The rest of its recipients share this outcome. */
static void fill_missing(struct delivery *delivery, const struct delivery_outcome *missing)
{
	for (uint32_t i = 0; i < delivery->message->recipient_count; i++) {
		struct delivery_outcome *outcome = &delivery->outcomes[i];

		if (outcome->verdict.code == 0)
			*outcome = *missing;
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

static void job_free(struct job *job)
{
	loop_timer_free(job->race_timer);
	free(job);
}

static void job_finish(struct job *job)
{
	struct outbound *outbound = job->outbound;

	must(job->connection == NULL);
	must(is_complete(job->delivery)); /* C2 */
	tell_why_clear(job);
	put_done(outbound, job->delivery);
	DL_DELETE(outbound->jobs, job);
	job_free(job);
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
		verdict = job->only_final ? job->trouble : soften(job->delivery->arena, &job->trouble);
	const bool blamed = job->blamed || job->failure_count == 0;

	fill_missing(job->delivery,
	    &(struct delivery_outcome){
	        .verdict = verdict, .pressure = blamed, .ours = !blamed, .unsafe = blamed && job->unsafe });
	job_finish(job);
}

/* -- Hosts ------------------------------------------------------------------------------ */

/* It will be so another time, too; or the sender wants to hear now that his message cannot go its way (RFC 8689 §4.2.1). */
static bool is_final(const struct job *job, const struct verdict *trouble)
{
	return trouble->code == 521 || (verdict_is_permanent(trouble) && job->delivery->route->next_hop.tls.whole_way);
}

static void note_trouble(struct job *job, enum connection_end end, const struct verdict *trouble)
{
	struct arena *arena = job->delivery->arena;
	struct verdict kept = *trouble;

	if (!arena_copy(arena, trouble->text, &kept.text))
		kept.text = TEXT_EMPTY;
	if (!arena_copy(arena, trouble->host, &kept.host))
		kept.host = TEXT_EMPTY;
	job->trouble = kept;
	job->failure_count++;
	job->blamed = job->blamed || (end != CONNECTION_PROXY_FAILED && end != CONNECTION_WAY_FAILED);
	job->only_final = job->only_final && is_final(job, trouble);
}

static bool may_dial(const struct job *job, size_t *out_index)
{
	const struct outbound *outbound = job->outbound;

	return race_next(job, out_index) && job->failure_count < outbound->settings.hosts_max &&
	    loop_now_ms(outbound->world.loop) - job->started_ms < outbound->settings.search_ms_max;
}

/* U8. False: there is none, or it would be a way round a refusal. */
static bool turn_to_relays(struct job *job)
{
	const struct host_list *hosts = job->delivery->hosts;
	size_t first = 0;

	while (first < hosts->host_count && !hosts->hosts[first].fallback)
		first++;
	if (job->at_relays || job->refused || first == hosts->host_count)
		return false;
	job->at_relays = true;
	job->host_index = NO_HOST;
	job->clear = false;
	job->failure_count = 0;
	job->started_ms = loop_now_ms(job->outbound->world.loop);
	job->delivery->fallback = job->trouble.text;
	return true;
}

static bool may_dial_at_all(struct job *job, size_t *out_index)
{
	return may_dial(job, out_index) || (turn_to_relays(job) && may_dial(job, out_index));
}

static void host_failed(struct job *job, size_t index)
{
	race_note_tried(job, index);
	job->clear = false;
}

/* A route of the configuration that is not in force any more, or a password that could not be read. */
static bool lacks_login(const struct job *job)
{
	const struct next_hop *hop = &job->delivery->route->next_hop;

	return hop->user.length > 0 && logins_find(job->outbound->logins, hop) == NULL;
}

static void job_dial(struct job *job)
{
	size_t index;
	const struct verdict unknown = VERDICT(451, 4, 7, 0, "we are to log in there, and have no password for it");

	if (!job->at_relays && lacks_login(job)) {
		note_trouble(job, CONNECTION_FAILED, &unknown);
		job_give_up(job);
		return;
	}
	while (may_dial_at_all(job, &index)) {
		struct verdict trouble = VERDICT(451, 4, 3, 0, "no memory or descriptor for a connection");

		if (proxied_must_wait(job, &job->delivery->hosts->hosts[index], &trouble)) { /* U10 */
			note_trouble(job, CONNECTION_PROXY_FAILED, &trouble);
			break;
		}
		if (outbound_dial(job, index)) {
			race_begin(job, job->outbound->settings.race_ms);
			return;
		}
		trouble.host = job->delivery->hosts->hosts[index].name;
		note_trouble(job, CONNECTION_FAILED, &trouble);
		host_failed(job, index);
	}
	job_give_up(job);
}

/* Others have found out a moment ago that none of the hosts can be reached. */
static bool spare_hosts(struct job *job)
{
	struct verdict trouble;

	if (!known_all_rest(job, &trouble) || !turn_to_relays(job))
		return false;
	job->only_final = false;
	if (!arena_copy(job->delivery->arena, trouble.text, &job->delivery->fallback))
		job->delivery->fallback = TEXT("they could not be reached a moment ago");
	return true;
}

static void job_begin(struct job *job)
{
	struct connection *connection = outbound_take_idle(job);

	if (connection == NULL && spare_hosts(job))
		connection = outbound_take_idle(job);
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
	fill_missing(job->delivery, &(struct delivery_outcome){ .verdict = verdict, .pressure = true });
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
	case CONNECTION_WAY_FAILED:
	case CONNECTION_UNSAFE:
		note_trouble(job, end, trouble);
		job->unsafe = job->unsafe || end == CONNECTION_UNSAFE;
		job->refused = job->refused || known_is_refusal(trouble);
		/* A kept connection says nothing of the first host. */
		if (was_fresh) {
			known_note_failed(job, job->host_index, end, trouble);
			host_failed(job, job->host_index);
		}
		job_dial(job);
		break;
	case CONNECTION_TLS_FAILED:
		note_trouble(job, end, trouble);
		job->clear = true;
		job_dial(job);
		break;
	case CONNECTION_LOGIN_REFUSED: /* U6 */
	case CONNECTION_PROXY_FAILED:  /* U10 */
		note_trouble(job, end, trouble);
		job_give_up(job);
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

void outbound_job_lost_rival(struct job *job, size_t host_index, enum connection_end end, const struct verdict *trouble)
{
	note_trouble(job, end, trouble);
	known_note_failed(job, host_index, end, trouble);
	race_note_tried(job, host_index);
	if (job->failure_count < job->outbound->settings.hosts_max)
		race_begin(job, 0);
}

/* -- The courier ---------------------------------------------------------------------------- */

static void deliver(void *context, struct delivery *delivery)
{
	struct outbound *outbound = context;
	struct job *job = calloc(1, sizeof *job);
	struct loop_timer *race_timer = job != NULL ? loop_timer_new(outbound->world.loop, race_due, job) : NULL;

	must(delivery->route->kind == ROUTE_HOSTS);
	must(delivery->hosts->verdict.code == 0);
	delivery->tls = delivery->fallback = delivery->source = TEXT_EMPTY;
	if (race_timer == NULL) {
		const struct verdict verdict = VERDICT(451, 4, 3, 0, "out of memory");

		free(job);
		fill_missing(delivery, &(struct delivery_outcome){ .verdict = verdict, .pressure = true });
		put_done(outbound, delivery);
		return;
	}
	job->outbound = outbound;
	job->race_timer = race_timer;
	job->delivery = delivery;
	job->host_index = NO_HOST;
	job->started_ms = loop_now_ms(outbound->world.loop);
	job->only_final = true;
	DL_APPEND(outbound->jobs, job);
	source_leave_out(job);
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
	host_memory_forgive(outbound->memory);
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
	outbound->memory = host_memory_new();
	outbound->done_timer = outbound->memory ? loop_timer_new(world->loop, deliveries_done, outbound) : NULL;
	if (outbound->done_timer == NULL) {
		host_memory_free(outbound->memory);
		free(outbound);
		return NULL;
	}
	outbound_reload(outbound, settings);
	return outbound;
}

void outbound_set_tls(struct outbound *outbound, struct tls_client *client)
{
	struct tls_client *old = outbound->tls;

	outbound->tls = tls_client_ref(client);
	tls_client_unref(old);
}

void outbound_set_logins(struct outbound *outbound, struct logins *logins)
{
	struct logins *old = outbound->logins;

	outbound->logins = logins_ref(logins);
	logins_unref(old);
}

void outbound_free(struct outbound *outbound)
{
	struct job *job, *next;

	if (outbound == NULL)
		return;
	while (outbound->connections != NULL)
		outbound_hang_up(outbound->connections);
	DL_FOREACH_SAFE(outbound->jobs, job, next)
		job_free(job);
	loop_timer_free(outbound->done_timer);
	tls_client_unref(outbound->tls);
	logins_unref(outbound->logins);
	host_memory_free(outbound->memory);
	free(outbound);
}

struct outbound_counts outbound_counts(const struct outbound *outbound)
{
	return outbound->counts;
}
