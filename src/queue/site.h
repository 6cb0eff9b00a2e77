/* Sites: where mail really goes. Part of the queue's inside (queue_private.h).
 *
 * Domains whose mail goes to the same hosts share one site: its gate, its limits, its rests, and the line of those who wait.
 * Until the hosts of a destination are known it has a site of its own, and again where they are not as safe as it demands.
 *
 *   I1  in_flight is the sum of its destinations' in_flight. It may be above the limit when a destination has just joined; no
 *       delivery starts then.
 *   I2  A blocked domain stands in the line of its destination's site; who lets a destination go elsewhere lets its domains out.
 *   I3  A domain that leaves the line because there is a place gets a ticket, which keeps the place until its turn. There is one
 *       ticket at a time, so that whoever had his turn is in the line again when the next one is chosen.
 *   I4  While half of the lane's places are taken, a site that has one gets more only as far as it gives them back as soon as the
 *       others do; and so that some are always left, no more than three quarters of all places go to such seconds. */
#ifndef QUEUE_SITE_H
#define QUEUE_SITE_H

#include "queue/queue.h"
#include "queue/turns.h"

struct destination;
struct domain;

enum { LAST_WORDS_MAX = 500 };

/* Of all destinations whose mail goes to the same hosts. What is demanded of TLS stays with the destination. */
struct site {
	UT_hash_handle hh;
	struct queue *queue;
	struct text key;                 /* Behind the struct. */
	uint64_t number;                 /* For couriers; never 0. */
	bool is_mailbox;
	unsigned references;             /* Of destinations and tickets. */
	const struct shape *shape;       /* Of the settings; NULL: nothing is fixed. */
	bool is_fixed;                   /* Its concurrency is, */
	uint32_t limit_max;              /* as this; else what is learned grows so far. */
	uint32_t limit, in_flight;       /* I1 */
	uint32_t threshold, growth;      /* From the threshold on it takes `limit` successes for one more. */
	uint32_t successes;              /* Since it was slowed down or rested. */
	/* How long it keeps a place. */
	int64_t hold_us;                 /* Of those that it took mail with, lately; 0: not known. */
	int64_t moved_ms;                /* When a delivery of it ended last, or the first of those under way began. */
	int64_t eased_ms;                /* When that was; 0: never. */
	/* Backing off. */
	uint32_t failures;
	bool down;
	int64_t pause_until_ms;          /* 0: not paused. */
	int64_t paced_until_ms;          /* Its rate has nothing left before; 0: it has. */
	int64_t pace_told_ms;            /* That mail waits for it is told, and not again before this. */
	struct verdict last;             /* In last_room. */
	char last_room[LAST_WORDS_MAX];
	/* Who waits. */
	struct turn_line blocked;        /* Domains; I2. */
	bool told;                       /* In the telling of all destinations that is under way. */
	uint32_t tickets;                /* Of domains that were blocked and have a turn to come. */
};

/* The site of this key, or a new one (gives a reference); NULL: no memory. */
struct site *site_get(struct queue *queue, struct text key, bool is_mailbox);
struct site *site_ref(struct site *site);
void site_unref(struct site *site);
/* What the configuration says of it; NULL: nothing. */
void site_fix(struct site *site, const struct shape *shape);
enum queue_gate site_gate(struct site *site, int64_t now_ms);
/* One message of its rate. False: there is none now, and the gate is closed. */
bool site_take_turn(struct site *site, int64_t now_ms);
/* How many deliveries it may start now, as far as it is up to numbers, beside those that have a ticket. */
uint32_t site_room(const struct site *site);
/* The turn has come that the ticket was for, or never will. */
void domain_drop_ticket(struct domain *domain);
void site_block(struct site *site, struct domain *domain);
/* Let those blocked domains try again whose mail goes to the destination; NULL: all. */
void site_let_go(struct site *site, const struct destination *destination);
/* Let blocked domains try again, if the gate is not closed. */
void site_unblock(struct site *site);
/* Those whose pause is over. */
void sites_wake(struct queue *queue, int64_t now_ms);
struct delivery_limits site_limits(const struct site *site);
/* Deliveries of its destinations are under way from now on, or no more. */
void site_occupy(struct site *site, uint32_t count);
void site_vacate(struct site *site, uint32_t count);
/* A delivery ends. */
void site_leave(struct site *site);
/* Forget that it rests. */
void site_forgive(struct site *site);
/* What an attempt that began then told about the site itself. */
void site_learn(
    struct site *site, const struct delivery_outcome *outcomes, size_t outcome_count, int64_t started_ms);

#endif
