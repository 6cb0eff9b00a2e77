/* What the LMDB engine promises beyond the contract: it lasts, it notices damage, it shares its folder. */
#include "spool/lmdb_engine.h"
#include "spool/test_support.h"

#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOMAIN TEXT("example.net")

struct world {
	char folder[64];
	struct door door;
};

static int open_world(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	folder_make(world->folder);
	door_open(&world->door, lmdb_open_in(world->folder), ALL_SHARDS);
	*state = world;
	return 0;
}

static void shut(struct world *world)
{
	struct spool *spool = world->door.spool;

	door_close(&world->door);
	spool_close(spool);
}

static void open_again(struct world *world)
{
	door_open(&world->door, lmdb_open_in(world->folder), ALL_SHARDS);
}

static int close_world(void **state)
{
	struct world *world = *state;

	shut(world);
	folder_remove(world->folder);
	free(world);
	return 0;
}

/* The database as LMDB sees it; nobody else has it open. */
struct raw {
	MDB_env *env;
	MDB_txn *txn;
};

static struct raw raw_open(const char *folder)
{
	struct raw raw;

	assert_int_equal(mdb_env_create(&raw.env), 0);
	assert_int_equal(mdb_env_set_maxdbs(raw.env, 16), 0);
	assert_int_equal(mdb_env_open(raw.env, folder, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(raw.env, NULL, 0, &raw.txn), 0);
	return raw;
}

static void raw_close(struct raw *raw)
{
	assert_int_equal(mdb_txn_commit(raw->txn), 0);
	mdb_env_close(raw->env);
}

static size_t raw_entries(const char *folder, const char *tree)
{
	struct raw raw = raw_open(folder);
	MDB_stat stat;
	MDB_dbi dbi;

	assert_int_equal(mdb_dbi_open(raw.txn, tree, 0, &dbi), 0);
	assert_int_equal(mdb_stat(raw.txn, dbi, &stat), 0);
	raw_close(&raw);
	return stat.ms_entries;
}

static void everything_is_there_after_reopening(void **state)
{
	struct world *world = *state;
	struct door *door = &world->door;
	struct recipient recipients[] = { recipient_to(0, DOMAIN, 10), recipient_to(1, DOMAIN, 20) };
	char room[SPOOL_CHUNK_SIZE], expected[SPOOL_CHUNK_SIZE];
	struct spool_position *positions;
	struct message message;
	struct text *steps;
	queue_id *ids;
	size_t count;

	assert_int_equal(door_commit(door, message_change(1, 2, recipients, 2)), OK);
	assert_int_equal(door_commit(door, record_change(1, "received", "a@x")), OK);
	put_simple(door, 2, DOMAIN, 5);
	assert_int_equal(door_commit(door, retire_change(2, 0)), OK);
	shut(world);
	open_again(world);

	assert_int_equal(spool_read_message(door->spool, 1, door->arena, &message), OK);
	assert_int_equal(message.recipient_count, 2);
	assert_int_equal(message.envelope.chunk_count, 2);
	assert_int_equal(spool_read_chunk(door->spool, 1, 1, room, &count), OK);
	assert_int_equal(count, chunk_bytes(1, 1, 2, expected).length);
	assert_memory_equal(room, expected, count);
	assert_int_equal(spool_scan_domain(door->spool, DOMAIN, 99, 9, door->arena,
			     &positions, &count), OK);
	assert_int_equal(count, 2);
	assert_int_equal(spool_read_history(door->spool, 1, door->arena, &steps, &count), OK);
	assert_int_equal(count, 1);
	assert_int_equal(spool_find_address(door->spool, TEXT("A@x"), 9, door->arena, &ids, &count), OK);
	assert_int_equal(count, 1);
	assert_false(spool_has(door, 2));
}

static void nothing_stays_behind(void **state)
{
	static const char *const trees[] = { "envelope", "recipient", "body", "unfinished", "due", "domain" };
	struct world *world = *state;
	struct recipient recipients[] = { recipient_to(0, DOMAIN, 10), recipient_to(1, TEXT("B.example"), 20) };
	struct spool_change *change = spool_change_new();

	assert_int_equal(door_commit(&world->door, message_change(1, 5, recipients, 2)), OK);
	recipients[0].due_ms = 99;
	spool_change_update(change, 1, &recipients[0]);
	spool_change_add_recipient(change, 1, &recipients[1]);
	assert_int_equal(door_commit(&world->door, change), OK);
	for (uint32_t index = 0; index < 3; index++)
		assert_int_equal(door_commit(&world->door, retire_change(1, index)), OK);

	/* Nor do the marks of bodies that came ahead: of one that was thrown away, and of one that became a message. */
	change = spool_change_new();
	spool_change_put_chunk(change, 2, 0, TEXT("a"));
	spool_change_put_chunk(change, 3, 0, TEXT("b"));
	assert_int_equal(door_commit(&world->door, change), OK);
	change = spool_change_new();
	spool_change_discard(change, 2);
	spool_change_put_message(change, &(struct message){ { .id = 3, .chunk_count = 1 }, recipients, 1 });
	assert_int_equal(door_commit(&world->door, change), OK);
	assert_int_equal(door_commit(&world->door, retire_change(3, 0)), OK);

	/* Histories beyond the bound leave no step either. */
	for (queue_id id = 10; id < 10 + 2 * TEST_HISTORY_MAX; id++)
		assert_int_equal(door_commit(&world->door, record_change(id, "step", "a@x")), OK);
	shut(world);
	for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
		assert_int_equal(raw_entries(world->folder, trees[i]), 0);
	assert_int_equal(raw_entries(world->folder, "history"), TEST_HISTORY_MAX);
	assert_int_equal(raw_entries(world->folder, "history_index"), TEST_HISTORY_MAX);
	open_again(world);
}

static void opening_sweeps_bodies_without_a_message(void **state)
{
	enum { ORPHANS = 200 };
	struct world *world = *state;
	struct door *door = &world->door;
	struct spool_change *change = spool_change_new();
	struct recipient recipient = recipient_to(0, DOMAIN, 1);

	for (queue_id id = 1; id <= ORPHANS; id++) {
		spool_change_put_chunk(change, 2 * id, 0, TEXT("a"));
		spool_change_put_chunk(change, 2 * id, 3, TEXT("b"));
	}
	assert_int_equal(door_commit(door, change), OK);
	for (queue_id id = 1; id <= ORPHANS; id += 3)
		assert_int_equal(door_commit(door, message_change(2 * id + 1, (uint32_t)id % 4, &recipient, 1)), OK);

	uint64_t messages = spool_messages(door);
	size_t chunks = 0;

	for (queue_id id = 1; id <= ORPHANS; id += 3)
		chunks += id % 4;
	shut(world);
	assert_int_equal(raw_entries(world->folder, "body"), chunks + 2 * ORPHANS);
	open_again(world);
	assert_int_equal(spool_messages(door), messages);
	shut(world);
	assert_int_equal(raw_entries(world->folder, "body"), chunks);
	assert_int_equal(raw_entries(world->folder, "unfinished"), 0);
	open_again(world);
}

/* P7. Every byte of the stored chunk, checksum and body, is guarded. */
static void a_damaged_chunk_is_noticed(void **state)
{
	static const size_t places[] = { 0, 7, 8, 500, 1008 };
	struct world *world = *state;
	char room[SPOOL_CHUNK_SIZE];
	size_t length;

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		char key_bytes[12] = { [6] = (char)(i + 1) }; /* IDs that are multiples of 256. */
		const queue_id id = (queue_id)(i + 1) << 8;
		MDB_val key = { sizeof key_bytes, key_bytes }, value;
		MDB_dbi dbi;

		put_simple(&world->door, id, DOMAIN, 1);
		assert_int_equal(spool_read_chunk(world->door.spool, id, 0, room, &length), OK);
		shut(world);

		struct raw raw = raw_open(world->folder);

		assert_int_equal(mdb_dbi_open(raw.txn, "body", 0, &dbi), 0);
		assert_int_equal(mdb_get(raw.txn, dbi, &key, &value), 0);
		assert_in_range(value.mv_size, places[i] + 1, 8 + 6000);

		char *bytes = malloc(value.mv_size);

		memcpy(bytes, value.mv_data, value.mv_size);
		bytes[places[i]] ^= 4;
		value.mv_data = bytes;
		assert_int_equal(mdb_put(raw.txn, dbi, &key, &value, 0), 0);
		raw_close(&raw);
		free(bytes);
		open_again(world);
		assert_int_equal(spool_read_chunk(world->door.spool, id, 0, room, &length), ERR_CORRUPT);
	}
}

