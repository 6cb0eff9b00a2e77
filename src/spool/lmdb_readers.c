/* Read transactions: a few that rest between calls, and a gate to shut when the environment changes.
 *
 * Beginning one anew costs an allocation and LMDB's lock of the reader table; renewing one that was
 * reset costs neither. With MDB_NOTLS a transaction belongs to whoever holds it, not to a thread. */
#include <stdlib.h>

#include "base/must.h"
#include "spool/lmdb_engine.h"

static void reader_home(struct lmdb_spool *lmdb, struct reader *reader)
{
	pthread_mutex_lock(&lmdb->spool.mutex);
	reader->next = lmdb->readers;
	lmdb->readers = reader;
	lmdb->readers_out--;
	if (lmdb->gate_closed)
		pthread_cond_broadcast(&lmdb->gate);
	pthread_mutex_unlock(&lmdb->spool.mutex);
}

/* One that rests, or a new one without a transaction; NULL: no memory. */
static struct reader *reader_out(struct lmdb_spool *lmdb)
{
	struct reader *reader;

	pthread_mutex_lock(&lmdb->spool.mutex);
	while (lmdb->gate_closed)
		pthread_cond_wait(&lmdb->gate, &lmdb->spool.mutex);
	reader = lmdb->readers;
	if (reader != NULL)
		lmdb->readers = reader->next;
	else
		reader = calloc(1, sizeof *reader);
	lmdb->readers_out += reader != NULL;
	pthread_mutex_unlock(&lmdb->spool.mutex);
	return reader;
}

enum error reader_begin(struct lmdb_spool *lmdb, struct reader **out_reader)
{
	struct reader *reader = reader_out(lmdb);
	int code = MDB_PANIC;

	if (reader == NULL)
		return ERR_NO_MEMORY;
	if (reader->txn != NULL)
		code = mdb_txn_renew(reader->txn);
	else if (lmdb->env != NULL)
		code = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &reader->txn);
	if (code != 0) {
		reader_home(lmdb, reader);
		return error_from_lmdb(code);
	}
	*out_reader = reader;
	return OK;
}

void reader_done(struct lmdb_spool *lmdb, struct reader *reader)
{
	mdb_txn_reset(reader->txn); /* P8 */
	reader_home(lmdb, reader);
}

void readers_shut_out(struct lmdb_spool *lmdb)
{
	pthread_mutex_lock(&lmdb->spool.mutex);
	must(!lmdb->gate_closed);
	lmdb->gate_closed = true;
	while (lmdb->readers_out > 0)
		pthread_cond_wait(&lmdb->gate, &lmdb->spool.mutex);

	struct reader *reader = lmdb->readers;

	lmdb->readers = NULL;
	pthread_mutex_unlock(&lmdb->spool.mutex);
	while (reader != NULL) {
		struct reader *next = reader->next;

		if (reader->txn != NULL)
			mdb_txn_abort(reader->txn);
		free(reader);
		reader = next;
	}
}

void readers_let_in(struct lmdb_spool *lmdb)
{
	pthread_mutex_lock(&lmdb->spool.mutex);
	lmdb->gate_closed = false;
	pthread_cond_broadcast(&lmdb->gate);
	pthread_mutex_unlock(&lmdb->spool.mutex);
}

enum error walk_begin(struct walk *walk, struct lmdb_spool *lmdb, enum tree tree)
{
	enum error error = reader_begin(lmdb, &walk->reader);

	if (error != OK)
		return error;
	walk->lmdb = lmdb;
	error = error_from_lmdb(mdb_cursor_open(walk->reader->txn, lmdb->trees[tree], &walk->cursor));
	if (error != OK)
		reader_done(lmdb, walk->reader);
	return error;
}

void walk_done(struct walk *walk)
{
	mdb_cursor_close(walk->cursor);
	reader_done(walk->lmdb, walk->reader);
}

void gather_init(struct buffer *gathered, size_t element_size, size_t max)
{
	buffer_init(gathered, max < SIZE_MAX / 2 / element_size ? max * element_size : SIZE_MAX / 2);
}

bool gather_add(struct buffer *gathered, const void *element, size_t element_size)
{
	return buffer_append(gathered, (struct text){ element, element_size });
}

void *gather_finish(struct buffer *gathered, struct arena *arena)
{
	const struct text all = buffer_text(gathered);
	void *elements = arena_alloc(arena, all.length);

	if (elements != NULL && all.length > 0)
		memcpy(elements, all.bytes, all.length);
	buffer_done(gathered);
	return elements;
}
