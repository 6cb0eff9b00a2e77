/* What operators decide, in both engines: ends, ways, pauses, and notes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "spool/test_support.h"

#define DOMAIN TEXT("example.net")

static struct recipient first_recipient(struct door *door, queue_id id)
{
	struct message read;

	assert_int_equal(spool_read_message(door->spool, id, door->arena, &read), OK);
	return read.recipients[0];
}

static void steer(struct door *door, queue_id id, struct spool_steering steering)
{
	struct spool_change *change = spool_change_new();

	spool_change_steer(change, id, 0, &steering);
	assert_int_equal(door_commit(door, change), OK);
}

static void a_pause_is_a_hold_that_ends_with_it(void **state)
{
	struct door *door = door_of(state);

	put_simple(door, 1, DOMAIN, 5);
	steer(door, 1, (struct spool_steering){ .held = STEER_PAUSED, .due_ms = -1 });
	assert_int_equal(first_recipient(door, 1).flags, RECIPIENT_HELD | RECIPIENT_PAUSED);
	steer(door, 1, (struct spool_steering){ .held = STEER_HELD, .due_ms = -1 });
	assert_int_equal(first_recipient(door, 1).flags, RECIPIENT_HELD);
	steer(door, 1, (struct spool_steering){ .held = STEER_PAUSED, .due_ms = -1 });
	steer(door, 1, (struct spool_steering){ .held = STEER_NOT_HELD, .due_ms = 7 });
	assert_int_equal(first_recipient(door, 1).flags, 0);
	assert_int_equal(first_recipient(door, 1).due_ms, 7);
}

static void an_end_and_a_way_outlive_an_attempt(void **state)
{
	struct door *door = door_of(state);
	struct recipient settled = recipient_to(0, DOMAIN, 900);
	struct spool_change *change = spool_change_new();

	put_simple(door, 1, DOMAIN, 5);
	steer(door, 1, (struct spool_steering){ .held = STEER_AS_IT_WAS, .due_ms = -1, .end = STEER_BOUNCED, .via = TEXT("relay.test:26") });
	settled.attempt_count = 1;
	spool_change_update(change, 1, &settled);
	assert_int_equal(door_commit(door, change), OK);

	struct recipient recipient = first_recipient(door, 1);

	assert_int_equal(recipient.flags, RECIPIENT_BOUNCED);
	assert_int_equal(recipient.attempt_count, 1);
	expect_text(recipient.via, "relay.test:26");
	steer(door, 1, (struct spool_steering){ .held = STEER_AS_IT_WAS, .due_ms = -1, .end = STEER_EXPIRED });
	recipient = first_recipient(door, 1);
	assert_int_equal(recipient.flags, RECIPIENT_BOUNCED | RECIPIENT_EXPIRED);
	expect_text(recipient.via, "relay.test:26");
	steer(door, 1, (struct spool_steering){ .held = STEER_AS_IT_WAS, .due_ms = -1, .via = TEXT("") });
	assert_int_equal(first_recipient(door, 1).via.length, 0);
	expect_text(first_recipient(door, 1).address.local, "user0");
}

static void put_note(struct door *door, struct text key, struct text value)
{
	const uint64_t version = spool_notes_version(door->spool);
	struct spool_change *change = spool_change_new();

	spool_change_note(change, key, value);
	assert_int_equal(door_commit(door, change), OK);
	assert_true(spool_notes_version(door->spool) != version);
}

static size_t read_notes(struct door *door, struct text prefix, struct spool_note **out_notes)
{
	size_t count;

	assert_int_equal(spool_read_notes(door->spool, prefix, door->arena, out_notes, &count), OK);
	return count;
}

static void notes_are_kept_by_their_keys(void **state)
{
	struct contract_world *world = *state;
	struct door *door = door_of(state);
	struct spool_note *notes;

	assert_int_equal(read_notes(door, TEXT(""), &notes), 0);
	put_note(door, TEXT("pause b"), TEXT("1"));
	put_note(door, TEXT("pause a"), TEXT("2"));
	put_note(door, TEXT("other"), TEXT("3"));
	put_note(door, TEXT("pause b"), TEXT("4"));
	put_note(door, TEXT("never there"), TEXT(""));
	assert_int_equal(read_notes(door, TEXT("pause "), &notes), 2);
	expect_text(notes[0].key, "pause a");
	expect_text(notes[0].value, "2");
	expect_text(notes[1].key, "pause b");
	expect_text(notes[1].value, "4");
	put_note(door, TEXT("pause a"), TEXT(""));
	assert_int_equal(read_notes(door, TEXT("pause "), &notes), 1);
	assert_int_equal(read_notes(door, TEXT("pausea"), &notes), 0);
	assert_int_equal(read_notes(door, TEXT(""), &notes), 2);
	if (world->engine != &engine_lmdb)
		return;
	/* Durable, and no business of the format's note beside them. */
	door_close(door);
	spool_close(door->spool);
	door_open(door, lmdb_open_in(world->folder), UINT32_MAX);
	assert_int_equal(read_notes(door, TEXT(""), &notes), 2);
	expect_text(notes[0].key, "other");
}

