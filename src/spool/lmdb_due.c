/* Questions about what is due: walks along the two indexes, from a position on. */
#include "base/must.h"
#include "spool/lmdb_engine.h"

/* Steps through one shard or one domain. */
struct due_walk {
	struct walk walk;
	struct key from;      /* The first key wanted, or one just before. */
	size_t prefix_length; /* Keys of this walk begin with so many bytes of `from`; */
	size_t between;       /* then come so many others, then the position. */
	int64_t until_ms;
	MDB_cursor_op op;
	MDB_val value;
};

/* The next recipient. Anything but 0 ends the walk; MDB_NOTFOUND: behind the last that is due. */
static int due_walk_next(struct due_walk *due, struct spool_position *out_position)
{
	MDB_val key = key_val(&due->from);
	int code = mdb_cursor_get(due->walk.cursor, &key, &due->value, due->op);

	/* `from` is the key of the position after which the walk begins, there or not. */
	if (code == 0 && due->op == MDB_SET_RANGE && key.mv_size == due->from.length &&
	    memcmp(key.mv_data, due->from.bytes, due->from.length) == 0)
		code = mdb_cursor_get(due->walk.cursor, &key, &due->value, MDB_NEXT);
	due->op = MDB_NEXT;
	if (code != 0)
		return code;
	if (key.mv_size != due->prefix_length + due->between + KEY_POSITION ||
	    memcmp(key.mv_data, due->from.bytes, due->prefix_length) != 0)
		return MDB_NOTFOUND;
	if (!key_read_position(key, out_position))
		return MDB_CORRUPTED;
	return out_position->due_ms <= due->until_ms ? 0 : MDB_NOTFOUND;
}

/* From the key that `from` holds, on whose first prefix_length bytes all keys of the walk agree. */
static enum error due_walk_begin(
    struct due_walk *due, struct spool *spool, enum tree tree, size_t prefix_length, int64_t until_ms)
{
	due->prefix_length = prefix_length;
	due->between = 0;
	due->until_ms = until_ms;
	due->op = MDB_SET_RANGE;
	return walk_begin(&due->walk, (struct lmdb_spool *)spool, tree);
}

static enum error gather_due(struct due_walk *due, size_t max, struct arena *arena, struct buffer *gathered)
{
	struct spool_due found;
	int code = 0;

	for (size_t i = 0; i < max && (code = due_walk_next(due, &found.position)) == 0; i++) {
		if (!key_read_due(val_text(due->value), &found.domain, &found.flow))
			return ERR_CORRUPT;
		if (!arena_copy(arena, found.domain, &found.domain) ||
		    !gather_add(gathered, &found, sizeof found))
			return ERR_NO_MEMORY;
	}
	return code == MDB_NOTFOUND ? OK : error_from_lmdb(code);
}

enum error lmdb_scan_due(struct spool *spool, const struct due_query *query, struct arena *arena,
    struct spool_due **out_due, size_t *out_count)
{
	struct due_walk due;
	struct buffer gathered;

	key_due(&due.from, query->shard, &query->after);

	enum error error = due_walk_begin(&due, spool, TREE_DUE, due.from.length - KEY_POSITION, query->until_ms);

	if (error != OK)
		return error;
	gather_init(&gathered, sizeof **out_due, query->max);
	error = gather_due(&due, query->max, arena, &gathered);
	walk_done(&due.walk);

	const size_t count = buffer_text(&gathered).length / sizeof **out_due;
	struct spool_due *found = gather_finish(&gathered, arena);

	if (error != OK || found == NULL)
		return error != OK ? error : ERR_NO_MEMORY;
	*out_due = found;
	*out_count = count;
	return OK;
}

/* Go on in the next period that has anything. MDB_NOTFOUND: none is left that begins before until_ms. */
static int due_walk_next_period(struct due_walk *due, struct text domain, const struct flow *flow, uint64_t *period)
{
	struct key key;

	key_period(&key, *period + 1);

	MDB_val val = key_val(&key);
	const int code = mdb_cursor_get(due->walk.cursor, &val, NULL, MDB_SET_RANGE);

	if (code != 0)
		return code;
	if (!key_read_period(val, period) || *period > (uint64_t)INT64_MAX >> DUE_PERIOD_SHIFT)
		return MDB_CORRUPTED;

	const struct spool_position start = { .due_ms = (int64_t)(*period << DUE_PERIOD_SHIFT) };

	if (flow != NULL)
		key_domain(&due->from, domain, flow, &start);
	else
		key_domain_start(&due->from, domain, *period);
	due->op = MDB_SET_RANGE;
	return start.due_ms <= due->until_ms ? 0 : MDB_NOTFOUND;
}

static enum error gather_positions(
    struct due_walk *due, struct text domain, const struct flow *flow, const struct due_query *query,
    struct buffer *gathered)
{
	uint64_t period = (uint64_t)query->after.due_ms >> DUE_PERIOD_SHIFT;
	struct spool_position found;
	size_t count = 0;
	int code = 0;

	while (code == 0 && count < query->max) {
		code = due_walk_next(due, &found);
		if (code == MDB_NOTFOUND)
			code = due_walk_next_period(due, domain, flow, &period);
		else if (code == 0 && !gather_add(gathered, &found, sizeof found))
			return ERR_NO_MEMORY;
		else
			count++;
	}
	return code == MDB_NOTFOUND ? OK : error_from_lmdb(code);
}

enum error lmdb_scan_domain(struct spool *spool, struct text domain, const struct flow *flow,
    const struct due_query *query, struct arena *arena, struct spool_position **out_positions, size_t *out_count)
{
	struct due_walk due;
	struct buffer gathered;

	if (flow != NULL)
		key_domain(&due.from, domain, flow, &query->after);
	else
		key_domain_start(&due.from, domain, 0);

	const size_t prefix_length = flow != NULL ? due.from.length - KEY_POSITION : due.from.length;
	enum error error = due_walk_begin(&due, spool, TREE_DOMAIN, prefix_length, query->until_ms);

	if (error != OK)
		return error;
	due.between = flow != NULL ? 0 : KEY_FLOW;
	gather_init(&gathered, sizeof **out_positions, query->max);
	error = gather_positions(&due, domain, flow, query, &gathered);
	walk_done(&due.walk);

	const size_t count = buffer_text(&gathered).length / sizeof **out_positions;
	struct spool_position *found = gather_finish(&gathered, arena);

	if (error != OK || found == NULL)
		return error != OK ? error : ERR_NO_MEMORY;
	*out_positions = found;
	*out_count = count;
	return OK;
}

enum error lmdb_next_due(struct spool *spool, unsigned shard, struct spool_position after, int64_t *out_due_ms)
{
	struct spool_position found;
	struct due_walk due;

	key_due(&due.from, shard, &after);

	const enum error error = due_walk_begin(&due, spool, TREE_DUE, due.from.length - KEY_POSITION, INT64_MAX);

	if (error != OK)
		return error;

	const int code = due_walk_next(&due, &found);

	walk_done(&due.walk);
	if (code != 0 && code != MDB_NOTFOUND)
		return error_from_lmdb(code);
	*out_due_ms = code == 0 ? found.due_ms : INT64_MAX;
	return OK;
}