static void another_format_is_refused(void **state)
{
	struct world *world = *state;
	const struct spool_lmdb_settings settings = { .path = world->folder };
	char name[] = "format", later[4] = { LMDB_FORMAT + 1 }, now[4] = { LMDB_FORMAT };
	MDB_val key = { 6, name }, value = { 4, later };
	struct spool *spool;
	struct raw raw;
	MDB_dbi dbi;

	shut(world);
	raw = raw_open(world->folder);
	assert_int_equal(mdb_dbi_open(raw.txn, "meta", 0, &dbi), 0);
	assert_int_equal(mdb_put(raw.txn, dbi, &key, &value, 0), 0);
	raw_close(&raw);
	assert_int_equal(spool_lmdb_open(&settings, &spool), ERR_UNSUPPORTED);
	raw = raw_open(world->folder);
	value.mv_data = now;
	assert_int_equal(mdb_dbi_open(raw.txn, "meta", 0, &dbi), 0);
	assert_int_equal(mdb_put(raw.txn, dbi, &key, &value, 0), 0);
	raw_close(&raw);
	open_again(world);
}

static void one_process_writes(void **state)
{
	struct world *world = *state;
	const struct spool_lmdb_settings settings = { .path = world->folder };
	struct spool *spool;

	assert_int_equal(spool_lmdb_open(&settings, &spool), ERR_BUSY);
	put_simple(&world->door, 1, DOMAIN, 1); /* Unharmed. */
}

