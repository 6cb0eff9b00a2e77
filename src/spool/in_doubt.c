/* The file: a header, then LANE_COUNT lanes of LANE_SLOTS slots.
 *
 * Each thread writes its own lane only, so no lock is needed; a slot is free when its ID is 0, and
 * the ID is written last and cleared first, so that a mark seen after a crash is whole. The kernel keeps
 * the written pages when the process dies; nothing is flushed, for a power cut is not what it is for. */
#include "spool/in_doubt.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/must.h"
#include "spool/map_file.h"

enum {
	LANE_COUNT = 64,
	LANE_SLOTS = 1024, /* Deliveries between dot and answer on one lane; 64 lanes take 1 MiB. */
	SLOT_COUNT = LANE_COUNT * LANE_SLOTS
};

static const uint64_t MAGIC = 0x31746275646e69ull; /* "indubt1" */

struct slot {
	_Atomic uint64_t id;
	uint32_t index;
	uint32_t is_left; /* By an earlier process: not of the lane, but of in_doubt_take_left. */
};

struct file {
	uint64_t magic;
	uint64_t unused;
	struct slot slots[SLOT_COUNT];
};

struct in_doubt {
	struct file *file;
	uint32_t *left;            /* Slots that an earlier process left. */
	size_t left_count, left_taken;
};

static queue_id slot_id(struct slot *slot)
{
	return atomic_load_explicit(&slot->id, memory_order_relaxed);
}

static void slot_set(struct slot *slot, queue_id id, uint32_t index)
{
	slot->index = index;
	slot->is_left = 0;
	atomic_store_explicit(&slot->id, id, memory_order_release);
}

static void slot_empty(struct slot *slot)
{
	atomic_store_explicit(&slot->id, 0, memory_order_release);
}

/* What an earlier process left stays in the file until it is named, so that another crash does not forget it. */
static enum error find_left(struct in_doubt *in_doubt)
{
	struct file *file = in_doubt->file;
	size_t count = 0;

	if (file->magic != MAGIC) {
		memset(file, 0, sizeof *file);
		file->magic = MAGIC;
		return OK;
	}
	for (size_t i = 0; i < SLOT_COUNT; i++)
		count += slot_id(&file->slots[i]) != 0;
	if (count == 0)
		return OK;
	in_doubt->left = calloc(count, sizeof *in_doubt->left);
	if (in_doubt->left == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (slot_id(&file->slots[i]) == 0)
			continue;
		file->slots[i].is_left = 1;
		in_doubt->left[in_doubt->left_count++] = i;
	}
	must(in_doubt->left_count == count);
	return OK;
}

enum error in_doubt_open(const char *path, struct in_doubt **out_in_doubt)
{
	struct in_doubt *in_doubt = calloc(1, sizeof *in_doubt);

	if (in_doubt == NULL)
		return ERR_NO_MEMORY;

	void *map;
	enum error error = map_file(path, sizeof *in_doubt->file, &map);

	if (error == OK) {
		in_doubt->file = map;
		error = find_left(in_doubt);
	}
	if (error != OK) {
		in_doubt_close(in_doubt);
		return error;
	}
	*out_in_doubt = in_doubt;
	return OK;
}

void in_doubt_close(struct in_doubt *in_doubt)
{
	if (in_doubt == NULL)
		return;
	if (in_doubt->file != NULL)
		munmap(in_doubt->file, sizeof *in_doubt->file);
	free(in_doubt->left);
	free(in_doubt);
}

/* The first slot of a lane that holds this (id 0: that is free); NULL if none. Few are in use at once. */
static struct slot *find_slot(struct in_doubt *in_doubt, unsigned lane, queue_id id, uint32_t index)
{
	must(lane < LANE_COUNT);

	struct slot *slots = &in_doubt->file->slots[(size_t)lane * LANE_SLOTS];

	for (size_t i = 0; i < LANE_SLOTS; i++) {
		if (slot_id(&slots[i]) == id && (id == 0 || (slots[i].index == index && !slots[i].is_left)))
			return &slots[i];
	}
	return NULL;
}

bool in_doubt_mark(struct in_doubt *in_doubt, unsigned lane, queue_id id, uint32_t index)
{
	must(id != 0);

	struct slot *slot = find_slot(in_doubt, lane, 0, 0);

	if (slot != NULL)
		slot_set(slot, id, index);
	return slot != NULL;
}

void in_doubt_clear(struct in_doubt *in_doubt, unsigned lane, queue_id id, uint32_t index)
{
	must(id != 0);

	struct slot *slot = find_slot(in_doubt, lane, id, index);

	if (slot != NULL)
		slot_empty(slot);
}

bool in_doubt_take_left(struct in_doubt *in_doubt, queue_id *out_id, uint32_t *out_index)
{
	if (in_doubt->left_taken == in_doubt->left_count)
		return false;

	struct slot *slot = &in_doubt->file->slots[in_doubt->left[in_doubt->left_taken++]];

	*out_id = slot_id(slot);
	*out_index = slot->index;
	return true;
}

void in_doubt_forget_left(struct in_doubt *in_doubt, queue_id id, uint32_t index)
{
	for (size_t i = 0; i < in_doubt->left_count; i++) {
		struct slot *slot = &in_doubt->file->slots[in_doubt->left[i]];

		/* A slot that is empty belongs to its lane again. */
		if (slot_id(slot) == id && slot->index == index && slot->is_left)
			slot_empty(slot);
	}
}
