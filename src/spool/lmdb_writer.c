/* The writer thread: takes all that waits, writes it in one transaction, flushes once, answers all.
 *
 * While one flush is under way the next batch gathers; there is no timer, so a lone change on
 * an idle server is committed at once. OK becomes a promise when mdb_txn_commit has returned: LMDB
 * has flushed the pages (fdatasync) and then written the root through a descriptor with O_DSYNC.
 * A crash before the root is on the disk leaves the tree of the commit before.
 *
 * When a write or a flush fails, the kernel may have dropped what it could not write, and says so once: nobody may
 * flush again and believe it. So the batch is given up, and nothing of it is relied upon:
 *
 *   - Pages that failed belong to no root: a later transaction writes them anew, in full, before it flushes.
 *     Pages of earlier roots are not written in place; they were flushed by their own commit.
 *   - A root that failed may be on the disk or not, and LMDB refuses to go on. It puts the old root back into
 *     the page cache; the environment is opened again, and that old root flushed, before a new transaction may
 *     overwrite pages that the failed root names. If the failed root was seen after all, the batch took effect:
 *     clients that were refused send again, and settlements find their recipients gone. Twice is not lost.
 *
 * The next batch is the probe whether the trouble is over: until one succeeds, all are refused. */
#include "base/must.h"
#include "spool/lmdb_engine.h"

enum {
	BATCH_BYTES_MAX = 16 << 20,     /* Of changes in one transaction; one change may be larger. */
	SCRATCH_BYTES_MAX = 64 << 20,
	READER_CHECK_COMMITS = 1024,    /* Commits between looks for readers that died (the CLI, killed). */

	/* What a batch needs of free pages, estimated high: paths of all trees copied once, and for
	 * each change half-filled leaves. */
	GROWTH_BATCH_BYTES = 256 << 10,
	GROWTH_CHANGE_BYTES = 8 << 10
};

/* -- Room for new mail ------------------------------------------------------------- */

/* Pages on LMDB's free list, but no more than `enough`: the list may be long. */
static size_t free_pages(struct lmdb_spool *lmdb, size_t enough)
{
	enum { FREE_LIST = 0 };
	struct reader *reader;
	MDB_cursor *cursor;
	MDB_val key, value;
	size_t pages = 0, count;

	if (reader_begin(lmdb, &reader) != OK)
		return 0;
	if (mdb_cursor_open(reader->txn, FREE_LIST, &cursor) == 0) {
		while (pages < enough && mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
			if (value.mv_size < sizeof count)
				break;
			memcpy(&count, value.mv_data, sizeof count);
			pages += count;
		}
		mdb_cursor_close(cursor);
	}
	reader_done(lmdb, reader);
	return pages;
}

/* Is there room for this batch below the limit for new mail? Above it lies a reserve, so that mail
 * can be settled, and pages so freed, when the spool is full: LMDB needs new pages to free old ones. */
static bool has_room(struct lmdb_spool *lmdb, const struct change_list *list)
{
	MDB_envinfo info;
	MDB_stat stat;
	uint64_t needed = GROWTH_BATCH_BYTES;

	if (mdb_env_info(lmdb->env, &info) != 0 || mdb_env_stat(lmdb->env, &stat) != 0)
		return false;
	for (const struct spool_change *change = list->first; change != NULL; change = change->next)
		needed += buffer_text(&change->ops).length + GROWTH_CHANGE_BYTES;

	const uint64_t pages = lmdb->intake_bytes_max / stat.ms_psize;
	const uint64_t needed_pages = needed / stat.ms_psize + 1;
	const uint64_t fresh = info.me_last_pgno < pages ? pages - info.me_last_pgno : 0;

	return fresh >= needed_pages || fresh + free_pages(lmdb, needed_pages - fresh) >= needed_pages;
}

/* -- A batch --------------------------------------------------------------------- */

/* Begin a write transaction. After a panic (the write of a root failed) the environment must be opened
 * again before anything else can be tried. */
static enum error begin(struct lmdb_spool *lmdb, MDB_txn **out_txn)
{
	int code = lmdb->env ? mdb_txn_begin(lmdb->env, NULL, 0, out_txn) : MDB_PANIC;

	if (code != MDB_PANIC)
		return error_from_lmdb(code);
	readers_shut_out(lmdb);
	lmdb_environment_close(lmdb);

	enum error error = lmdb_environment_open(lmdb);

	if (error == OK) {
		error = error_from_lmdb(mdb_env_sync(lmdb->env, 1));
		if (error != OK)
			lmdb_environment_close(lmdb);
	}
	readers_let_in(lmdb);
	return error == OK ? error_from_lmdb(mdb_txn_begin(lmdb->env, NULL, 0, out_txn)) : error;
}

/* Is the environment fit for readers after a failed batch? If it cannot be mended now, the next batch tries again. */
static void mend(struct lmdb_spool *lmdb)
{
	MDB_txn *txn;

	if (begin(lmdb, &txn) == OK)
		mdb_txn_abort(txn);
}

