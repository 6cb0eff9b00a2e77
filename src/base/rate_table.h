/* How often somebody may do something: token buckets by key, in bounded memory.
 *
 * A bucket holds `count` tokens and fills evenly, all of it within `period_ms`. So a rate of 100 an hour
 * lets a hundred pass at once, and then one every 36 seconds.
 *
 *   L1  A bucket that is full is the same as none: only those in use have an entry.
 *   L2  Memory is fixed when the table is made. Where there is no room for another key, the bucket goes that would
 *       be full first: who has taken most is remembered longest. What is refused takes nothing.
 *   L3  The rate is brought along, not kept: a new configuration applies to buckets that are there.
 *   L4  Keys of different kinds do not meet. Different keys of a kind meet by chance only, once in 2^64 / entries: the
 *       hash has a seed that nobody else knows.
 *
 * One table serves all lanes: a limit that each of them kept by itself would be as many times as high as there are
 * lanes, since the kernel deals out connections as it likes. It is made by the wiring and passed down, and
 * guarded by a lock of its own, that is held for a look at a few neighbouring entries and never across a call. */
#ifndef BASE_RATE_TABLE_H
#define BASE_RATE_TABLE_H

#include <stdint.h>

#include "base/text.h"

enum { RATE_COUNT_MAX = 1000000 };
#define RATE_PERIOD_MS_MIN 1000
#define RATE_PERIOD_MS_MAX ((int64_t)30 * 24 * 3600 * 1000)

struct rate {              /* A value. */
	uint32_t count;    /* 0: no limit; <= RATE_COUNT_MAX */
	int64_t period_ms; /* Where there is a limit, from RATE_PERIOD_MS_MIN to RATE_PERIOD_MS_MAX. */
};

struct rate_table;

/* Room for at least `entry_count` buckets of 16 bytes. NULL: no memory. */
[[nodiscard]] struct rate_table *rate_table_new(uint32_t entry_count, uint64_t seed);
void rate_table_free(struct rate_table *table); /* NULL is fine. */

/* Take `amount` tokens of the bucket of `key`. 0: they are taken. Else how many milliseconds from now they could be;
 * INT64_MAX where the bucket never holds as many. Any thread; `now_ms` counts from anywhere, but the same for all. */
[[nodiscard]] int64_t rate_table_take(struct rate_table *table, unsigned kind, struct text key, const struct rate *rate,
    uint32_t amount, int64_t now_ms);

/* What is asked of one bucket. Borrows. */
struct rate_taking {
	unsigned kind;
	struct text key;
	const struct rate *rate;
	uint32_t amount;
};

/* All of them, each of another bucket, or none: then the answer is that of which the wait is the longest. */
[[nodiscard]] int64_t rate_table_take_all(
    struct rate_table *table, const struct rate_taking *takings, size_t count, int64_t now_ms);

/* The same answer as rate_table_take, and nothing is taken. */
[[nodiscard]] int64_t rate_table_look(struct rate_table *table, unsigned kind, struct text key, const struct rate *rate,
    uint32_t amount, int64_t now_ms);

#endif
