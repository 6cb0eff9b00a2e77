/* Tallies, in both engines: counted with their facts, listed in order, bounded, dropped once. */
#include "spool/tally.h"

#include <stdio.h>

#include "spool/test_support.h"

enum { DAY = 20000, OPS_OF_ONE_CHANGE = 1000 };

static const struct tally_set here = { TALLY_TLS, DAY, { "example.org", 11 } };

static struct tally_set set_of(enum tally_kind kind, uint32_t day, struct text domain)
{
	return (struct tally_set){ kind, day, domain };
}

static enum error count(struct door *door, struct tally_set set, struct text row, uint32_t added)
{
	struct spool_change *change = spool_change_new();

	spool_change_tally(change, &set, row, added);
	return door_commit(door, change);
}

static enum error drop(struct door *door, struct tally_set set, uint64_t total)
{
	struct spool_change *change = spool_change_new();

	spool_change_tally_drop(change, &set, total);
	return door_commit(door, change);
}

static size_t list(struct door *door, uint32_t until, const struct tally_set *after, size_t max, struct tally_listed **out_sets)
{
	size_t listed;

	assert_int_equal(spool_tally_sets(door->spool, TALLY_TLS, until, after, max, door->arena, out_sets, &listed), OK);
	return listed;
}

/* The sum of a set; all 0 if it is not there. */
static struct tally_sum sum_of(struct door *door, struct tally_set set)
{
	struct tally_listed *sets;
	const size_t listed = list(door, UINT32_MAX, NULL, 100, &sets);

	for (size_t i = 0; i < listed; i++)
		if (sets[i].set.day == set.day && text_equal(sets[i].set.domain, set.domain))
			return sets[i].sum;
	return (struct tally_sum){ 0 };
}

static size_t rows(struct door *door, struct tally_set set, struct tally_row **out_rows)
{
	size_t read;

	assert_int_equal(spool_tally_rows(door->spool, &set, 0, 100, door->arena, out_rows, &read), OK);
	return read;
}

static void a_row_is_counted_on(void **state)
{
	struct contract_world *world = *state;
	struct door *door = door_of(state);
	struct tally_row *read;

	assert_int_equal(rows(door, here, &read), 0);
	assert_int_equal(count(door, here, TEXT("good"), 1), OK);
	assert_int_equal(count(door, set_of(TALLY_TLS, DAY, TEXT("Example.ORG")), TEXT("good"), 2), OK);
	assert_int_equal(count(door, here, TEXT("bad"), 5), OK);
	assert_int_equal(count(door, set_of(TALLY_DMARC, DAY, here.domain), TEXT("good"), 9), OK);
	if (world->engine == &engine_lmdb) { /* Durable. */
		door_close(door);
		spool_close(door->spool);
		door_open(door, lmdb_open_in(world->folder), UINT32_MAX);
	}
	assert_int_equal(rows(door, here, &read), 2);
	assert_true(read[0].key < read[1].key);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(read[i].count, text_equal(read[i].bytes, TEXT("good")) ? 3 : 5);
	assert_int_equal(sum_of(door, here).total, 8);
	assert_int_equal(sum_of(door, here).rows, 2);
	assert_int_equal(sum_of(door, here).overflow, 0);
	assert_int_equal(rows(door, set_of(TALLY_TLS, DAY + 1, here.domain), &read), 0);
	assert_int_equal(rows(door, set_of(TALLY_TLS, DAY, TEXT("example.or")), &read), 0);
}

static void rows_come_in_pages(void **state)
{
	struct door *door = door_of(state);
	struct tally_row *read;
	size_t got;

	for (unsigned i = 0; i < 5; i++) {
		const char letter[] = { (char)('a' + i), 0 };

		assert_int_equal(count(door, here, text_of(letter), i + 1), OK);
	}

	uint64_t from = 0, sum = 0;

	for (unsigned page = 0; page < 3; page++) {
		assert_int_equal(spool_tally_rows(door->spool, &here, from, 2, door->arena, &read, &got), OK);
		assert_int_equal(got, page < 2 ? 2 : 1);
		for (size_t i = 0; i < got; i++)
			sum += read[i].count;
		from = read[got - 1].key + 1;
	}
	assert_int_equal(sum, 15);
}

