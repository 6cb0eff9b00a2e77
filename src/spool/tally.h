/* Tallies: what happened how often, gathered durably for a report of the day.
 *
 * A set is one day, one kind of report and the domain that it is about; its rows are bytes whose sense the reporter
 * alone knows, each with a count. Counts come in the change of the fact that is counted, so that a power cut
 * neither loses one nor counts it twice.
 *
 *   T1  Strangers make rows and sets. At most TALLY_ROWS_MAX rows in a set, TALLY_SETS_MAX sets of a kind and day, and
 *       TALLY_DAY_BYTES_MAX bytes of rows of a kind and day; what goes beyond, or is new while the spool is full, is
 *       counted as overflow of its set, or of its day. It is never an error.
 *   T2  A set is dropped as it was read: one that is gone, or was added to since, fails the change with ERR_GONE. So of
 *       two that report the same set only one can, and no count is dropped that no report holds.
 *   T3  Each day with sets has an account, which is listed in front of them like a set with an empty domain: its rows
 *       are the sets, its overflow is what found no set. It goes with the last of them. */
#ifndef SPOOL_TALLY_H
#define SPOOL_TALLY_H

#include "spool/spool.h"

enum {
	TALLY_ROW_BYTES_MAX = 1024,
	TALLY_ROW_BYTES_ASIDE = 32, /* Counted for each row beside its bytes and its domain: what the store needs. */
	TALLY_ROWS_MAX = 10000,
	TALLY_SETS_MAX = 50000,
	TALLY_DAY_BYTES_MAX = 64 << 20
};

/* Stored: a kind keeps its number. */
enum tally_kind { TALLY_TLS = 1, TALLY_DMARC = 2 };

struct tally_set {
	enum tally_kind kind;
	uint32_t day;       /* Since 1970, UTC. */
	struct text domain; /* Borrows. Without NUL, at most ADDRESS_DOMAIN_MAX bytes; lower case once stored. */
};

struct tally_sum {
	uint32_t rows;
	uint64_t bytes;
	uint64_t total;     /* Of all counts, overflow included. Of an account: 0. */
	uint64_t overflow;
};

struct tally_listed {
	struct tally_set set;
	struct tally_sum sum;
};

struct tally_row {
	uint64_t key;       /* A hash of the bytes: rows come in this order. */
	uint64_t count;
	struct text bytes;
};

/* The day of a moment (ms since 1970, not before). */
uint32_t tally_day(int64_t now_ms);

/* Count the row (1 to TALLY_ROW_BYTES_MAX bytes) `count` times more. The domain is not empty. */
void spool_change_tally(struct spool_change *change, const struct tally_set *set, struct text row, uint32_t count);

/* T2: `total` as it was read. */
void spool_change_tally_drop(struct spool_change *change, const struct tally_set *set, uint64_t total);

/* Sets of a kind, of days up to and with until_day, in the order of days and domains; at most `max`, behind `after` (NULL:
 * from the first; an empty domain: from the first of its day). Copied into the arena. */
[[nodiscard]] enum error spool_tally_sets(struct spool *spool, enum tally_kind kind, uint32_t until_day,
    const struct tally_set *after, size_t max, struct arena *arena, struct tally_listed **out_sets, size_t *out_count);

/* Rows of a set with keys at or above `from`, at most `max`; none if the set is gone. Copied into the arena. */
[[nodiscard]] enum error spool_tally_rows(struct spool *spool, const struct tally_set *set, uint64_t from, size_t max,
    struct arena *arena, struct tally_row **out_rows, size_t *out_count);

#endif
