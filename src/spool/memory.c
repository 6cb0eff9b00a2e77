/* The memory engine: the reference that tells what every engine must do.
 *
 * A change is applied when it is submitted and answered by the next poll of its port. One mutex,
 * the exchange of spool->mutex, guards all of it. */
#include "spool/memory.h"

#include <stdlib.h>

#include "base/must.h"
#include "spool/codec.h"
#include "spool/memory_state.h"
#include "spool/records.h"

struct memory_spool {
	struct spool spool; /* First: the engine's functions get this pointer. */
	struct memory_state state;
};

static struct memory_state *lock(struct spool *spool)
{
	pthread_mutex_lock(&spool->mutex);
	return &((struct memory_spool *)spool)->state;
}

static void unlock(struct spool *spool)
{
	pthread_mutex_unlock(&spool->mutex);
}

static void memory_close(struct spool *spool)
{
	struct memory_spool *memory = (struct memory_spool *)spool;

	memory_state_clear(&memory->state);
	spool_done_with(spool);
	free(memory);
}

void memory_apply(struct spool *spool, struct spool_change *change, struct due_news *news)
{
	struct memory_state *state = lock(spool);

	change->result = change->failed ? ERR_NO_MEMORY : memory_state_apply(state, change, news);
	unlock(spool);
}

static void memory_submit(struct spool *spool, struct change_list *list)
{
	struct due_news news;

	due_news_init(&news);
	for (struct spool_change *change = list->first; change != NULL; change = change->next)
		memory_apply(spool, change, &news);
	ports_finish(spool, list, &news);
}

/* -- Messages ---------------------------------------------------------------- */

static enum error copy_recipients(const struct memory_message *message, const uint32_t *indexes,
    size_t index_count, struct arena *arena, struct message *out_message)
{
	const size_t count = indexes ? index_count : message->count;
	struct recipient *recipients = arena_array(arena, count, sizeof *recipients);

	if (recipients == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		size_t at = indexes ? 0 : i;

		while (indexes && at < message->count && message->recipients[at].view.index != indexes[i])
			at++;
		if (at == message->count)
			return ERR_NOT_FOUND;

		const struct memory_recipient *found = &message->recipients[at];
		const enum error error =
		    recipient_record_read(found->view.index, found->record_text, arena, &recipients[i]);

		if (error != OK)
			return error;
	}
	out_message->recipients = recipients;
	out_message->recipient_count = (uint32_t)count;
	return OK;
}

static enum error memory_read_message(struct spool *spool, queue_id id, const uint32_t *indexes,
    size_t index_count, struct arena *arena, struct message *out_message)
{
	const struct memory_message *message = table_find(&lock(spool)->messages, id);
	struct message result = { 0 };
	enum error error = ERR_NOT_FOUND;

	if (message != NULL)
		error = envelope_record_read(id, message->envelope, arena, &result.envelope);
	if (error == OK)
		error = copy_recipients(message, indexes, index_count, arena, &result);
	unlock(spool);
	if (error == OK)
		*out_message = result;
	return error;
}

static enum error memory_read_chunk(
    struct spool *spool, queue_id id, uint32_t number, char *room, size_t *out_length)
{
	const struct memory_body *body = table_find(&lock(spool)->bodies, id);
	const bool found = body != NULL && number < body->count && body->chunks[number].length > 0;

	if (found) {
		const struct text bytes = text_from(body->chunks[number], CHUNK_CHECKSUM_SIZE);

		memcpy(room, bytes.bytes, bytes.length);
		*out_length = bytes.length;
	}
	unlock(spool);
	return found ? OK : ERR_NOT_FOUND;
}

/* -- Due recipients ----------------------------------------------------------- */

struct candidate {
	struct spool_position position;
	struct text domain; /* Not lowered; borrows from the state. */
	struct flow flow;
};