static void a_folder_that_is_not_there(void **state)
{
	const struct spool_lmdb_settings absent = { .path = "/tmp/spool-test-none/here" };
	const struct spool_lmdb_settings look = { .path = "/tmp/spool-test-none", .read_only = true };
	struct world *world = *state;
	char path[96];
	struct stat status;
	struct spool *spool;

	assert_int_equal(spool_lmdb_open(&absent, &spool), ERR_NOT_FOUND);
	assert_int_equal(spool_lmdb_open(&look, &spool), ERR_NOT_FOUND);
	snprintf(path, sizeof path, "%s/made", world->folder);

	const struct spool_lmdb_settings made = { .path = path };

	assert_int_equal(spool_lmdb_open(&made, &spool), OK);
	spool_close(spool);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
	folder_remove(path);
}

/* -- Other processes ------------------------------------------------------------------- */

/* What the CLI does, in a process of its own. The exit status tells what went wrong. */
static void look_and_exit(const char *folder, unsigned user)
{
	const struct spool_lmdb_settings settings = { .path = folder, .read_only = true };
	struct arena *arena = arena_new(1 << 20);
	struct spool_port *port;
	struct message message;
	struct spool *spool;
	struct spool_totals totals;

	if (user != 0 && setuid(user) != 0)
		_exit(1);
	if (spool_lmdb_open(&settings, &spool) != OK)
		_exit(2);
	if (spool_port_open(spool, 0, NULL, NULL, &port) != ERR_UNSUPPORTED)
		_exit(3);
	if (spool_read_message(spool, 1, arena, &message) != OK || message.recipient_count != 1)
		_exit(4);
	if (spool_totals(spool, &totals) != OK || totals.messages != 1)
		_exit(5);
	spool_close(spool);
	arena_free(arena);
	_exit(0);
}

static int looked(const char *folder, unsigned user)
{
	const pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		look_and_exit(folder, user);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void others_may_look(void **state)
{
	struct world *world = *state;

	put_simple(&world->door, 1, DOMAIN, 1);
	assert_int_equal(looked(world->folder, 0), 0); /* While the server runs ... */
	shut(world);
	assert_int_equal(looked(world->folder, 0), 0); /* ... and when it does not. */
	open_again(world);
}

static void who_may_only_read_looks_when_nobody_writes(void **state)
{
	enum { NOBODY = 65534 };
	static const char *const files[] = { "data.mdb", "lock.mdb", "writer.lock" };
	struct world *world = *state;
	char path[96];

	if (geteuid() != 0)
		skip();
	put_simple(&world->door, 1, DOMAIN, 1);
	assert_int_equal(chmod(world->folder, 0755), 0);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", world->folder, files[i]);
		assert_int_equal(chmod(path, 0444), 0);
	}
	assert_int_equal(looked(world->folder, NOBODY), 2); /* Refused: its pages could change under it. */
	shut(world);
	assert_int_equal(looked(world->folder, NOBODY), 0);
	open_again(world);
}

/* -- Kill -9 --------------------------------------------------------------------------- */

enum { LOAD_IN_FLIGHT = 64 };
static const uint64_t RETIRED = UINT64_C(1) << 63;

/* One slot of the load: puts a message, then perhaps retires it, and tells what was answered. */
struct slot {
	struct load *load;
	queue_id id;
	bool retiring;
};

struct load {
	struct door door;
	int pipe;
	queue_id next_id;
	struct slot slots[LOAD_IN_FLIGHT];
};

static void slot_done(void *context, enum error result);

