/* The newest events, for who looks on.
 *
 * A ring of memory that all lanes write and nobody waits at: a reader comes when it likes, with the number of the event where it
 * wants to go on, and takes a copy of what there is. So there is nothing to keep for a reader, however many there are and however
 * slow.
 *
 *   F1  feed_add never waits for a reader: what is new takes the place of what is oldest.
 *   F2  Events are numbered without a gap, from 0; so a reader knows how many it has missed.
 *   F3  No more than FEED_BYTES and FEED_EVENTS_MAX are held.
 *
 * Shared by threads, with a lock of its own that is held for no longer than a copy takes. */
#ifndef EVENTS_FEED_H
#define EVENTS_FEED_H

#include "events/event.h"

enum {
	FEED_BYTES = 2 << 20,        /* Some thousand events, for an operator who looks a moment later. */
	FEED_EVENTS_MAX = 8192,
	FEED_PAGE_BYTES = 128 << 10  /* What is copied under the lock; no event in it is larger. */
};

struct feed;

[[nodiscard]] struct feed *feed_new(void); /* NULL: no memory. */
void feed_free(struct feed *feed);

/* `stored`: as event_encode makes it. What is too large for a page is left out, as if it had not happened. */
void feed_add(struct feed *feed, queue_id id, struct text stored);

/* The number that the next event will have. */
uint64_t feed_end(struct feed *feed);

struct feed_page {
	uint64_t first;      /* Number of the first event in it: above the one asked for when that is gone. */
	uint64_t count;
	struct text records; /* For feed_next; in the arena. */
};

/* The events from `from` on, as many as a page holds. ERR_NO_MEMORY. */
[[nodiscard]] enum error feed_read(struct feed *feed, uint64_t from, struct arena *arena, struct feed_page *out_page);

/* Cut the next event off a page's records, which it borrows from. False: there is none. */
[[nodiscard]] bool feed_next(struct text *records, struct event *out_event);

#endif
