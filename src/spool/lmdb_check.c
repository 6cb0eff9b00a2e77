/* May a change be applied? Answered before the first byte is written, because a change without
 * effect must leave the others of its batch alone, and LMDB cannot take back half a transaction
 * cheaply (a nested one costs 2 MiB of bookkeeping).
 *
 * The store shows what earlier changes of the batch did; what earlier operations of this change
 * will do is found in the change itself. */
#include "base/must.h"
#include "spool/lmdb_engine.h"
#include "spool/records.h"

/* One change under examination. */
struct check {
	struct batch *batch;
	const struct spool_change *change;
	queue_id absent;    /* No envelope of this ID in the store; the last one looked for. */
	queue_id put;       /* The last message that this change puts. */
	bool puts, retires; /* Operations seen so far. */
};

/* `there` by a code of LMDB. */
static int found(int code, bool *out_there)
{
	*out_there = code == 0;
	return code == MDB_NOTFOUND ? 0 : code;
}

static int find_envelope(struct check *check, queue_id id, bool *out_there)
{
	struct key key;
	MDB_val value;

	if (check->absent == id) {
		*out_there = false;
		return 0;
	}
	key_id(&key, id);

	const int code = found(batch_get(check->batch, TREE_ENVELOPE, &key, &value), out_there);

	if (code == 0 && !*out_there)
		check->absent = id;
	return code;
}

static bool put_before(const struct check *check, size_t start, queue_id id)
{
	struct op op;

	if (!check->puts || check->put == id)
		return check->puts;
	for (size_t at = 0; at < start && change_next(check->change, &at, &op);) {
		if (op.kind == OP_MESSAGE && op.id == id)
			return true;
	}
	return false;
}

/* ERR_EXISTS if this message is here, ever was in this change, or will be by an earlier operation. */
static int check_new(struct check *check, size_t start, queue_id id, enum error *out_error)
{
	bool there;
	const int code = find_envelope(check, id, &there);

	*out_error = there || put_before(check, start, id) ? ERR_EXISTS : OK;
	return code;
}

static int find_chunk(struct check *check, size_t start, queue_id id, uint32_t number, bool *out_there)
{
	struct key key;
	MDB_val value;
	const enum chunk_source source = change_chunk_source(check->change, start, id, number);

	*out_there = source == CHUNK_IN_CHANGE;
	if (source != CHUNK_IN_STORE)
		return 0;
	key_numbered(&key, id, number);
	return found(batch_get(check->batch, TREE_BODY, &key, &value), out_there);
}

/* No 250 for a body with a hole: every chunk must be there. */
static int check_message(struct check *check, size_t start, const struct op *op, enum error *out_error)
{
	uint32_t chunk_count;
	int code = check_new(check, start, op->id, out_error);

	must(envelope_record_chunk_count(op->bytes, &chunk_count) == OK);
	for (uint32_t number = 0; code == 0 && *out_error == OK && number < chunk_count; number++) {
		bool there;

		code = find_chunk(check, start, op->id, number, &there);
		if (!there)
			*out_error = ERR_GONE;
	}
	check->puts = true;
	check->put = op->id;
	return code;
}

/* What earlier operations of this change do to a recipient that the store has or has not. */
static bool recipient_after(const struct check *check, size_t start, const struct op *wanted, bool there)
{
	struct op op;

	for (size_t at = 0; at < start && change_next(check->change, &at, &op);) {
		if (op.id != wanted->id || op.number != wanted->number)
			continue;
		if (op.kind == OP_RECIPIENT)
			there = true;
		else if (op.kind == OP_RETIRE)
			there = false;
	}
	return there;
}

static int check_recipient(struct check *check, size_t start, const struct op *op, enum error *out_error)
{
	struct key key;
	MDB_val value;
	bool there;

	key_numbered(&key, op->id, op->number);

	const int code = found(batch_get(check->batch, TREE_RECIPIENT, &key, &value), &there);

	if (!there || !check->change->ascending)
		there = recipient_after(check, start, op, there);
	if (op->kind == OP_RETIRE)
		check->retires = true;
	*out_error = there ? OK : ERR_GONE;
	return code;
}

