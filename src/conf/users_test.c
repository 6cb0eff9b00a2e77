#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/users.h"

static void names_are_read_and_passwords_are_not(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct buffer complaints;
	const struct text *names;
	size_t count;

	(void)state;
	buffer_init(&complaints, 4096);
	assert_true(users_read(TEXT("# people\nalice:{PLAIN}x:1000:1000::/home/a::\n\nbob@b.test:{SHA}y\ncarol\n"), "users", arena,
	    &names, &count, &complaints));
	assert_int_equal(count, 3);
	assert_true(text_equal(names[0], TEXT("alice")));
	assert_true(text_equal(names[1], TEXT("bob@b.test")));
	assert_true(text_equal(names[2], TEXT("carol")));
	buffer_done(&complaints);
	arena_free(arena);
}

static void lines_that_are_no_user_are_named(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct buffer complaints;
	const struct text *names;
	size_t count;

	(void)state;
	buffer_init(&complaints, 4096);
	assert_false(users_read(TEXT("ok:x\n../etc:x\na b:x\n:x"), "users", arena, &names, &count, &complaints));
	assert_true(text_find(buffer_text(&complaints), TEXT("users:2:")) < complaints.length);
	assert_true(text_find(buffer_text(&complaints), TEXT("users:3:")) < complaints.length);
	assert_true(text_find(buffer_text(&complaints), TEXT("users:4:")) < complaints.length);
	buffer_done(&complaints);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read_and_passwords_are_not),
		cmocka_unit_test(lines_that_are_no_user_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
