/* One delivery, from its decision to the courier's answer.
 *
 *     start ─┬─ expand, refuse, gate down ──────────────────────────┐
 *            ├─ mailbox, pipe ───────────────┐                      │
 *            └─ hosts ─┬─ known ─────────────┴► courier ─► done ────┴► settle (settle.c) ─► end
 *                      └─ searched ─► found ─┘ or no way */
#include <stdio.h>

#include "base/must.h"
#include "queue/queue_private.h"

static void leave_destination(struct job *job)
{
	if (!job->occupies)
		return;
	must(job->destination->in_flight > 0);
	job->occupies = false;
	job->destination->in_flight--;
	site_leave(job->destination->site);
}

void job_settle_all(struct job *job, const struct verdict *verdict)
{
	for (uint32_t i = 0; i < job->message.recipient_count; i++) {
		struct delivery_outcome *outcome = &job->outcomes[i];

		*outcome = (struct delivery_outcome){ .verdict = *verdict };
		/* Whoever said it may be gone when the settling change is made again. */
		if (!arena_copy(job->batch->arena, verdict->text, &outcome->verdict.text))
			outcome->verdict.text = TEXT_EMPTY;
		if (!arena_copy(job->batch->arena, verdict->host, &outcome->verdict.host))
			outcome->verdict.host = TEXT_EMPTY;
	}
	leave_destination(job);
	job_settle(job);
}

/* -- The courier ------------------------------------------------------------------------------------ */

static bool is_unsafe(const struct job *job)
{
	for (uint32_t i = 0; i < job->message.recipient_count; i++)
		if (job->outcomes[i].unsafe)
			return true;
	return false;
}

static void delivered(struct delivery *delivery)
{
	struct job *job = delivery->context;

	for (uint32_t i = 0; i < job->message.recipient_count; i++)
		must(job->outcomes[i].verdict.code != 0);
	if (is_unsafe(job))
		destination_part(job->destination);
	site_learn(job->destination->site, job->outcomes, job->message.recipient_count, job->started_ms);
	leave_destination(job);
	job_settle(job);
}

/* For the log and the counters only: a durable step of each attempt would cost as much as its outcome. */
static void report_attempt(const struct job *job)
{
	const struct event_sink *sink = &job->queue->parts.sink;
	char count[12];
	struct event event = { .kind = EVENT_ATTEMPT, .time_ms = job->started_ms, .id = job->message.envelope.id };

	snprintf(count, sizeof count, "%u", job->message.recipient_count);
	event.fields[EVENT_FIELD_RECIPIENTS] = text_of(count);
	event.fields[EVENT_FIELD_HOST] = job->destination->key;
	sink->report(sink->context, &event);
}

static void deliver(struct job *job, const struct courier *courier)
{
	report_attempt(job);
	job->delivery = (struct delivery){
		.message = &job->message,
		.sent_as = job->sent_as,
		.route = &job->route,
		.hosts = job->hosts ? &job->hosts->list : NULL,
		.limits = site_limits(job->destination->site),
		.arena = job->batch->arena,
		.outcomes = job->outcomes,
		.tls_notes = job->delivery.tls_notes,
		.done = delivered,
		.context = job,
	};
	courier->deliver(courier->context, &job->delivery);
}

void job_deliver(struct job *job, struct host_cache *hosts)
{
	job->delivery.tls_notes.wanted = job->queue->settings.tallies_tls && tls_notes_apply(&job->route.next_hop);
	if (hosts->list.verdict.code != 0) {
		tls_notes_add_barred(&job->delivery.tls_notes, &hosts->list, job->batch->arena);
		job_settle_all(job, &hosts->list.verdict);
		return;
	}
	job->hosts = host_cache_ref(hosts);
	deliver(job, job->queue->parts.outbound);
}

/* As if it had not been taken; whoever opens the gate lets its domain try again. */
static void put_back(struct job *job)
{
	leave_destination(job);
	for (uint32_t i = 0; i < job->message.recipient_count; i++)
		domain_look_back(job->queue, job->domain, (struct spool_position){ .due_ms = job->message.recipients[i].due_ms,
			.id = job->message.envelope.id,
			.index = job->message.recipients[i].index });
	job_end(job);
}

/* -- Hosts: one search for all who wait --------------------------------------------------------------- */

