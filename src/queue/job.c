/* One delivery, from its decision to the courier's answer.
 *
 *     start ─┬─ expand, refuse, gate down ──────────────────────────┐
 *            ├─ mailbox ─────────────────────┐                      │
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
	destination_unblock(job->queue, job->destination);
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

static void delivered(struct delivery *delivery)
{
	struct job *job = delivery->context;

	for (uint32_t i = 0; i < job->message.recipient_count; i++)
		must(job->outcomes[i].verdict.code != 0);
	destination_learn(job->queue, job->destination, job->outcomes, job->message.recipient_count);
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
		.route = &job->route,
		.hosts = job->hosts ? &job->hosts->list : NULL,
		.arena = job->batch->arena,
		.outcomes = job->outcomes,
		.done = delivered,
		.context = job,
	};
	courier->deliver(courier->context, &job->delivery);
}

void job_deliver(struct job *job, struct host_cache *hosts)
{
	if (hosts->list.verdict.code != 0) {
		job_settle_all(job, &hosts->list.verdict);
		return;
	}
	job->hosts = host_cache_ref(hosts);
	deliver(job, job->queue->parts.outbound);
}

/* -- Hosts: one search for all who wait --------------------------------------------------------------- */

static void release_waiting(struct destination *destination, struct host_cache *hosts)
{
	static const struct verdict no_memory = {
		451, { 4, 3, 0 }, { "out of memory", sizeof "out of memory" - 1 }, { NULL, 0 }
	};

	destination_ref(destination); /* The last job may be the last who needs it. */
	while (destination->waiting != NULL) {
		struct job *job = destination->waiting;

		DL_DELETE(destination->waiting, job);
		if (hosts != NULL)
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
	release_waiting(destination, hosts);
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
		release_waiting(destination, NULL);
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
	} else if (destination_gate(destination, job->started_ms) == QUEUE_GATE_DOWN) {
		job_settle_all(job, &destination->last);
	} else {
		job->occupies = true;
		destination->in_flight++;
		if (job->route.kind == ROUTE_HOSTS)
			find_hosts(job);
		else
			deliver(job, job->queue->parts.mailbox);
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