static int count_recipients(struct batch *batch, queue_id id, int64_t *out_count)
{
	struct key key;
	MDB_cursor *cursor;
	int64_t count = 0;
	int code = mdb_cursor_open(batch->txn, batch->lmdb->trees[TREE_RECIPIENT], &cursor);

	if (code != 0)
		return code;
	key_numbered(&key, id, 0);

	MDB_val val = key_val(&key), value;
	queue_id found_id;

	code = mdb_cursor_get(cursor, &val, &value, MDB_SET_RANGE);
	while (code == 0 && key_read_id(val, &found_id) && found_id == id) {
		count++;
		code = mdb_cursor_get(cursor, &val, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	*out_count = count;
	return code == MDB_NOTFOUND ? 0 : code;
}

/* A message lives while it has a recipient: in the store, or by earlier operations. */
static int check_addition(struct check *check, size_t start, const struct op *added, enum error *out_error)
{
	int64_t count = 0;
	bool there;
	struct op op;
	int code = find_envelope(check, added->id, &there);

	if (code != 0)
		return code;
	if (!there && !put_before(check, start, added->id)) {
		*out_error = ERR_GONE;
		return 0;
	}
	if (!check->retires)
		return 0;
	code = count_recipients(check->batch, added->id, &count);
	for (size_t at = 0; at < start && change_next(check->change, &at, &op);) {
		if (op.id != added->id)
			continue;
		count += op.kind == OP_RECIPIENT || op.kind == OP_ADD;
		count -= op.kind == OP_RETIRE;
	}
	if (count <= 0)
		*out_error = ERR_GONE;
	return code;
}

static int check_claim(struct batch *batch, const struct op *op, enum error *out_error)
{
	char room[CLAIM_NOTE_MAX];
	struct text claimed, value;
	int code = 0;

	op_read_claim(op, &claimed, &value);
	for (uint32_t back = 0; code == 0 && back < 2; back++) {
		MDB_val stored;
		struct key key;
		bool there = false;

		key_note(&key, claim_note(op->number - back, claimed, room));
		code = found(batch_get(batch, TREE_META, &key, &stored), &there);
		if (there)
			*out_error = ERR_EXISTS;
	}
	return code;
}

static int check_op(struct check *check, size_t start, const struct op *op, enum error *out_error)
{
	switch (op->kind) {
	case OP_CHUNK:
	case OP_DISCARD:
		return check_new(check, start, op->id, out_error);
	case OP_MESSAGE:
		return check_message(check, start, op, out_error);
	case OP_RETIRE:
	case OP_UPDATE:
	case OP_STEER:
		return check_recipient(check, start, op, out_error);
	case OP_ADD:
		return check_addition(check, start, op, out_error);
	case OP_TALLY_DROP:
		return tally_check_drop(check->batch, check->change, start, op, out_error);
	case OP_CLAIM:
		return check_claim(check->batch, op, out_error);
	case OP_RECIPIENT:
	case OP_RECORD:
	case OP_NOTE:
	case OP_TALLY:
		break;
	}
	return 0;
}

int check_change(struct batch *batch, const struct spool_change *change, enum error *out_error)
{
	struct check check = { .batch = batch, .change = change };
	size_t offset = 0, start = 0;
	struct op op;
	int code = 0;

	*out_error = OK;
	if (change->failed)
		*out_error = ERR_NO_MEMORY;
	else if (change->grows && !change->settles && !batch->grows_allowed)
		*out_error = ERR_NO_SPACE;
	while (code == 0 && *out_error == OK && change_next(change, &offset, &op)) {
		code = check_op(&check, start, &op, out_error);
		start = offset;
	}
	return code;
}