/* It was taken while its hosts were not known, and for all that they serve there is no room now. */
static bool is_too_many(const struct job *job)
{
	struct site *site = job->destination->site;

	return site->in_flight > site->limit || site->pause_until_ms > queue_now_ms(job->queue) ||
	    !site_take_turn(site, queue_now_ms(job->queue));
}

static void release_waiting(struct destination *destination, struct host_cache *hosts, bool elsewhere)
{
	static const struct verdict no_memory = {
		451, { 4, 3, 0 }, { "out of memory", sizeof "out of memory" - 1 }, { NULL, 0 }
	};

	destination_ref(destination); /* The last job may be the last who needs it. */
	while (destination->waiting != NULL) {
		struct job *job = destination->waiting;

		DL_DELETE(destination->waiting, job);
		if (hosts != NULL && elsewhere && is_too_many(job))
			put_back(job);
		else if (hosts != NULL)
			job_deliver(job, hosts);
		else
			job_settle_all(job, &no_memory);
	}
	destination_unref(destination->queue, destination);
}

static void hosts_found(void *context, const struct host_list *list)
{
	struct destination *destination = context;
	struct queue *queue = destination->queue;
	struct host_cache *hosts = host_cache_new(list, queue_now_ms(queue));

	destination->search = NULL;
	host_cache_unref(destination->hosts);
	destination->hosts = hosts;
	if (hosts != NULL)
		host_cache_ref(hosts);
	const bool elsewhere = hosts != NULL && list->host_count > 0 && destination_join(destination, list);

	release_waiting(destination, hosts, elsewhere);
	host_cache_unref(hosts);
}

static void find_hosts(struct job *job)
{
	struct destination *destination = job->destination;
	struct queue *queue = job->queue;

	if (destination->hosts != NULL && destination->hosts->expires_ms > queue_now_ms(queue)) {
		job_deliver(job, destination->hosts);
		return;
	}
	DL_APPEND(destination->waiting, job);
	if (destination->search != NULL)
		return;
	destination->search =
	    hosts_find(queue->parts.loop, queue->parts.hosts, &destination->hop, hosts_found, destination);
	if (destination->search == NULL)
		release_waiting(destination, NULL, false);
}

/* -- Start and end --------------------------------------------------------------------------------------- */

void job_start(struct job *job)
{
	struct destination *destination = job->destination;

	job->started_ms = queue_now_ms(job->queue);
	if (job->route.kind == ROUTE_EXPAND || job->pause.length > 0) {
		job_settle(job);
	} else if (job->route.kind == ROUTE_REFUSE) {
		job_settle_all(job, &job->route.verdict);
	} else if (site_gate(destination->site, job->started_ms) == QUEUE_GATE_DOWN) {
		job_settle_all(job, &destination->site->last);
	} else {
		job->occupies = true;
		destination->in_flight++;
		site_occupy(destination->site, 1);
		if (!site_take_turn(destination->site, job->started_ms)) {
			put_back(job);
			return;
		}
		if (job->route.kind == ROUTE_HOSTS)
			find_hosts(job);
		else
			deliver(job, job->route.kind == ROUTE_PIPE ? job->queue->parts.pipe : job->queue->parts.mailbox);
	}
}

/* What it holds outside its batch; also when the queue ends before it. */
void job_release(struct job *job)
{
	host_cache_unref(take(job->hosts));
	arena_free(take(job->settle_arena));
}

static void land(struct job *job)
{
	struct queue *queue = job->queue;

	for (uint32_t i = 0; i < job->message.recipient_count; i++) {
		const struct flight_key key = { .id = job->message.envelope.id,
			.index = job->message.recipients[i].index };
		struct flight *flight;

		HASH_FIND(hh, queue->flights, &key, sizeof key, flight);
		must(flight != NULL); /* Q2 */
		HASH_DELETE(hh, queue->flights, flight);
	}
}

void job_end(struct job *job)
{
	struct queue *queue = job->queue;
	struct domain *domain = job->domain;

	must(!job->occupies);
	land(job);
	destination_unref(queue, job->destination);
	job_release(job);
	must(domain->job_count > 0);
	if (--domain->job_count == 0 && domain->state == DOMAIN_IDLE)
		domain_free(queue, domain);
	if (queue->job_count-- == queue->settings.in_flight_max || queue->draining)
		queue_kick(queue);
	batch_unref(queue, job->batch);
}
