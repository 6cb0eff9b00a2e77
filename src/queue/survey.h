/* What queues know of their work and of destinations, copied for whoever asks from another thread.
 *
 * A survey goes from queue to queue, each of which adds to it on its own thread; it belongs to one thread at a time.
 *
 *   U1  At most QUEUE_SURVEY_MAX destinations, with so much text of each as fits QUEUE_SURVEY_TEXT_MAX;
 *       `matching` counts those beyond as well.
 *   U2  At most QUEUE_SURVEY_BUSY_MAX of the busiest destinations, which is all of 16 queues; the others are summed up.
 *   U3  Of all in trouble one destination stands for its site: hosts that serve a thousand domains are in trouble once for each
 *       lane. `matching` counts destinations.
 *   U4  When all are asked for: at most QUEUE_SURVEY_HELD_BACK_MAX of those whose mail may not leave now, for whatever reason. */
#ifndef QUEUE_SURVEY_H
#define QUEUE_SURVEY_H

#include "base/arena.h"
#include "queue/busiest.h"
#include "queue/queue.h"
#include "smtp/capabilities.h"

enum {
	QUEUE_SURVEY_MAX = 50,
	QUEUE_SURVEY_HELD_BACK_MAX = 200,
	QUEUE_SURVEY_HOSTS_MAX = 20,
	QUEUE_SURVEY_TEXT_MAX = 1000,   /* Of each text of a destination. */
	QUEUE_SURVEY_BUSY_MAX = 16 * BUSIEST_MAX,
	QUEUE_SURVEY_BYTES_MAX = (QUEUE_SURVEY_MAX + QUEUE_SURVEY_HELD_BACK_MAX) * 6 * (QUEUE_SURVEY_TEXT_MAX + 16) + (256 << 10)
};

struct queue_surveyed {
	unsigned lane;                  /* Whose queue: hosts that serve many domains are known to several. */
	struct queue_destination destination; /* Text in the survey's arena. */
};

struct queue_surveyed_host {            /* What the lane's courier remembers of it. Unix times; 0: never, or no more. */
	struct endpoint endpoint;
	struct capabilities capabilities;
	int64_t heard_ms, rests_until_ms;
	bool tls;
	struct text trouble;            /* In the survey's arena. */
};

struct queue_survey {
	struct arena *arena;
	struct text key;                /* The destination that is asked for; empty: all in trouble. */
	struct queue_counts counts;     /* The sum. */
	uint32_t paced;                 /* As queue_paced. */
	struct queue_surveyed found[QUEUE_SURVEY_MAX];
	size_t found_count;
	size_t matching;                /* >= found_count */
	struct queue_surveyed *held_back; /* In the arena; in trouble or not. */
	size_t held_back_count;
	struct busiest_place *busy;     /* In the arena; each name once. */
	size_t busy_count;
	uint64_t others[BUSIEST_OUTCOME_COUNT];
	struct queue_surveyed_host hosts[QUEUE_SURVEY_HOSTS_MAX]; /* Of the destination that is asked for. */
	size_t host_count;
};

/* Copies the key. False: no memory; nothing is to be done. */
[[nodiscard]] bool queue_survey_init(struct queue_survey *survey, struct text key);
void queue_survey_done(struct queue_survey *survey);

/* Add what this queue knows. On its thread. */
void queue_survey_visit(struct queue_survey *survey, const struct queue *queue, unsigned lane);

/* In trouble: the last answer was one, be its pause over or not. */
bool queue_destination_in_trouble(const struct queue_destination *destination);

/* Something waits for it, and its gate is shut: by a rate, by limits, or after trouble. */
bool queue_destination_held_back(const struct queue_destination *destination);

/* "open", "full", "paced", "paused", "down" */
const char *queue_gate_word(enum queue_gate gate);

#endif
