/* A world for one queue: memory spool, zone, router, couriers that answer by what is in an address, and
 * a clock that stands until a test moves it. For tests only.
 *
 *     bad-*@    550 5.1.1          later-*@   450 4.2.0 until world.accept_later
 *     stuck-*@  no answer until world.release_stuck           down-*@    421, pressure, until world.is_up
 *     unsafe-*@ 451 4.7.4, pressure and unsafe, until world.is_up
 *     ours-*@   451 4.4.0, ours
 *     anyone else: 250 */
#ifndef QUEUE_TEST_WORLD_H
#define QUEUE_TEST_WORLD_H

#include "queue/queue.h"

enum { WORLD_DELIVERY_MAX = 2000, WORLD_RECIPIENT_MAX = 200, WORLD_CONCURRENCY = 3 };

#define WORLD_START_MS ((int64_t)1795494481000)

struct world {
	struct loop *loop;
	struct spool *spool;
	struct spool_port *port;
	struct loop_wake *wake;
	struct loop_wake *step; /* No timer: one that is due again at once would run before sockets. */
	struct loop_timer *answer;
	struct dns *dns;
	struct hosts_settings hosts;
	struct arena *arena;
	struct router *router;
	struct in_doubt *in_doubt;
	struct suspects *suspects;
	struct rate_table *rates;
	struct queue_id_source ids;
	struct courier outbound, mailbox;
	struct queue_settings settings;
	int64_t retry_ms[3];
	struct queue *queue;
	int64_t now_ms;
	/* What the couriers do. */
	bool accept_later, release_stuck, is_up, knows_no_dsn, root_fails;
	struct delivery *open[WORLD_DELIVERY_MAX];
	size_t open_count;
	/* What they saw. */
	size_t deliveries, attempts, rewritten /* Recipients under another reverse-path. */, open_max;
	struct buffer mailboxes; /* "alice@example.org\n", then the body. */
	struct buffer events;    /* "delivered <to> <status>\n" */
	/* Running. */
	bool (*until)(struct world *world);
	size_t turns_left;
	bool reached;
	/* The spool's next so many changes fail. */
	unsigned failures_left;
	bool idle_told;
};

struct world *world_new(void);
void world_free(struct world *world);

/* A new process over the same spool. */
void world_restart(struct world *world);

/* Turn the loop until `until` holds; fails the test when that takes too long. */
void world_run(struct world *world, bool (*until)(struct world *world));
/* Give everything that may happen now time to happen. */
void world_settle(struct world *world);
void world_sleep(struct world *world, int64_t ms);

/* A message enters: recipients separated by blanks. */
queue_id world_send(struct world *world, const char *from, const char *to);
queue_id world_send_message(struct world *world, const struct envelope *envelope, const char *from, const char *to,
    uint8_t notify);

bool world_is_empty(struct world *world); /* The spool, and the queue's hands. */
uint64_t world_recipients(struct world *world);
struct recipient world_recipient(struct world *world, queue_id id, uint32_t index, struct arena *arena);
unsigned world_events(struct world *world, const char *line_start);
bool world_mailbox_holds(struct world *world, const char *words);
void world_submit(struct world *world, struct spool_change *change);

#endif
