/* How long to wait after so many failures. */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

/* `first_ms` after the first of them, twice as long after each more, and never longer than `max_ms`. */
static inline int64_t backoff_ms(int64_t first_ms, int64_t max_ms, uint32_t failures)
{
	int64_t wait_ms = first_ms;

	for (uint32_t i = 1; i < failures && wait_ms < max_ms; i++)
		wait_ms *= 2;
	return wait_ms < max_ms ? wait_ms : max_ms;
}

#endif
