/* Taking due mail of a domain into hand: scan its index, read its messages, decide where they go. */
#include <stdlib.h>

#include "base/must.h"
#include "queue/queue_private.h"

enum {
	GROUPS_PER_TURN = 8, /* Messages a domain may take before the next one's turn. */
	SCAN_MIN = 16
};

/* -- Domains ------------------------------------------------------------------------------------- */

void domain_leave_line(struct queue *queue, struct domain *domain)
{
	if (domain->state == DOMAIN_READY)
		turn_line_leave(&queue->ready, &queue->turns, &domain->seat);
	else if (domain->state == DOMAIN_BLOCKED)
		turn_line_leave(&domain->destination->site->blocked, &queue->turns, &domain->seat);
	domain->state = DOMAIN_IDLE;
}

/* Whose turn came has left his line already. */
void domain_ready(struct queue *queue, struct domain *domain)
{
	if (domain->seat.sender != NULL)
		domain_leave_line(queue, domain);
	domain->state = DOMAIN_READY;
	turn_line_join(&queue->ready, &queue->turns, &domain->seat);
	queue_kick(queue);
}

static void domain_set_destination(struct queue *queue, struct domain *domain, struct destination *destination)
{
	if (domain->destination == destination)
		return;
	destination_unref(queue, domain->destination);
	domain->destination = destination_ref(destination);
}

/* -- Batches: one read of a message --------------------------------------------------------------- */

bool flight_is_on(const struct queue *queue, queue_id id, uint32_t index)
{
	const struct flight_key key = { .id = id, .index = index };
	struct flight *flight;

	HASH_FIND(hh, queue->flights, &key, sizeof key, flight);
	return flight != NULL;
}

static struct batch *batch_new(struct queue *queue)
{
	struct arena *arena = arena_new(BATCH_ARENA_BYTES);
	struct batch *batch = arena ? arena_alloc(arena, sizeof *batch) : NULL;

	if (batch == NULL) {
		arena_free(arena);
		return NULL;
	}
	batch->arena = arena;
	batch->router = router_ref(queue->router);
	batch->references = 1;
	batch->mark = SUSPECT_NO_MARK;
	DL_APPEND(queue->batches, batch);
	return batch;
}

void batch_unref(struct queue *queue, struct batch *batch)
{
	if (--batch->references > 0)
		return;
	DL_DELETE(queue->batches, batch);
	for (struct job *job = batch->jobs; job != NULL; job = job->sibling)
		job_release(job);
	if (batch->mark != SUSPECT_NO_MARK)
		suspects_clear(queue->parts.suspects, batch->mark);
	if (batch->on_trial) {
		queue->on_trial = false;
		queue->trial_due_ms = 0;
		suspects_trial_end(queue->parts.suspects);
		queue_kick(queue);
	}
	router_unref(batch->router);
	arena_free(batch->arena);
}

/* Drop the indexes of recipients that are gone. */
static enum error keep_present(struct queue *queue, queue_id id, uint32_t *indexes, size_t *count)
{
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		struct message message;
		struct arena *arena = arena_new(BATCH_ARENA_BYTES);
		const enum error error =
		    arena ? spool_read_recipients(queue->parts.spool, id, &indexes[i], 1, arena, &message) : ERR_NO_MEMORY;

		arena_free(arena);
		if (error == OK)
			indexes[kept++] = indexes[i];
		else if (error != ERR_NOT_FOUND)
			return error;
	}
	*count = kept;
	return OK;
}

/* Recipients that an operator held or postponed since the scan are left alone. */
static void keep_due(struct message *message, int64_t now_ms)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < message->recipient_count; i++) {
		const struct recipient *recipient = &message->recipients[i];

		if (!(recipient->flags & RECIPIENT_HELD) && recipient->due_ms <= now_ms)
			message->recipients[kept++] = *recipient;
	}
	message->recipient_count = kept;
}

static enum error batch_read(struct queue *queue, struct batch *batch, queue_id id, uint32_t *indexes, size_t count)
{
	enum error error =
	    spool_read_recipients(queue->parts.spool, id, indexes, count, batch->arena, &batch->message);

	if (error == ERR_NOT_FOUND) {
		error = keep_present(queue, id, indexes, &count);
		if (error != OK || count == 0)
			return error;
		error = spool_read_recipients(queue->parts.spool, id, indexes, count, batch->arena, &batch->message);
	}
	if (error == OK)
		keep_due(&batch->message, queue_now_ms(queue));
	return error;
}

/* Damaged bytes get no better by another look: it stays in the spool, unsent, and the log names it. */
static void report_damage(struct queue *queue, queue_id id)
{
	struct event event = { .kind = EVENT_DEFERRED, .time_ms = queue_now_ms(queue), .id = id };

	event.fields[EVENT_FIELD_REASON] = text_of(error_text(ERR_CORRUPT));
	queue->parts.sink.report(queue->parts.sink.context, &event);
}

