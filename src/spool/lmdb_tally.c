/* Tallies (tally.h): counted in the transaction of their change, listed and read in transactions of their own.
 *
 * Sets are ordered by kind and day, so that what a report of one day reads and drops lies together, and what
 * is counted today grows at the end. */
#include <errno.h>

#include "base/must.h"
#include "spool/codec.h"
#include "spool/lmdb_engine.h"
#include "spool/tally_op.h"

enum { SET_KEY_FRONT = 1 + 4, ROW_NUMBER_SIZE = 8, COUNT_SIZE = 8 };

/* -- Keys --------------------------------------------------------------------------- */

static char *put_set(struct key *key, const struct tally_set *set)
{
	char *at = put_u8(key->bytes, (uint8_t)set->kind);

	must(set->domain.length <= ADDRESS_DOMAIN_MAX);
	return put_text(put_u32_ordered(at, set->day), set->domain);
}

static void key_set(struct key *key, const struct tally_set *set)
{
	key->length = (size_t)(put_set(key, set) - key->bytes);
}

static void key_account(struct key *key, const struct tally_set *set)
{
	key_set(key, &(struct tally_set){ set->kind, set->day, TEXT_EMPTY });
}

static void key_row(struct key *key, const struct tally_set *set, uint64_t row)
{
	key->length = (size_t)(put_u64_ordered(put_u8(put_set(key, set), 0), row) - key->bytes);
}

/* Borrows from the key. */
static bool read_set(MDB_val key, struct tally_set *out_set)
{
	uint8_t kind;

	if (key.mv_size < SET_KEY_FRONT)
		return false;

	const char *at = get_u8(key.mv_data, &kind);

	out_set->kind = (enum tally_kind)kind;
	out_set->domain = text_from(val_text(key), (size_t)(get_u32_ordered(at, &out_set->day) - (const char *)key.mv_data));
	return true;
}

/* Is it a row of the set that `wanted` is the key of a row of? */
static bool same_set(MDB_val key, const struct key *wanted, uint64_t *out_row)
{
	if (key.mv_size != wanted->length || memcmp(key.mv_data, wanted->bytes, key.mv_size - ROW_NUMBER_SIZE) != 0)
		return false;
	get_u64_ordered((const char *)key.mv_data + key.mv_size - sizeof *out_row, out_row);
	return true;
}

/* -- Counting ----------------------------------------------------------------------- */

/* All 0 and not there, or as it is stored. */
static int get_sum(struct batch *batch, struct key *key, struct tally_sum *out_sum, bool *out_there)
{
	MDB_val value;
	const int code = batch_get(batch, TREE_TALLY_SET, key, &value);

	*out_sum = (struct tally_sum){ 0 };
	*out_there = code == 0;
	if (code == MDB_NOTFOUND)
		return 0;
	return code == 0 && tally_sum_read(val_text(value), out_sum) != OK ? MDB_CORRUPTED : code;
}

static int put_sum(struct batch *batch, struct key *key, const struct tally_sum *sum)
{
	char room[TALLY_SUM_SIZE];

	tally_sum_write(sum, room);
	return batch_put(batch, TREE_TALLY_SET, key, (struct text){ room, sizeof room });
}

static int put_row(struct batch *batch, struct key *key, struct text row, uint64_t count)
{
	char room[COUNT_SIZE + TALLY_ROW_BYTES_MAX];

	put_text(put_u64(room, count), row);
	return batch_put(batch, TREE_TALLY, key, (struct text){ room, COUNT_SIZE + row.length });
}

/* A row that is known. *out_known: false, and nothing done, if it is not; *out_counted: false if another row has its key. */
static int count_row(struct batch *batch, struct key *key, struct text row, uint32_t added, bool *out_known, bool *out_counted)
{
	MDB_val value;
	uint64_t count;
	const int code = batch_get(batch, TREE_TALLY, key, &value);

	*out_known = code == 0;
	*out_counted = false;
	if (code != 0)
		return code == MDB_NOTFOUND ? 0 : code;
	if (value.mv_size < COUNT_SIZE)
		return MDB_CORRUPTED;
	get_u64(value.mv_data, &count);
	if (!text_equal(text_from(val_text(value), COUNT_SIZE), row))
		return 0;
	*out_counted = true;
	return put_row(batch, key, row, count + added);
}

