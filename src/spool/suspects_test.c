#include "spool/suspects.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "spool/test_support.h"

static struct suspects *open_at(const char *path)
{
	struct suspects *suspects;

	assert_int_equal(suspects_open(path, &suspects), OK);
	return suspects;
}

/* The process ends with these in hand; the next one judges. */
static struct suspects *end_and_judge(struct suspects *suspects, const char *path, bool died)
{
	suspects_close(suspects);
	suspects = open_at(path);
	suspects_judge(suspects, died);
	return suspects;
}

static void in_file(char path[64])
{
	snprintf(path, 64, "/tmp/suspects-test-XXXXXX");

	const int file = mkstemp(path);

	assert_true(file >= 0);
	close(file);
}

static void who_was_in_hand_is_suspected(void **state)
{
	char path[64];

	(void)state;
	in_file(path);

	struct suspects *suspects = open_at(path);

	suspects_judge(suspects, true);
	assert_false(suspects_exist(suspects));
	(void)!suspects_mark(suspects, 0, 10);
	(void)!suspects_mark(suspects, 63, 30);
	(void)!suspects_mark(suspects, 5, 30); /* Two lanes, one message, one death. */

	const int done = suspects_mark(suspects, 0, 20);

	assert_true(done != SUSPECT_NO_MARK);
	suspects_clear(suspects, done);
	suspects = end_and_judge(suspects, path, true);
	assert_true(suspects_hold(suspects, 10));
	assert_false(suspects_hold(suspects, 20));
	assert_true(suspects_hold(suspects, 30));
	assert_int_equal(suspects_next(suspects, 0, false), 10);
	assert_int_equal(suspects_next(suspects, 10, false), 30);
	assert_int_equal(suspects_next(suspects, 30, false), 0);
	assert_int_equal(suspects_next(suspects, 0, true), 0);

	/* Only the one on trial sees the second death. */
	assert_true(suspects_trial_begin(suspects));
	assert_false(suspects_trial_begin(suspects));
	(void)!suspects_mark(suspects, 1, 30);
	(void)!suspects_mark(suspects, 1, 40);
	suspects = end_and_judge(suspects, path, true);
	assert_int_equal(suspects_next(suspects, 0, true), 30);
	assert_int_equal(suspects_next(suspects, 30, true), 0);
	assert_int_equal(suspects_next(suspects, 10, false), 40);
	assert_true(suspects_hold(suspects, 30));
	suspects_acquit(suspects, 30);
	suspects_acquit(suspects, 30);
	assert_false(suspects_hold(suspects, 30));
	assert_true(suspects_trial_begin(suspects)); /* It ended with the process. */
	suspects_trial_end(suspects);
	suspects_close(suspects);
	unlink(path);
}

static void a_death_from_outside_counts_for_nobody(void **state)
{
	char path[64];

	(void)state;
	in_file(path);

	struct suspects *suspects = open_at(path);

	suspects_judge(suspects, false);
	(void)!suspects_mark(suspects, 0, 10);
	suspects = end_and_judge(suspects, path, false);
	assert_false(suspects_exist(suspects));
	suspects = end_and_judge(suspects, path, true); /* The mark is gone with the first judgement. */
	assert_false(suspects_exist(suspects));
	suspects_close(suspects);
	unlink(path);
}

static void what_is_remembered_is_bounded(void **state)
{
	enum { LANES = 4 };
	char path[64];
	queue_id id = 0;
	size_t count = 0;

	(void)state;
	in_file(path);

	struct suspects *suspects = open_at(path);

	suspects_judge(suspects, false);
	for (unsigned lane = 0; lane < LANES; lane++) {
		unsigned marked = 0;

		while (marked < 100000 && suspects_mark(suspects, lane, ++id) != SUSPECT_NO_MARK)
			marked++;
		assert_in_range(marked, 2000, 99999); /* As many as a lane has in hand. */
	}
	suspects = end_and_judge(suspects, path, true);
	for (queue_id at = 0; (at = suspects_next(suspects, at, false)) != 0;)
		count++;
	assert_int_equal(count, SUSPECT_MAX);
	suspects_close(suspects);
	unlink(path);
}

static void a_file_of_another_kind_is_made_anew(void **state)
{
	char path[64];

	(void)state;
	in_file(path);

	FILE *file = fopen(path, "w");

	assert_true(file != NULL && fputs("not what it should be", file) >= 0);
	fclose(file);

	struct suspects *suspects = open_at(path);

	assert_false(suspects_exist(suspects));
	suspects_close(suspects);
	suspects_close(NULL);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_was_in_hand_is_suspected),
		cmocka_unit_test(a_death_from_outside_counts_for_nobody),
		cmocka_unit_test(what_is_remembered_is_bounded),
		cmocka_unit_test(a_file_of_another_kind_is_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
