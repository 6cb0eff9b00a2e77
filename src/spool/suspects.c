/* The file: a header, the marks of LANE_COUNT lanes, and the table of those who saw a death.
 *
 * Marks are written by their lane alone, without a lock: they are on the way of every message. The table
 * is touched after a death only, under a lock; how many are in it is read without. */
#include "spool/suspects.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/must.h"
#include "spool/map_file.h"

enum {
	LANE_COUNT = 64,
	LANE_SLOTS = 2048, /* Messages in hand on one lane; 64 lanes take 1 MiB. */
	SLOT_COUNT = LANE_COUNT * LANE_SLOTS
};

static const uint64_t MAGIC = 0x3174636570737573ull; /* "suspect1" */

struct entry { /* id 0: free. */
	uint64_t id;
	uint32_t deaths;
	uint32_t counted; /* Not 0 while a death is being counted, and it was for this one. */
};

struct file {
	uint64_t magic;
	uint64_t unused;
	_Atomic uint64_t marks[SLOT_COUNT]; /* IDs; 0: free. */
	struct entry entries[SUSPECT_MAX];
};

struct suspects {
	struct file *file;
	unsigned next[LANE_COUNT];   /* Where a lane looks first for a free slot. */
	pthread_mutex_t lock;        /* Guards the entries. */
	_Atomic uint32_t count;      /* Of entries. */
	_Atomic bool on_trial;
};

enum error suspects_open(const char *path, struct suspects **out_suspects)
{
	struct suspects *suspects = calloc(1, sizeof *suspects);
	void *map;

	if (suspects == NULL)
		return ERR_NO_MEMORY;

	const enum error error = map_file(path, sizeof *suspects->file, &map);

	if (error != OK) {
		free(suspects);
		return error;
	}
	suspects->file = map;
	pthread_mutex_init(&suspects->lock, NULL);
	if (suspects->file->magic != MAGIC) {
		memset(suspects->file, 0, sizeof *suspects->file);
		suspects->file->magic = MAGIC;
	}
	for (size_t i = 0; i < SUSPECT_MAX; i++)
		suspects->count += suspects->file->entries[i].id != 0;
	*out_suspects = suspects;
	return OK;
}

void suspects_close(struct suspects *suspects)
{
	if (suspects == NULL)
		return;
	munmap(suspects->file, sizeof *suspects->file);
	pthread_mutex_destroy(&suspects->lock);
	free(suspects);
}

/* -- Counting a death -------------------------------------------------------------- */

/* NULL: not there. id 0: a free one. */
static struct entry *find_entry(struct suspects *suspects, queue_id id)
{
	for (size_t i = 0; i < SUSPECT_MAX; i++)
		if (suspects->file->entries[i].id == id)
			return &suspects->file->entries[i];
	return NULL;
}

static void count_death(struct suspects *suspects, queue_id id)
{
	struct entry *entry = find_entry(suspects, id);

	if (entry == NULL) {
		entry = find_entry(suspects, 0);
		if (entry == NULL) /* U5 */
			return;
		*entry = (struct entry){ .id = id };
		suspects->count++;
	}
	/* Several lanes may have had recipients of it in hand: it still saw one death. */
	if (entry->counted == 0 && entry->deaths < SUSPECT_DEATHS_MAX)
		entry->deaths++;
	entry->counted = 1;
}

void suspects_judge(struct suspects *suspects, bool died)
{
	struct file *file = suspects->file;

	pthread_mutex_lock(&suspects->lock);
	for (size_t i = 0; died && i < SLOT_COUNT; i++)
		if (file->marks[i] != 0)
			count_death(suspects, file->marks[i]);
	for (size_t i = 0; i < SLOT_COUNT; i++)
		file->marks[i] = 0;
	for (size_t i = 0; i < SUSPECT_MAX; i++)
		file->entries[i].counted = 0;
	pthread_mutex_unlock(&suspects->lock);
}

/* -- Marks --------------------------------------------------------------------------- */

int suspects_mark(struct suspects *suspects, unsigned lane, queue_id id)
{
	must(lane < LANE_COUNT && id != 0);

	_Atomic uint64_t *marks = &suspects->file->marks[(size_t)lane * LANE_SLOTS];
	unsigned slot = suspects->next[lane];

	for (unsigned i = 0; i < LANE_SLOTS; i++, slot = (slot + 1) % LANE_SLOTS) {
		if (atomic_load_explicit(&marks[slot], memory_order_relaxed) != 0)
			continue;
		atomic_store_explicit(&marks[slot], id, memory_order_relaxed);
		suspects->next[lane] = (slot + 1) % LANE_SLOTS;
		return (int)(lane * LANE_SLOTS + slot);
	}
	return SUSPECT_NO_MARK;
}

void suspects_clear(struct suspects *suspects, int mark)
{
	if (mark == SUSPECT_NO_MARK)
		return;
	must(mark >= 0 && mark < SLOT_COUNT);
	atomic_store_explicit(&suspects->file->marks[mark], 0, memory_order_relaxed);
}

/* -- The table ------------------------------------------------------------------------- */

bool suspects_exist(struct suspects *suspects)
{
	return atomic_load_explicit(&suspects->count, memory_order_relaxed) > 0;
}

bool suspects_hold(struct suspects *suspects, queue_id id)
{
	if (!suspects_exist(suspects))
		return false;
	pthread_mutex_lock(&suspects->lock);

	const bool found = find_entry(suspects, id) != NULL;

	pthread_mutex_unlock(&suspects->lock);
	return found;
}

queue_id suspects_next(struct suspects *suspects, queue_id after, bool condemned)
{
	queue_id next = 0;

	if (!suspects_exist(suspects))
		return 0;
	pthread_mutex_lock(&suspects->lock);
	for (size_t i = 0; i < SUSPECT_MAX; i++) {
		const struct entry *entry = &suspects->file->entries[i];

		if (entry->id > after && (next == 0 || entry->id < next) &&
		    (entry->deaths >= SUSPECT_DEATHS_MAX) == condemned)
			next = entry->id;
	}
	pthread_mutex_unlock(&suspects->lock);
	return next;
}

void suspects_acquit(struct suspects *suspects, queue_id id)
{
	if (!suspects_exist(suspects))
		return;
	pthread_mutex_lock(&suspects->lock);

	struct entry *entry = find_entry(suspects, id);

	if (entry != NULL) {
		*entry = (struct entry){ 0 };
		suspects->count--;
	}
	pthread_mutex_unlock(&suspects->lock);
}

bool suspects_trial_begin(struct suspects *suspects)
{
	return !atomic_exchange(&suspects->on_trial, true);
}

void suspects_trial_end(struct suspects *suspects)
{
	must(atomic_exchange(&suspects->on_trial, false));
}
