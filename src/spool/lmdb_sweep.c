/* Bodies without an envelope (P6): of messages that were never finished when the process ended.
 *
 * Chunks that come ahead of their message leave a mark, in the same transaction, which goes with the message or
 * the discard. So opening looks at the marks and not at the queue: a million queued messages cost nothing. */
#include "spool/lmdb_engine.h"

enum { SWEEP_MAX = 64 }; /* Marks worked off in one transaction. */

static bool has_envelope(struct lmdb_spool *lmdb, MDB_txn *txn, queue_id id)
{
	struct key key;
	MDB_val value;

	key_id(&key, id);

	MDB_val val = key_val(&key);

	return mdb_get(txn, lmdb->trees[TREE_ENVELOPE], &val, &value) == 0;
}

/* One mark and its body; MDB_NOTFOUND: none is left. */
static int sweep_one(struct lmdb_spool *lmdb, MDB_txn *txn)
{
	MDB_cursor *marks;
	MDB_val key;
	queue_id id;
	int code = mdb_cursor_open(txn, lmdb->trees[TREE_UNFINISHED], &marks);

	if (code != 0)
		return code;
	code = mdb_cursor_get(marks, &key, NULL, MDB_FIRST);
	if (code == 0 && !key_read_id(key, &id))
		code = MDB_CORRUPTED;
	if (code == 0)
		code = mdb_cursor_del(marks, 0);
	mdb_cursor_close(marks);
	if (code == 0 && !has_envelope(lmdb, txn, id))
		code = drop_body(lmdb, txn, id);
	return code;
}

static int sweep_some(struct lmdb_spool *lmdb)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(lmdb->env, NULL, 0, &txn);

	if (code != 0)
		return code;
	for (int i = 0; code == 0 && i < SWEEP_MAX; i++)
		code = sweep_one(lmdb, txn);
	if (code != 0 && code != MDB_NOTFOUND) {
		mdb_txn_abort(txn);
		return code;
	}

	const int committed = mdb_txn_commit(txn); /* Writes nothing when nothing was there. */

	return committed != 0 ? committed : code;
}

enum error lmdb_sweep(struct lmdb_spool *lmdb)
{
	int code;

	do
		code = sweep_some(lmdb);
	while (code == 0);
	return code == MDB_NOTFOUND ? OK : error_from_lmdb(code);
}
