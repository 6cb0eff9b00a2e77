/* Questions about messages, bodies and histories. Each is a read transaction of its own (P8), sees
 * one committed state, and copies what it answers. */
#include "base/must.h"
#include "spool/codec.h"
#include "spool/lmdb_engine.h"
#include "spool/records.h"

static struct lmdb_spool *of(struct spool *spool)
{
	return (struct lmdb_spool *)spool;
}

static int get(struct lmdb_spool *lmdb, struct reader *reader, enum tree tree, struct key *key, MDB_val *out_value)
{
	MDB_val val = key_val(key);

	return mdb_get(reader->txn, lmdb->trees[tree], &val, out_value);
}

/* -- Messages -------------------------------------------------------------------- */

static enum error read_envelope(struct walk *walk, queue_id id, struct arena *arena, struct envelope *out_envelope)
{
	struct key key;
	MDB_val value;

	key_id(&key, id);

	const int code = get(walk->lmdb, walk->reader, TREE_ENVELOPE, &key, &value);

	return code == 0 ? envelope_record_read(id, val_text(value), arena, out_envelope) : error_from_lmdb(code);
}

static enum error gather_recipient(
    uint32_t index, MDB_val record, struct arena *arena, struct buffer *gathered)
{
	struct recipient recipient;
	const enum error error = recipient_record_read(index, val_text(record), arena, &recipient);

	if (error != OK)
		return error;
	return gather_add(gathered, &recipient, sizeof recipient) ? OK : ERR_NO_MEMORY;
}

static enum error gather_all(struct walk *walk, queue_id id, struct arena *arena, struct buffer *gathered)
{
	enum error error = OK;
	struct key key;
	queue_id found;
	uint32_t index;

	key_numbered(&key, id, 0);

	MDB_val val = key_val(&key), value;
	int code = mdb_cursor_get(walk->cursor, &val, &value, MDB_SET_RANGE);

	while (error == OK && code == 0 && key_read_numbered(val, &found, &index) && found == id) {
		error = gather_recipient(index, value, arena, gathered);
		code = mdb_cursor_get(walk->cursor, &val, &value, MDB_NEXT);
	}
	return error != OK || code == MDB_NOTFOUND ? error : error_from_lmdb(code);
}

static enum error gather_named(struct walk *walk, queue_id id, const uint32_t *indexes, size_t index_count,
    struct arena *arena, struct buffer *gathered)
{
	enum error error = OK;

	for (size_t i = 0; error == OK && i < index_count; i++) {
		struct key key;
		MDB_val value;

		key_numbered(&key, id, indexes[i]);

		const int code = get(walk->lmdb, walk->reader, TREE_RECIPIENT, &key, &value);

		error = code == 0 ? gather_recipient(indexes[i], value, arena, gathered) : error_from_lmdb(code);
	}
	return error;
}

static enum error lmdb_read_message(struct spool *spool, queue_id id, const uint32_t *indexes,
    size_t index_count, struct arena *arena, struct message *out_message)
{
	struct message message = { 0 };
	struct buffer gathered;
	struct walk walk;
	enum error error = walk_begin(&walk, of(spool), TREE_RECIPIENT);

	if (error != OK)
		return error;
	gather_init(&gathered, sizeof *message.recipients, UINT32_MAX);
	error = read_envelope(&walk, id, arena, &message.envelope);
	if (error == OK && indexes == NULL)
		error = gather_all(&walk, id, arena, &gathered);
	else if (error == OK)
		error = gather_named(&walk, id, indexes, index_count, arena, &gathered);
	walk_done(&walk);
	message.recipient_count = (uint32_t)(buffer_text(&gathered).length / sizeof *message.recipients);
	message.recipients = gather_finish(&gathered, arena);
	if (error != OK)
		return error;
	if (message.recipients == NULL)
		return ERR_NO_MEMORY;
	*out_message = message;
	return OK;
}