/* -- Jobs: what a batch is made of ---------------------------------------------------------------- */

static struct job *job_new(struct queue *queue, struct domain *domain, struct batch *batch, uint32_t recipient_max)
{
	struct job *job = arena_alloc(batch->arena, sizeof *job);

	if (job == NULL)
		return NULL;
	job->queue = queue;
	job->domain = domain;
	job->batch = batch;
	job->message.envelope = batch->message.envelope;
	job->message.recipients = arena_array(batch->arena, recipient_max, sizeof *job->message.recipients);
	job->outcomes = arena_array(batch->arena, recipient_max, sizeof *job->outcomes);
	job->fates = arena_array(batch->arena, recipient_max, sizeof *job->fates);
	return job->message.recipients && job->outcomes && job->fates ? job : NULL;
}

/* The jobs of a batch in the making; nothing of it is known outside yet. */
struct plan {
	struct job *jobs; /* List. */
};

static struct job *plan_find_hop(
    const struct plan *plan, const struct route_decision *route, const struct address *sent_as)
{
	struct job *job;

	DL_FOREACH(plan->jobs, job)
		if (job->route.kind == ROUTE_HOSTS && job->sent_as == sent_as &&
		    text_equal(job->route.next_hop.destination, route->next_hop.destination) &&
		    tls_demand_equal(job->route.next_hop.tls, route->next_hop.tls))
			return job;
	return NULL;
}

static enum error decide_way(struct batch *batch, const struct recipient *recipient, struct route_decision *out_route)
{
	const struct envelope *envelope = &batch->message.envelope;
	const enum error error = recipient->via.length > 0
	    ? router_decide_via(batch->router, &recipient->address, recipient->via, batch->arena, out_route)
	    : router_decide(batch->router, &recipient->address, &envelope->reverse_path,
	          recipient->flags & RECIPIENT_EXPANDED, batch->arena, out_route);

	bool heeded = true;

	if (error == OK && (envelope->flags & ENVELOPE_REQUIRETLS))
		heeded = router_require_tls(out_route, batch->arena);
	else if (error == OK && (envelope->flags & ENVELOPE_TLS_WAIVED))
		heeded = router_waive_policies(out_route, batch->arena);
	return heeded ? error : ERR_NO_MEMORY;
}

/* What an operator decided for it comes before any route. ERR_NO_MEMORY. */
static enum error decide(struct batch *batch, const struct recipient *recipient, const struct pause *pause,
    struct route_decision *out_route)
{
	*out_route = (struct route_decision){ .kind = ROUTE_REFUSE };
	if (recipient->flags & RECIPIENT_BOUNCED)
		out_route->verdict = VERDICT(554, 5, 0, 0, "returned to you by the operators of this server");
	else if (recipient->flags & RECIPIENT_EXPIRED)
		out_route->verdict = recipient->last.code != 0 ? recipient->last : VERDICT(451, 4, 4, 7, "it was not tried");
	else if (pause == NULL)
		return decide_way(batch, recipient, out_route);
	return OK;
}

/* What LMTP takes is at home. NULL: as the envelope says. */
static const struct address *sent_as(
    const struct batch *batch, const struct recipient *recipient, const struct route_decision *route)
{
	const bool goes_on = recipient->flags & RECIPIENT_EXPANDED && route->kind == ROUTE_HOSTS && !route->next_hop.lmtp;

	return goes_on && batch->sent_as.rewritten ? &batch->sent_as.address : NULL;
}

/* A recipient joins the delivery to its host, or gets a job of its own. False: no memory. */
static bool plan_recipient(
    struct queue *queue, struct domain *domain, struct batch *batch, uint32_t number, struct plan *plan)
{
	struct recipient *recipient = &batch->message.recipients[number];
	const struct pause *pause = recipient->flags & RECIPIENT_ENDED
	    ? NULL
	    : pauses_find(queue->pauses, &batch->message.envelope, recipient);
	struct route_decision route;

	if (decide(batch, recipient, pause, &route) != OK)
		return false;

	const struct address *path = sent_as(batch, recipient, &route);
	struct job *job = route.kind == ROUTE_HOSTS ? plan_find_hop(plan, &route, path) : NULL;

