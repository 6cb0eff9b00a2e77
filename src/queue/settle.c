/* Writing what came of a delivery: one change retires, postpones and reports (Q3).
 *
 * A crash before the change is durable means that the delivery is made again; a courier's mark
 * in the in-doubt file names the recipients to which that happens. A change that fails while we
 * live is made anew from the outcomes, which stay in hand until it succeeds (Q2). */
#include <stdlib.h>

#include "base/must.h"
#include "mail/date.h"
#include "queue/queue_private.h"
#include "spool/record.h"
#include "spool/tally.h"

enum {
	FACTS_PER_RECIPIENT = 2,
	REPLY_MAX = 1000,        /* Of a verdict that is stored. */
	TARGETS_TEXT_MAX = 2000  /* Of the targets that one event names. */
};

static void job_settled(void *context, enum error result);

/* -- Trouble ------------------------------------------------------------------------------------------ */

/* The spool does not take it now: keep it in hand and try again. What is in hand is bounded, so
 * a full disk ends in a queue that waits. */
static void settle_later(struct job *job)
{
	struct queue *queue = job->queue;

	if (queue->unsettled == NULL)
		queue->unsettled_until_ms = queue_now_ms(queue) + SETTLE_RETRY_MS;
	DL_APPEND(queue->unsettled, job);
	queue->unsettled_count++;
	queue_kick(queue);
}

void queue_retry_unsettled(struct queue *queue)
{
	/* Those that fail again come back at the end. */
	for (uint32_t count = queue->unsettled_count; count > 0; count--) {
		struct job *job = queue->unsettled;

		DL_DELETE(queue->unsettled, job);
		queue->unsettled_count--;
		job_settle(job);
	}
	queue->unsettled_until_ms = queue_now_ms(queue) + SETTLE_RETRY_MS;
}

/* See who is still there. True: somebody is left to settle. */
static bool refresh(struct job *job)
{
	struct arena *arena = arena_new(BATCH_ARENA_BYTES);
	bool left = false;

	for (uint32_t i = 0; i < job->message.recipient_count; i++) {
		const struct recipient *recipient = &job->message.recipients[i];
		struct message now;
		enum error error = ERR_NO_MEMORY;

		if (arena != NULL) {
			arena_reset(arena);
			error = spool_read_recipients(
			    job->queue->parts.spool, job->message.envelope.id, &recipient->index, 1, arena, &now);
		}
		if (error == ERR_NOT_FOUND)
			job->fates[i].kind = FATE_GONE;
		left |= error != ERR_NOT_FOUND;
	}
	arena_free(arena);
	return left;
}

/* -- Expansion ------------------------------------------------------------------------------------------ */

static bool print_targets(struct job *job, struct event *fact)
{
	struct buffer list;
	bool ok = true;

	buffer_init(&list, TARGETS_TEXT_MAX);
	for (size_t i = 0; i < job->route.target_count; i++) {
		struct text target;

		if (!address_print(&job->route.targets[i], job->settle_arena, &target)) {
			ok = false;
			break;
		}
		if ((i > 0 && !buffer_append(&list, TEXT(" "))) || !buffer_append(&list, target))
			break; /* Long enough. */
	}
	ok = ok && arena_copy(job->settle_arena, buffer_text(&list), &fact->fields[EVENT_FIELD_TARGETS]);
	buffer_done(&list);
	return ok;
}

/* What the sender knows: ORCPT, or the address that is replaced (RFC 3461 §5.2.7.1). */
static bool original_of(struct job *job, const struct recipient *recipient, struct text *out_original)
{
	struct text address;

	if (recipient->original.length > 0) {
		*out_original = recipient->original;
		return true;
	}
	return address_print(&recipient->address, job->settle_arena, &address) &&
	    arena_print(job->settle_arena, out_original, "%s;%.*s", text_is_ascii(address) ? "rfc822" : "utf-8",
	        TEXT_FORMAT(address));
}