/* The copy is checked, not the map: nothing can change between the check and the use (P7). */
static enum error take_chunk(queue_id id, uint32_t number, struct text stored, char *room, size_t *out_length)
{
	uint64_t checksum;

	if (stored.length <= CHUNK_CHECKSUM_SIZE || stored.length > CHUNK_CHECKSUM_SIZE + SPOOL_CHUNK_SIZE)
		return ERR_CORRUPT;

	const size_t length = stored.length - CHUNK_CHECKSUM_SIZE;

	memcpy(room, get_u64(stored.bytes, &checksum), length);
	if (chunk_checksum(id, number, (struct text){ room, length }) != checksum)
		return ERR_CORRUPT;
	*out_length = length;
	return OK;
}

static enum error lmdb_read_chunk(
    struct spool *spool, queue_id id, uint32_t number, char *room, size_t *out_length)
{
	struct lmdb_spool *lmdb = of(spool);
	struct reader *reader;
	struct key key;
	MDB_val value;
	enum error error = reader_begin(lmdb, &reader);

	if (error != OK)
		return error;
	key_numbered(&key, id, number);
	error = error_from_lmdb(get(lmdb, reader, TREE_BODY, &key, &value));
	if (error == OK)
		error = take_chunk(id, number, val_text(value), room, out_length);
	reader_done(lmdb, reader);
	return error;
}

/* -- Lists and totals --------------------------------------------------------------- */

/* From where `first` leads, in steps. */
static enum error gather_ids(
    struct walk *walk, MDB_val key, MDB_cursor_op first, MDB_cursor_op step, size_t max, struct buffer *gathered)
{
	queue_id id;
	int code = mdb_cursor_get(walk->cursor, &key, NULL, first);

	for (size_t i = 0; code == 0 && i < max; i++) {
		if (!key_read_id(key, &id))
			return ERR_CORRUPT;
		if (!gather_add(gathered, &id, sizeof id))
			return ERR_NO_MEMORY;
		code = mdb_cursor_get(walk->cursor, &key, NULL, step);
	}
	return code == MDB_NOTFOUND ? OK : error_from_lmdb(code);
}

static enum error finish_ids(
    struct buffer *gathered, enum error error, struct arena *arena, queue_id **out_ids, size_t *out_count)
{
	const size_t count = buffer_text(gathered).length / sizeof **out_ids;
	queue_id *ids = gather_finish(gathered, arena);

	if (error != OK || ids == NULL)
		return error != OK ? error : ERR_NO_MEMORY;
	*out_ids = ids;
	*out_count = count;
	return OK;
}

static enum error list_ids(struct lmdb_spool *lmdb, enum tree tree, MDB_val key, MDB_cursor_op first, MDB_cursor_op step, size_t max,
    struct arena *arena, queue_id **out_ids, size_t *out_count)
{
	struct buffer gathered;
	struct walk walk;
	enum error error = walk_begin(&walk, lmdb, tree);

	if (error != OK)
		return error;
	gather_init(&gathered, sizeof **out_ids, max);
	error = gather_ids(&walk, key, first, step, max, &gathered);
	walk_done(&walk);
	return finish_ids(&gathered, error, arena, out_ids, out_count);
}

static enum error lmdb_list(struct spool *spool, queue_id after, size_t max, struct arena *arena,
    queue_id **out_ids, size_t *out_count)
{
	struct key key;

	key_id(&key, after + 1);
	return list_ids(of(spool), TREE_ENVELOPE, key_val(&key), MDB_SET_RANGE, MDB_NEXT, after < UINT64_MAX ? max : 0, arena, out_ids,
	    out_count);
}

static enum error lmdb_list_newest(struct spool *spool, size_t max, struct arena *arena, queue_id **out_ids, size_t *out_count)
{
	return list_ids(of(spool), TREE_HISTORY_INDEX, (MDB_val){ 0 }, MDB_LAST, MDB_PREV, max, arena, out_ids, out_count);
}

/* The last ID of a tree, 0 when it is empty. */
static enum error last_id(struct lmdb_spool *lmdb, enum tree tree, queue_id *out_id)
{
	struct walk walk;
	MDB_val key;
	enum error error = walk_begin(&walk, lmdb, tree);