static int compare_positions(const struct spool_position *a, const struct spool_position *b)
{
	if (a->due_ms != b->due_ms)
		return a->due_ms < b->due_ms ? -1 : 1;
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static int compare_candidates(const void *a, const void *b)
{
	return compare_positions(
	    &((const struct candidate *)a)->position, &((const struct candidate *)b)->position);
}

/* Which recipients are looked for: of a domain, or of the query's shard. */
struct wanted {
	struct text domain;      /* bytes NULL: any. */
	const struct flow *flow; /* NULL: any. */
	const struct due_query *query;
};

static bool fits(const struct recipient *recipient, queue_id id, const struct wanted *wanted)
{
	const struct due_query *query = wanted->query;
	const struct spool_position position = { recipient->due_ms, id, recipient->index };

	if (recipient->flags & RECIPIENT_HELD || recipient->due_ms > query->until_ms)
		return false;
	if (compare_positions(&position, &query->after) <= 0)
		return false;
	if (wanted->flow != NULL && !flow_equal(recipient->flow, *wanted->flow))
		return false;
	if (wanted->domain.bytes != NULL)
		return text_equal_nocase(recipient->address.domain, wanted->domain);
	return spool_shard_of(recipient->address.domain) == query->shard;
}

/* Every recipient that fits, sorted; to be freed. */
static struct candidate *find_due(const struct memory_state *state, const struct wanted *wanted, size_t *out_count)
{
	struct candidate *candidates = malloc((state->recipient_count + 1) * sizeof *candidates);
	size_t count = 0;

	must(candidates != NULL);
	for (size_t i = 0; i < state->messages.count; i++) {
		const struct memory_message *message = state->messages.rows[i];

		for (size_t k = 0; k < message->count; k++) {
			const struct recipient *recipient = &message->recipients[k].view;

			if (fits(recipient, message->id, wanted))
				candidates[count++] = (struct candidate){
					.position = { recipient->due_ms, message->id, recipient->index },
					.domain = recipient->address.domain,
					.flow = recipient->flow,
				};
		}
	}
	qsort(candidates, count, sizeof *candidates, compare_candidates);
	*out_count = count < wanted->query->max ? count : wanted->query->max;
	return candidates;
}

static enum error memory_scan_due(struct spool *spool, const struct due_query *query, struct arena *arena,
    struct spool_due **out_due, size_t *out_count)
{
	const struct wanted wanted = { .query = query };
	size_t count;
	struct candidate *found = find_due(lock(spool), &wanted, &count);
	struct spool_due *due = arena_array(arena, count, sizeof *due);
	bool copied = due != NULL;

	for (size_t i = 0; copied && i < count; i++) {
		char room[ADDRESS_DOMAIN_MAX];

		due[i].position = found[i].position;
		due[i].flow = found[i].flow;
		copied = arena_copy(arena, domain_lower(found[i].domain, room), &due[i].domain);
	}
	unlock(spool);
	free(found);
	if (!copied)
		return ERR_NO_MEMORY;
	*out_due = due;
	*out_count = count;
	return OK;
}

static enum error memory_scan_domain(struct spool *spool, struct text domain, const struct flow *flow,
    const struct due_query *query, struct arena *arena, struct spool_position **out_positions, size_t *out_count)
{
	const struct wanted wanted = { .domain = domain, .flow = flow, .query = query };
	size_t count;
	struct candidate *found = find_due(lock(spool), &wanted, &count);
	struct spool_position *positions = arena_array(arena, count, sizeof *positions);

	unlock(spool);
	for (size_t i = 0; positions != NULL && i < count; i++)
		positions[i] = found[i].position;
	free(found);
	if (positions == NULL)
		return ERR_NO_MEMORY;
	*out_positions = positions;
	*out_count = count;
	return OK;
}

static enum error memory_next_due(
    struct spool *spool, unsigned shard, struct spool_position after, int64_t *out_due_ms)
{
	const struct due_query query = { .shard = shard, .after = after, .until_ms = INT64_MAX, .max = 1 };
	const struct wanted wanted = { .query = &query };
	size_t count;
	struct candidate *found = find_due(lock(spool), &wanted, &count);

	unlock(spool);
	*out_due_ms = count > 0 ? found[0].position.due_ms : INT64_MAX;
	free(found);
	return OK;
}

/* -- Lists and totals ----------------------------------------------------------- */

static enum error memory_list(struct spool *spool, queue_id after, size_t max, struct arena *arena,
    queue_id **out_ids, size_t *out_count)
{
	const struct table *messages = &lock(spool)->messages;
	const size_t first = after == UINT64_MAX ? messages->count : table_place(messages, after + 1);
	const size_t left = messages->count - first;
	const size_t count = left < max ? left : max;
	queue_id *ids = arena_array(arena, count, sizeof *ids);

	for (size_t i = 0; ids != NULL && i < count; i++)
		ids[i] = *(const queue_id *)messages->rows[first + i];
	unlock(spool);
	if (ids == NULL)
		return ERR_NO_MEMORY;
	*out_ids = ids;
	*out_count = count;
	return OK;
}

static enum error memory_list_newest(struct spool *spool, size_t max, struct arena *arena, queue_id **out_ids, size_t *out_count)
{
	const struct table *histories = &lock(spool)->histories;
	const size_t count = histories->count < max ? histories->count : max;
	queue_id *ids = arena_array(arena, count, sizeof *ids);

	for (size_t i = 0; ids != NULL && i < count; i++)
		ids[i] = *(const queue_id *)histories->rows[histories->count - 1 - i];
	unlock(spool);
	if (ids == NULL)
		return ERR_NO_MEMORY;
	*out_ids = ids;
	*out_count = count;
	return OK;
}

static queue_id last_id(const struct table *table)
{
	return table->count > 0 ? *(const queue_id *)table->rows[table->count - 1] : 0;
}

static enum error memory_newest_id(struct spool *spool, queue_id *out_id)
{
	const struct memory_state *state = lock(spool);
	const queue_id message = last_id(&state->messages), history = last_id(&state->histories);

	unlock(spool);
	*out_id = message > history ? message : history;
	return OK;
}

static enum error memory_totals(struct spool *spool, struct spool_totals *out_totals)
{
	const struct memory_state *state = lock(spool);

	*out_totals = (struct spool_totals){
		.messages = state->messages.count,
		.recipients = state->recipient_count,
		.history_messages = state->histories.count,
		.commits = state->change_count,
		.changes = state->change_count,
	};
	unlock(spool);
	return OK;
}

/* -- History ----------------------------------------------------------------- */

static enum error memory_read_history(
    struct spool *spool, queue_id id, struct arena *arena, struct text **out_steps, size_t *out_count)
{
	const struct memory_history *history = table_find(&lock(spool)->histories, id);
	const size_t count = history ? history->step_count : 0;
	struct text *steps = arena_array(arena, count, sizeof *steps);
	bool copied = steps != NULL;

	for (size_t i = 0; copied && i < count; i++)
		copied = arena_copy(arena, history->steps[i], &steps[i]);
	unlock(spool);
	if (history == NULL)
		return ERR_NOT_FOUND;
	if (!copied)
		return ERR_NO_MEMORY;
	*out_steps = steps;
	*out_count = count;
	return OK;
}

static bool names(const struct memory_history *history, uint64_t hash)
{
	for (size_t i = 0; i < history->hash_count; i++) {
		if (history->hashes[i] == hash)
			return true;
	}
	return false;
}

static enum error memory_find_address(struct spool *spool, uint64_t hash, size_t max, struct arena *arena,
    queue_id **out_ids, size_t *out_count)
{
	const struct table *histories = &lock(spool)->histories;
	queue_id *ids = arena_array(arena, max < histories->count ? max : histories->count, sizeof *ids);
	size_t count = 0;

	for (size_t i = histories->count; ids != NULL && i > 0 && count < max; i--) {
		const struct memory_history *history = histories->rows[i - 1];

		if (names(history, hash))
			ids[count++] = history->id;
	}
	unlock(spool);
	if (ids == NULL)
		return ERR_NO_MEMORY;
	*out_ids = ids;
	*out_count = count;
	return OK;
}

static enum error memory_read_notes(struct spool *spool, struct text prefix, struct arena *arena,
    struct spool_note **out_notes, size_t *out_count)
{
	const struct memory_state *state = lock(spool);
	struct spool_note *notes = arena_array(arena, state->note_count, sizeof *notes);
	bool ok = notes != NULL;
	size_t count = 0;

	for (size_t i = 0; ok && i < state->note_count && count < SPOOL_NOTES_MAX; i++)
		if (text_starts(state->notes[i].key, prefix)) {
			ok = arena_copy(arena, state->notes[i].key, &notes[count].key) &&
			    arena_copy(arena, state->notes[i].value, &notes[count].value);
			count++;
		}
	unlock(spool);
	*out_notes = notes;
	*out_count = count;
	return ok ? OK : ERR_NO_MEMORY;
}

static enum error memory_tally_sets(struct spool *spool, const struct tally_query *query, struct arena *arena,
    struct tally_listed **out_sets, size_t *out_count)
{
	const enum error error = memory_tally_list(&lock(spool)->tallies, query, arena, out_sets, out_count);

	unlock(spool);
	return error;
}

static enum error memory_tally_rows(struct spool *spool, const struct tally_set *set, uint64_t from, size_t max,
    struct arena *arena, struct tally_row **out_rows, size_t *out_count)
{
	const enum error error = memory_tally_read(&lock(spool)->tallies, set, from, max, arena, out_rows, out_count);

	unlock(spool);
	return error;
}

static const struct engine memory_engine = {
	.close = memory_close,
	.submit = memory_submit,
	.read_message = memory_read_message,
	.read_chunk = memory_read_chunk,
	.scan_due = memory_scan_due,
	.scan_domain = memory_scan_domain,
	.next_due = memory_next_due,
	.list = memory_list,
	.list_newest = memory_list_newest,
	.newest_id = memory_newest_id,
	.totals = memory_totals,
	.read_history = memory_read_history,
	.find_address = memory_find_address,
	.read_notes = memory_read_notes,
	.tally_sets = memory_tally_sets,
	.tally_rows = memory_tally_rows,
};

enum error memory_open_bounded(uint32_t history_max, struct spool **out_spool)
{
	struct memory_spool *memory = calloc(1, sizeof *memory);

	if (memory == NULL)
		return ERR_NO_MEMORY;
	spool_init(&memory->spool, &memory_engine);
	memory->state.history_max = history_max;
	*out_spool = &memory->spool;
	return OK;
}

enum error spool_memory_open(struct spool **out_spool)
{
	return memory_open_bounded(MEMORY_HISTORY_MAX, out_spool);
}
