/* Opening and closing the LMDB engine: its folder, its lock, its trees. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/must.h"
#include "spool/codec.h"
#include "spool/lmdb_engine.h"

enum {
	READERS_MAX = 1024, /* 64 bytes each in LMDB's lock file: threads of a server, and CLIs beside it. */
	PATH_ROOM = 4096
};

static const uint64_t INTAKE_BYTES_DEFAULT = (uint64_t)64 << 30; /* Address space, not disk: the file grows as it fills. */
static const uint64_t INTAKE_BYTES_MIN = (uint64_t)1 << 20;
static const uint64_t RESERVE_BYTES_MIN = (uint64_t)1 << 20;
static const uint64_t RESERVE_BYTES_MAX = (uint64_t)64 << 20;

static const char *const tree_names[TREE_COUNT] = {
	[TREE_ENVELOPE] = "envelope",
	[TREE_RECIPIENT] = "recipient",
	[TREE_BODY] = "body",
	[TREE_UNFINISHED] = "unfinished",
	[TREE_DUE] = "due",
	[TREE_DOMAIN] = "domain",
	[TREE_HISTORY] = "history",
	[TREE_HISTORY_INDEX] = "history_index",
	[TREE_TALLY_SET] = "tally_set",
	[TREE_TALLY] = "tally",
	[TREE_META] = "meta",
};

enum error error_from_lmdb(int code)
{
	switch (code) {
	case 0:
		return OK;
	case MDB_NOTFOUND:
		return ERR_NOT_FOUND;
	case MDB_MAP_FULL:
		return ERR_NO_SPACE;
	case MDB_PAGE_NOTFOUND:
	case MDB_CORRUPTED:
	case MDB_INVALID:
		return ERR_CORRUPT;
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
		return ERR_UNSUPPORTED;
	case MDB_READERS_FULL:
		return ERR_BUSY;
	default:
		return code > 0 ? error_from_errno(code) : ERR_IO;
	}
}

/* -- The environment ---------------------------------------------------------------- */

static int check_format(struct lmdb_spool *lmdb, MDB_txn *txn, bool *out_known)
{
	char now[4], name[] = "format";
	MDB_val key = { sizeof name - 1, name }, value = { sizeof now, now }, found;
	int code = mdb_get(txn, lmdb->trees[TREE_META], &key, &found);

	put_u32(now, LMDB_FORMAT);
	*out_known = true;
	if (code == MDB_NOTFOUND && !lmdb->spool.read_only)
		return mdb_put(txn, lmdb->trees[TREE_META], &key, &value, 0);
	if (code == 0)
		*out_known = found.mv_size == sizeof now && memcmp(found.mv_data, now, sizeof now) == 0;
	return code;
}

static enum error open_trees(struct lmdb_spool *lmdb)
{
	const bool read_only = lmdb->spool.read_only;
	MDB_txn *txn;
	bool known = true;
	int code = mdb_txn_begin(lmdb->env, NULL, read_only ? MDB_RDONLY : 0, &txn);

	if (code != 0)
		return error_from_lmdb(code);
	for (int i = TREE_COUNT - 1; code == 0 && i >= 0; i--) { /* Format first: it is the last. */
		code = mdb_dbi_open(txn, tree_names[i], read_only ? 0 : MDB_CREATE, &lmdb->trees[i]);
		if (code == 0 && i == TREE_META)
			code = check_format(lmdb, txn, &known);
		if (!known)
			break;
	}
	if (code != 0 || !known) {
		mdb_txn_abort(txn);
		return known ? error_from_lmdb(code) : ERR_UNSUPPORTED;
	}
	return error_from_lmdb(mdb_txn_commit(txn)); /* Writes nothing when all was there. */
}