static void sets_are_listed_by_day_and_domain(void **state)
{
	struct door *door = door_of(state);
	struct tally_listed *sets;

	count(door, set_of(TALLY_TLS, DAY + 1, TEXT("a.test")), TEXT("x"), 1);
	count(door, set_of(TALLY_TLS, DAY, TEXT("c.test")), TEXT("x"), 1);
	count(door, set_of(TALLY_TLS, DAY, TEXT("b.test")), TEXT("x"), 1);
	count(door, set_of(TALLY_DMARC, DAY, TEXT("a.test")), TEXT("x"), 1);
	assert_int_equal(list(door, DAY, NULL, 10, &sets), 3);
	assert_int_equal(sets[0].set.domain.length, 0); /* T3 */
	assert_int_equal(sets[0].sum.rows, 2);
	expect_text(sets[1].set.domain, "b.test");
	expect_text(sets[2].set.domain, "c.test");
	assert_int_equal(list(door, DAY + 1, NULL, 10, &sets), 5);
	assert_int_equal(sets[4].set.day, DAY + 1);
	expect_text(sets[4].set.domain, "a.test");
	assert_int_equal(list(door, DAY - 1, NULL, 10, &sets), 0);

	/* A page ends where the next begins, also when its last set is gone meanwhile. */
	assert_int_equal(list(door, DAY + 1, NULL, 2, &sets), 2);

	const struct tally_set last = sets[1].set;

	assert_int_equal(drop(door, last, 1), OK);
	assert_int_equal(list(door, DAY + 1, &last, 10, &sets), 3);
	expect_text(sets[0].set.domain, "c.test");
}

static void a_set_is_dropped_once_and_as_it_was_read(void **state)
{
	struct door *door = door_of(state);
	struct tally_listed *sets;
	struct tally_row *read;

	count(door, here, TEXT("good"), 3);
	count(door, set_of(TALLY_TLS, DAY, TEXT("example.orga")), TEXT("good"), 1);
	assert_int_equal(drop(door, here, 2), ERR_GONE);
	count(door, here, TEXT("good"), 1);
	assert_int_equal(drop(door, here, 3), ERR_GONE);
	assert_int_equal(rows(door, here, &read), 1);
	assert_int_equal(drop(door, here, 4), OK);
	assert_int_equal(drop(door, here, 4), ERR_GONE);
	assert_int_equal(rows(door, here, &read), 0);
	assert_int_equal(rows(door, set_of(TALLY_TLS, DAY, TEXT("example.orga")), &read), 1);
	assert_int_equal(list(door, DAY, NULL, 10, &sets), 2);
	assert_int_equal(sets[0].sum.rows, 1);
	assert_int_equal(sets[0].sum.bytes, sets[1].sum.bytes);
	assert_int_equal(drop(door, set_of(TALLY_TLS, DAY, TEXT("example.orga")), 1), OK);
	assert_int_equal(list(door, DAY, NULL, 10, &sets), 0); /* T3 */
}

/* Operations of a change see those before them, and a change that fails counts nothing. */
static void a_tally_shares_the_fate_of_its_change(void **state)
{
	struct door *door = door_of(state);
	struct spool_change *change = retire_change(77, 0);
	struct tally_row *read;

	spool_change_tally(change, &here, TEXT("good"), 1);
	assert_int_equal(door_commit(door, change), ERR_GONE);
	assert_int_equal(rows(door, here, &read), 0);

	change = spool_change_new();
	spool_change_tally(change, &here, TEXT("good"), 2);
	spool_change_tally_drop(change, &here, 1);
	assert_int_equal(door_commit(door, change), ERR_GONE);
	assert_int_equal(rows(door, here, &read), 0);

	change = spool_change_new();
	spool_change_tally(change, &here, TEXT("good"), 2);
	spool_change_tally_drop(change, &here, 2);
	spool_change_tally(change, &here, TEXT("bad"), 1);
	assert_int_equal(door_commit(door, change), OK);
	assert_int_equal(rows(door, here, &read), 1);
	expect_text(read[0].bytes, "bad");

	change = spool_change_new();
	spool_change_tally_drop(change, &here, 1);
	spool_change_tally_drop(change, &here, 1);
	assert_int_equal(door_commit(door, change), ERR_GONE);
	assert_int_equal(sum_of(door, here).total, 1);

	/* A report enters in the change that drops its set, or neither is done. */
	struct recipient recipient = recipient_to(0, TEXT("example.org"), 0);

	change = message_change(1, 1, &recipient, 1);
	spool_change_tally_drop(change, &here, 2);
	assert_int_equal(door_commit(door, change), ERR_GONE);
	assert_false(spool_has(door, 1));
	change = message_change(1, 1, &recipient, 1);
	spool_change_tally_drop(change, &here, 1);
	assert_int_equal(door_commit(door, change), OK);
	assert_true(spool_has(door, 1));
}

static struct tally_set numbered_set(uint32_t number, char room[16])
{
	snprintf(room, 16, "d%05u.test", number % 100000);
	return set_of(TALLY_TLS, DAY, text_of(room));
}