	if (job == NULL) {
		job = job_new(queue, domain, batch, route.kind == ROUTE_HOSTS ? batch->message.recipient_count - number : 1);
		if (job == NULL)
			return false;
		job->route = route;
		job->sent_as = path;
		if (pause != NULL && !arena_print(batch->arena, &job->pause, "%s %.*s is paused", pause_word(pause->kind),
		                         TEXT_FORMAT(pause->subject)))
			return false;
		DL_APPEND(plan->jobs, job);
		if (route.kind == ROUTE_HOSTS || route.kind == ROUTE_MAILBOX || route.kind == ROUTE_PIPE) {
			job->destination = destination_get(queue, route.kind == ROUTE_MAILBOX ? NULL : &route.next_hop);
			if (job->destination == NULL)
				return false;
		}
	}
	job->message.recipients[job->message.recipient_count++] = *recipient;
	return true;
}

static bool is_closed(enum queue_gate gate)
{
	return gate == QUEUE_GATE_FULL || gate == QUEUE_GATE_PACED || gate == QUEUE_GATE_PAUSED;
}

/* The destination of a job whose gate is closed; NULL: none is. */
static struct destination *plan_closed_gate(const struct plan *plan, int64_t now_ms)
{
	struct job *job;

	DL_FOREACH(plan->jobs, job)
		if (job->destination != NULL && is_closed(site_gate(job->destination->site, now_ms)))
			return job->destination;
	return NULL;
}

static void plan_drop(struct queue *queue, struct plan *plan)
{
	struct job *job;

	DL_FOREACH(plan->jobs, job)
		destination_unref(queue, take(job->destination));
}

/* From here on the recipients are in hand. False: no memory, none is. */
static bool take_off(struct queue *queue, struct batch *batch)
{
	const uint32_t count = batch->message.recipient_count;

	batch->flights = arena_array(batch->arena, count, sizeof *batch->flights);
	for (uint32_t i = 0; batch->flights != NULL && i < count; i++) {
		struct flight *flight = &batch->flights[i];

		flight->key = (struct flight_key){ .id = batch->message.envelope.id,
			.index = batch->message.recipients[i].index };
		HASH_ADD(hh, queue->flights, key, sizeof flight->key, flight);
		if (flight->hh.tbl != NULL)
			continue;
		while (i-- > 0)
			HASH_DELETE(hh, queue->flights, &batch->flights[i]);
		return false;
	}
	if (batch->flights != NULL && queue->parts.suspects != NULL)
		batch->mark = suspects_mark(queue->parts.suspects, queue->parts.lane, batch->message.envelope.id);
	return batch->flights != NULL;
}

static void plan_start(struct queue *queue, struct domain *domain, struct batch *batch, struct plan *plan)
{
	struct job *job, *next;

	DL_FOREACH(plan->jobs, job) {
		job->sibling = batch->jobs;
		batch->jobs = job;
		batch->references++;
		domain->job_count++;
		queue->job_count++;
	}
	DL_FOREACH_SAFE(plan->jobs, job, next) {
		job->prev = job->next = NULL;
		job_start(job);
	}
}

/* -- Pulling ---------------------------------------------------------------------------------------- */

/* With the day of now, so that reports have their full time to come back. False: no memory. */
static bool find_return_path(const struct queue *queue, struct batch *batch)
{
	const struct address *sender = &batch->message.envelope.reverse_path;

	for (uint32_t i = 0; i < batch->message.recipient_count; i++)
		if (batch->message.recipients[i].flags & RECIPIENT_EXPANDED)
			return router_return_path(batch->router, sender, queue_now_ms(queue), batch->arena, &batch->sent_as) == OK;
	return true;
}

static enum pull pull_batch(struct queue *queue, struct domain *domain, struct batch *batch)
{
	struct plan plan = { 0 };
	bool ok = find_return_path(queue, batch);

	for (uint32_t i = 0; ok && i < batch->message.recipient_count; i++)
		ok = plan_recipient(queue, domain, batch, i, &plan);
	if (!ok || plan.jobs == NULL) {
		plan_drop(queue, &plan);
		return ok ? PULL_MORE : PULL_TROUBLE;
	}

	struct destination *closed = plan_closed_gate(&plan, queue_now_ms(queue));
	struct destination *known = closed ? closed : plan.jobs->destination;

	/* A suspect comes outside the turn of its domain, which is left as it is. */
	if (known != NULL && !batch->on_trial)
		domain_set_destination(queue, domain, known);
	if (closed != NULL || !take_off(queue, batch)) {
		plan_drop(queue, &plan);
		if (closed == NULL)
			return PULL_TROUBLE;
		if (!batch->on_trial)
			site_block(closed->site, domain);
		return PULL_BLOCKED;
	}
	plan_start(queue, domain, batch, &plan);
	return PULL_MORE;
}

/* Releases the caller's hold on the batch. */
static enum pull pull_recipients(struct queue *queue, struct domain *domain, struct batch *batch, queue_id id,
    uint32_t *indexes, size_t count)
{
	const enum error error = batch_read(queue, batch, id, indexes, count);
	enum pull pull = PULL_MORE;

	if (error == OK)
		pull = pull_batch(queue, domain, batch);
	else if (error == ERR_CORRUPT)
		report_damage(queue, id);
	else if (error != ERR_NOT_FOUND)
		pull = PULL_TROUBLE;
	batch_unref(queue, batch);
	return pull;
}