static bool settle_expansion(struct job *job, struct spool_change *change)
{
	const queue_id id = job->message.envelope.id;
	const struct recipient *recipient = &job->message.recipients[0];
	struct event *fact = fact_of_recipient(job, EVENT_EXPANDED, recipient, NULL);
	struct text original;

	if (fact == NULL || !original_of(job, recipient, &original) || !print_targets(job, fact))
		return false;
	for (size_t i = 0; i < job->route.target_count; i++) {
		const struct recipient target = {
			.address = job->route.targets[i],
			.original = original,
			.notify = recipient->notify,
			.flow = recipient->flow,
			.flags = RECIPIENT_EXPANDED,
			.due_ms = fact->time_ms,
		};

		spool_change_add_recipient(change, id, &target);
	}
	/* Last: the message must not be empty in between. */
	spool_change_retire(change, id, recipient->index);
	return true;
}

/* -- Pauses ----------------------------------------------------------------------------------------------- */

/* Out of the way until the pause is over: held recipients are in no index. */
static bool settle_pause(struct job *job, struct spool_change *change)
{
	const struct recipient *recipient = &job->message.recipients[0];
	const bool goes_on = pauses_find(job->queue->pauses, &job->message.envelope, recipient) != NULL;
	const struct spool_steering steering = { .held = goes_on ? STEER_PAUSED : STEER_NOT_HELD, .due_ms = -1 };
	struct event *fact = fact_of_recipient(job, goes_on ? EVENT_PAUSED : EVENT_RELEASED, recipient, NULL);

	if (fact == NULL)
		return false;
	fact->fields[EVENT_FIELD_REASON] = goes_on ? job->pause : TEXT("the pause is over");
	spool_change_steer(change, job->message.envelope.id, recipient->index, &steering);
	job->holds = goes_on;
	return true;
}

/* It was taken away while its mail was on the way to be held: who took it away has not seen that. */
static bool pause_ended_meanwhile(const struct job *job)
{
	return job->holds &&
	    pauses_find(job->queue->pauses, &job->message.envelope, &job->message.recipients[0]) == NULL;
}

/* -- Outcomes --------------------------------------------------------------------------------------------- */

static void decide_fates(struct job *job)
{
	const struct queue *queue = job->queue;
	const struct retry_schedule schedule = queue_schedule(queue);

	for (uint32_t i = 0; i < job->message.recipient_count; i++) {
		const struct fate_question question = {
			.envelope = &job->message.envelope,
			.recipient = &job->message.recipients[i],
			.verdict = &job->outcomes[i].verdict,
			.by_host = job->route.kind == ROUTE_HOSTS,
			.final = route_ends_here(&job->route),
			.relayed_without_dsn = job->outcomes[i].relayed_without_dsn,
			.relayed_without_deliverby = job->outcomes[i].relayed_without_deliverby,
			.schedule = &schedule,
			.warn_after_ms = queue->settings.warn_after_ms,
			.now_ms = queue_now_ms(queue),
		};

		if (job->fates[i].kind != FATE_GONE)
			job->fates[i] = fate_decide(&question);
		else
			job->fates[i].told = false;
	}
}

static struct verdict stored_verdict(const struct verdict *verdict)
{
	struct verdict stored = *verdict;

	stored.text = text_part(stored.text, 0, REPLY_MAX);
	stored.host = text_part(stored.host, 0, REPLY_MAX);
	return stored;
}

