/* The LMDB engine: what its files share.
 *
 *   lmdb.c          opens and closes; the folder, the lock, the trees
 *   lmdb_writer.c   the writer thread: batches, group commit, what a failure means
 *   lmdb_check.c    may this change be applied?
 *   lmdb_write.c    applies it
 *   lmdb_history.c  the steps of messages, and their bound
 *   lmdb_sweep.c    bodies without an envelope, deleted when the spool opens
 *   lmdb_readers.c  read transactions, and the gate they pass
 *   lmdb_read.c     questions about messages and their history
 *   lmdb_due.c      questions about what is due
 *   lmdb_tally.c    counts for reports
 *   lmdb_keys.c     keys of the trees
 *
 * Trees, keys (big-endian, so that the order of bytes is that of numbers) and values:
 *
 *   envelope        id                            envelope record
 *   recipient       id, index                     recipient record
 *   body            id, chunk number              XXH3 of the bytes, bytes
 *   unfinished      id                            -, while a body has chunks and no envelope
 *   due             shard, due, id, index         domain in lower case, NUL, flow
 *   domain          period, domain, NUL, flow, due, id, index    -
 *   history         id, sequence                  stored step
 *   history_index   id                            hashes of addresses; one entry for each message
 *   tally_set       kind, day, domain             what is counted in it (domain empty: of the day)
 *   tally           kind, day, domain, NUL, XXH3 of the row    count, row
 *   meta            "format"                      version of all this
 *                   "note ", key                  value of a note
 *
 * A flow is the priority and the sender of a message (flow.h): the queue draws from each of them in turn, so it must
 * find what is due of one behind any number of another's. A period is a span of due times (DUE_PERIOD_SHIFT). With the domain alone in front every fresh
 * recipient would dirty a page of its own in a large queue, once when it comes and once when it
 * goes; so the index grows at its end, and a scan seeks once or twice for each period in between.
 *
 * The address index is walked, not searched: it grows at its end like all other trees, whereas a
 * tree ordered by hash would dirty a page of its own for each address of each message, to save
 * a human's question some tens of milliseconds.
 *
 *   L1  One process writes: it holds an flock on writer.lock.
 *   L2  Only the writer thread opens write transactions (and opening, before there is one).
 *   L3  Every commit is flushed by LMDB before it returns; no flag weakens that.
 *   L4  Readers pass the gate in lmdb_readers.c, so that the environment can be closed and opened
 *       again under them after a failed write of its root (LMDB calls that a panic). */
#ifndef SPOOL_LMDB_ENGINE_H
#define SPOOL_LMDB_ENGINE_H

#include <lmdb.h>

#include "spool/engine.h"

enum tree {
	TREE_ENVELOPE,
	TREE_RECIPIENT,
	TREE_BODY,
	TREE_UNFINISHED,
	TREE_DUE,
	TREE_DOMAIN,
	TREE_HISTORY,
	TREE_HISTORY_INDEX,
	TREE_TALLY_SET,
	TREE_TALLY,
	TREE_META,
	TREE_COUNT
};

enum { LMDB_FORMAT = 6, LMDB_PAGE_SIZE_MIN = 4096 };

/* A full chunk must fill whole pages: its checksum and LMDB's 16-byte page header fit in eight. */
_Static_assert(SPOOL_CHUNK_SIZE + CHUNK_CHECKSUM_SIZE + 16 <= 8 * LMDB_PAGE_SIZE_MIN, "a chunk fills whole pages");

struct reader {
	MDB_txn *txn; /* Reset while it waits. NULL: none yet. */
	struct reader *next;
};

struct lmdb_spool {
	struct spool spool; /* First: the engine's functions get this pointer. */

	char *path;
	uint64_t intake_bytes_max;  /* Of the file; beyond it only settlements are taken. */
	uint64_t map_bytes;
	uint32_t history_max;
	int lock_file;              /* -1: read-only. */
	MDB_env *env;               /* NULL: could not be opened again. */
	MDB_dbi trees[TREE_COUNT];

