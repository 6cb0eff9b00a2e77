/* What time it is, for whoever has no loop that tells. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_read_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Counts from anywhere, and only on. */
static inline int64_t clock_monotonic_ms(void)
{
	return clock_read_ms(CLOCK_MONOTONIC);
}

/* Since 1970; somebody may set it. */
static inline int64_t clock_unix_ms(void)
{
	return clock_read_ms(CLOCK_REALTIME);
}

#endif