static int apply_all(struct batch *batch, const struct change_list *list, uint64_t *out_applied)
{
	int code = 0;

	*out_applied = 0;
	for (struct spool_change *change = list->first; code == 0 && change != NULL; change = change->next) {
		code = check_change(batch, change, &change->result);
		if (code == 0 && change->result == OK) {
			code = apply_change(batch, change);
			++*out_applied;
		}
	}
	return code != 0 ? code : history_trim(batch);
}

/* One transaction for the whole list. Anything but OK: nothing of it is in the spool (P4). */
static enum error write_batch(struct lmdb_spool *lmdb, struct batch *batch, const struct change_list *list)
{
	const queue_id floor = lmdb->history_floor;
	uint64_t applied;
	enum error error = begin(lmdb, &batch->txn);

	if (error != OK)
		return error;
	batch->grows_allowed = has_room(lmdb, list);

	int code = apply_all(batch, list, &applied);

	if (code == 0 && applied > 0)
		code = mdb_txn_commit(batch->txn);
	else
		mdb_txn_abort(batch->txn);
	if (code != 0) {
		lmdb->history_floor = floor;
		mend(lmdb);
		return error_from_lmdb(code);
	}
	pthread_mutex_lock(&lmdb->spool.mutex);
	lmdb->commit_count += applied > 0;
	lmdb->change_count += applied;
	pthread_mutex_unlock(&lmdb->spool.mutex);
	return OK;
}

/* The world's failure as the contract names it. */
static enum error batch_error(enum error error)
{
	return error == ERR_NO_SPACE || error == ERR_NO_MEMORY ? error : ERR_IO;
}

/* The number of the newest root. */
static size_t last_root(struct lmdb_spool *lmdb)
{
	MDB_envinfo info;

	return lmdb->env != NULL && mdb_env_info(lmdb->env, &info) == 0 ? info.me_last_txnid : 0;
}

/* A full spool that settles is still full, also one where the first chunks of a message find room: only a whole new
 * message shows that there is some. */
static enum error trouble_after(
    struct lmdb_spool *lmdb, enum error error, const struct change_list *list, size_t root_before)
{
	for (const struct spool_change *change = list->first; change != NULL; change = change->next) {
		if (change->grows && !change->settles && change->result == ERR_NO_SPACE)
			lmdb->full = true;
		else if (change->whole && !change->settles && change->result == OK)
			lmdb->full = false;
	}
	if (error != OK)
		return batch_error(error);
	if (lmdb->full)
		return ERR_NO_SPACE;
	/* A batch that changed nothing (a discard of what never came in) wrote nothing, and proves nothing. */
	return last_root(lmdb) == root_before ? (enum error)lmdb->spool.trouble : OK;
}

static void run_batch(struct lmdb_spool *lmdb, struct buffer *scratch, struct change_list *list)
{
	struct batch batch = { .lmdb = lmdb, .scratch = *scratch };

	due_news_init(&batch.news);

	const size_t root_before = last_root(lmdb);
	const enum error error = write_batch(lmdb, &batch, list);

	*scratch = batch.scratch;
	for (struct spool_change *change = list->first; error != OK && change != NULL; change = change->next)
		change->result = batch_error(error);
	lmdb->spool.trouble = trouble_after(lmdb, error, list, root_before);
	ports_finish(&lmdb->spool, list, error == OK ? &batch.news : NULL);
}

/* -- The thread -------------------------------------------------------------------- */

static void take_batch(struct lmdb_spool *lmdb, struct change_list *out_list)
{
	size_t bytes = 0;

	while (lmdb->waiting.first != NULL) {
		bytes += buffer_text(&lmdb->waiting.first->ops).length;
		if (out_list->first != NULL && bytes > BATCH_BYTES_MAX)
			break;
		change_list_append(out_list, change_list_pop(&lmdb->waiting));
	}
}

/* Waits for work. False: the spool closes, and nothing is left to do. */
static bool next_batch(struct lmdb_spool *lmdb, struct change_list *out_list)
{
	*out_list = (struct change_list){ 0 };
	pthread_mutex_lock(&lmdb->spool.mutex);
	while (lmdb->waiting.first == NULL && !lmdb->stopping)
		pthread_cond_wait(&lmdb->work, &lmdb->spool.mutex);
	take_batch(lmdb, out_list);
	pthread_mutex_unlock(&lmdb->spool.mutex);
	return out_list->first != NULL;
}

void *writer_run(void *context)
{
	struct lmdb_spool *lmdb = context;
	struct buffer scratch;
	struct change_list list;

	buffer_init(&scratch, SCRATCH_BYTES_MAX);
	for (unsigned count = 1; next_batch(lmdb, &list); count++) {
		run_batch(lmdb, &scratch, &list);
		if (count % READER_CHECK_COMMITS == 0 && lmdb->env != NULL)
			(void)mdb_reader_check(lmdb->env, NULL);
	}
	buffer_done(&scratch);
	return NULL;
}
