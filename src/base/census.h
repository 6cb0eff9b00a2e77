/* How many of somebody's are here at one time: counts by key, in bounded memory.
 *
 *   C1  Who came in is counted until it leaves, exactly.
 *   C2  Memory is fixed when the census is made. Where it is full nobody new comes in.
 *   C3  Different keys meet by chance only: the hash has a seed that nobody else knows.
 *
 * One census serves all lanes, under a lock of its own that is held for a look at a few neighbouring entries. */
#ifndef BASE_CENSUS_H
#define BASE_CENSUS_H

#include <stdint.h>

#include "base/text.h"

struct census;

/* Room for `key_count` keys (> 0), 16 to 32 bytes for each. NULL: no memory. */
[[nodiscard]] struct census *census_new(uint32_t key_count, uint64_t seed);
void census_free(struct census *census); /* NULL is fine. */

/* One more of this key. False: there are count_max already, or the census is full; it is not counted. Any thread. */
[[nodiscard]] bool census_enter(struct census *census, struct text key, uint32_t count_max);

/* One that came in goes. Any thread. */
void census_leave(struct census *census, struct text key);

#endif
