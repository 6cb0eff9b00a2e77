/* The memory engine with a bound of its own on the history, for tests that reach it. */
#ifndef SPOOL_MEMORY_H
#define SPOOL_MEMORY_H

#include "spool/spool.h"

enum { MEMORY_HISTORY_MAX = 1000000 }; /* What spool_memory_open keeps. */

[[nodiscard]] enum error memory_open_bounded(uint32_t history_max, struct spool **out_spool);

#endif
