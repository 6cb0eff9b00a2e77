/* A disk that is watched: a library that is preloaded into a server (LD_PRELOAD), records what it does to the files
 * below one folder, and makes calls fail on demand. Tests only; nothing of it is in the program.
 *
 *     POSTROAD_DISK_ROOT   the folder that is watched; an absolute path without symbolic links
 *     POSTROAD_DISK        a folder outside of it with `control` (orders, below) and, to record, `log`
 *
 * tests/disk/disk.py makes both and gives orders from Python.
 *
 *   D1  The log is in total order over all threads and processes: a call and its record are one step under a lock.
 *       Whoever appends a record with one write (a test's note) takes its place in that order.
 *   D2  A flush has two records. What stands before its begin is covered when its end stands there with result 0;
 *       what stands between them may or may not be.
 *   D3  The lock survives the death of who holds it, so that a server may be killed at any moment.
 *   D4  Written through a mapping means unseen: making such a mapping is recorded, so that the reader can object. */
#ifndef TESTS_DISK_DISK_H
#define TESTS_DISK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum disk_kind {
	DISK_WRITE = 1,     /* file, offset, bytes */
	DISK_WRITE_SYNC,    /* The same through a descriptor with O_DSYNC or O_SYNC: durable when it returns. */
	DISK_TRUNCATE,      /* file, offset: the new size */
	DISK_CREATE,        /* path, file */
	DISK_MAKE_FOLDER,   /* path, file */
	DISK_RENAME,        /* path NUL path, file */
	DISK_LINK,          /* path NUL path, file */
	DISK_UNLINK,        /* path, file */
	DISK_REMOVE_FOLDER, /* path, file */
	DISK_FLUSH,         /* file, number; fsync and fdatasync, of folders too */
	DISK_FLUSH_ALL,     /* number; syncfs and sync */
	DISK_FLUSH_END,     /* number */
	DISK_MAP,           /* path, file: a shared mapping that can be written */
	DISK_NOTE           /* bytes: what a test saw, for example a reply that acknowledges a message */
};

/* As it stands in the log; behind it path_length and bytes_length bytes. Numbers in the machine's order. */
struct disk_record {
	uint32_t size;      /* Of all of it. */
	uint16_t kind;
	uint16_t path_length;
	int32_t result;     /* 0, or the errno of what failed. */
	uint32_t process;
	uint64_t file;      /* Inode number: used again only after another create. */
	uint64_t number;    /* Of a flush. */
	uint64_t offset;
	uint64_t bytes_length;
};

/* -- Orders: what is to go wrong ------------------------------------------------------------------- */

enum disk_action {
	DISK_FAIL = 1,      /* parameter: an errno; nothing is done */
	DISK_SLEEP,         /* parameter: milliseconds before the call */
	DISK_SWALLOW,       /* A flush that says it was made, but was not; a synchronous write that is none. */
	DISK_DIE_BEFORE,    /* The whole process group is killed, by who gave the order, before the call ... */
	DISK_DIE_AFTER      /* ... or between the call and its return. */
};

enum { DISK_ORDERS_MAX = 8, DISK_PATTERN_MAX = 96 };

struct disk_order {
	uint32_t action;    /* 0: no order. */
	uint32_t kinds;     /* Bit `kind`: of these calls ... */
	char pattern[DISK_PATTERN_MAX]; /* ... on files whose path below the root matches (fnmatch; empty: all); */
	int64_t skip;       /* so many pass before, */
	int64_t times;      /* and this many are hit; negative: all that follow. */
	uint64_t hits;      /* So far. */
	int64_t parameter;
};

/* The lock is in front of the orders; between them an int32_t: the process group whose time has come. */
enum { DISK_DEATH_OFFSET = 504, DISK_ORDERS_OFFSET = 512, DISK_CONTROL_SIZE = 4096 };

/* -- Between the files of the library -------------------------------------------------------------- */

/* record.c: the lock and the log. The lock is held around call and record. */
void disk_lock(void);
void disk_unlock(void);
bool disk_is_watching(void);
uint64_t disk_flush_number(void); /* The next one; under the lock. */
struct disk_order *disk_orders(void);
_Atomic int32_t *disk_death(void);

struct disk_text {
	const void *bytes;
	size_t length;
};
/* Under the lock. Writes header and pieces; sets the sizes in *record. */
void disk_record(struct disk_record *record, struct disk_text path, const struct disk_text *pieces, size_t piece_count);

/* files.c: which descriptors and paths are below the root. */
enum { DISK_PATH_MAX = 4096 };
bool disk_path(int folder, const char *path, char out_below[DISK_PATH_MAX]); /* False: not below the root. */
void disk_file_opened(int file, int flags);
void disk_file_closed(int file);
void disk_file_copied(int from, int to);
bool disk_file(int file, uint64_t *out_inode, bool *out_synchronous);
void disk_file_path(int file, char out_below[DISK_PATH_MAX]);

/* fault.c: the action of the order that hits this call, 0: none. Without the lock; it takes it. Sleeps itself. */
struct disk_hit {
	uint32_t action;
	int failure;
};
struct disk_hit disk_meet(enum disk_kind kind, const char *path);
void disk_die(void); /* Does not return. */

#endif
