/* What the spool's tests share: engines to run on, a door to wait at, and mail to put in. */
#ifndef SPOOL_TEST_SUPPORT_H
#define SPOOL_TEST_SUPPORT_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/spool.h"

enum { ARENA_BYTES = 64 << 20, ALL_SHARDS = (1 << SPOOL_SHARD_COUNT) - 1, TEST_HISTORY_MAX = 50 };

/* A spool with one port, whose thread waits when told to. */
struct door {
	struct spool *spool;
	struct spool_port *port;
	struct arena *arena;
	pthread_mutex_t mutex;
	pthread_cond_t woken;
	unsigned wakes;
	unsigned gathered; /* Calls of a port that gathers. */
};

struct engine_opener {
	const char *name;
	struct spool *(*open)(const char *folder); /* The same folder again: the same spool, if it is durable. */
};
extern const struct engine_opener engine_memory, engine_lmdb;

/* A new empty folder under /tmp; and its end. */
void folder_make(char room[64]);
void folder_remove(const char *folder);

/* An LMDB spool in `folder`. */
struct spool *lmdb_open_in(const char *folder);

void door_open(struct door *door, struct spool *spool, uint32_t shards);
void door_close(struct door *door); /* The spool stays. */

/* Wait until wake was called since the last time, then poll. */
size_t door_wait(struct door *door);

/* Submit, wait, and say how it went. */
enum error door_commit(struct door *door, struct spool_change *change);

/* A done that counts in the port's thread. */
struct outcome {
	unsigned calls;
	enum error result;
};
void outcome_done(void *context, enum error result);

/* A recipient "user<index>@<domain>". Static text. */
struct recipient recipient_to(uint32_t index, struct text domain, int64_t due_ms);

/* An envelope from sender@example.org with every field set. */
struct envelope envelope_of(queue_id id, uint32_t chunk_count);

/* A message with its body of `chunk_count` chunks (filled with its ID), in one change. */
struct spool_change *message_change(queue_id id, uint32_t chunk_count, struct recipient *recipients, uint32_t count);

/* Put it and see that it went well; one recipient at `domain`, one chunk. */
void put_simple(struct door *door, queue_id id, struct text domain, int64_t due_ms);

/* The bytes of chunk `number` as message_change makes them; the last one is shorter. */
struct text chunk_bytes(queue_id id, uint32_t number, uint32_t count, char room[SPOOL_CHUNK_SIZE]);

/* One-operation changes. */
struct spool_change *retire_change(queue_id id, uint32_t index);
struct spool_change *record_change(queue_id id, const char *step, const char *address);

/* -- One test on both engines ------------------------------------------------- */

struct contract_world {
	const struct engine_opener *engine;
	char folder[64];
	struct door door; /* Hears of every shard. */
};
int set_up_memory(void **state);
int set_up_lmdb(void **state);
int tear_down(void **state);
struct door *door_of(void **state);

#define ON(engine, function) \
	{ #function " (" #engine ")", function, set_up_##engine, tear_down, NULL }
#define BOTH(function) ON(memory, function), ON(lmdb, function)

void expect_text(struct text text, const char *expected);

bool spool_has(struct door *door, queue_id id);
uint64_t spool_messages(struct door *door);

#endif
