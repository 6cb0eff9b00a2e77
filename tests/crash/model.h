/* What a disk may hold after a power cut, rebuilt from the log of tests/disk.
 *
 * A file is its durable bytes and the writes since; a folder its durable names and the changes since. A flush moves to the
 * durable side what the log holds before its begin, when it ends well. Everything else is by chance, each piece for
 * itself: kept, lost, or (a write) torn at a byte, a sector, or with sectors missing.
 *
 *   M1  Chance is a function of (seed, point, variant): every cut can be made again.
 *   M2  A failed flush promises nothing for what it covered, and neither does a later one: the kernel may have
 *       dropped those pages. Such writes stay undecided until they are overwritten.
 *   M3  fsync of a file makes its bytes durable, not its name; fsync of a folder its names, not what is in the files. A rename
 *       is a new name and the end of an old one, and either may be durable without the other. No file system
 *       of today is that unkind; who is right here is right on all of them. */
#ifndef TESTS_CRASH_MODEL_H
#define TESTS_CRASH_MODEL_H

#include <uthash.h>

#include "base/text.h"
#include "disk/disk.h"

struct object;

struct pending_write {
	uint64_t at;         /* Number of its record. */
	uint64_t offset, length;
	const char *bytes;   /* NULL: the size becomes `offset`. */
	bool doomed;         /* M2 */
};

struct pending_name {
	uint64_t at;
	char *name;
	struct object *target; /* NULL: the name goes. */
};

struct name {
	char *name;
	struct object *target;
	UT_hash_handle hh;
};

struct object {
	uint64_t inode;
	uint32_t number;              /* In order of creation. */
	bool is_folder;
	struct object *parent;        /* Where it was named last ... */
	char *label;                  /* ... and how. */

	char *durable;
	uint64_t size, room;
	struct pending_write *writes; /* In order. */
	size_t write_count, write_room;

	struct name *names;           /* Durable. */
	struct name *now;             /* As programs see them. */
	struct pending_name *changes;
	size_t change_count, change_room;
	UT_hash_handle hh;            /* By inode; only the newest of an inode is found. */
};

struct flush {
	uint64_t number, at;
	struct object *object;        /* NULL: everything. */
};

enum { FLUSHES_MAX = 256 };

struct model {
	struct object *root;
	struct object *by_inode;
	struct object **objects;
	size_t object_count, object_room;
	struct flush flushes[FLUSHES_MAX]; /* Under way. */
	size_t flush_count;
	uint64_t at;
	char complaint[200];          /* Not empty: the log shows what this model cannot follow. */
	void (*durable_changed)(void *context, struct object *object, uint64_t offset, uint64_t length);
	void *context;
};

struct record {                       /* Of the log; borrows from it. */
	struct disk_record head;
	const char *path, *second;    /* Copies with NUL. */
	const char *bytes;
};

void model_init(struct model *model);
/* A synchronous write is first pending (model_apply), then durable (model_settle). */
void model_apply(struct model *model, const struct record *record);
void model_settle(struct model *model, const struct record *record);

/* -- A cut ---------------------------------------------------------------------------------------- */

struct cut {
	uint64_t seed;      /* Of this point and variant. */
	unsigned keep;      /* Percent of what is undecided that is kept ... */
	unsigned tear;      /* ... and percent of the kept writes that are torn. */
};
struct cut cut_make(uint64_t seed, uint64_t point, unsigned variant);

/* A name in a folder after the cut; NULL: none. */
struct object *cut_find(const struct cut *cut, struct object *folder, const char *name);
struct object *cut_find_path(const struct cut *cut, const struct model *model, const char *path);
/* Is the folder there, by the name it was given? */
bool cut_reaches(const struct cut *cut, const struct model *model, struct object *folder);

/* The parts of a file that are kept though not durable. `piece` may be called for less than a write. Returns the size. */
typedef void cut_piece(void *context, uint64_t offset, const char *bytes, uint64_t length);
uint64_t cut_file(const struct cut *cut, const struct object *file, cut_piece *piece, void *context);

/* Whole content; the caller frees. */
char *cut_content(const struct cut *cut, const struct object *file, uint64_t *out_size);

/* Everything as real files and folders below `path`, which exists. */
void cut_rebuild(const struct cut *cut, struct object *folder, const char *path);

#endif
