#include "spool/greylist.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "spool/test_support.h"

enum { SEED = 42, MINUTE_MS = 60 * 1000, DELAY_MS = 5 * MINUTE_MS };
#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define NOW_MS (20000 * DAY_MS)

static const struct greylist_rules rules = {
	.delay_ms = DELAY_MS, .pass_count = 2, .lifetime_ms = 36 * DAY_MS
};
static const struct greylist_rules never_known = { .delay_ms = DELAY_MS, .lifetime_ms = 36 * DAY_MS };

static struct greylist *open_at(const char *path)
{
	struct greylist *greylist;

	assert_int_equal(greylist_open(path, SEED, &greylist), OK);
	return greylist;
}

static int64_t ask_with(struct greylist *greylist, const struct greylist_rules *with, const char *client,
    const char *sender, const char *recipient, int64_t now_ms)
{
	const struct address from = { text_of(sender), TEXT("far.test") },
			     to = { text_of(recipient), TEXT("here.test") };
	struct endpoint endpoint;

	must(endpoint_parse_ip(text_of(client), &endpoint));
	return greylist_ask(greylist, with, &(struct greylist_triple){ &endpoint, &from, &to }, now_ms);
}

static int64_t ask(
    struct greylist *greylist, const char *client, const char *sender, const char *recipient, int64_t now_ms)
{
	return ask_with(greylist, &rules, client, sender, recipient, now_ms);
}

static void who_comes_again_passes(void **state)
{
	struct greylist *greylist = open_at(NULL);

	(void)state;
	assert_int_equal(ask(greylist, "192.0.2.1", "a", "b", NOW_MS), DELAY_MS);
	assert_int_equal(ask(greylist, "192.0.2.1", "a", "b", NOW_MS + MINUTE_MS), 4 * MINUTE_MS);
	assert_int_equal(ask(greylist, "192.0.2.1", "a", "b", NOW_MS + DELAY_MS - 1), 1);
	assert_int_equal(ask(greylist, "192.0.2.200", "A", "B", NOW_MS + DELAY_MS), 0);
	assert_int_equal(ask(greylist, "192.0.2.1", "a", "b", NOW_MS + DELAY_MS), 0);
	/* Others are others. */
	assert_int_equal(ask(greylist, "192.0.3.1", "a", "b", NOW_MS + DELAY_MS), DELAY_MS);
	assert_int_equal(ask(greylist, "192.0.2.1", "ab", "", NOW_MS + DELAY_MS), DELAY_MS);
	assert_int_equal(ask(greylist, "192.0.2.1", "", "ab", NOW_MS + DELAY_MS), DELAY_MS);
	assert_int_equal(ask(greylist, "192.0.2.1", "b", "a", NOW_MS + DELAY_MS), DELAY_MS);
	greylist_close(greylist);
}

static void what_was_seen_long_ago_is_new(void **state)
{
	struct greylist *greylist = open_at(NULL);
	int64_t now_ms = NOW_MS;

	(void)state;
	assert_int_equal(ask_with(greylist, &never_known, "192.0.2.1", "a", "b", now_ms), DELAY_MS);
	now_ms += GREYLIST_RETURN_MS + DELAY_MS;
	assert_int_equal(ask_with(greylist, &never_known, "192.0.2.1", "a", "b", now_ms), DELAY_MS);
	now_ms += GREYLIST_RETURN_MS + DELAY_MS - 1;
	assert_int_equal(ask_with(greylist, &never_known, "192.0.2.1", "a", "b", now_ms), 0);
	now_ms += 36 * DAY_MS - 1;
	assert_int_equal(ask_with(greylist, &never_known, "192.0.2.1", "a", "b", now_ms), 0);
	now_ms += 36 * DAY_MS;
	assert_int_equal(ask_with(greylist, &never_known, "192.0.2.1", "a", "b", now_ms), DELAY_MS);
	greylist_close(greylist);
}