static void rows_beyond_the_bound_are_overflow(void **state)
{
	struct door *door = door_of(state);
	char row[16];

	for (unsigned i = 0; i < TALLY_ROWS_MAX + OPS_OF_ONE_CHANGE;) {
		struct spool_change *change = spool_change_new();

		for (unsigned k = 0; k < OPS_OF_ONE_CHANGE; k++) {
			snprintf(row, sizeof row, "%u", i++);
			spool_change_tally(change, &here, text_of(row), 2);
		}
		assert_int_equal(door_commit(door, change), OK);
	}
	count(door, here, TEXT("0"), 1); /* What is known still counts. */
	assert_int_equal(sum_of(door, here).rows, TALLY_ROWS_MAX);
	assert_int_equal(sum_of(door, here).overflow, 2 * OPS_OF_ONE_CHANGE);
	assert_int_equal(sum_of(door, here).total, 2 * (TALLY_ROWS_MAX + OPS_OF_ONE_CHANGE) + 1);
	assert_int_equal(drop(door, here, 2 * (TALLY_ROWS_MAX + OPS_OF_ONE_CHANGE) + 1), OK);
	assert_int_equal(sum_of(door, here).rows, 0);
}

static void sets_beyond_the_bound_are_overflow_of_their_day(void **state)
{
	struct door *door = door_of(state);
	const struct tally_set account = set_of(TALLY_TLS, DAY, TEXT(""));
	char room[16];
	struct tally_row *read;

	for (unsigned i = 0; i < TALLY_SETS_MAX + OPS_OF_ONE_CHANGE;) {
		struct spool_change *change = spool_change_new();

		for (unsigned k = 0; k < OPS_OF_ONE_CHANGE; k++) {
			const struct tally_set set = numbered_set(i++, room);

			spool_change_tally(change, &set, TEXT("x"), 3);
		}
		assert_int_equal(door_commit(door, change), OK);
	}
	assert_int_equal(sum_of(door, account).rows, TALLY_SETS_MAX);
	assert_int_equal(sum_of(door, account).overflow, 3 * OPS_OF_ONE_CHANGE);
	assert_int_equal(rows(door, numbered_set(TALLY_SETS_MAX, room), &read), 0);
	assert_int_equal(drop(door, numbered_set(TALLY_SETS_MAX, room), 3), ERR_GONE);

	/* The next day and another kind have accounts of their own. */
	assert_int_equal(count(door, set_of(TALLY_TLS, DAY + 1, TEXT("z.test")), TEXT("x"), 1), OK);
	assert_int_equal(rows(door, set_of(TALLY_TLS, DAY + 1, TEXT("z.test")), &read), 1);
	assert_int_equal(count(door, set_of(TALLY_DMARC, DAY, TEXT("z.test")), TEXT("x"), 1), OK);
	assert_int_equal(rows(door, set_of(TALLY_DMARC, DAY, TEXT("z.test")), &read), 1);
}

static void bytes_beyond_the_bound_are_overflow(void **state)
{
	static char row[TALLY_ROW_BYTES_MAX] = { 'r' };
	struct door *door = door_of(state);
	const struct tally_set account = set_of(TALLY_TLS, DAY, TEXT(""));
	const unsigned fitting = TALLY_DAY_BYTES_MAX / (TALLY_ROW_BYTES_MAX + TALLY_ROW_BYTES_ASIDE + sizeof "d00000.test" - 1);
	char room[16];
	unsigned put = 0;

	for (uint32_t domain = 0; put <= fitting; domain++) {
		const struct tally_set set = numbered_set(domain, room);

		for (unsigned i = 0; i < TALLY_ROWS_MAX && put <= fitting;) {
			struct spool_change *change = spool_change_new();

			for (unsigned k = 0; k < OPS_OF_ONE_CHANGE && put <= fitting; k++, i++, put++) {
				snprintf(row + 1, sizeof row - 1, "%u", i);
				spool_change_tally(change, &set, (struct text){ row, sizeof row }, 1);
			}
			assert_int_equal(door_commit(door, change), OK);
		}
	}

	const struct tally_set last = numbered_set(fitting / TALLY_ROWS_MAX, room);

	assert_true(sum_of(door, account).bytes <= TALLY_DAY_BYTES_MAX);
	assert_int_equal(sum_of(door, last).overflow, 1);

	/* What is dropped makes room again. */
	char first[16];
	const uint64_t bytes = sum_of(door, account).bytes;

	assert_int_equal(drop(door, numbered_set(0, first), TALLY_ROWS_MAX), OK);
	assert_true(sum_of(door, account).bytes < bytes - TALLY_ROWS_MAX * (uint64_t)TALLY_ROW_BYTES_MAX);
	assert_int_equal(count(door, last, TEXT("new"), 1), OK);
	assert_int_equal(sum_of(door, last).overflow, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_row_is_counted_on),
		BOTH(rows_come_in_pages),
		BOTH(sets_are_listed_by_day_and_domain),
		BOTH(a_set_is_dropped_once_and_as_it_was_read),
		BOTH(a_tally_shares_the_fate_of_its_change),
		BOTH(rows_beyond_the_bound_are_overflow),
		BOTH(sets_beyond_the_bound_are_overflow_of_their_day),
		BOTH(bytes_beyond_the_bound_are_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
