/* What would change, of judgements that nobody made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/replay_changes.h"

static int begin(void **state)
{
	struct changes *changes = calloc(1, sizeof *changes);

	*state = changes;
	return changes != NULL && changes_begin(changes) ? 0 : -1;
}

static int end(void **state)
{
	changes_done(*state);
	free(*state);
	return 0;
}

/* A message for one recipient, and what each of the two makes of it. */
static void add(struct changes *changes, int64_t arrived_ms, bool waiting, const char *before_text, const char *after_text)
{
	json_t *facts = json_pack("{s:s, s:I, s:s, s:b, s:[{s:s, s:b}]}", "id", "0sbmk23gg0000", "arrived_ms", (json_int_t)arrived_ms, "sender",
	    "a@b.test", "waiting", waiting, "to", "address", "eve@slow.test", "waiting", waiting);
	json_t *before = json_loads(before_text, 0, NULL), *after = json_loads(after_text, 0, NULL);

	assert_true(facts != NULL && before != NULL && after != NULL);
	changes_add(changes, facts, before, after);
	json_decref(facts);
	json_decref(before);
	json_decref(after);
}

#define WAY(key, way) "{\"to\":[{\"key\":\"" key "\",\"way\":\"" way "\",\"refused\":false}]}"
#define REFUSED(words) "{\"to\":[{\"key\":\"" words "\",\"way\":\"" words "\",\"refused\":true}]}"

static void groups_what_goes_the_same_way(void **state)
{
	struct changes *changes = *state;

	add(changes, 1, false, WAY("a", "A"), WAY("a", "other words"));
	assert_true(changes_none(changes));
	for (int i = 0; i < 5; i++)
		add(changes, 2, false, WAY("a", "A"), WAY("b", "B"));
	add(changes, 2, false, WAY("c", "A"), WAY("d", "B"));
	add(changes, 2, false, WAY("a", "A"), REFUSED("550 no"));
	add(changes, 2, true, WAY("a", "A"), REFUSED("550 no"));
	add(changes, 2, false, REFUSED("550 no"), WAY("a", "A"));
	add(changes, 2, false, REFUSED("550 no"), REFUSED("550 never"));
	changes_sort(changes);
	assert_int_equal(changes->group_count, 4);
	assert_int_equal(changes->groups[0].change, CHANGE_REFUSED);
	assert_int_equal(changes->groups[1].change, CHANGE_RETURNED);
	assert_int_equal(changes->groups[2].change, CHANGE_ROUTED);
	assert_int_equal(changes->groups[2].recipients, 6);
	assert_int_equal(changes->groups[2].messages, 6);
	assert_int_equal(json_array_size(changes->groups[2].examples), CHANGE_EXAMPLES_MAX);
	assert_int_equal(changes->groups[3].change, CHANGE_ACCEPTED);
	assert_int_equal(changes->messages, 11);
	assert_int_equal(changes->waiting, 1);
}

static void the_message_comes_before_its_recipients(void **state)
{
	static const char large[] = "{\"refused\":\"552 large\",\"to\":[{\"key\":\"b\",\"way\":\"B\",\"refused\":false}]}";
	struct changes *changes = *state;

	add(changes, 1, false, WAY("a", "A"), large);
	assert_int_equal(changes->group_count, 1);
	assert_string_equal(changes->groups[0].to, "552 large");
	/* What waits is in, and its way is told all the same. */
	add(changes, 1, true, WAY("a", "A"), large);
	assert_int_equal(changes->group_count, 2);
	add(changes, 1, false, "{\"signed\":\"x.test (s)\"}", "{\"signed\":null}");
	assert_int_equal(changes->groups[2].change, CHANGE_SIGNED);
	assert_string_equal(changes->groups[2].to, "not signed");
}

static void limits_run_with_the_time_of_the_mail(void **state)
{
	static const char limited[] = "{\"rates\":[{\"what\":\"messages\",\"who\":\"user bob\",\"count\":2,\"period_ms\":10000,\"amount\":1}]}";
	struct changes *changes = *state;

	for (int i = 0; i < 4; i++) /* One more each five seconds. */
		add(changes, 1000 + i, false, "{}", limited);
	assert_int_equal(changes->group_count, 1);
	assert_int_equal(changes->groups[0].messages, 2);
	assert_string_equal(changes->groups[0].to, "more than 2 messages in 10 s for user bob");
	add(changes, 61000, false, "{}", limited);
	assert_int_equal(changes->groups[0].messages, 2);
	/* The same limit on both sides is no change. */
	add(changes, 61001, false, limited, limited);
	add(changes, 61002, false, "{\"limited\":\"452 many\"}", "{\"limited\":\"452 many\"}");
	assert_int_equal(changes->groups[0].messages, 2);
}

static void groups_are_bounded(void **state)
{
	struct changes *changes = *state;
	char after[200];

	for (int i = 0; i < CHANGE_GROUPS_MAX + 7; i++) {
		snprintf(after, sizeof after, WAY("b%d", "B%d"), i, i);
		add(changes, 1, false, WAY("a", "A"), after);
	}
	assert_int_equal(changes->group_count, CHANGE_GROUPS_MAX);
	assert_int_equal(changes->others, 7);

	json_t *told = changes_json(changes);

	assert_int_equal(json_array_size(json_object_get(told, "changes")), CHANGE_GROUPS_MAX);
	json_decref(told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(groups_what_goes_the_same_way, begin, end),
		cmocka_unit_test_setup_teardown(the_message_comes_before_its_recipients, begin, end),
		cmocka_unit_test_setup_teardown(limits_run_with_the_time_of_the_mail, begin, end),
		cmocka_unit_test_setup_teardown(groups_are_bounded, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
