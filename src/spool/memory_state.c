#include "spool/memory_state.h"

#include <stdlib.h>

#include "base/must.h"
#include "spool/codec.h"
#include "spool/records.h"

/* -- Tables ------------------------------------------------------------------ */

static queue_id row_id(const struct table *table, size_t i)
{
	return *(const queue_id *)table->rows[i];
}

size_t table_place(const struct table *table, queue_id id)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (row_id(table, middle) < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void *table_find(const struct table *table, queue_id id)
{
	const size_t place = table_place(table, id);

	return place < table->count && row_id(table, place) == id ? table->rows[place] : NULL;
}

static void *grown(void *pieces, size_t count, size_t size)
{
	void *more = reallocarray(pieces, count, size);

	must(more != NULL);
	return more;
}

static struct text copied(struct text text)
{
	char *bytes = malloc(text.length + 1);

	must(bytes != NULL);
	return (struct text){ bytes, (size_t)(put_text(bytes, text) - bytes) };
}

/* The row with this ID, made (zeroed) if there is none. */
static void *table_row(struct table *table, queue_id id, size_t size)
{
	const size_t place = table_place(table, id);

	if (place < table->count && row_id(table, place) == id)
		return table->rows[place];
	if (table->count == table->capacity) {
		table->capacity = table->capacity ? table->capacity * 2 : 16;
		table->rows = grown(table->rows, table->capacity, sizeof *table->rows);
	}

	void *row = calloc(1, size);

	must(row != NULL);
	*(queue_id *)row = id;
	memmove(table->rows + place + 1, table->rows + place, (table->count - place) * sizeof *table->rows);
	table->rows[place] = row;
	table->count++;
	return row;
}

static void table_remove(struct table *table, queue_id id)
{
	const size_t place = table_place(table, id);

	must(place < table->count && row_id(table, place) == id);
	free(table->rows[place]);
	table->count--;
	memmove(table->rows + place, table->rows + place + 1, (table->count - place) * sizeof *table->rows);
}

/* -- Messages ---------------------------------------------------------------- */

static struct memory_recipient *find_recipient(const struct memory_message *message, uint32_t index)
{
	for (size_t i = 0; message != NULL && i < message->count; i++) {
		if (message->recipients[i].view.index == index)
			return &message->recipients[i];
	}
	return NULL;
}

static void set_record(struct memory_recipient *recipient, uint32_t index, struct text record)
{
	const struct text copy = copied(record);

	free(recipient->record);
	recipient->record = (char *)copy.bytes;
	recipient->record_text = copy;
	must(recipient_record_view(copy, &recipient->view) == OK);
	recipient->view.index = index;
}

static void append_recipient(struct memory_state *state, struct memory_message *message, uint32_t index,
    struct text record, struct due_news *news)
{
	message->recipients = grown(message->recipients, message->count + 1, sizeof *message->recipients);

	struct memory_recipient *recipient = &message->recipients[message->count++];

	*recipient = (struct memory_recipient){ 0 };
	set_record(recipient, index, record);
	due_news_add(news, &recipient->view);
	state->recipient_count++;
}

static void put_message(struct memory_state *state, const struct op *op)
{
	struct memory_message *message = table_row(&state->messages, op->id, sizeof *message);

	message->envelope = copied(op->bytes);
	must(envelope_record_next_index(op->bytes, &message->next_index) == OK);
	must(envelope_record_chunk_count(op->bytes, &message->chunk_count) == OK);
}

static void drop_body(struct memory_state *state, queue_id id)
{
	struct memory_body *body = table_find(&state->bodies, id);

	if (body == NULL)
		return;
	for (uint32_t i = 0; i < body->count; i++)
		free((char *)body->chunks[i].bytes);
	free(body->chunks);
	table_remove(&state->bodies, id);
}

static void drop_message(struct memory_state *state, struct memory_message *message)
{
	for (size_t i = 0; i < message->count; i++)
		free(message->recipients[i].record);
	free(message->recipients);
	free((char *)message->envelope.bytes);
	table_remove(&state->messages, message->id);
}

static void retire(struct memory_state *state, const struct op *op)
{
	struct memory_message *message = table_find(&state->messages, op->id);
	struct memory_recipient *recipient = find_recipient(message, op->number);

	must(recipient != NULL);
	free(recipient->record);
	message->count--;
	state->recipient_count--;
	memmove(recipient, recipient + 1,
	    (size_t)(message->recipients + message->count - recipient) * sizeof *recipient);
	if (message->count == 0) { /* P5 */
		drop_body(state, op->id);
		drop_message(state, message);
	}
}

static void update(struct memory_state *state, const struct op *op, struct due_news *news)
{
	struct memory_recipient *recipient = find_recipient(table_find(&state->messages, op->id), op->number);
	struct recipient merged;

	must(recipient != NULL);
	must(recipient_changed(&recipient->view, op, &merged) == OK);

	const size_t size = recipient_record_size(&merged);
	char *record = malloc(size);

	must(record != NULL);
	recipient_record_write(&merged, record);
	set_record(recipient, op->number, (struct text){ record, size });
	free(record);
	due_news_add(news, &recipient->view);
}

static void put_chunk(struct memory_state *state, const struct op *op)
{
	struct memory_body *body = table_row(&state->bodies, op->id, sizeof *body);

	if (op->number >= body->count) {
		body->chunks = grown(body->chunks, op->number + 1, sizeof *body->chunks);
		memset(body->chunks + body->count, 0, (op->number + 1 - body->count) * sizeof *body->chunks);
		body->count = op->number + 1;
	}
	free((char *)body->chunks[op->number].bytes);
	body->chunks[op->number] = copied(op->bytes);
}

/* -- History ----------------------------------------------------------------- */

static void drop_step(struct memory_history *history, size_t i)
{
	free((char *)history->steps[i].bytes);
	history->step_count--;
	memmove(history->steps + i, history->steps + i + 1, (history->step_count - i) * sizeof *history->steps);
}

static bool has_hash(const struct memory_history *history, uint64_t hash)
{
	for (size_t i = 0; i < history->hash_count; i++) {
		if (history->hashes[i] == hash)
			return true;
	}
	return false;
}

static void record_step(struct memory_state *state, const struct op *op)
{
	struct memory_history *history = table_row(&state->histories, op->id, sizeof *history);

	for (uint32_t i = 0; i < op->number; i++) {
		uint64_t hash;

		get_u64(op->bytes.bytes + 8 * (size_t)i, &hash);
		if (has_hash(history, hash) || history->hash_count == HISTORY_ADDRESSES_MAX)
			continue;
		history->hashes = grown(history->hashes, history->hash_count + 1, sizeof *history->hashes);
		history->hashes[history->hash_count++] = hash;
	}
	if (history->step_count == HISTORY_STEPS_FIRST + HISTORY_STEPS_NEWEST)
		drop_step(history, HISTORY_STEPS_FIRST);
	history->steps = grown(history->steps, history->step_count + 1, sizeof *history->steps);
	history->steps[history->step_count++] = copied(text_from(op->bytes, 8 * (size_t)op->number));
}

static void drop_history(struct memory_state *state, struct memory_history *history)
{
	while (history->step_count > 0)
		drop_step(history, history->step_count - 1);
	free(history->steps);
	free(history->hashes);
	table_remove(&state->histories, history->id);
}

static void trim_histories(struct memory_state *state)
{
	const size_t kept = state->messages.count + state->history_max;

	for (size_t i = 0; i < state->histories.count && state->histories.count > kept;) {
		struct memory_history *history = state->histories.rows[i];

		if (table_find(&state->messages, history->id) != NULL)
			i++;
		else
			drop_history(state, history);
	}
}

/* -- Changes ----------------------------------------------------------------- */

/* What a change needs to know of one message while it is only tried. */
struct sketch {
	queue_id id;
	bool was_there, is_there;
	uint32_t *indexes; /* Recipients left. */
	size_t count;
};

struct trial {
	struct memory_state *state;
	const struct spool_change *change;
	struct sketch *sketches;
	size_t count;
};

static struct sketch *trial_sketch(struct trial *trial, queue_id id)
{
	for (size_t i = 0; i < trial->count; i++) {
		if (trial->sketches[i].id == id)
			return &trial->sketches[i];
	}
	trial->sketches = grown(trial->sketches, trial->count + 1, sizeof *trial->sketches);

	struct sketch *sketch = &trial->sketches[trial->count++];
	const struct memory_message *message = table_find(&trial->state->messages, id);

	*sketch = (struct sketch){ .id = id, .was_there = message != NULL, .is_there = message != NULL };
	if (message != NULL) {
		sketch->indexes = grown(NULL, message->count, sizeof *sketch->indexes);
		for (size_t i = 0; i < message->count; i++)
			sketch->indexes[sketch->count++] = message->recipients[i].view.index;
	}
	return sketch;
}

static bool sketch_has(const struct sketch *sketch, uint32_t index, size_t *out_place)
{
	for (size_t i = 0; sketch->is_there && i < sketch->count; i++) {
		if (sketch->indexes[i] == index) {
			*out_place = i;
			return true;
		}
	}
	return false;
}

static bool has_chunk(const struct trial *trial, size_t offset, queue_id id, uint32_t number)
{
	const struct memory_body *body = table_find(&trial->state->bodies, id);

	switch (change_chunk_source(trial->change, offset, id, number)) {
	case CHUNK_IN_CHANGE:
		return true;
	case CHUNK_DISCARDED:
		return false;
	case CHUNK_IN_STORE:
		break;
	}
	return body != NULL && number < body->count && body->chunks[number].length > 0;
}

static enum error try_message(struct trial *trial, struct sketch *sketch, const struct op *op, size_t start)
{
	uint32_t chunk_count;

	must(envelope_record_chunk_count(op->bytes, &chunk_count) == OK);
	if (sketch->was_there || sketch->is_there)
		return ERR_EXISTS;
	for (uint32_t number = 0; number < chunk_count; number++) {
		if (!has_chunk(trial, start, op->id, number))
			return ERR_GONE;
	}
	sketch->was_there = sketch->is_there = true; /* An ID is used once. */
	return OK;
}

static enum error try_claim(const struct memory_state *state, const struct op *op)
{
	char room[2][CLAIM_NOTE_MAX];
	struct text key, value;

	op_read_claim(op, &key, &value);
	const struct text today = claim_note(op->number, key, room[0]), yesterday = claim_note(op->number - 1, key, room[1]);

	for (size_t i = 0; i < state->note_count; i++)
		if (text_equal(state->notes[i].key, today) || text_equal(state->notes[i].key, yesterday))
			return ERR_EXISTS;
	return OK;
}

static enum error try_op(struct trial *trial, const struct op *op, size_t start)
{
	if (op->kind == OP_TALLY_DROP)
		return memory_tally_try_drop(&trial->state->tallies, trial->change, start, op);
	if (op->kind == OP_CLAIM)
		return try_claim(trial->state, op);
	if (op->kind >= OP_NOTE) /* Of no message. */
		return OK;
	struct sketch *sketch = trial_sketch(trial, op->id);
	size_t place;

	switch (op->kind) {
	case OP_CHUNK:
	case OP_DISCARD:
		return sketch->was_there || sketch->is_there ? ERR_EXISTS : OK;
	case OP_MESSAGE:
		return try_message(trial, sketch, op, start);
	case OP_RECIPIENT:
		sketch->indexes = grown(sketch->indexes, sketch->count + 1, sizeof *sketch->indexes);
		sketch->indexes[sketch->count++] = op->number;
		return OK;
	case OP_RETIRE:
		if (!sketch_has(sketch, op->number, &place))
			return ERR_GONE;
		sketch->indexes[place] = sketch->indexes[--sketch->count];
		sketch->is_there = sketch->count > 0;
		return OK;
	case OP_UPDATE:
	case OP_STEER:
		return sketch_has(sketch, op->number, &place) ? OK : ERR_GONE;
	case OP_ADD:
		/* The new one counts: it keeps the message when all others are retired after it. */
		if (!sketch->is_there)
			return ERR_GONE;
		sketch->indexes = grown(sketch->indexes, sketch->count + 1, sizeof *sketch->indexes);
		sketch->indexes[sketch->count++] = UINT32_MAX;
		return OK;
	case OP_RECORD:
	case OP_NOTE:
	case OP_CLAIM:
	case OP_TALLY:
	case OP_TALLY_DROP:
		break;
	}
	return OK;
}

static enum error try_change(struct memory_state *state, const struct spool_change *change)
{
	struct trial trial = { .state = state, .change = change };
	enum error error = OK;
	struct op op;

	for (size_t start = 0, offset = 0; error == OK && change_next(change, &offset, &op); start = offset)
		error = try_op(&trial, &op, start);
	for (size_t i = 0; i < trial.count; i++)
		free(trial.sketches[i].indexes);
	free(trial.sketches);
	return error;
}

static int compare_texts(struct text a, struct text b)
{
	const int order = memcmp(a.bytes, b.bytes, a.length < b.length ? a.length : b.length);

	return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static void note(struct memory_state *state, struct text key, struct text value)
{
	size_t at = 0;

	while (at < state->note_count && compare_texts(state->notes[at].key, key) < 0)
		at++;
	if (at < state->note_count && text_equal(state->notes[at].key, key)) {
		free((char *)state->notes[at].key.bytes);
		free((char *)state->notes[at].value.bytes);
		state->note_count--;
		memmove(&state->notes[at], &state->notes[at + 1], (state->note_count - at) * sizeof *state->notes);
	}
	if (value.length == 0)
		return;
	state->notes = grown(state->notes, state->note_count + 1, sizeof *state->notes);
	memmove(&state->notes[at + 1], &state->notes[at], (state->note_count - at) * sizeof *state->notes);
	state->notes[at] = (struct memory_note){ copied(key), copied(value) };
	state->note_count++;
}

static void claim(struct memory_state *state, const struct op *op)
{
	char room[CLAIM_NOTE_MAX];
	struct text key, value;
	size_t at = 0;

	op_read_claim(op, &key, &value);
	note(state, claim_note(op->number, key, room), value);
	const struct text floor = claim_note(op->number - 1, TEXT_EMPTY, room);

	while (at < state->note_count && compare_texts(state->notes[at].key, CLAIM_PREFIX) < 0)
		at++;
	for (int i = 0; i < CLAIMS_DROPPED_MAX && at < state->note_count && compare_texts(state->notes[at].key, floor) < 0; i++)
		note(state, state->notes[at].key, TEXT_EMPTY);
}

static void apply_op(struct memory_state *state, const struct op *op, struct due_news *news)
{
	struct memory_message *message = table_find(&state->messages, op->id);

	switch (op->kind) {
	case OP_CHUNK:
		put_chunk(state, op);
		break;
	case OP_MESSAGE:
		put_message(state, op);
		break;
	case OP_RECIPIENT:
		append_recipient(state, message, op->number, op->bytes, news);
		break;
	case OP_DISCARD:
		drop_body(state, op->id);
		break;
	case OP_RETIRE:
		retire(state, op);
		break;
	case OP_UPDATE:
	case OP_STEER:
		update(state, op, news);
		break;
	case OP_ADD:
		append_recipient(state, message, message->next_index++, op->bytes, news);
		break;
	case OP_RECORD:
		record_step(state, op);
		break;
	case OP_NOTE:
		note(state, text_part(op->bytes, 0, op->number), text_from(op->bytes, op->number));
		break;
	case OP_CLAIM:
		claim(state, op);
		break;
	case OP_TALLY:
		memory_tally_count(&state->tallies, op);
		break;
	case OP_TALLY_DROP:
		memory_tally_drop(&state->tallies, op);
		break;
	}
}

enum error memory_state_apply(
    struct memory_state *state, const struct spool_change *change, struct due_news *news)
{
	const enum error error = try_change(state, change);
	struct op op;

	if (error != OK)
		return error;
	for (size_t offset = 0; change_next(change, &offset, &op);)
		apply_op(state, &op, news);
	state->change_count++;
	trim_histories(state);
	return OK;
}

void memory_state_clear(struct memory_state *state)
{
	while (state->bodies.count > 0)
		drop_body(state, row_id(&state->bodies, 0));
	while (state->messages.count > 0)
		drop_message(state, state->messages.rows[0]);
	while (state->histories.count > 0)
		drop_history(state, state->histories.rows[0]);
	while (state->note_count > 0)
		note(state, state->notes[0].key, TEXT_EMPTY);
	free(state->notes);
	memory_tally_clear(&state->tallies);
	free(state->messages.rows);
	free(state->bodies.rows);
	free(state->histories.rows);
}
