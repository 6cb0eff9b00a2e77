/* Counters: one set for each lane, written by it alone, read by any thread.
 *
 *   N1  A counter only grows. Each stands for itself: a reader may see one without another that was counted with it.
 *   N2  One thread writes a set; no lock and no atomic addition is needed.
 *
 * A value: zero it to begin, release nothing. */
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

/* Times, counted by how long they were. */
enum histogram { HISTOGRAM_TIME_TO_250, HISTOGRAM_TIME_IN_QUEUE, HISTOGRAM_COUNT };
enum { HISTOGRAM_BOUNDS = 16 };

struct counters {
	_Atomic uint64_t values[COUNTER_COUNT];
	_Atomic uint64_t times[HISTOGRAM_COUNT][HISTOGRAM_BOUNDS + 1]; /* Each: how many were at most its bound, and above the one before. */
	_Atomic uint64_t times_ms[HISTOGRAM_COUNT];                    /* Their sum. */
};

/* "time-to-250", and what it is. Static. */
const char *histogram_word(enum histogram histogram);
const char *histogram_prose(enum histogram histogram);

/* In milliseconds, rising; those of the last place have none. index < HISTOGRAM_BOUNDS */
uint64_t histogram_bound_ms(unsigned index);

/* One more that took this long. By the thread that owns the set. */
void counters_add_time(struct counters *counters, enum histogram histogram, int64_t ms);

/* As `postroad stats` names it, and what it counts. Static. */
const char *counter_word(enum counter counter);
const char *counter_prose(enum counter counter);

/* By the thread that owns the set. */
void counters_add(struct counters *counters, enum counter counter, uint64_t amount);

/* By any thread. */
uint64_t counters_get(const struct counters *counters, enum counter counter);

/* Add every value of `more`, which any thread may own, to `sum`, which this one does. */
void counters_sum(struct counters *sum, const struct counters *more);

/* Count what an event stands for. A HOST that begins with a slash is a mailbox here. */
void counters_count_event(struct counters *counters, const struct event *event);

#endif
