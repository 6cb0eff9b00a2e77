/* Applying changes that check_change has passed: nothing here may find the world different. */
#include <errno.h>

#include "base/must.h"
#include "spool/lmdb_engine.h"
#include "spool/records.h"

/* -- Due indexes --------------------------------------------------------------- */

/* Where a recipient stands in both indexes. Values of its own: it outlives the record. */
struct place {
	struct key due, domain;
	size_t due_length; /* Of the value in the index of due ones. */
	bool listed; /* Held recipients are in neither index. */
};

static void place_of(struct place *place, queue_id id, uint32_t index, const struct recipient *recipient)
{
	const struct spool_position position = { recipient->due_ms, id, index };
	char room[ADDRESS_DOMAIN_MAX];
	const struct text domain = domain_lower(recipient->address.domain, room);

	key_due(&place->due, shard_of_lower(domain), &position);
	key_domain(&place->domain, domain, &recipient->flow, &position);
	place->due_length = domain.length + 1 + KEY_FLOW;
	place->listed = !(recipient->flags & RECIPIENT_HELD);
}

static bool same_place(const struct place *a, const struct place *b)
{
	return a->listed == b->listed && a->due.length == b->due.length &&
	    memcmp(a->due.bytes, b->due.bytes, a->due.length) == 0;
}

static int list_place(struct batch *batch, struct place *place)
{
	if (!place->listed)
		return 0;

	const int code = batch_put(batch, TREE_DUE, &place->due, (struct text){ place->domain.bytes + KEY_PERIOD, place->due_length });

	return code != 0 ? code : batch_put(batch, TREE_DOMAIN, &place->domain, TEXT_EMPTY);
}

static int unlist_place(struct batch *batch, struct place *place)
{
	if (!place->listed)
		return 0;

	const int code = batch_del(batch, TREE_DUE, &place->due);

	return code != 0 ? code : batch_del(batch, TREE_DOMAIN, &place->domain);
}

/* -- Messages -------------------------------------------------------------------- */

/* P6: what the sweep looks for, should the process end here. A body that comes with its message needs no mark. */
static int mark_unfinished(struct batch *batch, const struct spool_change *change, queue_id id)
{
	struct key key;

	if (change->message_id == id)
		return 0;
	key_id(&key, id);
	return batch_put(batch, TREE_UNFINISHED, &key, TEXT_EMPTY);
}

static int unmark_unfinished(struct batch *batch, queue_id id)
{
	struct key key;
	MDB_stat stat;
	int code = mdb_stat(batch->txn, batch->lmdb->trees[TREE_UNFINISHED], &stat);

	if (code != 0 || stat.ms_entries == 0)
		return code;
	key_id(&key, id);
	code = batch_del(batch, TREE_UNFINISHED, &key);
	return code == MDB_NOTFOUND ? 0 : code;
}

static int put_chunk(struct batch *batch, const struct spool_change *change, const struct op *op)
{
	struct key key;

	key_numbered(&key, op->id, op->number);

	const int code = batch_put(batch, TREE_BODY, &key, op->bytes);

	return code != 0 ? code : mark_unfinished(batch, change, op->id);
}

static int put_envelope(struct batch *batch, const struct op *op)
{
	struct key key;

	key_id(&key, op->id);

	const int code = batch_put(batch, TREE_ENVELOPE, &key, op->bytes);

	return code != 0 ? code : unmark_unfinished(batch, op->id);
}

static int put_recipient(struct batch *batch, queue_id id, uint32_t index, struct text record)
{
	struct recipient recipient;
	struct place place;
	struct key key;

	if (recipient_record_view(record, &recipient) != OK)
		return MDB_CORRUPTED;
	place_of(&place, id, index, &recipient);
	due_news_add(&batch->news, &recipient);
	key_numbered(&key, id, index);

	const int code = batch_put(batch, TREE_RECIPIENT, &key, record);

	return code != 0 ? code : list_place(batch, &place);
}

