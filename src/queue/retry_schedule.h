/* When a deferred recipient is tried again (RFC 5321 §4.5.4.1), by what the other server said.
 *
 * Pure: owns no memory, reads no clock, rolls no dice. The caller brings the moment, so a test
 * can stand anywhere in a message's life.
 *
 *     reply                                        | cause    | the wait, and what else follows
 *     450, 451 that say grey- or graylist          | GREYLIST | at most 5 minutes, for the first attempts
 *     450, 451 with 4.7.1                          | GREYLIST | the same
 *     any with 4.2.2, 452 without a status         | FULL     | at least an hour: the mailbox's owner has to act
 *     421                                          | PRESSURE | the gap; the destination backs off
 *     any with 4.3.1, 4.3.2, 4.7.28                | PRESSURE | the same
 *     450, 451 with 4.7.z or without a status that | PRESSURE | the same
 *       speak of rates, throttling, or too many    |          |
 *       connections or messages                    |          |
 *     all others                                   | USUAL    | the gap
 *
 * Only what another server said counts: a verdict that names no host is USUAL, and of a mailbox of ours nobody is to ask. Status codes are
 * those of RFC 3463; 4.7.28 is what the registry that RFC 5248 keeps has for mail floods.
 *
 *   R1  The wait after attempt n is the n-th gap (the last one repeats) as the cause bounds it, or up to an eighth less.
 *   R2  No attempt is planned past the recipient's lifetime; one is planned for its end. */
#ifndef QUEUE_RETRY_SCHEDULE_H
#define QUEUE_RETRY_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "mail/verdict.h"

struct retry_schedule {          /* Borrows its gaps. */
	const int64_t *gaps_ms;  /* Each > 0. */
	size_t gap_count;        /* >= 1 */
};

enum retry_cause { RETRY_USUAL, RETRY_GREYLIST, RETRY_FULL, RETRY_PRESSURE };

enum { RETRY_GREYLIST_ATTEMPTS = 5 }; /* Who is put off after these is not grey-listed, whatever is said. */
#define RETRY_GREYLIST_MS_MAX ((int64_t)5 * 60 * 1000)
#define RETRY_FULL_MS_MIN ((int64_t)60 * 60 * 1000)

struct retry_moment {
	int64_t now_ms;
	int64_t expires_ms;      /* End of the recipient's lifetime. */
	uint32_t attempt_count;  /* Attempts already made; >= 1. */
	uint32_t spread;         /* Constant per recipient; < RETRY_SPREAD_MAX. */
	enum retry_cause cause;
};

enum { RETRY_SPREAD_MAX = 1024 };
enum retry_verdict { RETRY_PLANNED, RETRY_EXPIRED };

/* Plan the attempt that follows `moment`. RETRY_PLANNED sets *out_due_ms; RETRY_EXPIRED leaves it
 * alone and obliges the caller to tell the sender. */
[[nodiscard]] enum retry_verdict retry_schedule_next(const struct retry_schedule *schedule,
    const struct retry_moment *moment, int64_t *out_due_ms);

/* Why a host puts a recipient off, by its code, status and words. What is no 4yz, or our own, is USUAL. */
enum retry_cause retry_cause_of(const struct verdict *verdict);

/* The gap after attempt `attempt_count` (>= 1), without spread. */
int64_t retry_schedule_gap(const struct retry_schedule *schedule, uint32_t attempt_count);

/* The spread of a recipient: a hash, so that mail deferred together does not return together. */
uint32_t retry_spread(uint64_t id, uint32_t index);

#endif
