#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/plan.h"

enum { DAY = 24 * 3600 };

static const struct plan_settings settings = { .wait_s = 3600, .retire_s = 7 * DAY, .rotate_s = 180 * DAY };
static const struct text domain = { "example.org", 11 };

static const char *word(const struct key_plan *plan, const char *selector, int64_t now_s)
{
	const struct planned_key *key = key_plan_find(plan, domain, text_of(selector));

	return key ? key_state_word(key_state_at(key, now_s)) : "gone";
}

static void see(struct key_plan *plan, const char *selector, int64_t now_s)
{
	key_plan_seen(plan, key_plan_find(plan, domain, text_of(selector)), &settings, now_s);
}

static void keys_follow_each_other_by_the_clock(void **state)
{
	struct key_plan plan = { .arena = arena_new(1 << 20) };
	int64_t now = 1000 * DAY;

	(void)state;
	assert_int_equal(key_plan_add(&plan, domain, TEXT("one"), KEY_RSA, now), OK);
	assert_string_equal(word(&plan, "one", now + 1000 * DAY), "new"); /* Nothing happens unseen. */
	see(&plan, "one", now);
	assert_string_equal(word(&plan, "one", now), "active");
	assert_false(key_plan_is_due(&plan, &plan.keys[0], &settings, now + 180 * DAY - 1));
	now += 180 * DAY;
	assert_true(key_plan_is_due(&plan, &plan.keys[0], &settings, now));

	assert_int_equal(key_plan_add(&plan, domain, TEXT("two"), KEY_RSA, now), OK);
	assert_false(key_plan_is_due(&plan, &plan.keys[0], &settings, now));
	assert_int_equal(key_plan_add(&plan, domain, TEXT("three"), KEY_RSA, now), ERR_EXISTS);
	assert_int_equal(key_plan_add(&plan, domain, TEXT("one"), KEY_ED25519, now), ERR_EXISTS);
	now += DAY;
	see(&plan, "two", now);
	static const struct {
		int64_t after_s;
		const char *one, *two;
	} rows[] = { { 0, "active", "published" }, { 3599, "active", "published" }, { 3600, "retiring", "active" },
		{ 3600 + 7 * DAY - 1, "retiring", "active" }, { 3600 + 7 * DAY, "retired", "active" } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_string_equal(word(&plan, "one", now + rows[i].after_s), rows[i].one);
		assert_string_equal(word(&plan, "two", now + rows[i].after_s), rows[i].two);
	}
	assert_int_equal(key_state_since(&plan.keys[0], now + 3600), now + 3600);
	see(&plan, "two", now + 2 * DAY); /* Seen again: no news. */
	assert_string_equal(word(&plan, "two", now + 3600), "active");
	key_plan_remove(&plan, &plan.keys[1], now); /* A successor that never signed. */
	assert_string_equal(word(&plan, "one", now + 3600), "active");
	assert_string_equal(word(&plan, "two", now), "gone");
	arena_free(plan.arena);
}

static void kinds_and_domains_do_not_wait_for_each_other(void **state)
{
	struct key_plan plan = { .arena = arena_new(1 << 20) };

	(void)state;
	assert_int_equal(key_plan_add(&plan, domain, TEXT("r"), KEY_RSA, DAY), OK);
	assert_int_equal(key_plan_add(&plan, domain, TEXT("e"), KEY_ED25519, DAY), OK);
	assert_int_equal(key_plan_add(&plan, TEXT("example.net"), TEXT("r"), KEY_RSA, DAY), OK);
	see(&plan, "r", DAY);
	see(&plan, "e", DAY);
	assert_string_equal(word(&plan, "e", DAY), "active");
	assert_string_equal(word(&plan, "r", 10 * DAY), "active");
	assert_int_equal(key_state_at(&plan.keys[2], 10 * DAY), KEY_NEW);
	arena_free(plan.arena);
}

static void selectors_are_days(void **state)
{
	struct key_plan plan = { .arena = arena_new(1 << 20) };
	struct text name;

	(void)state;
	assert_true(key_plan_name(&plan, domain, KEY_RSA, 0, &name));
	assert_true(text_equal(name, TEXT("19700101r")));
	assert_int_equal(key_plan_add(&plan, domain, name, KEY_RSA, 1), OK);
	assert_true(key_plan_name(&plan, domain, KEY_RSA, 0, &name));
	assert_true(text_equal(name, TEXT("19700101r-2")));
	assert_true(key_plan_name(&plan, domain, KEY_ED25519, DAY, &name));
	assert_true(text_equal(name, TEXT("19700102e")));
	arena_free(plan.arena);
}

static void what_is_written_is_read(void **state)
{
	struct key_plan plan = { .arena = arena_new(1 << 20) }, again;
	struct buffer text, twice, complaints;

	(void)state;
	buffer_init(&text, 1 << 16);
	buffer_init(&twice, 1 << 16);
	buffer_init(&complaints, 1 << 16);
	assert_int_equal(key_plan_add(&plan, domain, TEXT("one"), KEY_RSA, 5), OK);
	see(&plan, "one", 6);
	assert_int_equal(key_plan_add(&plan, domain, TEXT("two"), KEY_RSA, 7), OK);
	see(&plan, "two", 8);
	for (int i = 0; i < 40; i++) { /* More than the room of the first. */
		struct text name;

		assert_true(arena_print(plan.arena, &name, "d%d.test", i));
		assert_int_equal(key_plan_add(&plan, name, TEXT("s"), KEY_ED25519, 9), OK);
	}
	assert_true(key_plan_print(&plan, &text));
	assert_true(key_plan_parse(buffer_text(&text), "state", plan.arena, &again, &complaints));
	assert_int_equal(again.count, 42);
	assert_int_equal(again.keys[0].until_s, 8 + 3600);
	assert_int_equal(again.keys[0].line, 2);
	assert_true(key_plan_print(&again, &twice));
	assert_true(text_equal(buffer_text(&text), buffer_text(&twice)));
	buffer_done(&text);
	buffer_done(&twice);
	buffer_done(&complaints);
	arena_free(plan.arena);
}

static void what_nobody_wrote_is_refused(void **state)
{
	static const char *const rows[] = { "example.org s rsa 1 - - -", "example.org s rsa 1 - - - - -",
		"example.org s dsa 1 - - - -", "example.org ../s rsa 1 - - - -", "Example.org s rsa 1 - - - -",
		"example.org s rsa - - - - -", "example.org s rsa 5 4 - - -", "example.org s rsa 5 - 6 - -",
		"example.org s rsa x - - - -", "example.org s rsa 99999999999999999999 - - - -",
		"example..org s rsa 1 - - - -", "a.test s rsa 1 - - - -\na.test s ed25519 1 - - - -" };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena *arena = arena_new(1 << 20);
		struct buffer complaints;
		struct key_plan plan;

		buffer_init(&complaints, 1 << 16);
		print_message("%s\n", rows[i]);
		assert_false(key_plan_parse(text_of(rows[i]), "state", arena, &plan, &complaints));
		assert_true(text_starts(buffer_text(&complaints), i < 11 ? TEXT("state:1: ") : TEXT("state:2: ")));
		buffer_done(&complaints);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(keys_follow_each_other_by_the_clock),
		cmocka_unit_test(kinds_and_domains_do_not_wait_for_each_other), cmocka_unit_test(selectors_are_days),
		cmocka_unit_test(what_is_written_is_read), cmocka_unit_test(what_nobody_wrote_is_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
