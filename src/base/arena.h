/* Memory with a lifetime: of a process, a session, a transaction, a message.
 *
 * An arena gives pieces until its cap and frees them all at once. It returns
 * NULL at the cap or when the system has no memory: the caller answers with
 * a 452, not with an abort.
 *
 *   A1  Pieces are aligned for any type and never move.
 *   A2  The bytes taken from the system never exceed the cap by more than one block header. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/text.h"

struct arena;

/* Gives an arena that may hold `cap_bytes`; NULL when there is no memory. An
 * empty arena holds one small block. */
[[nodiscard]] struct arena *arena_new(size_t cap_bytes);

/* Frees it and every piece. NULL is fine. */
void arena_free(struct arena *arena);

/* Forget every piece, keep the first block for reuse. */
void arena_reset(struct arena *arena);

/* The same, and overwrite all of them before: they held a password. */
void arena_wipe(struct arena *arena);

/* Zeroed bytes, or NULL at the cap. */
[[nodiscard]] void *arena_alloc(struct arena *arena, size_t size_bytes);

/* `count` zeroed elements; NULL at the cap or on overflow. */
[[nodiscard]] void *arena_array(struct arena *arena, size_t count, size_t size_bytes);

/* A copy with a NUL behind it that is not counted in its length. On failure
 * false, *out_copy untouched. */
[[nodiscard]] bool arena_copy(struct arena *arena, struct text text, struct text *out_copy);

/* printf into the arena; false at the cap. */
[[nodiscard, gnu::format(printf, 3, 4)]] bool arena_print(
    struct arena *arena, struct text *out_text, const char *format, ...);

/* Bytes handed out since new or reset; and those taken from the system for them. */
size_t arena_used(const struct arena *arena);
size_t arena_taken(const struct arena *arena);

#endif
