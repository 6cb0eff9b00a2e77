#include "spool/test_support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/memory.h"

static struct spool *open_memory(const char *folder)
{
	struct spool *spool = NULL;

	(void)folder;
	assert_int_equal(memory_open_bounded(TEST_HISTORY_MAX, &spool), OK);
	return spool;
}

struct spool *lmdb_open_in(const char *folder)
{
	const struct spool_lmdb_settings settings = { .path = folder, .history_max = TEST_HISTORY_MAX };
	struct spool *spool = NULL;

	assert_int_equal(spool_lmdb_open(&settings, &spool), OK);
	return spool;
}

const struct engine_opener engine_memory = { "memory", open_memory };
const struct engine_opener engine_lmdb = { "lmdb", lmdb_open_in };

void folder_make(char room[64])
{
	snprintf(room, 64, "/tmp/spool-test-XXXXXX");
	assert_non_null(mkdtemp(room));
}

void folder_remove(const char *folder)
{
	DIR *entries = opendir(folder);
	const struct dirent *entry;
	char path[512];

	while (entries != NULL && (entry = readdir(entries)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.')
			assert_int_equal(unlink(path), 0);
	}
	if (entries != NULL)
		closedir(entries);
	assert_int_equal(rmdir(folder), 0);
}

static void wake(void *context)
{
	struct door *door = context;

	pthread_mutex_lock(&door->mutex);
	door->wakes++;
	pthread_cond_signal(&door->woken);
	pthread_mutex_unlock(&door->mutex);
}

void door_open(struct door *door, struct spool *spool, uint32_t shards)
{
	*door = (struct door){ .spool = spool, .arena = arena_new(ARENA_BYTES) };
	pthread_mutex_init(&door->mutex, NULL);
	pthread_cond_init(&door->woken, NULL);
	assert_int_equal(spool_port_open(spool, shards, wake, door, &door->port), OK);
}

void door_close(struct door *door)
{
	spool_port_close(door->port);
	arena_free(door->arena);
	pthread_mutex_destroy(&door->mutex);
	pthread_cond_destroy(&door->woken);
}

size_t door_wait(struct door *door)
{
	pthread_mutex_lock(&door->mutex);
	while (door->wakes == 0)
		pthread_cond_wait(&door->woken, &door->mutex);
	door->wakes = 0;
	pthread_mutex_unlock(&door->mutex);
	return spool_port_poll(door->port);
}

void outcome_done(void *context, enum error result)
{
	struct outcome *outcome = context;

	outcome->calls++;
	outcome->result = result;
}

enum error door_commit(struct door *door, struct spool_change *change)
{
	struct outcome outcome = { 0 };

	spool_submit(door->port, change, outcome_done, &outcome);
	while (outcome.calls == 0)
		door_wait(door);
	return outcome.result;
}

struct recipient recipient_to(uint32_t index, struct text domain, int64_t due_ms)
{
	static const struct text users[] = { { "user0", 5 }, { "user1", 5 }, { "user2", 5 }, { "user3", 5 } };

	return (struct recipient){
		.index = index,
		.address = { .local = users[index % 4], .domain = domain },
		.original = TEXT("rfc822;Original@example.org"),
		.notify = DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY,
		.due_ms = due_ms,
	};
}

struct envelope envelope_of(queue_id id, uint32_t chunk_count)
{
	return (struct envelope){
		.id = id,
		.arrived_ms = 1700000000123,
		.expires_ms = 1700432000123,
		.held_until_ms = 1700000900123,
		.deliver_by_ms = 1700001900123,
		.flags = ENVELOPE_8BIT | ENVELOPE_SMTPUTF8,
		.priority = -4,
		.dsn_return = DSN_RETURN_HEADERS,
		.reverse_path = { .local = TEXT("sender"), .domain = TEXT("example.org") },
		.envelope_id = TEXT("QQ314159"),
		.client = TEXT("client.example[192.0.2.1]"),
		.user = id % 7 == 6 ? TEXT("uid 1001") : TEXT("uid 1000"),
		.body_size = 77,
		.chunk_count = chunk_count,
	};
}

struct text chunk_bytes(queue_id id, uint32_t number, uint32_t count, char room[SPOOL_CHUNK_SIZE])
{
	const size_t length = number + 1 < count ? SPOOL_CHUNK_SIZE : 1000 + id % 5000;

	for (size_t i = 0; i < length; i++)
		room[i] = (char)(id * 7 + number * 13 + i);
	return (struct text){ room, length };
}

struct spool_change *message_change(queue_id id, uint32_t chunk_count, struct recipient *recipients, uint32_t count)
{
	struct spool_change *change = spool_change_new();
	const struct message message = { envelope_of(id, chunk_count), recipients, count };
	char room[SPOOL_CHUNK_SIZE];

	assert_non_null(change);
	for (uint32_t i = 0; i < chunk_count; i++)
		spool_change_put_chunk(change, id, i, chunk_bytes(id, i, chunk_count, room));
	spool_change_put_message(change, &message);
	return change;
}

void put_simple(struct door *door, queue_id id, struct text domain, int64_t due_ms)
{
	struct recipient recipient = recipient_to(0, domain, due_ms);

	assert_int_equal(door_commit(door, message_change(id, 1, &recipient, 1)), OK);
}

struct spool_change *retire_change(queue_id id, uint32_t index)
{
	struct spool_change *change = spool_change_new();

	assert_non_null(change);
	spool_change_retire(change, id, index);
	return change;
}

struct spool_change *record_change(queue_id id, const char *step, const char *address)
{
	struct spool_change *change = spool_change_new();
	const struct text text = text_of(address);

	assert_non_null(change);
	spool_change_record(change, id, text_of(step), &text, address ? 1 : 0);
	return change;
}

bool spool_has(struct door *door, queue_id id)
{
	struct message message;
	const enum error error = spool_read_message(door->spool, id, door->arena, &message);

	assert_true(error == OK || error == ERR_NOT_FOUND);
	return error == OK;
}

uint64_t spool_messages(struct door *door)
{
	struct spool_totals totals;

	assert_int_equal(spool_totals(door->spool, &totals), OK);
	return totals.messages;
}

static int set_up(void **state, const struct engine_opener *engine)
{
	struct contract_world *world = calloc(1, sizeof *world);

	world->engine = engine;
	folder_make(world->folder);
	door_open(&world->door, engine->open(world->folder), ALL_SHARDS);
	*state = world;
	return 0;
}

int set_up_memory(void **state)
{
	return set_up(state, &engine_memory);
}

int set_up_lmdb(void **state)
{
	return set_up(state, &engine_lmdb);
}

int tear_down(void **state)
{
	struct contract_world *world = *state;
	struct spool *spool = world->door.spool;

	door_close(&world->door);
	spool_close(spool);
	folder_remove(world->folder);
	free(world);
	return 0;
}

struct door *door_of(void **state)
{
	return &((struct contract_world *)*state)->door;
}

void expect_text(struct text text, const char *expected)
{
	assert_int_equal(text.length, strlen(expected));
	assert_memory_equal(text.bytes, expected, text.length);
}