/* A row or a set that is new: it must have room in its day. */
static int count_new(struct batch *batch, const struct tally_op *op, uint32_t added, bool set_there, struct tally_sum *set)
{
	struct tally_sum account;
	struct key account_key, row_key;
	bool account_there;

	key_account(&account_key, &op->set);

	int code = get_sum(batch, &account_key, &account, &account_there);
	const bool enters = set_there || (batch->grows_allowed && tally_takes_set(&account));

	if (code != 0)
		return code;
	if (enters && batch->grows_allowed && tally_takes_row(set, &account, op)) {
		key_row(&row_key, &op->set, tally_row_key(op->row));
		code = put_row(batch, &row_key, op->row, added);
		set->rows++;
		set->bytes += tally_row_bytes(op);
		account.bytes += tally_row_bytes(op);
	} else if (enters) {
		set->overflow += added;
	} else {
		account.overflow += added;
	}
	account.rows += enters && !set_there;
	if (code != 0 || (!account_there && !enters)) /* No room for an account either. */
		return code;
	return put_sum(batch, &account_key, &account);
}

int tally_count(struct batch *batch, const struct op *op)
{
	const struct tally_op view = tally_op_view(op);
	struct tally_sum set;
	struct key set_key, row_key;
	bool there, known = false, counted = false;

	key_set(&set_key, &view.set);
	key_row(&row_key, &view.set, tally_row_key(view.row));

	int code = get_sum(batch, &set_key, &set, &there);

	if (code == 0 && there)
		code = count_row(batch, &row_key, view.row, op->number, &known, &counted);
	if (code == 0 && known && !counted)
		set.overflow += op->number;
	if (code == 0 && !known)
		code = count_new(batch, &view, op->number, there, &set);
	if (code != 0 || (!there && set.rows == 0 && set.overflow == 0)) /* It found no place. */
		return code;
	set.total += op->number;
	return put_sum(batch, &set_key, &set);
}

/* -- Dropping ----------------------------------------------------------------------- */

int tally_check_drop(struct batch *batch, const struct spool_change *change, size_t start, const struct op *op,
    enum error *out_error)
{
	const struct tally_op view = tally_op_view(op);
	struct tally_sum set;
	struct key key;
	bool there;

	key_set(&key, &view.set);

	const int code = get_sum(batch, &key, &set, &there);

	there = tally_total_after(change, start, &view.set, there, &set.total);
	*out_error = there && set.total == view.total ? OK : ERR_GONE;
	return code;
}

