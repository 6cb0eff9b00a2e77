#include "spool/webhook_journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "spool/test_support.h"

static char room[JOURNAL_RECORD_MAX];

static struct webhook_journal *open_at(const char *path)
{
	struct webhook_journal *journal;

	assert_int_equal(journal_open(path, &journal), OK);
	return journal;
}

static struct journal_place place_of(struct webhook_journal *journal, const char *name, uint64_t missed_expected)
{
	uint64_t missed;
	const struct journal_place place = journal_place_get(journal, text_of(name), &missed);

	assert_int_equal(missed, missed_expected);
	return place;
}

static void expect(struct webhook_journal *journal, struct journal_place *place, queue_id id_expected, struct text expected)
{
	queue_id id;
	struct text stored;

	assert_true(journal_read(journal, place, room, &id, &stored));
	assert_int_equal(id, id_expected);
	assert_true(text_equal(stored, expected));
}

static void expect_end(struct webhook_journal *journal, struct journal_place *place)
{
	queue_id id;
	struct text stored;

	assert_false(journal_read(journal, place, room, &id, &stored));
}

static void what_waits_survives_the_process(void **state)
{
	char path[] = "/tmp/journal-test-XXXXXX";
	const int file = mkstemp(path);

	(void)state;
	assert_true(file >= 0);
	close(file);

	struct webhook_journal *journal = open_at(path);

	journal_add(journal, 1, TEXT("before anybody asked"));
	struct journal_place place = place_of(journal, "one", 0);

	expect_end(journal, &place);
	journal_add(journal, 2, TEXT("first"));
	journal_add(journal, 3, TEXT("second"));
	expect(journal, &place, 2, TEXT("first"));
	journal_place_put(journal, TEXT("one"), place);
	expect(journal, &place, 3, TEXT("second")); /* Not said to be done. */
	journal_close(journal);

	journal = open_at(path);
	place = place_of(journal, "one", 0);
	expect(journal, &place, 3, TEXT("second"));
	expect_end(journal, &place);
	place = place_of(journal, "two", 0);
	expect_end(journal, &place);
	journal_close(journal);
	unlink(path);
}

static void the_oldest_gives_way_and_is_counted(void **state)
{
	static const char filler[JOURNAL_RECORD_MAX - 5];
	const struct text event = { filler, sizeof filler };
	struct webhook_journal *journal = open_at(NULL);
	struct journal_place place = place_of(journal, "slow", 0);
	uint64_t missed, read = 0;
	queue_id id;
	struct text stored;

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		journal_add(journal, i + 1, event);
	expect_end(journal, &place); /* Gone under the reader. */
	place = journal_place_get(journal, TEXT("slow"), &missed);
	assert_in_range(missed, 1480, 1500);
	while (journal_read(journal, &place, room, &id, &stored)) {
		assert_int_equal(id, missed + ++read);
		assert_true(text_equal(stored, event));
	}
	assert_int_equal(missed + read, 2000);
	assert_int_equal(journal_start(journal).number, missed);
	(void)place_of(journal, "slow", 0);
	journal_close(journal);
}

static void to_look_moves_nothing(void **state)
{
	struct webhook_journal *journal = open_at(NULL);
	struct journal_place place, looked;

	(void)state;
	assert_false(journal_place_look(journal, TEXT("one"), &looked));
	place = place_of(journal, "one", 0);
	journal_add(journal, 1, TEXT("first"));
	assert_true(journal_place_look(journal, TEXT("one"), &looked));
	assert_memory_equal(&looked, &place, sizeof place);
	assert_memory_equal(&looked, &(struct journal_place){ 0 }, sizeof looked);
	assert_int_equal(journal_start(journal).number, 0);
	assert_int_equal(journal_end(journal).number, 1);
	expect(journal, &looked, 1, TEXT("first"));
	assert_int_equal(place_of(journal, "one", 0).number, 0);
	assert_false(journal_place_look(journal, TEXT("two"), &looked));
	journal_close(journal);
}

static void what_is_too_large_is_left_out(void **state)
{
	static const char large[JOURNAL_RECORD_MAX + 1];
	struct webhook_journal *journal = open_at(NULL);
	struct journal_place place = place_of(journal, "one", 0);

	(void)state;
	journal_add(journal, 1, (struct text){ large, sizeof large });
	expect_end(journal, &place);
	journal_add(journal, 2, TEXT("small"));
	expect(journal, &place, 2, TEXT("small"));
	journal_close(journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_waits_survives_the_process),
		cmocka_unit_test(the_oldest_gives_way_and_is_counted),
		cmocka_unit_test(what_is_too_large_is_left_out),
		cmocka_unit_test(to_look_moves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
