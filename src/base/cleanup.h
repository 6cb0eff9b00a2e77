/* Release by scope, for what lives outside arenas.
 *
 *     cleanup(arena_freep) struct arena *arena = arena_new(...);
 *     return take(arena);             // ownership leaves, nothing is freed
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#define cleanup(function) __attribute__((cleanup(function)))

/* The pointer, and NULL in its place. The place is evaluated once: take(list[--count]) is fine. */
#define take(pointer)                            \
	({                                       \
		__auto_type place_ = &(pointer); \
		__auto_type taken_ = *place_;    \
		*place_ = NULL;                  \
		taken_;                          \
	})

#endif
