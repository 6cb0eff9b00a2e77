/* Release by scope, for what lives outside arenas.
 *
 *     cleanup(arena_freep) struct arena *arena = arena_new(...);
 *     return take(arena);             // ownership leaves, nothing is freed
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#define cleanup(function) __attribute__((cleanup(function)))

/* The pointer, and NULL in its place. */
#define take(pointer)                              \
	({                                         \
		__auto_type taken_ = (pointer);    \
		(pointer) = NULL;                  \
		taken_;                            \
	})

#endif
