/* A spool in memory for a hundred thousand messages: with the two indexes that the reference model does without, and
 * without all that a queue does not ask for. One recipient a message; no bodies, no history, no notes. */
#ifndef SIM_CROWD_SPOOL_H
#define SIM_CROWD_SPOOL_H

#include "spool/spool.h"

/* Ended by spool_close. */
struct spool *crowd_spool_new(void);

#endif
