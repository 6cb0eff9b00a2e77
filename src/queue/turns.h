/* A line of those who wait for a turn, fair between senders.
 *
 *   T1  The higher priority goes first; but when others wait, one turn in TURNS_STREAK_MAX + 1 is for a lower one: for
 *       that which was passed over most often.
 *   T2  Within a priority senders take turns, and the waiters of one sender go in the order in which they came. So
 *       who comes waits for one turn of each sender at most, however many waiters another has.
 *   T3  Joining, leaving and choosing cost the same for any number of waiters. A sender takes room while he waits;
 *       those who find no memory share one place, and lose nothing but this fairness. */
#ifndef QUEUE_TURNS_H
#define QUEUE_TURNS_H

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((void)(element))
#include <uthash.h>

#include "mail/envelope.h"

enum { TURNS_STREAK_MAX = 8 };

struct turn_line;
struct turn_sender;

/* Stands in whoever waits. All 0: in no line. */
struct turn_seat {
	struct flow flow;
	struct turn_sender *sender;     /* NULL: in no line. */
	struct turn_seat *prev, *next;  /* Of the same sender. */
};

struct turn_key {
	struct turn_line *line;
	uint32_t sender;
	int32_t priority; /* No padding: it is hashed as bytes. */
};

struct turn_sender {
	struct turn_key key;
	UT_hash_handle hh;               /* In the book. */
	struct turn_sender *prev, *next; /* In the line. */
	struct turn_seat *seats;         /* List; the first is next. */
};

struct turn_line { /* All 0: nobody waits. Must not move while somebody does. */
	uint32_t count;
	uint32_t streak;                /* Turns of the highest since a lower one had his. */
	struct turn_sender *senders[PRIORITY_COUNT]; /* Lists, of each priority; the first is next. */
	uint32_t passed[PRIORITY_COUNT]; /* Turns that went elsewhere since this one's last. */
	struct turn_sender spare;       /* Of those who find no memory. */
};

/* Who waits in which line of many; all 0: nobody. */
struct turn_book {
	struct turn_sender *senders;    /* Hash. */
};

void turn_line_join(struct turn_line *line, struct turn_book *book, struct turn_seat *seat);
void turn_line_leave(struct turn_line *line, struct turn_book *book, struct turn_seat *seat);

/* Whose turn it is; he has left the line. NULL: nobody waits. */
struct turn_seat *turn_line_next(struct turn_line *line, struct turn_book *book);

#endif