	/* Under spool.mutex. */
	struct change_list waiting;
	bool stopping;
	pthread_cond_t work;
	uint64_t commit_count, change_count;
	struct reader *readers;     /* At home. */
	unsigned readers_out;
	bool gate_closed;
	pthread_cond_t gate;        /* readers_out or gate_closed changed. */

	/* The writer thread's own. */
	pthread_t writer;
	bool full;                  /* The last new mail found no room. */
	queue_id history_floor;     /* Every history up to here is of a message still in the spool. */
};

/* -- Opening (lmdb.c) -------------------------------------------------------- */

/* Open env and trees; a server's also makes them. */
[[nodiscard]] enum error lmdb_environment_open(struct lmdb_spool *lmdb);
void lmdb_environment_close(struct lmdb_spool *lmdb);

[[nodiscard]] enum error error_from_lmdb(int code);

/* The engine's functions. */
void lmdb_close(struct spool *spool);
void lmdb_submit(struct spool *spool, struct change_list *list);

/* -- Keys (lmdb_keys.c) ------------------------------------------------------- */

enum {
	KEY_NUMBERED = 12,
	KEY_PERIOD = 8,
	KEY_POSITION = 20,
	KEY_FLOW = 5,
	KEY_NOTE = sizeof "note " - 1,
	KEY_ROOM = KEY_NOTE + SPOOL_NOTE_MAX, /* The longest. */

	DUE_PERIOD_SHIFT = 20 /* 2^20 ms, 17 minutes: some 400 periods in the five days that mail is kept. */
};

struct key {
	size_t length;
	char bytes[KEY_ROOM];
};

void key_id(struct key *key, queue_id id);
void key_numbered(struct key *key, queue_id id, uint32_t number);
void key_due(struct key *key, unsigned shard, const struct spool_position *position);
void key_domain(struct key *key, struct text domain, const struct flow *flow, const struct spool_position *position);
/* What comes before all flows of a domain in a period. */
void key_domain_start(struct key *key, struct text domain, uint64_t period);

/* Of a note, or, with the prefix of one's key, before all that have it. */
void key_note(struct key *key, struct text note);

/* What the index of due recipients holds: the middle of a key of domain. False: damaged. */
[[nodiscard]] bool key_read_due(struct text value, struct text *out_domain, struct flow *out_flow);

/* Before every key of domain in this period. */
void key_period(struct key *key, uint64_t period);
[[nodiscard]] bool key_read_period(MDB_val key, uint64_t *out_period);

static inline MDB_val key_val(struct key *key)
{
	return (MDB_val){ key->length, key->bytes };
}

static inline MDB_val text_val(struct text text)
{
	return (MDB_val){ text.length, (void *)text.bytes };
}

static inline struct text val_text(MDB_val val)
{
	return (struct text){ val.mv_data, val.mv_size };
}

/* The ID at the start of a key; the number behind it. False: the key is too short. */
[[nodiscard]] bool key_read_id(MDB_val key, queue_id *out_id);
[[nodiscard]] bool key_read_numbered(MDB_val key, queue_id *out_id, uint32_t *out_number);

/* The position that ends a key of due or domain. */
[[nodiscard]] bool key_read_position(MDB_val key, struct spool_position *out_position);

/* -- Writing ------------------------------------------------------------------ */

/* One write transaction. Functions below return LMDB's codes: any but 0 aborts the batch. */
struct batch {
	struct lmdb_spool *lmdb;
	MDB_txn *txn;
	struct due_news news;
	struct buffer scratch;       /* For records that are put together. */
	bool grows_allowed;          /* There is room for new mail. */
	uint32_t histories_added;
	queue_id history_id;         /* The last message a step was recorded of ... */
	uint32_t history_next;       /* ... and the number of its next one. */
};

static inline int batch_get(struct batch *batch, enum tree tree, struct key *key, MDB_val *out_value)
{
	MDB_val val = key_val(key);

	return mdb_get(batch->txn, batch->lmdb->trees[tree], &val, out_value);
}

