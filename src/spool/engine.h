/* What an engine is, seen from spool.c: a table of functions over a struct that begins with
 * struct spool. Ports are the same for all engines (port.c).
 *
 *   E1  An engine answers a submitted change exactly once, through ports_finish, in the order of
 *       submission for each port.
 *   E2  spool->mutex is the exchange between threads: it guards the ports, and for the engine
 *       whatever it says. Nobody holds it across a system call or a callback. */
#ifndef SPOOL_ENGINE_H
#define SPOOL_ENGINE_H

#include <pthread.h>

#include "spool/change.h"
#include "spool/spool.h"
#include "spool/tally.h"

/* Which due recipients a scan wants. */
struct due_query {
	unsigned shard;                /* < SPOOL_SHARD_COUNT */
	struct spool_position after;
	int64_t until_ms;
	size_t max;
};

/* Which sets of tallies are wanted. */
struct tally_query {
	enum tally_kind kind;
	uint32_t until_day;
	const struct tally_set *after; /* NULL: none. */
	size_t max;
};

struct engine {
	/* Every port is closed. Frees the spool. */
	void (*close)(struct spool *spool);
	/* Takes the changes, at least one, which their port has counted. */
	void (*submit)(struct spool *spool, struct change_list *list);

	/* As in spool.h. indexes NULL: every recipient. */
	enum error (*read_message)(struct spool *spool, queue_id id, const uint32_t *indexes, size_t index_count,
	    struct arena *arena, struct message *out_message);
	enum error (*read_chunk)(struct spool *spool, queue_id id, uint32_t number, char *room, size_t *out_length);
	enum error (*scan_due)(struct spool *spool, const struct due_query *query, struct arena *arena,
	    struct spool_due **out_due, size_t *out_count);
	/* `domain` is lower case; query->shard is its shard. `flow` NULL: all of them, in any order, without query->after. */
	enum error (*scan_domain)(struct spool *spool, struct text domain, const struct flow *flow,
	    const struct due_query *query, struct arena *arena, struct spool_position **out_positions, size_t *out_count);
	enum error (*next_due)(struct spool *spool, unsigned shard, struct spool_position after, int64_t *out_due_ms);
	enum error (*list)(struct spool *spool, queue_id after, size_t max, struct arena *arena,
	    queue_id **out_ids, size_t *out_count);
	enum error (*list_newest)(
	    struct spool *spool, size_t max, struct arena *arena, queue_id **out_ids, size_t *out_count);
	enum error (*newest_id)(struct spool *spool, queue_id *out_id);
	enum error (*totals)(struct spool *spool, struct spool_totals *out_totals);
	enum error (*read_history)(struct spool *spool, queue_id id, struct arena *arena,
	    struct text **out_steps, size_t *out_count);
	enum error (*find_address)(struct spool *spool, uint64_t hash, size_t max, struct arena *arena,
	    queue_id **out_ids, size_t *out_count);
	enum error (*read_notes)(struct spool *spool, struct text prefix, struct arena *arena,
	    struct spool_note **out_notes, size_t *out_count);
	enum error (*tally_sets)(struct spool *spool, const struct tally_query *query, struct arena *arena,
	    struct tally_listed **out_sets, size_t *out_count);
	/* The domain is lower case. */
	enum error (*tally_rows)(struct spool *spool, const struct tally_set *set, uint64_t from, size_t max,
	    struct arena *arena, struct tally_row **out_rows, size_t *out_count);
};

struct spool {
	const struct engine *engine;
	bool read_only;
	_Atomic uint64_t notes_version;
	_Atomic int trouble;           /* An enum error, as spool_trouble says. */
	pthread_mutex_t mutex;
	pthread_cond_t port_idle;      /* A port that somebody waits to close may be closable. */
	struct spool_port *ports;
};

/* Steps of a message kept in its history: its first and its newest ones. */
enum { HISTORY_STEPS_FIRST = 100, HISTORY_STEPS_NEWEST = 100 };

/* Addresses by which one message is found. */
enum { HISTORY_ADDRESSES_MAX = 2048 };

void spool_init(struct spool *spool, const struct engine *engine);
void spool_done_with(struct spool *spool);

/* The domain in lower case as the indexes hold it. `room`: ADDRESS_DOMAIN_MAX bytes. */
struct text domain_lower(struct text domain, char *room);

/* Shard of a domain that is lower case already. */
unsigned shard_of_lower(struct text domain);

/* -- Ports ------------------------------------------------------------------ */

/* The earliest due time that a batch gave in each shard. */
struct due_news {
	int64_t due_ms[SPOOL_SHARD_COUNT]; /* INT64_MAX: none. */
};
void due_news_init(struct due_news *news);
void due_news_add(struct due_news *news, const struct recipient *recipient);

/* Give the changes of `list` (with their results) and `news` (NULL: none) to the ports, and wake
 * each port once that has got something. The mutex is free. */
void ports_finish(struct spool *spool, struct change_list *list, const struct due_news *news);

#endif
