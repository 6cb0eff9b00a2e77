/* Counters: one set for each lane, written by it alone, read by any thread. */
#ifndef EVENTS_COUNTERS_H
#define EVENTS_COUNTERS_H

#include <stdatomic.h>

#include "events/event.h"

enum counter {
#define COUNTER(name, word, prose) COUNTER_##name,
#include "events/counters.def"
#undef COUNTER
	COUNTER_COUNT
};

struct counters {
	_Atomic uint64_t values[COUNTER_COUNT]; /* Relaxed: each stands for itself. */
};

/* The name that operators see, and what it counts. Static. */
const char *counter_word(enum counter counter);
const char *counter_prose(enum counter counter);

/* Only the thread that owns the set adds; any may read. */
void counters_add(struct counters *counters, enum counter counter, uint64_t amount);
uint64_t counters_get(const struct counters *counters, enum counter counter);

/* Add every value of `more` to `sum`. */
void counters_sum(struct counters *sum, const struct counters *more);

/* Count what an event stands for. */
void counters_count_event(struct counters *counters, const struct event *event);

#endif