/* Take the due recipients of one message. PULL_MORE: they are in hand, or not to be. */
static enum pull pull_group(
    struct queue *queue, struct domain *domain, const struct spool_position *positions, size_t position_count)
{
	uint32_t indexes[QUEUE_GROUP_MAX];
	const queue_id id = positions[0].id;
	size_t count = 0;

	must(position_count <= QUEUE_GROUP_MAX);
	if (queue->parts.suspects != NULL && suspects_hold(queue->parts.suspects, id))
		return PULL_MORE; /* Q5 */
	for (size_t i = 0; i < position_count; i++)
		if (!flight_is_on(queue, id, positions[i].index))
			indexes[count++] = positions[i].index;
	if (count == 0)
		return PULL_MORE;

	struct batch *batch = batch_new(queue);

	return batch ? pull_recipients(queue, domain, batch, id, indexes, count) : PULL_TROUBLE;
}

void domain_pull_suspect(struct queue *queue, struct domain *domain, queue_id id, uint32_t *indexes, size_t count)
{
	struct batch *batch = batch_new(queue);

	if (batch == NULL) {
		suspects_trial_end(queue->parts.suspects);
		return;
	}
	batch->on_trial = queue->on_trial = true;
	(void)pull_recipients(queue, domain, batch, id, indexes, count);
}
/* How many neighbours from `start` on are the same message. */
static size_t group_length(const struct spool_position *positions, size_t count, size_t start)
{
	size_t length = 1;

	while (start + length < count && length < QUEUE_GROUP_MAX && positions[start + length].id == positions[start].id)
		length++;
	return length;
}

/* What is due of a domain, so much that a whole group is among it. */
static enum error scan_domain(
    struct queue *queue, struct domain *domain, size_t max, struct spool_position **out_positions, size_t *out_count)
{
	struct spool *spool = queue->parts.spool;
	const int64_t now_ms = queue_now_ms(queue);

	arena_reset(queue->scratch);

	const enum error error =
	    spool_scan_flow(spool, domain->name, domain->seat.flow, domain->cursor, now_ms, max, queue->scratch, out_positions, out_count);

	if (error != OK || *out_count < max || group_length(*out_positions, *out_count, 0) < *out_count)
		return error;
	arena_reset(queue->scratch);
	return spool_scan_flow(spool, domain->name, domain->seat.flow, domain->cursor, now_ms, QUEUE_GROUP_MAX, queue->scratch,
	    out_positions, out_count);
}

/* How many messages it may take now; 0: its gate is closed. */
static size_t turn_room(struct queue *queue, const struct domain *domain)
{
	size_t room = queue->settings.in_flight_max - queue->job_count;

	if (domain->destination != NULL) {
		struct site *site = domain->destination->site;
		const enum queue_gate gate = site_gate(site, queue_now_ms(queue));

		if (is_closed(gate))
			return 0;
		if (gate == QUEUE_GATE_OPEN && site_room(site) < room)
			room = site_room(site);
		/* Others wait for it: one each, or the order of their line means little. */
		if (site->tickets > 0 || site->blocked.count > 0)
			return room < 1 ? 0 : 1;
	}
	return room < GROUPS_PER_TURN ? room : GROUPS_PER_TURN;
}

enum pull domain_pull(struct queue *queue, struct domain *domain)
{
	const size_t room = turn_room(queue, domain);
	struct spool_position *positions;
	size_t count, at = 0;

	if (room == 0) {
		site_block(domain->destination->site, domain);
		return PULL_BLOCKED;
	}

	const size_t max = 2 * room > SCAN_MIN ? 2 * room : SCAN_MIN;

	if (scan_domain(queue, domain, max, &positions, &count) != OK)
		return PULL_TROUBLE;
	for (size_t groups = 0; groups < room && at < count && queue->job_count < queue->settings.in_flight_max; groups++) {
		const size_t length = group_length(positions, count, at);

		/* A group that the end of the scan may have cut is left to the next one. */
		if (at > 0 && at + length == count && count >= max && length < QUEUE_GROUP_MAX)
			return PULL_MORE;

		const struct spool_position before = domain->cursor, last = positions[at + length - 1];

		domain->cursor = last;

		const enum pull pull = pull_group(queue, domain, positions + at, length);

		if (pull != PULL_MORE) {
			domain->cursor = before;
			return pull;
		}
		if (position_less(domain->cursor, last)) /* Some were put back. */
			return PULL_MORE;
		at += length;
	}
	return at == count && count < max ? PULL_EMPTY : PULL_MORE;
}
