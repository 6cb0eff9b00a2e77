/* Bodies without an envelope (P6): of messages that were never finished when the process ended.
 *
 * Bodies and envelopes are both ordered by ID, so one walk along both finds them. It steps over the
 * chunks of long bodies by seeking and never reads a chunk: a million queued messages take
 * a fraction of a second. */
#include "base/must.h"
#include "spool/lmdb_engine.h"

enum { ORPHANS_MAX = 64 }; /* Found in one walk, then deleted in one transaction. */

struct orphans {
	queue_id ids[ORPHANS_MAX];
	size_t count;
	queue_id looked_up_to;
};

/* The first body above `after`: *op says whether it may be the next entry. */
static int next_body(MDB_cursor *bodies, queue_id after, MDB_cursor_op *op, queue_id *out_id)
{
	struct key key;
	MDB_val val;
	int code = 0;

	key_numbered(&key, after + 1, 0);
	val = key_val(&key);
	code = mdb_cursor_get(bodies, &val, NULL, *op);
	if (code == 0 && !key_read_id(val, out_id))
		return MDB_CORRUPTED;
	if (code == 0 && *out_id == after) { /* Another chunk: seek behind its body. */
		key_numbered(&key, after + 1, 0);
		val = key_val(&key);
		code = mdb_cursor_get(bodies, &val, NULL, MDB_SET_RANGE);
		if (code == 0 && !key_read_id(val, out_id))
			return MDB_CORRUPTED;
	}
	*op = MDB_NEXT;
	return code;
}

/* Move `envelopes` to the first at or above `id`; it stands at *at (0: nowhere yet). */
static int envelope_reach(MDB_cursor *envelopes, queue_id id, queue_id *at)
{
	struct key key;
	MDB_val val;
	int code = 0;

	if (*at != 0 && *at < id) { /* Mostly the next one. */
		code = mdb_cursor_get(envelopes, &val, NULL, MDB_NEXT);
		if (code == 0 && !key_read_id(val, at))
			return MDB_CORRUPTED;
	}
	if (code == 0 && *at < id) {
		key_id(&key, id);
		val = key_val(&key);
		code = mdb_cursor_get(envelopes, &val, NULL, MDB_SET_RANGE);
		if (code == 0 && !key_read_id(val, at))
			return MDB_CORRUPTED;
	}
	if (code == MDB_NOTFOUND)
		*at = UINT64_MAX;
	return code == MDB_NOTFOUND ? 0 : code;
}

static int find_orphans(MDB_cursor *bodies, MDB_cursor *envelopes, struct orphans *orphans)
{
	MDB_cursor_op op = MDB_SET_RANGE;
	queue_id envelope = 0, id;
	int code;

	while ((code = next_body(bodies, orphans->looked_up_to, &op, &id)) == 0) {
		code = envelope_reach(envelopes, id, &envelope);
		if (code != 0)
			return code;
		orphans->looked_up_to = id;
		if (envelope == id)
			continue;
		orphans->ids[orphans->count++] = id;
		if (orphans->count == ORPHANS_MAX)
			return 0;
	}
	return code;
}

static int walk_orphans(struct lmdb_spool *lmdb, struct orphans *orphans)
{
	MDB_cursor *bodies = NULL, *envelopes = NULL;
	MDB_txn *txn;
	int code = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);

	if (code != 0)
		return code;
	code = mdb_cursor_open(txn, lmdb->trees[TREE_BODY], &bodies);
	if (code == 0)
		code = mdb_cursor_open(txn, lmdb->trees[TREE_ENVELOPE], &envelopes);
	if (code == 0)
		code = find_orphans(bodies, envelopes, orphans);
	if (envelopes != NULL)
		mdb_cursor_close(envelopes);
	if (bodies != NULL)
		mdb_cursor_close(bodies);
	mdb_txn_abort(txn);
	return code;
}

static int drop_orphans(struct lmdb_spool *lmdb, const struct orphans *orphans)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(lmdb->env, NULL, 0, &txn);

	if (code != 0)
		return code;
	for (size_t i = 0; code == 0 && i < orphans->count; i++)
		code = drop_body(lmdb, txn, orphans->ids[i]);
	if (code == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return code;
}

enum error lmdb_sweep(struct lmdb_spool *lmdb)
{
	struct orphans orphans = { 0 };
	int code;

	do {
		orphans.count = 0;
		code = walk_orphans(lmdb, &orphans);
		if ((code == 0 || code == MDB_NOTFOUND) && orphans.count > 0) {
			const int dropped = drop_orphans(lmdb, &orphans);

			if (dropped != 0)
				return error_from_lmdb(dropped);
		}
	} while (code == 0);
	return code == MDB_NOTFOUND ? OK : error_from_lmdb(code);
}
