/* Messages that may have ended the process (DESIGN: poison).
 *
 * A small mapped file beside the database, not flushed, like in_doubt.h: which messages each lane has in hand,
 * and how many deaths each message has seen. It survives the process; a power cut is no message's doing.
 *
 *   U1  A message is marked from when a lane takes recipients of it until their settling is durable.
 *   U2  A death counts once for every message marked at it, but only a death of the process' own making: one
 *       that was killed from outside, or ended with the machine, tells nothing about a message.
 *   U3  A message that saw a death is a suspect until it leaves the spool. Of all suspects one is in hand at
 *       a time, in the whole process (its trial); ordinary mail goes on beside it. So of many that shared
 *       a death one at most sees the next, and only one that was in hand at both is condemned.
 *   U4  A message that saw SUSPECT_DEATHS_MAX deaths is condemned: no lane takes it in hand again.
 *       When the spool durably says that it is held it is acquitted: the count is over, the hold remains.
 *   U5  At most SUSPECT_MAX messages are remembered. One beyond starts anew at the next death.
 *
 * The innocent pay with patience: after a death they wait for each other. Wrongly condemned is only who
 * was on trial when another cause, a new one, ended the process: it is held and reported, never lost.
 *
 * Life: open, judge once before any lane runs, then mark and clear, close. */
#ifndef SPOOL_SUSPECTS_H
#define SPOOL_SUSPECTS_H

#include "base/error.h"
#include "mail/queue_id.h"

enum {
	SUSPECT_DEATHS_MAX = 2,
	SUSPECT_MAX = 4096,
	SUSPECT_NO_MARK = -1
};

struct suspects;

/* path NULL: kept in memory only (tests, simulation). Marks and counts of an earlier process are in the file. */
[[nodiscard]] enum error suspects_open(const char *path, struct suspects **out_suspects);
void suspects_close(struct suspects *suspects); /* NULL is fine. */

/* Count the death of the earlier process for what it had in hand (died: it was of its own making), and clear its marks. */
void suspects_judge(struct suspects *suspects, bool died);

/* -- Any lane; each marks from slots of its own, lane < 64 ----------------------- */

/* Gives the mark to clear, or SUSPECT_NO_MARK: all its slots are taken (go on without). */
[[nodiscard]] int suspects_mark(struct suspects *suspects, unsigned lane, queue_id id);
void suspects_clear(struct suspects *suspects, int mark); /* SUSPECT_NO_MARK is fine. */

/* Suspect or condemned: not to be taken like other mail. Costs nothing while there are none. */
bool suspects_hold(struct suspects *suspects, queue_id id);
bool suspects_exist(struct suspects *suspects);

/* The first message above `after` that is on trial or waits for it, or is condemned; 0: none. */
queue_id suspects_next(struct suspects *suspects, queue_id after, bool condemned);

/* U3. False: another one is on trial. */
[[nodiscard]] bool suspects_trial_begin(struct suspects *suspects);
void suspects_trial_end(struct suspects *suspects);

/* It left the spool, or is held by it now. */
void suspects_acquit(struct suspects *suspects, queue_id id);

#endif