static void slot_next(struct slot *slot)
{
	struct recipient recipient = recipient_to(0, DOMAIN, 1);

	slot->id = slot->load->next_id++;
	slot->retiring = false;
	spool_submit(slot->load->door.port, message_change(slot->id, 1, &recipient, 1), slot_done, slot);
}

static void slot_done(void *context, enum error result)
{
	struct slot *slot = context;
	const uint64_t told = slot->retiring ? slot->id | RETIRED : slot->id;

	if (result != OK || write(slot->load->pipe, &told, sizeof told) != sizeof told)
		_exit(1);
	if (slot->retiring || slot->id % 3 != 0) {
		slot_next(slot);
		return;
	}
	slot->retiring = true;
	spool_submit(slot->load->door.port, retire_change(slot->id, 0), slot_done, slot);
}

static void load_until_killed(const char *folder, queue_id first, int pipe)
{
	struct load load = { .pipe = pipe, .next_id = first };

	door_open(&load.door, lmdb_open_in(folder), 0);
	for (size_t i = 0; i < LOAD_IN_FLIGHT; i++) {
		load.slots[i].load = &load;
		slot_next(&load.slots[i]);
	}
	for (;;)
		door_wait(&load.door);
}

/* Let it answer `count` times, kill it, and give all that it had told until then. */
static size_t run_load(const char *folder, queue_id first, size_t count, uint64_t *told, size_t told_max)
{
	size_t heard = 0;
	ssize_t got;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);

	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		load_until_killed(folder, first, ends[1]);
	close(ends[1]);
	while (heard < told_max && (got = read(ends[0], &told[heard], sizeof *told)) == sizeof *told) {
		if (++heard == count)
			kill(child, SIGKILL);
	}
	close(ends[0]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_in_range(heard, count, told_max);
	return heard;
}

static void what_was_answered_survives_kill_9(void **state)
{
	enum { ROUNDS = 5, TOLD_MAX = 100000 };
	struct world *world = *state;
	uint64_t *told = malloc(TOLD_MAX * sizeof *told);
	queue_id *retired = malloc(TOLD_MAX * sizeof *retired);
	char room[SPOOL_CHUNK_SIZE];
	size_t length;

	for (size_t round = 0; round < ROUNDS; round++) {
		size_t retired_count = 0;

		shut(world);

		const size_t heard = run_load(world->folder, 1 + round * 1000000, 500 + 333 * round, told, TOLD_MAX);

		open_again(world); /* Whatever is left of the dead one's lock. */
		for (size_t i = 0; i < heard; i++) {
			if (told[i] & RETIRED) {
				retired[retired_count++] = told[i] & ~RETIRED;
				assert_false(spool_has(&world->door, told[i] & ~RETIRED));
			}
			arena_reset(world->door.arena);
		}
		for (size_t i = 0; i < heard; i++) {
			if (told[i] & RETIRED || told[i] % 3 == 0) /* May be retired by now. */
				continue;
			assert_true(spool_has(&world->door, told[i]));
			assert_int_equal(spool_read_chunk(world->door.spool, told[i], 0, room, &length), OK);
			arena_reset(world->door.arena);
		}
		assert_true(retired_count > 0);
	}
	free(told);
	free(retired);
}

/* A power cut while the first database was made left half of it, where nobody takes it for the database. */
static void a_database_that_was_half_made_is_made_anew(void **state)
{
	char folder[64], path[128];
	struct door door;

	(void)state;
	folder_make(folder);
	snprintf(path, sizeof path, "%s/making", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/making/data.mdb", folder);

	FILE *half = fopen(path, "w");

	assert_non_null(half);
	fprintf(half, "half a page");
	fclose(half);
	door_open(&door, lmdb_open_in(folder), ALL_SHARDS);
	put_simple(&door, 1, TEXT("example.net"), 1);
	assert_true(spool_has(&door, 1));

	struct spool *spool = door.spool;

	door_close(&door);
	spool_close(spool);
	assert_int_equal(access(path, F_OK), -1);
	folder_remove(folder);
}

#define IN_WORLD(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_database_that_was_half_made_is_made_anew),
		IN_WORLD(everything_is_there_after_reopening),
		IN_WORLD(nothing_stays_behind),
		IN_WORLD(opening_sweeps_bodies_without_a_message),
		IN_WORLD(a_damaged_chunk_is_noticed),
		IN_WORLD(another_format_is_refused),
		IN_WORLD(one_process_writes),
		IN_WORLD(a_folder_that_is_not_there),
		IN_WORLD(others_may_look),
		IN_WORLD(who_may_only_read_looks_when_nobody_writes),
		IN_WORLD(what_was_answered_survives_kill_9),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
