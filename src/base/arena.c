#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

enum { FIRST_BLOCK_BYTES = 1024, BLOCK_BYTES = 8192, PRINT_ROOM = 256 };

struct block {
	struct block *next;
	size_t size, used;
	_Alignas(max_align_t) char bytes[];
};

struct arena {
	struct block *newest; /* Where pieces come from. */
	struct block *first;  /* Kept by reset. */
	size_t cap, used;
	size_t taken; /* By all blocks, their headers included. */
};

enum { PIECE_ALIGNMENT = _Alignof(max_align_t) };

/* What a further block may hold. */
static size_t room_left(const struct arena *arena)
{
	const size_t spent = arena->taken - sizeof(struct block); /* A2 */

	must(spent <= arena->cap);
	const size_t left = arena->cap - spent;

	return left > sizeof(struct block) ? left - sizeof(struct block) : 0;
}

static struct block *block_new(struct arena *arena, size_t size)
{
	struct block *block = malloc(sizeof *block + size);

	if (block == NULL)
		return NULL;
	block->next = arena->newest;
	block->size = size;
	block->used = 0;
	arena->newest = block;
	arena->taken += sizeof *block + size;
	return block;
}

struct arena *arena_new(size_t cap_bytes)
{
	struct arena *arena = calloc(1, sizeof *arena);

	if (arena == NULL)
		return NULL;
	arena->cap = cap_bytes;
	arena->first = block_new(arena, cap_bytes < FIRST_BLOCK_BYTES ? cap_bytes : FIRST_BLOCK_BYTES);
	if (arena->first == NULL) {
		free(arena);
		return NULL;
	}
	return arena;
}

static void free_down_to(struct arena *arena, const struct block *last)
{
	while (arena->newest != last) {
		struct block *block = arena->newest;

		must(block != NULL); /* `last` is one of them. */
		arena->newest = block->next;
		arena->taken -= sizeof *block + block->size;
		free(block);
	}
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	free_down_to(arena, NULL);
	free(arena);
}

void arena_reset(struct arena *arena)
{
	free_down_to(arena, arena->first);
	arena->first->used = 0;
	arena->used = 0;
}

void arena_wipe(struct arena *arena)
{
	for (struct block *block = arena->newest; block != NULL; block = block->next)
		explicit_bzero(block->bytes, block->used);
	arena_reset(arena);
}

void *arena_alloc(struct arena *arena, size_t size_bytes)
{
	if (size_bytes > SIZE_MAX / 2)
		return NULL;

	const size_t size = (size_bytes + PIECE_ALIGNMENT - 1) / PIECE_ALIGNMENT * PIECE_ALIGNMENT;
	struct block *block = arena->newest;

	if (size > block->size - block->used) {
		const size_t room = room_left(arena);
		const size_t want = size > BLOCK_BYTES ? size : BLOCK_BYTES;

		/* Nothing is taken for a piece that does not fit: a stranger's
		 * thousandth attempt must cost no more than the first. */
		if (size > room)
			return NULL;
		block = block_new(arena, want <= room ? want : room);
		if (block == NULL)
			return NULL;
	}

	void *piece = block->bytes + block->used;

	block->used += size;
	arena->used += size;
	must(block->used <= block->size);
	memset(piece, 0, size);
	return piece;
}

void *arena_array(struct arena *arena, size_t count, size_t size_bytes)
{
	size_t total;

	if (__builtin_mul_overflow(count, size_bytes, &total))
		return NULL;
	return arena_alloc(arena, total);
}

bool arena_copy(struct arena *arena, struct text text, struct text *out_copy)
{
	char *bytes = arena_alloc(arena, text.length + 1);

	if (bytes == NULL)
		return false;
	if (text.length > 0)
		memcpy(bytes, text.bytes, text.length);
	*out_copy = (struct text){ bytes, text.length };
	return true;
}

bool arena_print(struct arena *arena, struct text *out_text, const char *format, ...)
{
	char room[PRINT_ROOM];
	va_list list, again;

	va_start(list, format);
	va_copy(again, list);
	const int length = vsnprintf(room, sizeof room, format, list);

	va_end(list);
	char *bytes = length >= 0 ? arena_alloc(arena, (size_t)length + 1) : NULL;

	if (bytes != NULL) {
		/* Nearly all is short: formatted once, then copied. */
		if ((size_t)length < sizeof room)
			memcpy(bytes, room, (size_t)length);
		else
			vsnprintf(bytes, (size_t)length + 1, format, again);
		*out_text = (struct text){ bytes, (size_t)length };
	}
	va_end(again);
	return bytes != NULL;
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

size_t arena_taken(const struct arena *arena)
{
	return sizeof *arena + arena->taken;
}
