/* When a deferred recipient is tried again (RFC 5321 §4.5.4.1).
 *
 * Pure: owns no memory, reads no clock, rolls no dice. The caller brings the moment, so a test
 * can stand anywhere in a message's life.
 *
 *   R1  The wait after attempt n is the n-th gap (the last one repeats), or up to an eighth less.
 *   R2  No attempt is planned past the recipient's lifetime; one is planned for its end. */
#ifndef QUEUE_RETRY_SCHEDULE_H
#define QUEUE_RETRY_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

struct retry_schedule {          /* Borrows its gaps. */
	const int64_t *gaps_ms;  /* Each > 0. */
	size_t gap_count;        /* >= 1 */
};

struct retry_moment {
	int64_t now_ms;
	int64_t expires_ms;      /* End of the recipient's lifetime. */
	uint32_t attempt_count;  /* Attempts already made; >= 1. */
	uint32_t spread;         /* Constant per recipient; < RETRY_SPREAD_MAX. */
};

enum { RETRY_SPREAD_MAX = 1024 };
enum retry_verdict { RETRY_PLANNED, RETRY_EXPIRED };

/* Plan the attempt that follows `moment`. RETRY_PLANNED sets *out_due_ms; RETRY_EXPIRED leaves it
 * alone and obliges the caller to tell the sender. */
[[nodiscard]] enum retry_verdict retry_schedule_next(const struct retry_schedule *schedule,
    const struct retry_moment *moment, int64_t *out_due_ms);

/* The gap after attempt `attempt_count` (>= 1), without spread. */
int64_t retry_schedule_gap(const struct retry_schedule *schedule, uint32_t attempt_count);

/* The spread of a recipient: a hash, so that mail deferred together does not return together. */
uint32_t retry_spread(uint64_t id, uint32_t index);

#endif