	if (error != OK)
		return error;
	*out_id = 0;

	const int code = mdb_cursor_get(walk.cursor, &key, NULL, MDB_LAST);

	if (code == 0 && !key_read_id(key, out_id))
		error = ERR_CORRUPT;
	else if (code != MDB_NOTFOUND)
		error = error_from_lmdb(code);
	walk_done(&walk);
	return error;
}

static enum error lmdb_newest_id(struct spool *spool, queue_id *out_id)
{
	queue_id message = 0, history = 0;
	enum error error = last_id(of(spool), TREE_ENVELOPE, &message);

	if (error == OK)
		error = last_id(of(spool), TREE_HISTORY_INDEX, &history);
	if (error == OK)
		*out_id = message > history ? message : history;
	return error;
}

static int count_entries(struct lmdb_spool *lmdb, struct reader *reader, enum tree tree, uint64_t *out_count)
{
	MDB_stat stat;
	const int code = mdb_stat(reader->txn, lmdb->trees[tree], &stat);

	if (code == 0)
		*out_count = stat.ms_entries;
	return code;
}

static enum error lmdb_totals(struct spool *spool, struct spool_totals *out_totals)
{
	struct lmdb_spool *lmdb = of(spool);
	struct spool_totals totals = { 0 };
	struct reader *reader;
	enum error error = reader_begin(lmdb, &reader);

	if (error != OK)
		return error;

	int code = count_entries(lmdb, reader, TREE_ENVELOPE, &totals.messages);

	if (code == 0)
		code = count_entries(lmdb, reader, TREE_RECIPIENT, &totals.recipients);
	if (code == 0)
		code = count_entries(lmdb, reader, TREE_HISTORY_INDEX, &totals.history_messages);
	reader_done(lmdb, reader);
	if (code != 0)
		return error_from_lmdb(code);
	pthread_mutex_lock(&spool->mutex);
	totals.commits = lmdb->commit_count;
	totals.changes = lmdb->change_count;
	pthread_mutex_unlock(&spool->mutex);
	*out_totals = totals;
	return OK;
}

/* -- History --------------------------------------------------------------------- */

static enum error gather_steps(struct walk *walk, queue_id id, struct arena *arena, struct buffer *gathered)
{
	struct key key;
	queue_id found;
	struct text step;

	key_numbered(&key, id, 0);

	MDB_val val = key_val(&key), value;
	int code = mdb_cursor_get(walk->cursor, &val, &value, MDB_SET_RANGE);

	while (code == 0 && key_read_id(val, &found) && found == id) {
		if (!arena_copy(arena, val_text(value), &step) || !gather_add(gathered, &step, sizeof step))
			return ERR_NO_MEMORY;
		code = mdb_cursor_get(walk->cursor, &val, &value, MDB_NEXT);
	}
	return code == MDB_NOTFOUND ? OK : error_from_lmdb(code);
}

static enum error lmdb_read_history(
    struct spool *spool, queue_id id, struct arena *arena, struct text **out_steps, size_t *out_count)
{
	struct buffer gathered;
	struct walk walk;
	enum error error = walk_begin(&walk, of(spool), TREE_HISTORY);

	if (error != OK)
		return error;
	gather_init(&gathered, sizeof **out_steps, UINT32_MAX);
	error = gather_steps(&walk, id, arena, &gathered);
	walk_done(&walk);

	const size_t count = buffer_text(&gathered).length / sizeof **out_steps;
	struct text *steps = gather_finish(&gathered, arena);

	if (error != OK)
		return error;
	if (steps == NULL)
		return ERR_NO_MEMORY;
	if (count == 0)
		return ERR_NOT_FOUND;
	*out_steps = steps;
	*out_count = count;
	return OK;
}