/* A change that fails leaves its note behind, and nobody looks for it. */
static void a_note_shares_the_fate_of_its_change(void **state)
{
	struct door *door = door_of(state);
	const uint64_t version = spool_notes_version(door->spool);
	struct spool_change *change = retire_change(77, 0);
	struct spool_note *notes;

	spool_change_note(change, TEXT("pause a"), TEXT("1"));
	assert_int_equal(door_commit(door, change), ERR_GONE);
	assert_int_equal(read_notes(door, TEXT(""), &notes), 0);
	assert_true(spool_notes_version(door->spool) == version);
}

static enum error claim(struct door *door, uint32_t day, const char *key, const char *value)
{
	struct spool_change *change = spool_change_new();

	spool_change_claim(change, day, text_of(key), text_of(value));
	return door_commit(door, change);
}

static void a_claim_is_made_once(void **state)
{
	struct door *door = door_of(state);
	const uint64_t version = spool_notes_version(door->spool);
	struct spool_change *change = spool_change_new();
	struct spool_note *notes;
	struct text value;

	assert_int_equal(spool_read_claim(door->spool, 20000, TEXT("a"), door->arena, &value), ERR_NOT_FOUND);
	assert_int_equal(claim(door, 20000, "ab", "1"), OK);
	assert_int_equal(spool_read_claim(door->spool, 20000, TEXT("a"), door->arena, &value), ERR_NOT_FOUND);
	assert_int_equal(spool_read_claim(door->spool, 20001, TEXT("ab"), door->arena, &value), OK);
	expect_text(value, "1");
	assert_int_equal(claim(door, 20000, "ab", "2"), ERR_EXISTS);
	assert_int_equal(claim(door, 20001, "ab", "2"), ERR_EXISTS);

	/* With what it was made for, or not at all. */
	spool_change_claim(change, 20000, TEXT("c"), TEXT("3"));
	spool_change_retire(change, 77, 0);
	assert_int_equal(door_commit(door, change), ERR_GONE);
	assert_int_equal(spool_read_claim(door->spool, 20000, TEXT("c"), door->arena, &value), ERR_NOT_FOUND);

	/* The day after tomorrow it may be made again. Two old ones go for each. */
	assert_int_equal(claim(door, 20000, "d", "4"), OK);
	assert_int_equal(claim(door, 20000, "e", "5"), OK);
	assert_int_equal(read_notes(door, TEXT(""), &notes), 3);
	assert_int_equal(claim(door, 20002, "ab", "6"), OK);
	assert_int_equal(read_notes(door, TEXT(""), &notes), 2);
	assert_int_equal(claim(door, 20001, "f", "7"), OK); /* Nothing of the day before is dropped. */
	assert_int_equal(read_notes(door, TEXT(""), &notes), 3);
	assert_int_equal(claim(door, 20002, "g", "8"), OK);
	assert_int_equal(read_notes(door, TEXT(""), &notes), 3);
	assert_int_equal(spool_read_claim(door->spool, 20002, TEXT("ab"), door->arena, &value), OK);
	expect_text(value, "6");
	assert_true(spool_notes_version(door->spool) == version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_pause_is_a_hold_that_ends_with_it),
		BOTH(an_end_and_a_way_outlive_an_attempt),
		BOTH(notes_are_kept_by_their_keys),
		BOTH(a_note_shares_the_fate_of_its_change),
		BOTH(a_claim_is_made_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
