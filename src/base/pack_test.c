#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/pack.h"

enum { ROOM = 64, TEXT_MAX = 8 };

static struct text example(char room[ROOM])
{
	struct pack pack = { .room = room, .room_size = ROOM };

	pack_number(&pack, 0x0102, 2);
	pack_text(&pack, TEXT("a line"), TEXT_MAX);
	pack_text(&pack, TEXT_EMPTY, TEXT_MAX);
	pack_number(&pack, UINT64_MAX - 1, 8);
	assert_false(pack.failed);
	return (struct text){ room, pack.length };
}

static bool read_example(struct text bytes)
{
	struct unpack unpack = { .rest = bytes };
	const bool number = unpack_number(&unpack, 2) == 0x0102;
	const bool line = text_equal(unpack_line(&unpack, TEXT_MAX), TEXT("a line"));
	const bool empty = unpack_text(&unpack, TEXT_MAX).length == 0;
	const bool last = unpack_number(&unpack, 8) == UINT64_MAX - 1;

	return unpack_end(&unpack) && number && line && empty && last;
}

static void what_was_put_is_got(void **state)
{
	char room[ROOM];
	const struct text bytes = example(room);

	(void)state;
	assert_int_equal(room[0], 2);
	assert_true(read_example(bytes));
}

static void what_is_cut_or_longer_fails(void **state)
{
	char room[ROOM] = { 0 };
	const struct text bytes = example(room);

	(void)state;
	for (size_t length = 0; length < bytes.length; length++)
		assert_false(read_example(text_part(bytes, 0, length)));
	assert_false(read_example((struct text){ room, bytes.length + 1 }));
}

static void long_texts_fail(void **state)
{
	char room[ROOM];
	struct pack pack = { .room = room, .room_size = ROOM };

	(void)state;
	pack_text(&pack, TEXT("12345678"), TEXT_MAX);
	assert_false(pack.failed);

	struct unpack unpack = { .rest = { room, pack.length } };

	assert_int_equal(unpack_text(&unpack, TEXT_MAX - 1).length, 0);
	assert_true(unpack.failed);
	pack_text(&pack, TEXT("123456789"), TEXT_MAX);
	assert_true(pack.failed);
}

static void lines_stay_lines(void **state)
{
	static const struct text bad[] = { { "a\rb", 3 }, { "a\nb", 3 }, { "a\0b", 3 } };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char room[ROOM];
		struct pack pack = { .room = room, .room_size = ROOM };

		pack_text(&pack, bad[i], TEXT_MAX);

		struct unpack text = { .rest = { room, pack.length } }, line = text;

		assert_true(text_equal(unpack_text(&text, TEXT_MAX), bad[i]) && unpack_end(&text));
		(void)unpack_line(&line, TEXT_MAX);
		assert_false(unpack_end(&line));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_got),
		cmocka_unit_test(what_is_cut_or_longer_fails),
		cmocka_unit_test(long_texts_fail),
		cmocka_unit_test(lines_stay_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
