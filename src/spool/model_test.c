/* Random changes on the memory engine and on LMDB side by side: whatever is read must be equal. */
#include "spool/test_support.h"

#include <stdio.h>
#include <stdlib.h>

#include "spool/flow.h"
#include "spool/tally.h"

enum {
	STEPS = 3000, COMPARE_EVERY = 50, IDS = 40, OPS_MAX = 4, REOPEN_EVERY = 701,
	SPREAD_MS = 400000 /* Due times lie within and across the periods of LMDB's index. */
};

static const struct text domains[] = {
	{ "a.example", 9 }, { "b.example", 9 }, { "C.example", 9 }, { "c.example", 9 }, { "[IPv6:2001:DB8::1]", 18 },
};
enum { DOMAINS = sizeof domains / sizeof *domains };

struct world {
	struct door model, lmdb;
	char folder[64];
	uint64_t random; /* xorshift64: the same everywhere for one seed. */
	queue_id newest;
};

static uint64_t next_random(struct world *world)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return world->random;
}

static uint64_t below(struct world *world, uint64_t bound)
{
	return (next_random(world) >> 11) % bound;
}

/* IDs used once for messages; others mostly hit what may still be there. */
static queue_id some_id(struct world *world)
{
	const queue_id back = below(world, IDS) + 1;

	return world->newest > back ? world->newest - back + 1 : 1;
}

static struct recipient random_recipient(struct world *world, uint32_t index)
{
	struct recipient recipient = recipient_to(index, domains[below(world, DOMAINS)], (int64_t)below(world, 20) * SPREAD_MS);

	recipient.flags = below(world, 6) == 0 ? RECIPIENT_HELD : 0;
	recipient.attempt_count = (uint32_t)below(world, 9);
	if (below(world, 2) == 0)
		recipient.last = VERDICT(450, 4, 2, 1, "not now");
	return recipient;
}

/* One operation for both changes; its arguments are evaluated twice. */
struct pair {
	struct spool_change *model, *lmdb;
};

#define TO_BOTH(pair, call, ...)               \
	do {                                   \
		call((pair)->model, __VA_ARGS__); \
		call((pair)->lmdb, __VA_ARGS__);  \
	} while (0)

static void add_message(struct world *world, struct pair *pair)
{
	const queue_id id = below(world, 10) == 0 ? some_id(world) : ++world->newest;
	const uint32_t chunks = (uint32_t)below(world, 3);
	const uint32_t count = (uint32_t)below(world, 3) + 1;
	struct recipient recipients[3];
	char room[SPOOL_CHUNK_SIZE];

	for (uint32_t i = 0; i < count; i++)
		recipients[i] = random_recipient(world, i);

	const struct message message = { envelope_of(id, chunks), recipients, count };

	for (uint32_t i = 0; i < chunks; i++) {
		const struct text bytes = chunk_bytes(id, i, chunks, room);

		if (below(world, 50) != 0) /* Now and then a hole. */
			TO_BOTH(pair, spool_change_put_chunk, id, i, bytes);
	}
	TO_BOTH(pair, spool_change_put_message, &message);
}

static void add_record(struct world *world, struct pair *pair, queue_id id)
{
	char step[32], address[16];
	struct text addresses[2] = { TEXT("Same@Example.org") };
	const int length = snprintf(step, sizeof step, "step %u", (unsigned)below(world, 1000));

	snprintf(address, sizeof address, "u%u@x", (unsigned)below(world, 5));
	addresses[1] = text_of(address);

	const size_t count = below(world, 3);

	TO_BOTH(pair, spool_change_record, id, ((struct text){ step, (size_t)length }), addresses, count);
}

/* Its totals are small, so that a drop often hits the right one. */
static void add_tally(struct world *world, struct pair *pair)
{
	char row[8];
	const struct tally_set set = { below(world, 2) == 0 ? TALLY_TLS : TALLY_DMARC, 20000 + (uint32_t)below(world, 2),
		domains[below(world, DOMAINS)] };
	const uint64_t total = below(world, 4);

	if (below(world, 3) == 0) {
		TO_BOTH(pair, spool_change_tally_drop, &set, total);
		return;
	}
	snprintf(row, sizeof row, "row %u", (unsigned)below(world, 3));
	TO_BOTH(pair, spool_change_tally, &set, text_of(row), (uint32_t)(total > 0 ? total : 1));
}

