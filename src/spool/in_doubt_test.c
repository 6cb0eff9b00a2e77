#include "spool/in_doubt.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spool/test_support.h"

static void nothing_is_left_at_first(void **state)
{
	struct in_doubt *in_doubt;
	uint32_t index;
	queue_id id;

	(void)state;
	assert_int_equal(in_doubt_open(NULL, &in_doubt), OK);
	assert_true(in_doubt_mark(in_doubt, 3, 7, 1));
	assert_false(in_doubt_take_left(in_doubt, &id, &index)); /* Ours, not an earlier process's. */
	in_doubt_clear(in_doubt, 3, 7, 1);
	in_doubt_clear(in_doubt, 3, 7, 1); /* Harmless. */
	in_doubt_close(in_doubt);
	in_doubt_close(NULL);
}

static void a_lane_has_an_end(void **state)
{
	struct in_doubt *in_doubt;
	queue_id marked = 0;

	(void)state;
	assert_int_equal(in_doubt_open(NULL, &in_doubt), OK);
	while (marked < 100000 && in_doubt_mark(in_doubt, 63, marked + 1, 0))
		marked++;
	assert_in_range(marked, 100, 99999);
	assert_true(in_doubt_mark(in_doubt, 0, 1, 0)); /* Another lane has its own. */
	in_doubt_clear(in_doubt, 63, 5, 0);
	assert_true(in_doubt_mark(in_doubt, 63, 200000, 0));
	assert_false(in_doubt_mark(in_doubt, 63, 200001, 0));
	in_doubt_close(in_doubt);
}

/* A process that is killed between the dot and the answer. */
static void mark_and_die(const char *path)
{
	struct in_doubt *in_doubt;

	if (in_doubt_open(path, &in_doubt) != OK)
		_exit(1);
	in_doubt_mark(in_doubt, 0, 11, 1);
	in_doubt_mark(in_doubt, 0, 12, 2);
	in_doubt_mark(in_doubt, 5, 13, 3);
	in_doubt_clear(in_doubt, 0, 11, 1);
	kill(getpid(), SIGKILL);
}

static void marks_survive_the_process(void **state)
{
	char folder[64], path[96];
	struct in_doubt *in_doubt;
	uint32_t index;
	queue_id id;
	int status;

	(void)state;
	folder_make(folder);
	snprintf(path, sizeof path, "%s/in-doubt", folder);

	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		mark_and_die(path);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));

	assert_int_equal(in_doubt_open(path, &in_doubt), OK);
	assert_true(in_doubt_mark(in_doubt, 0, 99, 9)); /* Does not take a slot that is left. */
	assert_true(in_doubt_take_left(in_doubt, &id, &index));
	assert_int_equal(id, 12);
	assert_int_equal(index, 2);
	in_doubt_forget_left(in_doubt, 12, 2);
	in_doubt_clear(in_doubt, 0, 99, 9);

	/* The same delivery, made again and over before the log has named the first one. */
	assert_true(in_doubt_mark(in_doubt, 5, 13, 3));
	in_doubt_clear(in_doubt, 5, 13, 3);
	in_doubt_close(in_doubt);

	/* What was not named is still there for the next one. */
	assert_int_equal(in_doubt_open(path, &in_doubt), OK);
	assert_true(in_doubt_take_left(in_doubt, &id, &index));
	assert_int_equal(id, 13);
	assert_int_equal(index, 3);
	assert_false(in_doubt_take_left(in_doubt, &id, &index));
	in_doubt_close(in_doubt);
	folder_remove(folder);
}

static void a_file_of_another_kind_is_emptied(void **state)
{
	char folder[64], path[96];
	struct in_doubt *in_doubt;
	uint32_t index;
	queue_id id;

	(void)state;
	folder_make(folder);
	snprintf(path, sizeof path, "%s/in-doubt", folder);

	FILE *file = fopen(path, "w");

	assert_non_null(file);
	for (int i = 0; i < 100000; i++)
		fputs("not a map of slots\n", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(in_doubt_open(path, &in_doubt), OK);
	assert_false(in_doubt_take_left(in_doubt, &id, &index));
	assert_true(in_doubt_mark(in_doubt, 0, 1, 1));
	in_doubt_close(in_doubt);
	assert_int_equal(in_doubt_open("/nonexistent/in-doubt", &in_doubt), ERR_NOT_FOUND);
	folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_left_at_first),
		cmocka_unit_test(a_lane_has_an_end),
		cmocka_unit_test(marks_survive_the_process),
		cmocka_unit_test(a_file_of_another_kind_is_emptied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
