/* What queues know of their work and of destinations, copied for whoever asks from another thread.
 *
 * A survey goes from queue to queue, each of which adds to it on its own thread; it belongs to one thread at a time.
 *
 *   U1  At most QUEUE_SURVEY_MAX destinations, with so much text of each as fits QUEUE_SURVEY_TEXT_MAX;
 *       `matching` counts those beyond as well. */
#ifndef QUEUE_SURVEY_H
#define QUEUE_SURVEY_H

#include "base/arena.h"
#include "queue/queue.h"

enum {
	QUEUE_SURVEY_MAX = 50,
	QUEUE_SURVEY_TEXT_MAX = 1000,   /* Of each text of a destination. */
	QUEUE_SURVEY_BYTES_MAX = QUEUE_SURVEY_MAX * 4 * (QUEUE_SURVEY_TEXT_MAX + 16) + (64 << 10)
};

struct queue_surveyed {
	unsigned lane;                  /* Whose queue: hosts that serve many domains are known to several. */
	struct queue_destination destination; /* Text in the survey's arena. */
};

struct queue_survey {
	struct arena *arena;
	struct text key;                /* The destination that is asked for; empty: all in trouble. */
	struct queue_counts counts;     /* The sum. */
	struct queue_surveyed found[QUEUE_SURVEY_MAX];
	size_t found_count;
	size_t matching;                /* >= found_count */
};

/* Copies the key. False: no memory; nothing is to be done. */
[[nodiscard]] bool queue_survey_init(struct queue_survey *survey, struct text key);
void queue_survey_done(struct queue_survey *survey);

/* Add what this queue knows. On its thread. */
void queue_survey_visit(struct queue_survey *survey, const struct queue *queue, unsigned lane);

/* In trouble: the last answer was one, be its pause over or not. */
bool queue_destination_in_trouble(const struct queue_destination *destination);

/* "open", "full", "paused", "down" */
const char *queue_gate_word(enum queue_gate gate);

#endif