static bool names(struct text hashes, uint64_t wanted)
{
	for (size_t at = 0; at + sizeof wanted <= hashes.length; at += sizeof wanted) {
		uint64_t hash;

		get_u64(hashes.bytes + at, &hash);
		if (hash == wanted)
			return true;
	}
	return false;
}

static enum error gather_names(struct walk *walk, uint64_t hash, size_t max, struct buffer *gathered)
{
	MDB_val key, value;
	queue_id id;
	int code = mdb_cursor_get(walk->cursor, &key, &value, MDB_LAST);

	for (size_t found = 0; code == 0 && found < max;) {
		if (!key_read_id(key, &id))
			return ERR_CORRUPT;
		if (names(val_text(value), hash)) {
			if (!gather_add(gathered, &id, sizeof id))
				return ERR_NO_MEMORY;
			found++;
		}
		code = mdb_cursor_get(walk->cursor, &key, &value, MDB_PREV);
	}
	return code == MDB_NOTFOUND ? OK : error_from_lmdb(code);
}

static enum error lmdb_find_address(struct spool *spool, uint64_t hash, size_t max, struct arena *arena,
    queue_id **out_ids, size_t *out_count)
{
	struct buffer gathered;
	struct walk walk;
	enum error error = walk_begin(&walk, of(spool), TREE_HISTORY_INDEX);

	if (error != OK)
		return error;
	gather_init(&gathered, sizeof **out_ids, max);
	error = gather_names(&walk, hash, max, &gathered);
	walk_done(&walk);
	return finish_ids(&gathered, error, arena, out_ids, out_count);
}

/* The notes of a walk whose keys begin as `prefix` does. ERR_NO_MEMORY, or what the walk ends with. */
static enum error gather_notes(struct walk *walk, struct key *prefix, struct arena *arena, struct buffer *gathered)
{
	const struct text start = { prefix->bytes, prefix->length };
	MDB_val key = key_val(prefix), value;
	size_t count = 0;
	int code = mdb_cursor_get(walk->cursor, &key, &value, MDB_SET_RANGE);

	for (; code == 0 && text_starts(val_text(key), start) && count < SPOOL_NOTES_MAX; count++) {
		struct spool_note note;

		if (!arena_copy(arena, text_from(val_text(key), KEY_NOTE), &note.key) ||
		    !arena_copy(arena, val_text(value), &note.value) || !gather_add(gathered, &note, sizeof note))
			return ERR_NO_MEMORY;
		code = mdb_cursor_get(walk->cursor, &key, &value, MDB_NEXT);
	}
	return code == MDB_NOTFOUND ? OK : error_from_lmdb(code);
}

static enum error lmdb_read_notes(struct spool *spool, struct text prefix, struct arena *arena,
    struct spool_note **out_notes, size_t *out_count)
{
	struct buffer gathered;
	struct walk walk;
	struct key key;
	enum error error = walk_begin(&walk, of(spool), TREE_META);

	if (error != OK)
		return error;
	key_note(&key, prefix);
	gather_init(&gathered, sizeof **out_notes, SPOOL_NOTES_MAX);
	error = gather_notes(&walk, &key, arena, &gathered);
	walk_done(&walk);
	*out_count = gathered.length / sizeof **out_notes;
	*out_notes = gather_finish(&gathered, arena);
	return error != OK ? error : *out_notes == NULL ? ERR_NO_MEMORY : OK;
}

const struct engine lmdb_engine = {
	.close = lmdb_close,
	.submit = lmdb_submit,
	.read_message = lmdb_read_message,
	.read_chunk = lmdb_read_chunk,
	.scan_due = lmdb_scan_due,
	.scan_domain = lmdb_scan_domain,
	.next_due = lmdb_next_due,
	.list = lmdb_list,
	.list_newest = lmdb_list_newest,
	.newest_id = lmdb_newest_id,
	.totals = lmdb_totals,
	.read_history = lmdb_read_history,
	.find_address = lmdb_find_address,
	.read_notes = lmdb_read_notes,
	.tally_sets = lmdb_tally_sets,
	.tally_rows = lmdb_tally_rows,
};
