/* The steps of messages: appended with the facts, bounded for each message and in all.
 *
 * A message keeps its first HISTORY_STEPS_FIRST steps and its newest HISTORY_STEPS_NEWEST: how it
 * came, and what happens now. Beside the messages in the spool, which bound themselves, the histories of
 * history_max others are kept: the oldest go. */
#include <errno.h>

#include "base/must.h"
#include "spool/codec.h"
#include "spool/lmdb_engine.h"

enum {
	HASH_SIZE = 8,
	INDEX_VALUE_MAX = HISTORY_ADDRESSES_MAX * HASH_SIZE,
	TRIM_LOOKED_AT_MAX = 1000 /* Histories looked at for one batch, beyond what the batch added. */
};

static MDB_dbi tree_of(const struct batch *batch, enum tree tree)
{
	return batch->lmdb->trees[tree];
}

/* The number behind the newest step; 0: no history yet. */
static int find_next(struct batch *batch, queue_id id, uint32_t *out_next)
{
	MDB_cursor *cursor;
	struct key key;
	queue_id found_id;
	uint32_t number;
	int code = mdb_cursor_open(batch->txn, tree_of(batch, TREE_HISTORY), &cursor);

	if (code != 0)
		return code;
	*out_next = 0;
	key_numbered(&key, id, UINT32_MAX);

	MDB_val val = key_val(&key);

	code = mdb_cursor_get(cursor, &val, NULL, MDB_SET_RANGE);
	if (code == 0 || code == MDB_NOTFOUND)
		code = mdb_cursor_get(cursor, &val, NULL, code == 0 ? MDB_PREV : MDB_LAST);
	if (code == 0 && key_read_numbered(val, &found_id, &number) && found_id == id)
		*out_next = number + 1;
	mdb_cursor_close(cursor);
	return code == MDB_NOTFOUND ? 0 : code;
}

static bool has_hash(struct text hashes, const char *hash)
{
	for (size_t at = 0; at < hashes.length; at += HASH_SIZE) {
		if (memcmp(hashes.bytes + at, hash, HASH_SIZE) == 0)
			return true;
	}
	return false;
}

/* The message is found by `added`, too. Every message with a history has an entry, if an empty one. */
static int index_addresses(struct batch *batch, queue_id id, struct text added)
{
	struct key key;
	MDB_val old;

	key_id(&key, id);

	MDB_val val = key_val(&key);
	int code = mdb_get(batch->txn, tree_of(batch, TREE_HISTORY_INDEX), &val, &old);

	if (code != 0 && code != MDB_NOTFOUND)
		return code;
	if (code == MDB_NOTFOUND)
		batch->histories_added++;
	buffer_clear(&batch->scratch);
	if (code == 0 && !buffer_append(&batch->scratch, val_text(old)))
		return ENOMEM;
	for (size_t at = 0; at < added.length; at += HASH_SIZE) {
		if (has_hash(buffer_text(&batch->scratch), added.bytes + at) ||
		    buffer_text(&batch->scratch).length >= INDEX_VALUE_MAX)
			continue;
		if (!buffer_append(&batch->scratch, text_part(added, at, HASH_SIZE)))
			return ENOMEM;
	}

	MDB_val value = text_val(buffer_text(&batch->scratch));

	if (code == 0 && value.mv_size == old.mv_size)
		return 0; /* All were known. */
	return mdb_put(batch->txn, tree_of(batch, TREE_HISTORY_INDEX), &val, &value, 0);
}

static int put_step(struct batch *batch, queue_id id, uint32_t number, struct text step)
{
	struct key key;

	key_numbered(&key, id, number);

	MDB_val val = key_val(&key), value = text_val(step);
	int code = mdb_put(batch->txn, tree_of(batch, TREE_HISTORY), &val, &value, 0);

	if (code != 0 || number < HISTORY_STEPS_FIRST + HISTORY_STEPS_NEWEST)
		return code;

	/* The oldest of the newest makes room. */
	key_numbered(&key, id, number - HISTORY_STEPS_NEWEST);
	val = key_val(&key);
	code = mdb_del(batch->txn, tree_of(batch, TREE_HISTORY), &val, NULL);
	return code == MDB_NOTFOUND ? 0 : code;
}

