/* The memory of processes: malloc and its kin, linked in place of the C library's (-Wl,--wrap).
 *
 * Only calls of our own objects come here; a shared library that takes memory gives it back itself. */
#include <stdlib.h>

#include "base/must.h"
#include "io/sim/world_private.h"

void *__real_malloc(size_t size);
void *__real_realloc(void *bytes, size_t size);
void __real_free(void *bytes);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *bytes, size_t size);
void *__wrap_reallocarray(void *bytes, size_t count, size_t size);
void __wrap_free(void *bytes);

_Static_assert(sizeof(struct block) % 16 == 0, "what follows a block's head is aligned for any type");

static void link_in(struct block *block, struct sim_process *owner)
{
	block->owner = owner;
	if (owner == NULL)
		return;
	block->previous = &owner->memory;
	block->next = owner->memory.next;
	block->next->previous = block;
	owner->memory.next = block;
}

static void link_out(struct block *block)
{
	if (block->owner == NULL)
		return;
	block->previous->next = block->next;
	block->next->previous = block->previous;
}

void *__wrap_malloc(size_t size)
{
	const struct sim_world *world = sim_world_here();
	struct block *block = __real_malloc(sizeof *block + size);

	if (block == NULL)
		return NULL;
	block->size = size;
	link_in(block, world ? world->running : NULL);
	return block + 1;
}

void *__wrap_calloc(size_t count, size_t size)
{
	size_t whole;

	if (__builtin_mul_overflow(count, size, &whole))
		return NULL;
	void *bytes = __wrap_malloc(whole);

	return bytes ? memset(bytes, 0, whole) : NULL;
}

void *__wrap_realloc(void *bytes, size_t size)
{
	if (bytes == NULL)
		return __wrap_malloc(size);
	struct block *block = (struct block *)bytes - 1;
	struct sim_process *owner = block->owner;

	link_out(block);
	struct block *moved = __real_realloc(block, sizeof *block + size);

	if (moved == NULL) {
		link_in(block, owner);
		return NULL;
	}
	moved->size = size;
	link_in(moved, owner);
	return moved + 1;
}

void *__wrap_reallocarray(void *bytes, size_t count, size_t size)
{
	size_t whole;

	return __builtin_mul_overflow(count, size, &whole) ? NULL : __wrap_realloc(bytes, whole);
}

void __wrap_free(void *bytes)
{
	if (bytes == NULL)
		return;
	struct block *block = (struct block *)bytes - 1;

	link_out(block);
	__real_free(block);
}

size_t sim_memory_drop(struct sim_process *process)
{
	size_t bytes = 0;

	while (process->memory.next != &process->memory) {
		bytes += process->memory.next->size;
		__wrap_free(process->memory.next + 1);
	}
	return bytes;
}
