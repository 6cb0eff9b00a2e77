/* The memory engine's inside, for tests: a bound of its own on the history, and changes that are applied
 * when somebody else says so. */
#ifndef SPOOL_MEMORY_H
#define SPOOL_MEMORY_H

#include "spool/engine.h"

enum { MEMORY_HISTORY_MAX = 1000000 }; /* What spool_memory_open keeps. */

[[nodiscard]] enum error memory_open_bounded(uint32_t history_max, struct spool **out_spool);

/* Apply a change to this spool and set its result, without an answer to its port: for an engine that stands before
 * the memory and answers when its disk has flushed (the simulator's). */
void memory_apply(struct spool *spool, struct spool_change *change, struct due_news *news);

#endif
