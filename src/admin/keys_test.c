#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "admin/admin_private.h"

enum { HOUR = 3600, DAY = 24 * HOUR, T0 = 1'700'000'000 };

static const struct plan_settings times = { .wait_s = HOUR, .retire_s = 7 * DAY, .rotate_s = 180 * DAY };

struct world {
	struct key_plan plan;
	bool signs;
};

static const struct key_plan *keys(void *context, struct plan_settings *out_settings)
{
	const struct world *world = context;

	*out_settings = times;
	return world->signs ? &world->plan : NULL;
}

static json_t *told(struct world *world, int64_t now_s)
{
	const struct admin_settings settings = { .keys = keys, .context = world };

	return admin_keys(&settings, now_s);
}

static void seen(struct world *world, const char *domain, const char *selector, int64_t now_s)
{
	assert_int_equal(key_plan_add(&world->plan, text_of(domain), text_of(selector), KEY_RSA, now_s), OK);
	key_plan_seen(&world->plan, key_plan_find(&world->plan, text_of(domain), text_of(selector)), &times, now_s);
}

static const char *member(const json_t *told, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(json_object_get(told, "keys"), i), key));
}

static json_int_t next_s(const json_t *told, size_t i)
{
	return json_integer_value(json_object_get(json_array_get(json_object_get(told, "keys"), i), "next-at-s"));
}

static void a_change_of_keys_is_told(void **state)
{
	struct world world = { .plan = { .arena = arena_new(1 << 20) } };
	json_t *answer = told(&world, T0);

	(void)state;
	assert_true(json_is_null(answer)); /* Nothing is signed. */
	world.signs = true;
	seen(&world, "a.test", "one", T0);
	seen(&world, "a.test", "two", T0 + DAY);
	assert_int_equal(key_plan_add(&world.plan, TEXT("b.test"), TEXT("new"), KEY_ED25519, T0 + DAY), OK);
	answer = told(&world, T0 + DAY);
	assert_int_equal(json_integer_value(json_object_get(answer, "active")), 1);
	assert_int_equal(json_integer_value(json_object_get(answer, "published")), 1);
	assert_int_equal(json_integer_value(json_object_get(answer, "new")), 1);
	assert_int_equal(json_integer_value(json_object_get(answer, "retired")), 0);
	assert_string_equal(member(answer, 0, "state"), "active");
	assert_string_equal(member(answer, 0, "since"), "2023-11-14T22:13:20Z");
	assert_string_equal(member(answer, 0, "next"), "signs until 2023-11-15T23:13:20Z");
	assert_int_equal(next_s(answer, 0), T0 + DAY + HOUR);
	assert_string_equal(member(answer, 1, "state"), "published");
	assert_string_equal(member(answer, 1, "next-at"), "2023-11-15T23:13:20Z");
	assert_string_equal(member(answer, 2, "algorithm"), "ed25519");
	assert_string_equal(member(answer, 2, "next"), "publish its record (postroad dkim record b.test), then postroad dkim check");
	assert_null(member(answer, 2, "next-at"));
	json_decref(answer);
	/* Later, by the same plan. */
	answer = told(&world, T0 + DAY + HOUR);
	assert_string_equal(member(answer, 0, "state"), "retiring");
	assert_int_equal(next_s(answer, 0), T0 + DAY + HOUR + times.retire_s);
	assert_string_equal(member(answer, 1, "state"), "active");
	assert_int_equal(next_s(answer, 1), T0 + DAY + HOUR + times.rotate_s);
	json_decref(answer);
	answer = told(&world, T0 + DAY + HOUR + times.rotate_s);
	assert_string_equal(member(answer, 0, "state"), "retired");
	assert_string_equal(member(answer, 1, "next"), "due: postroad dkim rotate a.test");
	json_decref(answer);
	arena_free(world.plan.arena);
}

static void of_many_the_nearest_are_told(void **state)
{
	struct world world = { .plan = { .arena = arena_new(1 << 20) }, .signs = true };
	char names[ADMIN_KEYS_MAX + 2][16];

	(void)state;
	/* Each is due later than the one before it, but the last one, which is new. */
	for (int i = 0; i < ADMIN_KEYS_MAX + 1; i++) {
		snprintf(names[i], sizeof names[i], "d%d.test", i);
		seen(&world, names[i], "s", T0 + i);
	}
	assert_int_equal(key_plan_add(&world.plan, TEXT("last.test"), TEXT("s"), KEY_RSA, T0 + DAY), OK);
	json_t *answer = told(&world, T0 + DAY);

	assert_int_equal(json_array_size(json_object_get(answer, "keys")), ADMIN_KEYS_MAX);
	assert_int_equal(json_integer_value(json_object_get(answer, "active")), ADMIN_KEYS_MAX + 1);
	assert_string_equal(member(answer, 0, "domain"), "d0.test");
	assert_string_equal(member(answer, ADMIN_KEYS_MAX - 2, "domain"), "d98.test");
	assert_string_equal(member(answer, ADMIN_KEYS_MAX - 1, "domain"), "last.test");
	json_decref(answer);
	arena_free(world.plan.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_change_of_keys_is_told), cmocka_unit_test(of_many_the_nearest_are_told) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