static bool postpone(struct job *job, struct spool_change *change, uint32_t number)
{
	const struct fate *fate = &job->fates[number];
	const struct verdict verdict = stored_verdict(&job->outcomes[number].verdict);
	struct recipient state = job->message.recipients[number];
	struct event *fact = fact_of_recipient(job, EVENT_DEFERRED, &state, &verdict);
	char *next = arena_alloc(job->settle_arena, DATE_TEXT_SIZE);

	if (fact == NULL || next == NULL)
		return false;
	fact->fields[EVENT_FIELD_NEXT] = date_print_rfc3339(fate->due_ms, next);
	state.attempt_count++;
	state.due_ms = fate->due_ms;
	state.last = verdict;
	if (fate->told)
		state.flags |= RECIPIENT_WARNED;
	spool_change_update(change, job->message.envelope.id, &state);
	return true;
}

/* Write one recipient's fate. `report`: the text of the report's ID, empty if there is none. */
static bool settle_recipient(struct job *job, struct spool_change *change, uint32_t number, struct text report)
{
	const struct recipient *recipient = &job->message.recipients[number];
	const struct fate *fate = &job->fates[number];
	const struct verdict verdict = stored_verdict(&job->outcomes[number].verdict);
	struct event *fact = NULL;

	switch (fate->kind) {
	case FATE_OPEN:
	case FATE_GONE:
		return true;
	case FATE_WAITS:
		if (!postpone(job, change, number))
			return false;
		if (!fate->told)
			return true;
		fact = fact_of_recipient(job, EVENT_WARNED, recipient, NULL);
		break;
	case FATE_DONE:
		fact = fact_of_recipient(job, EVENT_DELIVERED, recipient, &verdict);
		break;
	case FATE_FAILED:
		fact = fact_of_recipient(job, fate->told ? EVENT_BOUNCED : EVENT_DISCARDED, recipient, &verdict);
		if (fact != NULL && recipient->flags & RECIPIENT_ENDED)
			fact->fields[EVENT_FIELD_REASON] = TEXT("an operator gave it up");
		else if (fact != NULL && fate->expired)
			fact->fields[EVENT_FIELD_REASON] = TEXT("its time ran out");
		break;
	}
	if (fact == NULL)
		return false;
	if (fate->told)
		fact->fields[EVENT_FIELD_REPORT] = report;
	if (fate->kind != FATE_WAITS)
		spool_change_retire(change, job->message.envelope.id, recipient->index);
	return true;
}

static bool settle_outcomes(struct job *job, struct spool_change *change)
{
	char *room = arena_alloc(job->settle_arena, QUEUE_ID_TEXT_SIZE);
	queue_id report;

	decide_fates(job);
	if (room == NULL || !report_add(job, change, &report))
		return false;

	const struct text report_text = report ? queue_id_print(report, room) : TEXT_EMPTY;

	for (uint32_t i = 0; i < job->message.recipient_count; i++)
		if (!settle_recipient(job, change, i, report_text))
			return false;
	return true;
}

/* -- Tallies ---------------------------------------------------------------------------------------------- */

/* In the change of what the delivery came to: sessions are counted once, as it is. */
static void tally_tls(struct job *job, struct spool_change *change)
{
	const struct tls_notes *notes = &job->delivery.tls_notes;
	const struct tally_set set = { TALLY_TLS, tally_day(queue_now_ms(job->queue)), job->route.next_hop.domain };
	char room[TLS_RESULT_ROW_MAX];

	for (size_t i = 0; i < notes->count; i++)
		spool_change_tally(change, &set, tls_result_encode(&notes->results[i], room), 1);
}

/* -- The change --------------------------------------------------------------------------------------------- */

/* Into the history, findable by the address if that is new to it. */
static void record_facts(struct job *job, struct spool_change *change)
{
	for (size_t i = 0; i < job->fact_count; i++) {
		const struct event *fact = &job->facts[i];
		const bool is_new = fact->kind == EVENT_GENERATED || fact->fields[EVENT_FIELD_ORIGINAL].length > 0;

		spool_record_event(change, fact, &fact->fields[EVENT_FIELD_RECIPIENT], is_new ? 1 : 0);
	}
}

