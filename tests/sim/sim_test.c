/* Worlds in trouble, worlds that are wrong on purpose, and worlds twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "sim/town.h"

enum {
	WORLDS = 100,       /* Of each of the four tests that live through many. */
	TWICE = 20,
	MUTANT_WORLDS = 2000 /* One of them must show it. */
};

/* Fewer under sanitizers, which make all slower: SIM_SHARE is in percent. Of what they look for, each world shows much the same;
 * and what is about the worlds themselves the plain run asks of all of them. */
static unsigned share_of(unsigned worlds)
{
	const char *share = getenv("SIM_SHARE");
	uint64_t percent = 100;

	if (share != NULL && !text_to_u64(text_of(share), &percent))
		percent = 100;
	return worlds * (unsigned)percent / 100 + 1;
}

static void live_through(uint64_t first, unsigned count, unsigned hours)
{
	for (uint64_t seed = first; seed < first + count; seed++) {
		struct town_settings settings = { .seed = seed, .hours = hours };

		if (town_live(&settings).right)
			continue;
		settings.trace = stderr;
		(void)town_live(&settings);
		fail_msg("seed %llu is wrong; its trace is above. Again: ./dev sim --seed %llu --hours %u --trace",
		    (unsigned long long)seed, (unsigned long long)seed, hours);
	}
}

static void hours_of_trouble(void **state)
{
	(void)state;
	live_through(1, share_of(WORLDS), 0);
}

static void more_hours_of_trouble(void **state)
{
	(void)state;
	live_through(10001, share_of(WORLDS), 0);
}

static void an_hour_of_much_trouble(void **state)
{
	(void)state;
	live_through(20001, share_of(WORLDS), 1);
}

static void two_days_of_trouble(void **state)
{
	(void)state;
	live_through(30001, share_of(WORLDS), 48);
}

static void the_same_seed_is_the_same_world(void **state)
{
	uint64_t before = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= share_of(TWICE); seed++) {
		const struct town_settings settings = { .seed = seed };
		const struct town_result first = town_live(&settings), second = town_live(&settings);

		assert_true(first.hash == second.hash && first.counts.steps == second.counts.steps);
		assert_true(first.hash != before);
		before = first.hash;
	}
}

/* What the ledger must see of a mutant. */
static void mutant_is_seen(enum mutant mutant, bool (*is_seen)(const struct town_result *result))
{
	for (uint64_t seed = 1; seed <= MUTANT_WORLDS; seed++) {
		const struct town_settings settings = { .seed = seed, .mutant = mutant };
		const struct town_result result = town_live(&settings);

		if (is_seen(&result)) {
			assert_false(result.right);
			return;
		}
	}
	fail_msg("none of %d worlds shows it", MUTANT_WORLDS);
}

static bool has_lost(const struct town_result *result)
{
	return result->ledger.lost > 0;
}

static bool has_unexplained(const struct town_result *result)
{
	return result->ledger.unexplained > 0;
}

static bool is_stuck(const struct town_result *result)
{
	return result->stuck;
}

static void a_disk_that_lies_loses_mail(void **state)
{
	(void)state;
	mutant_is_seen(MUTANT_DISK_LIES, has_lost);
}

static void doubts_without_a_mark_are_missed(void **state)
{
	(void)state;
	mutant_is_seen(MUTANT_DOUBT_UNMARKED, has_unexplained);
}

/* As it once was: who died while telling its doubts left none to the next process. */
static void doubts_forgotten_before_they_were_told_are_missed(void **state)
{
	(void)state;
	mutant_is_seen(MUTANT_DOUBT_FORGOTTEN, has_unexplained);
}

static void a_clock_that_stops_leaves_mail_behind(void **state)
{
	(void)state;
	mutant_is_seen(MUTANT_CLOCK_STOPS, is_stuck);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hours_of_trouble),
		cmocka_unit_test(more_hours_of_trouble),
		cmocka_unit_test(an_hour_of_much_trouble),
		cmocka_unit_test(two_days_of_trouble),
		cmocka_unit_test(the_same_seed_is_the_same_world),
		cmocka_unit_test(a_disk_that_lies_loses_mail),
		cmocka_unit_test(doubts_without_a_mark_are_missed),
		cmocka_unit_test(doubts_forgotten_before_they_were_told_are_missed),
		cmocka_unit_test(a_clock_that_stops_leaves_mail_behind),
	};

	return cmocka_run_group_tests_name("sim", tests, NULL, NULL);
}