static void a_network_that_passed_often_is_known(void **state)
{
	struct greylist *greylist = open_at(NULL);
	int64_t now_ms = NOW_MS;

	(void)state;
	for (int i = 0; i < 2; i++, now_ms += DELAY_MS) {
		for (int j = 0; j < 3; j++) { /* Many recipients at once are one pass. */
			const char *recipients[] = { "b", "c", "d" };

			assert_int_equal(
			    ask(greylist, "2001:db8::1", "a", recipients[j], now_ms), i == 0 ? DELAY_MS : 0);
		}
	}
	assert_int_equal(ask(greylist, "2001:db8::2", "x", "b", now_ms), DELAY_MS);
	assert_int_equal(ask(greylist, "2001:db8::1", "a", "b", now_ms), 0); /* The second. */
	assert_int_equal(ask(greylist, "2001:db8::2", "y", "b", now_ms), 0);
	assert_int_equal(ask_with(greylist, &never_known, "2001:db8::2", "y", "b", now_ms), DELAY_MS);
	assert_int_equal(ask(greylist, "2001:db8:0:1::1", "y", "b", now_ms), DELAY_MS);
	now_ms += 36 * DAY_MS - 1;
	assert_int_equal(ask(greylist, "2001:db8::2", "z", "b", now_ms), 0); /* Seen: it lives on. */
	now_ms += 36 * DAY_MS - 1;
	assert_int_equal(ask(greylist, "2001:db8::2", "w", "b", now_ms), 0);
	now_ms += 36 * DAY_MS;
	assert_int_equal(ask(greylist, "2001:db8::2", "v", "b", now_ms), DELAY_MS);
	greylist_close(greylist);
}

static void nobody_waits_without_a_delay(void **state)
{
	struct greylist *greylist = open_at(NULL);

	(void)state;
	assert_int_equal(ask_with(greylist, &(struct greylist_rules){ 0 }, "192.0.2.1", "a", "b", NOW_MS), 0);
	assert_int_equal(ask(greylist, "192.0.2.1", "a", "b", NOW_MS), DELAY_MS);
	greylist_close(greylist);
}

static void clocks_that_differ_harm_nobody_for_long(void **state)
{
	struct greylist *greylist = open_at(NULL);

	(void)state;
	(void)!ask(greylist, "192.0.2.1", "a", "b", NOW_MS - DELAY_MS);
	assert_int_equal(ask(greylist, "192.0.2.1", "a", "b", NOW_MS), 0);
	assert_int_equal(ask(greylist, "192.0.2.1", "a", "b", NOW_MS - 10), 0); /* Another lane. */
	assert_int_equal(ask(greylist, "192.0.2.1", "a", "b", NOW_MS - DAY_MS), DELAY_MS);
	assert_int_equal(ask(greylist, "192.0.2.1", "a", "b", NOW_MS - DAY_MS + DELAY_MS), 0);
	greylist_close(greylist);
}

/* Those who never come again take each other's room, not that of a network that is known. */
static void what_is_remembered_is_bounded(void **state)
{
	struct greylist *greylist = open_at(NULL);
	char sender[16];

	(void)state;
	for (int i = 0; i < 3; i++)
		(void)!ask(greylist, "192.0.2.1", "a", "b", NOW_MS + i * (int64_t)DELAY_MS);
	for (int i = 0; i < 3 * GREYLIST_TRIPLES; i++) {
		snprintf(sender, sizeof sender, "s%d", i);
		assert_int_equal(
		    ask(greylist, "203.0.113.1", sender, "b", NOW_MS + 2 * DELAY_MS + i / 1000), DELAY_MS);
	}
	assert_int_equal(ask(greylist, "192.0.2.1", "another", "b", NOW_MS + 3 * DELAY_MS), 0);
	/* The newest of the crowd is still there, the first is not. */
	assert_int_equal(ask(greylist, "203.0.113.1", sender, "b", NOW_MS + 4 * DELAY_MS), 0);
	assert_int_equal(ask(greylist, "203.0.113.1", "s0", "b", NOW_MS + 4 * DELAY_MS), DELAY_MS);
	greylist_close(greylist);
}

static void it_survives_the_process(void **state)
{
	char path[] = "/tmp/greylist-test-XXXXXX";
	const int file = mkstemp(path);

	(void)state;
	assert_true(file >= 0);
	assert_int_equal(write(file, "of another kind", 15), 15);
	close(file);

	struct greylist *greylist = open_at(path);

	assert_int_equal(ask(greylist, "192.0.2.1", "a", "b", NOW_MS), DELAY_MS);
	greylist_close(greylist);
	assert_int_equal(greylist_open(path, SEED + 1, &greylist), OK);
	assert_int_equal(ask(greylist, "192.0.2.1", "a", "b", NOW_MS + DELAY_MS), 0);
	greylist_close(greylist);
	greylist_close(NULL);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_comes_again_passes),
		cmocka_unit_test(what_was_seen_long_ago_is_new),
		cmocka_unit_test(a_network_that_passed_often_is_known),
		cmocka_unit_test(nobody_waits_without_a_delay),
		cmocka_unit_test(clocks_that_differ_harm_nobody_for_long),
		cmocka_unit_test(what_is_remembered_is_bounded),
		cmocka_unit_test(it_survives_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