static bool build(struct job *job, struct spool_change *change)
{
	job->settle_arena = arena_new(SETTLE_ARENA_BYTES);
	job->fact_count = 0;
	job->fact_max = job->message.recipient_count * FACTS_PER_RECIPIENT + 1;
	job->facts = job->settle_arena ? arena_array(job->settle_arena, job->fact_max, sizeof *job->facts) : NULL;
	if (job->facts == NULL)
		return false;
	if (!(job->route.kind == ROUTE_EXPAND ? settle_expansion(job, change)
	            : job->pause.length > 0    ? settle_pause(job, change)
	                                       : settle_outcomes(job, change)))
		return false;
	record_facts(job, change);
	tally_tls(job, change);
	return true;
}

void job_settle(struct job *job)
{
	struct spool_change *change = spool_change_new();

	arena_free(take(job->settle_arena));
	if (change == NULL || !build(job, change)) {
		if (change != NULL)
			spool_change_free(change);
		settle_later(job);
		return;
	}
	spool_submit(job->queue->parts.port, change, job_settled, job);
}

/* -- Durable -------------------------------------------------------------------------------------------------- */

/* Somebody removed a recipient meanwhile, and nothing was changed: settle the others. */
static void settle_others(struct job *job)
{
	if (refresh(job))
		job_settle(job);
	else
		job_end(job);
}

/* Two lanes that settle the last two recipients in one commit may both see the message gone: the log
 * then says so twice, which harms nobody. */
static void report_finished(struct job *job)
{
	static const uint32_t none;
	struct queue *queue = job->queue;
	const queue_id id = job->message.envelope.id;
	struct message message;

	arena_reset(queue->scratch);
	if (spool_read_recipients(queue->parts.spool, id, &none, 0, queue->scratch, &message) != ERR_NOT_FOUND)
		return;
	if (queue->parts.suspects != NULL)
		suspects_acquit(queue->parts.suspects, id);

	struct event finished = { .kind = EVENT_FINISHED, .time_ms = queue_now_ms(queue), .id = id };

	if (fact_number(job, &finished, EVENT_FIELD_DELAY, finished.time_ms - job->message.envelope.arrived_ms))
		queue->parts.sink.report(queue->parts.sink.context, &finished);
}

static void clear_doubt(struct job *job)
{
	struct queue *queue = job->queue;

	if (queue->parts.in_doubt == NULL || job->route.kind == ROUTE_EXPAND || job->route.kind == ROUTE_REFUSE)
		return;
	for (uint32_t i = 0; i < job->message.recipient_count; i++)
		in_doubt_clear(queue->parts.in_doubt, queue->parts.lane, job->message.envelope.id,
		    job->message.recipients[i].index);
}

static void count_outcomes(struct job *job)
{
	static const enum busiest_outcome outcomes[] = { [FATE_DONE] = BUSIEST_DELIVERED, [FATE_WAITS] = BUSIEST_DEFERRED,
		[FATE_FAILED] = BUSIEST_FAILED };

	if (job->destination == NULL || job->route.kind == ROUTE_EXPAND || job->pause.length > 0)
		return;
	for (uint32_t i = 0; i < job->message.recipient_count; i++)
		if (job->fates[i].kind >= FATE_DONE)
			busiest_count(&job->queue->busiest, job->destination->key, outcomes[job->fates[i].kind]);
}

static void job_settled(void *context, enum error result)
{
	struct job *job = context;
	struct queue *queue = job->queue;

	if (result == ERR_GONE) {
		settle_others(job);
		return;
	}
	if (result != OK) {
		settle_later(job);
		return;
	}
	for (size_t i = 0; i < job->fact_count; i++)
		queue->parts.sink.report(queue->parts.sink.context, &job->facts[i]);
	if (pause_ended_meanwhile(job)) {
		job_settle(job);
		return;
	}
	count_outcomes(job);
	clear_doubt(job);
	if (job->route.kind != ROUTE_EXPAND)
		report_finished(job);
	job_end(job);
}