static void add_random_op(struct world *world, struct pair *pair)
{
	const queue_id id = some_id(world);
	const uint32_t index = (uint32_t)below(world, 4);
	struct recipient recipient = random_recipient(world, index);
	struct spool_steering steering;

	switch (below(world, 12)) {
	case 0:
	case 1:
	case 2:
		add_message(world, pair);
		break;
	case 3:
	case 4:
		TO_BOTH(pair, spool_change_retire, id, index);
		break;
	case 5:
		TO_BOTH(pair, spool_change_update, id, &recipient);
		break;
	case 10:
		steering = (struct spool_steering){ .held = (unsigned)below(world, 4),
			.due_ms = (int64_t)below(world, 20) * SPREAD_MS,
			.end = (unsigned)below(world, 3),
			.via = below(world, 2) == 0 ? TEXT("relay.test") : TEXT_EMPTY };
		if (below(world, 3) == 0)
			steering.due_ms = -1;
		TO_BOTH(pair, spool_change_steer, id, index, &steering);
		break;
	case 11:
		add_tally(world, pair);
		break;
	case 6:
		TO_BOTH(pair, spool_change_add_recipient, id, &recipient);
		break;
	case 7:
		if (below(world, 4) == 0)
			TO_BOTH(pair, spool_change_discard, id);
		else if (++world->newest)
			TO_BOTH(pair, spool_change_put_chunk, world->newest, 0, TEXT("stray"));
		break;
	default:
		add_record(world, pair, id);
	}
}

static void expect_same_text(struct text a, struct text b)
{
	assert_int_equal(a.length, b.length);
	if (a.length > 0)
		assert_memory_equal(a.bytes, b.bytes, a.length);
}

static void expect_same_recipient(const struct recipient *a, const struct recipient *b)
{
	assert_int_equal(a->index, b->index);
	expect_same_text(a->address.local, b->address.local);
	expect_same_text(a->address.domain, b->address.domain);
	expect_same_text(a->original, b->original);
	assert_int_equal(a->notify, b->notify);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->attempt_count, b->attempt_count);
	assert_int_equal(a->due_ms, b->due_ms);
	assert_int_equal(a->last.code, b->last.code);
	expect_same_text(a->last.text, b->last.text);
	expect_same_text(a->via, b->via);
}

static void compare_body(struct world *world, queue_id id)
{
	static char a[SPOOL_CHUNK_SIZE], b[SPOOL_CHUNK_SIZE];

	for (uint32_t number = 0; number < 3; number++) {
		size_t a_length = 0, b_length = 0;
		const enum error expected = spool_read_chunk(world->model.spool, id, number, a, &a_length);

		assert_int_equal(spool_read_chunk(world->lmdb.spool, id, number, b, &b_length), expected);
		expect_same_text((struct text){ a, a_length }, (struct text){ b, b_length });
	}
}

static void compare_history(struct world *world, queue_id id)
{
	struct text *a, *b;
	size_t a_count = 0, b_count = 0;
	const enum error expected = spool_read_history(world->model.spool, id, world->model.arena, &a, &a_count);

	assert_int_equal(spool_read_history(world->lmdb.spool, id, world->lmdb.arena, &b, &b_count), expected);
	assert_int_equal(a_count, b_count);
	for (size_t i = 0; i < a_count; i++)
		expect_same_text(a[i], b[i]);
}

static void compare_message(struct world *world, queue_id id)
{
	struct message a = { 0 }, b = { 0 };
	const enum error expected = spool_read_message(world->model.spool, id, world->model.arena, &a);

	assert_int_equal(spool_read_message(world->lmdb.spool, id, world->lmdb.arena, &b), expected);
	assert_int_equal(a.recipient_count, b.recipient_count);
	assert_int_equal(a.envelope.chunk_count, b.envelope.chunk_count);
	for (uint32_t i = 0; i < a.recipient_count; i++)
		expect_same_recipient(&a.recipients[i], &b.recipients[i]);
}