/* The first chunk or recipient of a message; MDB_NOTFOUND if there is none (left). */
static int first_of(struct lmdb_spool *lmdb, MDB_txn *txn, enum tree tree, queue_id id, uint32_t *out_number)
{
	MDB_cursor *cursor;
	struct key key;
	queue_id found_id;
	int code = mdb_cursor_open(txn, lmdb->trees[tree], &cursor);

	if (code != 0)
		return code;
	key_numbered(&key, id, 0);

	MDB_val val = key_val(&key);

	code = mdb_cursor_get(cursor, &val, NULL, MDB_SET_RANGE);
	if (code == 0 && (!key_read_numbered(val, &found_id, out_number) || found_id != id))
		code = MDB_NOTFOUND;
	mdb_cursor_close(cursor);
	return code;
}

int drop_body(struct lmdb_spool *lmdb, MDB_txn *txn, queue_id id)
{
	struct key key;
	uint32_t number;
	int code;

	while ((code = first_of(lmdb, txn, TREE_BODY, id, &number)) == 0) {
		key_numbered(&key, id, number);

		MDB_val val = key_val(&key);

		code = mdb_del(txn, lmdb->trees[TREE_BODY], &val, NULL);
		if (code != 0)
			return code;
	}
	return code == MDB_NOTFOUND ? 0 : code;
}

static int drop_message(struct batch *batch, queue_id id)
{
	struct key key;
	int code = drop_body(batch->lmdb, batch->txn, id);

	key_id(&key, id);
	if (code == 0)
		code = batch_del(batch, TREE_ENVELOPE, &key);
	history_released(batch, id);
	return code;
}

static int retire(struct batch *batch, const struct op *op)
{
	struct recipient recipient;
	struct place place;
	struct key key;
	MDB_val value;
	uint32_t left;

	key_numbered(&key, op->id, op->number);

	int code = batch_get(batch, TREE_RECIPIENT, &key, &value);

	if (code != 0)
		return code;
	if (recipient_record_view(val_text(value), &recipient) != OK)
		return MDB_CORRUPTED;
	place_of(&place, op->id, op->number, &recipient); /* Before the record moves. */
	code = batch_del(batch, TREE_RECIPIENT, &key);
	if (code == 0)
		code = unlist_place(batch, &place);
	if (code == 0)
		code = first_of(batch->lmdb, batch->txn, TREE_RECIPIENT, op->id, &left);
	return code == MDB_NOTFOUND ? drop_message(batch, op->id) : code; /* P5 */
}

/* Put together in the scratch buffer, because LMDB's memory must not be read while it is written. */
static int rewrite_recipient(struct batch *batch, struct key *key, const struct recipient *recipient)
{
	const size_t size = recipient_record_size(recipient);

	buffer_clear(&batch->scratch);

	char *room = buffer_reserve(&batch->scratch, size);

	if (room == NULL)
		return ENOMEM;
	recipient_record_write(recipient, room);
	return batch_put(batch, TREE_RECIPIENT, key, (struct text){ room, size });
}

static int update(struct batch *batch, const struct op *op)
{
	struct recipient old, merged;
	struct place before, after;
	struct key key;
	MDB_val value;

	key_numbered(&key, op->id, op->number);

	int code = batch_get(batch, TREE_RECIPIENT, &key, &value);

	if (code != 0)
		return code;
	if (recipient_record_view(val_text(value), &old) != OK || recipient_changed(&old, op, &merged) != OK)
		return MDB_CORRUPTED;
	place_of(&before, op->id, op->number, &old);
	place_of(&after, op->id, op->number, &merged);
	due_news_add(&batch->news, &merged);
	code = rewrite_recipient(batch, &key, &merged);
	if (code != 0 || same_place(&before, &after))
		return code;
	code = unlist_place(batch, &before);
	return code != 0 ? code : list_place(batch, &after);
}