static inline int batch_put(struct batch *batch, enum tree tree, struct key *key, struct text value)
{
	MDB_val key_value = key_val(key), val = text_val(value);

	return mdb_put(batch->txn, batch->lmdb->trees[tree], &key_value, &val, 0);
}

static inline int batch_del(struct batch *batch, enum tree tree, struct key *key)
{
	MDB_val val = key_val(key);

	return mdb_del(batch->txn, batch->lmdb->trees[tree], &val, NULL);
}

void *writer_run(void *lmdb);

/* *out_error: OK, or why the change has no effect. */
[[nodiscard]] int check_change(struct batch *batch, const struct spool_change *change, enum error *out_error);
[[nodiscard]] int apply_change(struct batch *batch, const struct spool_change *change);

/* Delete every chunk of a body. */
[[nodiscard]] int drop_body(struct lmdb_spool *lmdb, MDB_txn *txn, queue_id id);

[[nodiscard]] int history_record(struct batch *batch, const struct op *op);
/* The message has left the spool: its history may go when it is old. */
void history_released(struct batch *batch, queue_id id);
[[nodiscard]] int history_trim(struct batch *batch);

/* Tallies (tally.h): *out_error ERR_GONE if a set is not as it was read. */
[[nodiscard]] int tally_check_drop(struct batch *batch, const struct spool_change *change, size_t start,
    const struct op *op, enum error *out_error);
[[nodiscard]] int tally_count(struct batch *batch, const struct op *op);
[[nodiscard]] int tally_drop(struct batch *batch, const struct op *op);

/* Delete bodies without an envelope (P6). */
[[nodiscard]] enum error lmdb_sweep(struct lmdb_spool *lmdb);

/* -- Reading ------------------------------------------------------------------- */

extern const struct engine lmdb_engine;

/* A read transaction through the gate; ended by reader_done. */
[[nodiscard]] enum error reader_begin(struct lmdb_spool *lmdb, struct reader **out_reader);
void reader_done(struct lmdb_spool *lmdb, struct reader *reader);

/* Let no reader in and wait until the last is out, then end their transactions for good. */
void readers_shut_out(struct lmdb_spool *lmdb);
void readers_let_in(struct lmdb_spool *lmdb);

/* A walk through a tree in a read transaction of its own. */
struct walk {
	struct lmdb_spool *lmdb;
	struct reader *reader;
	MDB_cursor *cursor;
};
[[nodiscard]] enum error walk_begin(struct walk *walk, struct lmdb_spool *lmdb, enum tree tree);
void walk_done(struct walk *walk);

/* Engine functions of lmdb_due.c, as in engine.h. */
[[nodiscard]] enum error lmdb_scan_due(struct spool *spool, const struct due_query *query, struct arena *arena,
    struct spool_due **out_due, size_t *out_count);
[[nodiscard]] enum error lmdb_scan_domain(struct spool *spool, struct text domain, const struct flow *flow,
    const struct due_query *query, struct arena *arena, struct spool_position **out_positions, size_t *out_count);
[[nodiscard]] enum error lmdb_next_due(
    struct spool *spool, unsigned shard, struct spool_position after, int64_t *out_due_ms);

/* Engine functions of lmdb_tally.c, as in engine.h. */
[[nodiscard]] enum error lmdb_tally_sets(struct spool *spool, const struct tally_query *query, struct arena *arena,
    struct tally_listed **out_sets, size_t *out_count);
[[nodiscard]] enum error lmdb_tally_rows(struct spool *spool, const struct tally_set *set, uint64_t from, size_t max,
    struct arena *arena, struct tally_row **out_rows, size_t *out_count);

/* Elements gathered before their number is known; then moved into an arena. */
void gather_init(struct buffer *gathered, size_t element_size, size_t max);
[[nodiscard]] bool gather_add(struct buffer *gathered, const void *element, size_t element_size);
/* Releases `gathered`. The elements in the arena; NULL: no memory. */
[[nodiscard]] void *gather_finish(struct buffer *gathered, struct arena *arena);

#endif