static int open_environment(struct lmdb_spool *lmdb, unsigned flags)
{
	MDB_env *env;
	int code = mdb_env_create(&env);

	if (code != 0)
		return code;
	code = mdb_env_set_maxdbs(env, TREE_COUNT);
	if (code == 0)
		code = mdb_env_set_maxreaders(env, READERS_MAX);
	if (code == 0 && !lmdb->spool.read_only)
		code = mdb_env_set_mapsize(env, lmdb->map_bytes);
	if (code == 0)
		code = mdb_env_open(env, lmdb->path, flags | MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (code != 0)
		mdb_env_close(env);
	else
		lmdb->env = env;
	return code;
}

/* Does somebody hold the writer's lock? */
static bool writer_runs(const char *path)
{
	char name[PATH_ROOM];

	snprintf(name, sizeof name, "%s/writer.lock", path);

	const int file = open(name, O_RDONLY | O_CLOEXEC);

	if (file < 0)
		return false;

	const bool locked = flock(file, LOCK_SH | LOCK_NB) != 0;

	close(file);
	return locked;
}

enum error lmdb_environment_open(struct lmdb_spool *lmdb)
{
	int code = open_environment(lmdb, lmdb->spool.read_only ? MDB_RDONLY : 0);

	/* Who may read but not take a reader's place may still read what nobody writes. */
	if (code == EACCES && lmdb->spool.read_only && !writer_runs(lmdb->path))
		code = open_environment(lmdb, MDB_RDONLY | MDB_NOLOCK);
	if (code != 0)
		return error_from_lmdb(code);
	if (!lmdb->spool.read_only)
		(void)mdb_reader_check(lmdb->env, NULL);

	const enum error error = open_trees(lmdb);

	if (error != OK)
		lmdb_environment_close(lmdb);
	return error;
}

void lmdb_environment_close(struct lmdb_spool *lmdb)
{
	if (lmdb->env != NULL)
		mdb_env_close(lmdb->env);
	lmdb->env = NULL;
}

/* -- The folder ---------------------------------------------------------------------- */

/* A new name survives a power cut only when its folder was flushed. */
static enum error flush_folder(const char *path)
{
	const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		return error_from_errno(errno);

	const enum error error = fsync(folder) == 0 ? OK : error_from_errno(errno);

	close(folder);
	return error;
}

static enum error make_folder(const char *path)
{
	char parent[PATH_ROOM];

	if (mkdir(path, 0700) != 0)
		return errno == EEXIST ? OK : error_from_errno(errno);
	if (snprintf(parent, sizeof parent, "%s/..", path) >= (int)sizeof parent)
		return ERR_TOO_LARGE;
	return flush_folder(parent);
}

/* LMDB writes the first pages of a new file without a flush: a power cut may leave half of them under its name, and no
 * later start could read that. So the file is made in a folder of its own and gets its name when it is whole. */
static enum error make_database(struct lmdb_spool *lmdb)
{
	char *const path = lmdb->path;
	char folder[PATH_ROOM], made[PATH_ROOM], wanted[PATH_ROOM], lock[PATH_ROOM];

	if (snprintf(folder, sizeof folder, "%s/making", path) >= PATH_ROOM - (int)sizeof "/data.mdb")
		return ERR_TOO_LARGE;
	snprintf(wanted, sizeof wanted, "%s/data.mdb", path);
	snprintf(made, sizeof made, "%.*s/data.mdb", PATH_ROOM - 10, folder);
	snprintf(lock, sizeof lock, "%.*s/lock.mdb", PATH_ROOM - 10, folder);
	if (access(wanted, F_OK) == 0)
		return OK;
	if ((unlink(made) != 0 && errno != ENOENT) || (mkdir(folder, 0700) != 0 && errno != EEXIST))
		return error_from_errno(errno);
	lmdb->path = folder;

	enum error error = lmdb_environment_open(lmdb);

	lmdb_environment_close(lmdb);
	lmdb->path = path;
	if (error == OK && rename(made, wanted) != 0)
		error = error_from_errno(errno);
	if (error == OK)
		error = flush_folder(path);
	(void)unlink(lock);
	(void)rmdir(folder);
	return error;
}

static enum error lock_folder(const char *path, int *out_file)
{
	char name[PATH_ROOM];

	if (snprintf(name, sizeof name, "%s/writer.lock", path) >= (int)sizeof name)
		return ERR_TOO_LARGE;

	const int file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (file < 0)
		return error_from_errno(errno);
	if (flock(file, LOCK_EX | LOCK_NB) != 0) {
		const enum error error = errno == EWOULDBLOCK ? ERR_BUSY : error_from_errno(errno);

		close(file);
		return error;
	}
	*out_file = file;
	return OK;
}

/* -- Opening and closing ---------------------------------------------------------------- */

void lmdb_submit(struct spool *spool, struct change_list *list)
{
	struct lmdb_spool *lmdb = (struct lmdb_spool *)spool;

	pthread_mutex_lock(&spool->mutex);
	change_list_join(&lmdb->waiting, list);
	pthread_cond_signal(&lmdb->work);
	pthread_mutex_unlock(&spool->mutex);
}

static void lmdb_free(struct lmdb_spool *lmdb)
{
	if (lmdb == NULL)
		return;
	readers_shut_out(lmdb);
	lmdb_environment_close(lmdb);
	if (lmdb->lock_file >= 0)
		close(lmdb->lock_file);
	pthread_cond_destroy(&lmdb->work);
	pthread_cond_destroy(&lmdb->gate);
	spool_done_with(&lmdb->spool);
	free(lmdb->path);
	free(lmdb);
}

static void lmdb_freep(struct lmdb_spool **lmdb)
{
	lmdb_free(*lmdb);
}

void lmdb_close(struct spool *spool)
{
	struct lmdb_spool *lmdb = (struct lmdb_spool *)spool;

	if (!spool->read_only) {
		pthread_mutex_lock(&spool->mutex);
		lmdb->stopping = true;
		pthread_cond_signal(&lmdb->work);
		pthread_mutex_unlock(&spool->mutex);
		pthread_join(lmdb->writer, NULL);
	}
	lmdb_free(lmdb);
}

static void set_sizes(struct lmdb_spool *lmdb, const struct spool_lmdb_settings *settings)
{
	uint64_t intake = settings->size_bytes_max ? settings->size_bytes_max : INTAKE_BYTES_DEFAULT;

	if (intake < INTAKE_BYTES_MIN)
		intake = INTAKE_BYTES_MIN;
	if (intake > (uint64_t)1 << 46) /* Half of what an address can name. */
		intake = (uint64_t)1 << 46;

	uint64_t reserve = intake / 16;

	if (reserve < RESERVE_BYTES_MIN)
		reserve = RESERVE_BYTES_MIN;
	if (reserve > RESERVE_BYTES_MAX)
		reserve = RESERVE_BYTES_MAX;
	lmdb->intake_bytes_max = intake;
	lmdb->map_bytes = (intake + reserve) & ~(uint64_t)(64 * 1024 - 1); /* Whole pages of any size. */
}

static struct lmdb_spool *lmdb_new(const struct spool_lmdb_settings *settings)
{
	struct lmdb_spool *lmdb = calloc(1, sizeof *lmdb);

	if (lmdb == NULL)
		return NULL;
	spool_init(&lmdb->spool, &lmdb_engine);
	pthread_cond_init(&lmdb->work, NULL);
	pthread_cond_init(&lmdb->gate, NULL);
	lmdb->spool.read_only = settings->read_only;
	lmdb->lock_file = -1;
	lmdb->history_max = settings->history_max;
	lmdb->path = strdup(settings->path);
	set_sizes(lmdb, settings);
	if (lmdb->path == NULL) {
		lmdb_free(lmdb);
		return NULL;
	}
	return lmdb;
}

static enum error open_for_writing(struct lmdb_spool *lmdb)
{
	enum error error = make_folder(lmdb->path);

	if (error == OK)
		error = lock_folder(lmdb->path, &lmdb->lock_file);
	if (error == OK)
		error = make_database(lmdb);
	if (error == OK)
		error = lmdb_environment_open(lmdb);
	if (error == OK)
		error = flush_folder(lmdb->path);
	if (error == OK)
		error = lmdb_sweep(lmdb);
	if (error == OK && pthread_create(&lmdb->writer, NULL, writer_run, lmdb) != 0)
		error = ERR_NO_MEMORY;
	return error;
}

enum error spool_lmdb_open(const struct spool_lmdb_settings *settings, struct spool **out_spool)
{
	cleanup(lmdb_freep) struct lmdb_spool *lmdb = lmdb_new(settings);

	if (lmdb == NULL)
		return ERR_NO_MEMORY;

	const enum error error = settings->read_only ? lmdb_environment_open(lmdb) : open_for_writing(lmdb);

	if (error == OK)
		*out_spool = &take(lmdb)->spool;
	return error;
}