static int add_recipient(struct batch *batch, const struct op *op)
{
	uint32_t index;
	struct key key;
	MDB_val value;

	key_id(&key, op->id);

	int code = batch_get(batch, TREE_ENVELOPE, &key, &value);

	if (code != 0)
		return code;
	if (envelope_record_next_index(val_text(value), &index) != OK || index == UINT32_MAX)
		return MDB_CORRUPTED;
	buffer_clear(&batch->scratch);

	char *room = buffer_reserve(&batch->scratch, value.mv_size);

	if (room == NULL)
		return ENOMEM;
	memcpy(room, value.mv_data, value.mv_size);
	envelope_record_set_next_index(room, index + 1);
	code = batch_put(batch, TREE_ENVELOPE, &key, (struct text){ room, value.mv_size });
	return code != 0 ? code : put_recipient(batch, op->id, index, op->bytes);
}

static int discard(struct batch *batch, queue_id id)
{
	const int code = drop_body(batch->lmdb, batch->txn, id);

	return code != 0 ? code : unmark_unfinished(batch, id);
}

static int note(struct batch *batch, const struct op *op)
{
	const struct text value = text_from(op->bytes, op->number);
	struct key key;

	key_note(&key, text_part(op->bytes, 0, op->number));
	if (value.length > 0)
		return batch_put(batch, TREE_META, &key, value);
	const int code = batch_del(batch, TREE_META, &key);

	return code == MDB_NOTFOUND ? 0 : code;
}

/* The first claim that is older than the floor; MDB_NOTFOUND: none is. */
static int drop_claim(struct batch *batch, const struct key *floor)
{
	struct key first;
	MDB_cursor *cursor;
	MDB_val key, value;
	int code = mdb_cursor_open(batch->txn, batch->lmdb->trees[TREE_META], &cursor);

	if (code != 0)
		return code;
	key_note(&first, CLAIM_PREFIX);
	key = key_val(&first);
	code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	if (code == 0 && text_compare(val_text(key), (struct text){ floor->bytes, floor->length }) >= 0)
		code = MDB_NOTFOUND;
	if (code == 0)
		code = mdb_cursor_del(cursor, 0);
	mdb_cursor_close(cursor);
	return code;
}

static int claim(struct batch *batch, const struct op *op)
{
	char room[CLAIM_NOTE_MAX];
	struct text claimed, value;
	struct key key;

	op_read_claim(op, &claimed, &value);
	key_note(&key, claim_note(op->number, claimed, room));
	int code = batch_put(batch, TREE_META, &key, value);

	key_note(&key, claim_note(op->number - 1, TEXT_EMPTY, room));
	for (int i = 0; code == 0 && i < CLAIMS_DROPPED_MAX; i++)
		code = drop_claim(batch, &key);
	return code == MDB_NOTFOUND ? 0 : code;
}

static int apply_op(struct batch *batch, const struct spool_change *change, const struct op *op)
{
	switch (op->kind) {
	case OP_CHUNK:
		return put_chunk(batch, change, op);
	case OP_MESSAGE:
		return put_envelope(batch, op);
	case OP_RECIPIENT:
		return put_recipient(batch, op->id, op->number, op->bytes);
	case OP_DISCARD:
		return discard(batch, op->id);
	case OP_RETIRE:
		return retire(batch, op);
	case OP_UPDATE:
	case OP_STEER:
		return update(batch, op);
	case OP_ADD:
		return add_recipient(batch, op);
	case OP_RECORD:
		return history_record(batch, op);
	case OP_NOTE:
		return note(batch, op);
	case OP_CLAIM:
		return claim(batch, op);
	case OP_TALLY:
		return tally_count(batch, op);
	case OP_TALLY_DROP:
		return tally_drop(batch, op);
	}
	must(false); /* No other operation is written. */
	return 0;
}

int apply_change(struct batch *batch, const struct spool_change *change)
{
	struct op op;
	int code = 0;

	for (size_t offset = 0; code == 0 && change_next(change, &offset, &op);)
		code = apply_op(batch, change, &op);

	/* Checked a moment ago, and this thread is the only writer. */
	return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
}
