#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"

static void check(const struct buffer *buffer, const char *expected)
{
	if (!text_equal(buffer_text(buffer), text_of(expected)))
		fail_msg("%.*s is not %s", TEXT_FORMAT(buffer_text(buffer)), expected);
}

static void bytes_leave_in_the_order_they_came(void **state)
{
	struct buffer buffer;
	unsigned came = 0, left = 0;

	(void)state;
	buffer_init(&buffer, 5000);
	/* Uneven steps, so that the contents wander through the memory and grow with a start in the middle. */
	for (unsigned round = 1; round < 2000; round++) {
		for (unsigned i = 0; i < round % 97; i++, came++) {
			const char byte = (char)(came % 251);

			if (!buffer_append(&buffer, (struct text){ &byte, 1 }))
				break;
		}
		const struct text held = buffer_text(&buffer);
		const size_t size = held.length < round % 89 ? held.length : round % 89;

		assert_int_equal(held.length, came - left);
		for (size_t i = 0; i < size; i++, left++)
			assert_int_equal((unsigned char)held.bytes[i], left % 251);
		buffer_consume(&buffer, size);
	}
	assert_true(left > 10000);
	buffer_done(&buffer);
}

static void the_limit_is_exact_and_failing_changes_nothing(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 5);
	assert_true(buffer_append(&buffer, TEXT("abc")));
	assert_false(buffer_append(&buffer, TEXT("def")));
	assert_false(buffer_print(&buffer, "%s", "def"));
	assert_null(buffer_reserve(&buffer, 3));
	assert_null(buffer_reserve(&buffer, SIZE_MAX));
	check(&buffer, "abc");
	assert_true(buffer_print(&buffer, "%s", "de"));
	assert_true(buffer_append(&buffer, TEXT_EMPTY));
	assert_false(buffer_append(&buffer, TEXT("f")));
	check(&buffer, "abcde");
	buffer_consume(&buffer, 2);
	assert_true(buffer_append(&buffer, TEXT("fg")));
	check(&buffer, "cdefg");
	buffer_done(&buffer);
}

static void reserved_room_counts_when_it_is_added(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 1000);
	assert_non_null(buffer_reserve(&buffer, 0)); /* NULL would mean the limit. */
	char *room = buffer_reserve(&buffer, 600);

	assert_non_null(room);
	memcpy(room, "abc", 3);
	check(&buffer, "");
	buffer_added(&buffer, 3);
	check(&buffer, "abc");
	buffer_done(&buffer);
}

static void emptied_buffers_are_used_again(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 100);
	assert_true(buffer_print(&buffer, "%d-%s", 12, "x"));
	check(&buffer, "12-x");
	buffer_clear(&buffer);
	check(&buffer, "");
	assert_non_null(buffer.bytes);
	buffer_release(&buffer);
	assert_null(buffer.bytes);
	check(&buffer, "");
	assert_true(buffer_append(&buffer, TEXT("again")));
	check(&buffer, "again");
	buffer_done(&buffer);
	buffer_done(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_leave_in_the_order_they_came),
		cmocka_unit_test(the_limit_is_exact_and_failing_changes_nothing),
		cmocka_unit_test(reserved_room_counts_when_it_is_added),
		cmocka_unit_test(emptied_buffers_are_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