static int drop_rows(struct batch *batch, const struct tally_set *set)
{
	MDB_cursor *cursor;
	struct key key;
	uint64_t row;
	int code = mdb_cursor_open(batch->txn, batch->lmdb->trees[TREE_TALLY], &cursor);

	if (code != 0)
		return code;
	key_row(&key, set, 0);

	MDB_val val = key_val(&key);

	code = mdb_cursor_get(cursor, &val, NULL, MDB_SET_RANGE);
	while (code == 0 && same_set(val, &key, &row)) {
		code = mdb_cursor_del(cursor, 0);
		if (code == 0)
			code = mdb_cursor_get(cursor, &val, NULL, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return code == MDB_NOTFOUND ? 0 : code;
}

int tally_drop(struct batch *batch, const struct op *op)
{
	const struct tally_op view = tally_op_view(op);
	struct tally_sum set, account;
	struct key set_key, account_key;
	bool set_there, account_there;

	key_set(&set_key, &view.set);
	key_account(&account_key, &view.set);

	int code = get_sum(batch, &set_key, &set, &set_there);

	if (code != 0 || !set_there) /* This very change found no place for it. */
		return code;
	code = get_sum(batch, &account_key, &account, &account_there);
	if (code == 0)
		code = drop_rows(batch, &view.set);
	if (code == 0)
		code = batch_del(batch, TREE_TALLY_SET, &set_key);
	if (code != 0 || !account_there)
		return code;
	account.bytes -= set.bytes < account.bytes ? set.bytes : account.bytes;
	if (account.rows <= 1)
		return batch_del(batch, TREE_TALLY_SET, &account_key);
	account.rows--;
	return put_sum(batch, &account_key, &account);
}

/* -- Reading ------------------------------------------------------------------------ */

static enum error gather_set(const struct tally_set *set, MDB_val value, struct arena *arena, struct buffer *gathered)
{
	struct tally_listed listed = { .set = *set };
	const enum error error = tally_sum_read(val_text(value), &listed.sum);

	if (error != OK)
		return error;
	if (!arena_copy(arena, set->domain, &listed.set.domain) || !gather_add(gathered, &listed, sizeof listed))
		return ERR_NO_MEMORY;
	return OK;
}

static enum error gather_sets(
    struct walk *walk, const struct tally_query *query, struct arena *arena, struct buffer *gathered)
{
	const struct tally_set first = { query->kind, 0, TEXT_EMPTY };
	struct tally_set set;
	struct key key;
	enum error error = OK;

	key_set(&key, query->after != NULL ? query->after : &first);

	const struct text start = { key.bytes, key.length };
	MDB_val val = key_val(&key), value;
	int code = mdb_cursor_get(walk->cursor, &val, &value, MDB_SET_RANGE);

	if (code == 0 && query->after != NULL && text_equal(val_text(val), start))
		code = mdb_cursor_get(walk->cursor, &val, &value, MDB_NEXT);
	for (size_t i = 0; error == OK && code == 0 && i < query->max; i++) {
		if (!read_set(val, &set))
			return ERR_CORRUPT;
		if (set.kind != query->kind || set.day > query->until_day)
			return OK;
		error = gather_set(&set, value, arena, gathered);
		code = mdb_cursor_get(walk->cursor, &val, &value, MDB_NEXT);
	}
	return error != OK || code == MDB_NOTFOUND ? error : error_from_lmdb(code);
}

enum error lmdb_tally_sets(struct spool *spool, const struct tally_query *query, struct arena *arena,
    struct tally_listed **out_sets, size_t *out_count)
{
	struct buffer gathered;
	struct walk walk;
	enum error error = walk_begin(&walk, (struct lmdb_spool *)spool, TREE_TALLY_SET);

	if (error != OK)
		return error;
	gather_init(&gathered, sizeof **out_sets, query->max);
	error = gather_sets(&walk, query, arena, &gathered);
	walk_done(&walk);

	const size_t count = buffer_text(&gathered).length / sizeof **out_sets;
	struct tally_listed *sets = gather_finish(&gathered, arena);

	if (error != OK || sets == NULL)
		return error != OK ? error : ERR_NO_MEMORY;
	*out_sets = sets;
	*out_count = count;
	return OK;
}

static enum error gather_rows(struct walk *walk, const struct tally_set *set, uint64_t from, size_t max,
    struct arena *arena, struct buffer *gathered)
{
	struct tally_row row;
	struct key key;

	key_row(&key, set, from);

	MDB_val val = key_val(&key), value;
	int code = mdb_cursor_get(walk->cursor, &val, &value, MDB_SET_RANGE);

	for (size_t i = 0; code == 0 && i < max && same_set(val, &key, &row.key); i++) {
		if (value.mv_size < COUNT_SIZE)
			return ERR_CORRUPT;
		get_u64(value.mv_data, &row.count);
		if (!arena_copy(arena, text_from(val_text(value), COUNT_SIZE), &row.bytes) ||
		    !gather_add(gathered, &row, sizeof row))
			return ERR_NO_MEMORY;
		code = mdb_cursor_get(walk->cursor, &val, &value, MDB_NEXT);
	}
	return code == MDB_NOTFOUND ? OK : error_from_lmdb(code);
}

enum error lmdb_tally_rows(struct spool *spool, const struct tally_set *set, uint64_t from, size_t max,
    struct arena *arena, struct tally_row **out_rows, size_t *out_count)
{
	struct buffer gathered;
	struct walk walk;
	enum error error = walk_begin(&walk, (struct lmdb_spool *)spool, TREE_TALLY);

	if (error != OK)
		return error;
	gather_init(&gathered, sizeof **out_rows, max);
	error = gather_rows(&walk, set, from, max, arena, &gathered);
	walk_done(&walk);

	const size_t count = buffer_text(&gathered).length / sizeof **out_rows;
	struct tally_row *rows = gather_finish(&gathered, arena);

	if (error != OK || rows == NULL)
		return error != OK ? error : ERR_NO_MEMORY;
	*out_rows = rows;
	*out_count = count;
	return OK;
}