int history_record(struct batch *batch, const struct op *op)
{
	const size_t hashes_size = (size_t)op->number * HASH_SIZE;
	int code = 0;

	if (batch->history_id != op->id)
		code = find_next(batch, op->id, &batch->history_next);
	batch->history_id = op->id;
	if (code == 0 && (batch->history_next == 0 || op->number > 0))
		code = index_addresses(batch, op->id, text_part(op->bytes, 0, hashes_size));
	if (code == 0)
		code = put_step(batch, op->id, batch->history_next++, text_from(op->bytes, hashes_size));
	if (op->id <= batch->lmdb->history_floor)
		history_released(batch, op->id);
	return code;
}

void history_released(struct batch *batch, queue_id id)
{
	if (id <= batch->lmdb->history_floor)
		batch->lmdb->history_floor = id - 1;
}

/* -- The bound ------------------------------------------------------------------ */

static int drop_steps(struct batch *batch, queue_id id)
{
	MDB_cursor *cursor;
	struct key key;
	queue_id found_id;
	int code = mdb_cursor_open(batch->txn, tree_of(batch, TREE_HISTORY), &cursor);

	if (code != 0)
		return code;
	key_numbered(&key, id, 0);

	MDB_val val = key_val(&key);

	code = mdb_cursor_get(cursor, &val, NULL, MDB_SET_RANGE);
	while (code == 0 && key_read_id(val, &found_id) && found_id == id) {
		code = mdb_cursor_del(cursor, 0);
		if (code == 0)
			code = mdb_cursor_get(cursor, &val, NULL, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	if (batch->history_id == id)
		batch->history_id = 0;
	return code == MDB_NOTFOUND ? 0 : code;
}

static int is_queued(struct batch *batch, queue_id id, bool *out_queued)
{
	struct key key;
	MDB_val value;

	key_id(&key, id);

	MDB_val val = key_val(&key);
	const int code = mdb_get(batch->txn, tree_of(batch, TREE_ENVELOPE), &val, &value);

	*out_queued = code == 0;
	return code == MDB_NOTFOUND ? 0 : code;
}

/* Drop the oldest finished histories above the floor: at most `excess`, looking at `looks`. */
static int trim_from_floor(struct batch *batch, MDB_cursor *index, size_t excess, size_t looks)
{
	queue_id *floor = &batch->lmdb->history_floor;
	struct key key;

	key_id(&key, *floor + 1);

	MDB_val val = key_val(&key);
	int code = mdb_cursor_get(index, &val, NULL, MDB_SET_RANGE);

	while (code == 0 && excess > 0 && looks-- > 0) {
		queue_id id;
		bool queued = false;

		if (!key_read_id(val, &id))
			return MDB_CORRUPTED;
		code = is_queued(batch, id, &queued);
		if (code == 0 && !queued) {
			code = drop_steps(batch, id);
			if (code == 0)
				code = mdb_cursor_del(index, 0);
			excess--;
		}
		*floor = id;
		if (code == 0)
			code = mdb_cursor_get(index, &val, NULL, MDB_NEXT);
	}
	return code == MDB_NOTFOUND ? 0 : code;
}

/* Histories of messages that are done, too many of them. Each message in the spool has a history, so counting is
 * enough: a deep queue is not walked through for nothing. */
static int count_excess(struct batch *batch, size_t *out_excess)
{
	MDB_stat histories, messages;
	int code = mdb_stat(batch->txn, tree_of(batch, TREE_HISTORY_INDEX), &histories);

	if (code == 0)
		code = mdb_stat(batch->txn, tree_of(batch, TREE_ENVELOPE), &messages);
	if (code != 0)
		return code;

	const size_t kept = messages.ms_entries + batch->lmdb->history_max;

	*out_excess = histories.ms_entries > kept ? histories.ms_entries - kept : 0;
	return 0;
}

int history_trim(struct batch *batch)
{
	MDB_cursor *index;
	size_t excess = 0;
	int code = count_excess(batch, &excess);

	if (code != 0 || excess == 0)
		return code;
	code = mdb_cursor_open(batch->txn, tree_of(batch, TREE_HISTORY_INDEX), &index);
	if (code != 0)
		return code;
	code = trim_from_floor(batch, index, excess, TRIM_LOOKED_AT_MAX + 2 * (size_t)batch->histories_added);
	mdb_cursor_close(index);
	return code;
}
