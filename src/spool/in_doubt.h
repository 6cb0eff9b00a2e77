/* Deliveries between the final dot and its answer (DESIGN: in doubt).
 *
 * A small mapped file beside the database. It is not flushed: it survives the death of the
 * process, so that after a crash only the recipients marked here can be repeated, and
 * the log names them. */
#ifndef SPOOL_IN_DOUBT_H
#define SPOOL_IN_DOUBT_H

#include "base/error.h"
#include "mail/queue_id.h"

struct in_doubt;

/* path NULL: kept in memory only (tests, simulation). Marks of an earlier process are in the file. */
[[nodiscard]] enum error in_doubt_open(const char *path, struct in_doubt **out_in_doubt);
void in_doubt_close(struct in_doubt *in_doubt);

/* Each thread marks from a slot range of its own: lane < 64. False: all its slots are taken (go on without). */
bool in_doubt_mark(struct in_doubt *in_doubt, unsigned lane, queue_id id, uint32_t index);
void in_doubt_clear(struct in_doubt *in_doubt, unsigned lane, queue_id id, uint32_t index);

/* Marks left by an earlier process, one after another; *out_index etc. untouched and false at the end. They stay in the file,
 * whatever the lanes mark and clear meanwhile, until in_doubt_forget_left: the next process would name them again. */
[[nodiscard]] bool in_doubt_take_left(struct in_doubt *in_doubt, queue_id *out_id, uint32_t *out_index);

/* The log has named it, or nobody gets it twice. On the thread that takes. */
void in_doubt_forget_left(struct in_doubt *in_doubt, queue_id id, uint32_t index);

#endif
