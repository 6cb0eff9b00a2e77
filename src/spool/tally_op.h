/* Tallies seen from the engines: their operations and records, and what the bounds (T1) mean. */
#ifndef SPOOL_TALLY_OP_H
#define SPOOL_TALLY_OP_H

#include "spool/change.h"
#include "spool/tally.h"

enum { TALLY_SUM_SIZE = 4 + 3 * 8 };

/* An OP_TALLY or OP_TALLY_DROP. Borrows from it. */
struct tally_op {
	struct tally_set set; /* Lower case. */
	struct text row;      /* OP_TALLY */
	uint64_t total;       /* OP_TALLY_DROP */
};
struct tally_op tally_op_view(const struct op *op);

bool tally_set_equal(const struct tally_set *a, const struct tally_set *b);

/* By what a row is found in its set. */
uint64_t tally_row_key(struct text row);

/* What a new row costs of its day. */
uint64_t tally_row_bytes(const struct tally_op *op);

/* Is there room for one more row in the set; for one more set in the day? */
bool tally_takes_row(const struct tally_sum *set, const struct tally_sum *account, const struct tally_op *op);
bool tally_takes_set(const struct tally_sum *account);

void tally_sum_write(const struct tally_sum *sum, char room[TALLY_SUM_SIZE]);
[[nodiscard]] enum error tally_sum_read(struct text record, struct tally_sum *out_sum);

/* What operations of the change before `end` make of a set that the store has (`there`, with this total) or not.
 * False: it is not there then. */
bool tally_total_after(const struct spool_change *change, size_t end, const struct tally_set *set, bool there, uint64_t *total);

#endif
