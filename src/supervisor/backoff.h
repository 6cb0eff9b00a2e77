/* How long a role that died stays dead: a role that dies again and again must neither spin nor be given up.
 *
 * Pure: reads no clock.
 *
 *   B1  The wait doubles from BACKOFF_FIRST_MS to BACKOFF_MAX_MS, and stays there.
 *   B2  A life longer than BACKOFF_LONG_LIFE_MS makes the next wait the first one again. */
#ifndef SUPERVISOR_BACKOFF_H
#define SUPERVISOR_BACKOFF_H

#include <stdint.h>

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 30000, BACKOFF_LONG_LIFE_MS = 60000 };

/* The wait after a life of `life_ms`; `last_ms` is the wait before that life, 0 if there was none. */
[[nodiscard]] int64_t backoff_next(int64_t last_ms, int64_t life_ms);

#endif