static void compare_due(struct world *world, unsigned shard)
{
	const struct spool_position after = { (int64_t)below(world, 10) * SPREAD_MS, below(world, 100),
		(uint32_t)below(world, 3) };
	struct spool_due *a, *b;
	size_t a_count, b_count;
	int64_t a_next, b_next;

	assert_int_equal(spool_scan_due(world->model.spool, shard, after, 17 * SPREAD_MS, 300, world->model.arena, &a, &a_count), OK);
	assert_int_equal(spool_scan_due(world->lmdb.spool, shard, after, 17 * SPREAD_MS, 300, world->lmdb.arena, &b, &b_count), OK);
	assert_int_equal(a_count, b_count);
	for (size_t i = 0; i < a_count; i++) {
		assert_int_equal(a[i].position.due_ms, b[i].position.due_ms);
		assert_int_equal(a[i].position.id, b[i].position.id);
		assert_int_equal(a[i].position.index, b[i].position.index);
		expect_same_text(a[i].domain, b[i].domain);
		assert_true(flow_equal(a[i].flow, b[i].flow));
	}
	assert_int_equal(spool_next_due(world->model.spool, shard, after, &a_next), OK);
	assert_int_equal(spool_next_due(world->lmdb.spool, shard, after, &b_next), OK);
	assert_int_equal(a_next, b_next);
}

static void compare_domain(struct world *world, struct text domain)
{
	const struct spool_position after = { (int64_t)below(world, 10) * SPREAD_MS, below(world, 100), 0 };
	struct spool_position *a, *b;
	size_t a_count, b_count;

	const struct envelope envelope = envelope_of(6 * below(world, 2), 0);
	const struct flow flow = flow_of(&envelope);

	assert_int_equal(spool_scan_domain(world->model.spool, domain, 15 * SPREAD_MS, 30, world->model.arena, &a, &a_count), OK);
	assert_int_equal(spool_scan_domain(world->lmdb.spool, domain, 15 * SPREAD_MS, 30, world->lmdb.arena, &b, &b_count), OK);
	assert_int_equal(a_count, b_count);
	assert_int_equal(spool_scan_flow(world->model.spool, domain, flow, after, 15 * SPREAD_MS, 30, world->model.arena, &a, &a_count), OK);
	assert_int_equal(spool_scan_flow(world->lmdb.spool, domain, flow, after, 15 * SPREAD_MS, 30, world->lmdb.arena, &b, &b_count), OK);
	assert_int_equal(a_count, b_count);
	for (size_t i = 0; i < a_count; i++) {
		assert_int_equal(a[i].due_ms, b[i].due_ms);
		assert_int_equal(a[i].id, b[i].id);
		assert_int_equal(a[i].index, b[i].index);
	}
}

static void compare_address(struct world *world, struct text address)
{
	queue_id *a, *b;
	size_t a_count, b_count;

	assert_int_equal(spool_find_address(world->model.spool, address, 20, world->model.arena, &a, &a_count), OK);
	assert_int_equal(spool_find_address(world->lmdb.spool, address, 20, world->lmdb.arena, &b, &b_count), OK);
	assert_int_equal(a_count, b_count);
	for (size_t i = 0; i < a_count; i++)
		assert_int_equal(a[i], b[i]);
}

static void expect_same_rows(struct world *world, const struct tally_set *set)
{
	struct tally_row *a, *b;
	size_t a_count, b_count;

	assert_int_equal(spool_tally_rows(world->model.spool, set, 0, 9, world->model.arena, &a, &a_count), OK);
	assert_int_equal(spool_tally_rows(world->lmdb.spool, set, 0, 9, world->lmdb.arena, &b, &b_count), OK);
	assert_int_equal(a_count, b_count);
	for (size_t i = 0; i < a_count; i++) {
		assert_int_equal(a[i].key, b[i].key);
		assert_int_equal(a[i].count, b[i].count);
		expect_same_text(a[i].bytes, b[i].bytes);
	}
}

static void compare_tallies(struct world *world, enum tally_kind kind)
{
	struct tally_listed *a, *b;
	size_t a_count, b_count;

	assert_int_equal(spool_tally_sets(world->model.spool, kind, 20001, NULL, 99, world->model.arena, &a, &a_count), OK);
	assert_int_equal(spool_tally_sets(world->lmdb.spool, kind, 20001, NULL, 99, world->lmdb.arena, &b, &b_count), OK);
	assert_int_equal(a_count, b_count);
	for (size_t i = 0; i < a_count; i++) {
		assert_int_equal(a[i].set.day, b[i].set.day);
		expect_same_text(a[i].set.domain, b[i].set.domain);
		assert_memory_equal(&a[i].sum, &b[i].sum, sizeof a->sum);
		expect_same_rows(world, &a[i].set);
	}
}

