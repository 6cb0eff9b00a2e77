#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"

static void pieces_are_zeroed_aligned_and_never_overlap(void **state)
{
	enum { COUNT = 200 };
	struct arena *arena = arena_new(1 << 20);
	unsigned char *pieces[COUNT];

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		const size_t size = i * 7 % 300 + 1;

		pieces[i] = arena_alloc(arena, size);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(pieces[i][k], 0);
		memset(pieces[i], (int)i, size);
	}
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < i * 7 % 300 + 1; k++)
			assert_int_equal(pieces[i][k], (unsigned char)i);
	arena_free(arena);
}

static void the_cap_holds_and_failing_costs_nothing(void **state)
{
	struct arena *arena = arena_new(10000);
	size_t total = 0;

	(void)state;
	assert_null(arena_alloc(arena, 10001));
	assert_null(arena_alloc(arena, SIZE_MAX));
	assert_null(arena_array(arena, SIZE_MAX / 4, 8));
	assert_int_equal(arena_used(arena), 0);
	/* What did not fit left the room for what does. */
	while (arena_alloc(arena, 64) != NULL)
		total += 64;
	assert_in_range(total, 9000, 10000);
	assert_int_equal(arena_used(arena), total);
	for (int i = 0; i < 100000; i++) /* A leak here would be seen by the sanitizer's limit and by eye. */
		assert_null(arena_alloc(arena, 4096));
	assert_int_equal(arena_used(arena), total);
	arena_free(arena);
}

static void reset_gives_everything_back(void **state)
{
	struct arena *arena = arena_new(20000);

	(void)state;
	for (int round = 0; round < 1000; round++) {
		unsigned char *big = arena_alloc(arena, 15000), *small = arena_alloc(arena, 100);

		assert_non_null(big);
		assert_non_null(small);
		assert_int_equal(small[99], 0);
		small[99] = 1;
		arena_reset(arena);
		assert_int_equal(arena_used(arena), 0);
	}
	arena_free(arena);
	arena_free(NULL);
}

static void an_arena_without_room_is_an_arena(void **state)
{
	struct arena *arena = arena_new(0);
	struct text copy = TEXT("before");

	(void)state;
	assert_null(arena_alloc(arena, 1));
	assert_false(arena_copy(arena, TEXT("a"), &copy));
	assert_false(arena_print(arena, &copy, "%d", 1));
	assert_true(text_equal(copy, TEXT("before")));
	arena_free(arena);
}

static void copies_and_prints_end_with_an_uncounted_nul(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct text text;

	(void)state;
	assert_true(arena_copy(arena, (struct text){ "abcdef", 3 }, &text));
	assert_int_equal(text.length, 3);
	assert_string_equal(text.bytes, "abc");
	assert_true(arena_copy(arena, TEXT_EMPTY, &text));
	assert_int_equal(text.length, 0);
	assert_string_equal(text.bytes, "");
	assert_true(arena_print(arena, &text, "%0*d", 5000, 7));
	assert_int_equal(text.length, 5000);
	assert_string_equal(text.bytes + 4998, "07");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_zeroed_aligned_and_never_overlap),
		cmocka_unit_test(the_cap_holds_and_failing_costs_nothing),
		cmocka_unit_test(reset_gives_everything_back),
		cmocka_unit_test(an_arena_without_room_is_an_arena),
		cmocka_unit_test(copies_and_prints_end_with_an_uncounted_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