static void compare_totals(struct world *world)
{
	struct spool_totals a, b;
	queue_id a_newest, b_newest;

	assert_int_equal(spool_totals(world->model.spool, &a), OK);
	assert_int_equal(spool_totals(world->lmdb.spool, &b), OK);
	assert_int_equal(a.messages, b.messages);
	assert_int_equal(a.recipients, b.recipients);
	assert_int_equal(a.history_messages, b.history_messages);
	assert_int_equal(spool_newest_id(world->model.spool, &a_newest), OK);
	assert_int_equal(spool_newest_id(world->lmdb.spool, &b_newest), OK);
	assert_int_equal(a_newest, b_newest);
}

static void compare_all(struct world *world)
{
	compare_totals(world);
	compare_tallies(world, TALLY_TLS);
	compare_tallies(world, TALLY_DMARC);
	for (queue_id id = world->newest > 2 * IDS ? world->newest - 2 * IDS : 1; id <= world->newest; id++) {
		compare_message(world, id);
		compare_history(world, id);
		compare_body(world, id);
	}
	for (unsigned shard = 0; shard < SPOOL_SHARD_COUNT; shard++)
		compare_due(world, shard);
	for (size_t i = 0; i < DOMAINS; i++)
		compare_domain(world, domains[i]);
	compare_address(world, TEXT("same@example.org"));
	compare_address(world, TEXT("u3@x"));
	arena_reset(world->model.arena);
	arena_reset(world->lmdb.arena);
}

/* What opening LMDB does to bodies without a message (P6). */
static void sweep_model(struct world *world)
{
	for (queue_id id = 1; id <= world->newest; id++) {
		struct spool_change *change = spool_change_new();

		spool_change_discard(change, id);
		(void)door_commit(&world->model, change);
	}
	for (unsigned shard = 0; shard < SPOOL_SHARD_COUNT; shard++)
		(void)spool_port_news(world->model.port, shard);
}

static void reopen(struct world *world)
{
	struct spool *spool = world->lmdb.spool;

	door_close(&world->lmdb);
	spool_close(spool);
	door_open(&world->lmdb, lmdb_open_in(world->folder), ALL_SHARDS);
	sweep_model(world);
}

static void run(struct world *world)
{
	unsigned counts[2] = { 0 };

	for (unsigned step = 1; step <= STEPS; step++) {
		struct pair pair = { spool_change_new(), spool_change_new() };
		const uint64_t ops = 1 + below(world, OPS_MAX);

		for (uint64_t i = 0; i < ops; i++)
			add_random_op(world, &pair);

		const enum error expected = door_commit(&world->model, pair.model);

		if (door_commit(&world->lmdb, pair.lmdb) != expected)
			fail_msg("step %u: not %s", step, error_text(expected));
		counts[expected == OK]++;
		for (unsigned shard = 0; shard < SPOOL_SHARD_COUNT; shard++)
			assert_int_equal(spool_port_news(world->model.port, shard), spool_port_news(world->lmdb.port, shard));
		if (step % COMPARE_EVERY == 0)
			compare_all(world);
		if (step % REOPEN_EVERY == 0)
			reopen(world);
	}
	assert_true(counts[true] > STEPS / 10 && counts[false] > STEPS / 10);
}

static void lmdb_does_what_the_model_does(void **state)
{
	static const uint64_t seeds[] = { 1, 20261124, 0x9e3779b97f4a7c15 };

	(void)state;
	for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
		struct world world = { .random = seeds[i] };

		folder_make(world.folder);
		door_open(&world.model, engine_memory.open(NULL), ALL_SHARDS);
		door_open(&world.lmdb, lmdb_open_in(world.folder), ALL_SHARDS);
		run(&world);

		struct spool *spools[] = { world.model.spool, world.lmdb.spool };

		door_close(&world.model);
		door_close(&world.lmdb);
		spool_close(spools[0]);
		spool_close(spools[1]);
		folder_remove(world.folder);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lmdb_does_what_the_model_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
