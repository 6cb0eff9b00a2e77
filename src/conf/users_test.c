#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/users.h"

struct outcome {
	struct arena *arena;
	struct buffer complaints;
	const struct text *names;
	size_t count;
	bool right;
};

static struct outcome read_users(struct text text)
{
	struct outcome outcome = { .arena = arena_new(1 << 20), .count = 77 };

	buffer_init(&outcome.complaints, 4096);
	outcome.right =
	    users_read(text, "users", outcome.arena, &outcome.names, &outcome.count, &outcome.complaints);
	return outcome;
}

static void outcome_done(struct outcome *outcome)
{
	buffer_done(&outcome->complaints);
	arena_free(outcome->arena);
}

static void names_are_read_in_order_and_passwords_are_not(void **state)
{
	struct outcome users =
	    read_users(TEXT("# people\nzoe:{PLAIN}x:1000:1000::/home/a::\r\n\nbob@b.test:{SHA}y\n carol \nbob:x"));
	static const char *const expected[] = { "zoe", "bob@b.test", "carol", "bob" };

	(void)state;
	assert_true(users.right);
	assert_int_equal(users.complaints.length, 0);
	assert_int_equal(users.count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_true(text_equal(users.names[i], text_of(expected[i])));
	outcome_done(&users);
}

static void an_empty_file_has_no_users(void **state)
{
	static const struct text empty[] = { TEXT(""), TEXT("\n"), TEXT("# none\n"), { NULL, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
		struct outcome users = read_users(empty[i]);

		assert_true(users.right);
		assert_int_equal(users.count, 0);
		outcome_done(&users);
	}
}

static void wrong_lines_are_all_named_and_their_words_are_not(void **state)
{
	static const char expected[] =
	    "users:2: no user begins this line (hint: name:password, or name@domain:password)\n"
	    "users:3: no user begins this line (hint: name:password, or name@domain:password)\n"
	    "users:4: no user begins this line (hint: name:password, or name@domain:password)\n"
	    "users:6: no user begins this line (hint: name:password, or name@domain:password)\n";
	struct outcome users = read_users(TEXT("ok:x\n../etc:x\nmallory secret\n:x\nfine:x\na@b@c:x"));

	(void)state;
	assert_false(users.right);
	assert_int_equal(users.count, 77);
	assert_true(text_equal(buffer_text(&users.complaints), text_of(expected)));
	outcome_done(&users);
}

static void nobody_stands_there_twice(void **state)
{
	struct outcome users = read_users(TEXT("alice:x\nbob:y\nAlice:z\nalice@a.test:x\n"));

	(void)state;
	assert_false(users.right);
	assert_true(text_equal(
	    buffer_text(&users.complaints), TEXT("users:3: Alice stands in line 1 already (hint: keep one of them)\n")));
	outcome_done(&users);
}

static void any_byte_may_come(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		const char bytes[] = { 'a', (char)c, 'b', ':', 'x' };
		struct outcome users = read_users((struct text){ bytes, sizeof bytes });

		assert_int_equal(users.right, users.complaints.length == 0);
		if (c < ' ' && c != '\n')
			assert_false(users.right);
		outcome_done(&users);
	}
}

static void edits_leave_the_rest_alone(void **state)
{
	static const struct {
		const char *before;
		enum users_edit edit;
		const char *name;
		enum error want;
		const char *after;
	} rows[] = {
		{ "", USERS_ADD, "a", OK, "a:{X}y\n" },
		{ "b:c", USERS_ADD, "a", OK, "b:c\na:{X}y\n" },
		{ "# text\nb:c:1:2\n", USERS_ADD, "a", OK, "# text\nb:c:1:2\na:{X}y\n" },
		{ "A:c\n", USERS_ADD, "a", ERR_EXISTS, NULL },
		{ "b:c\r\na:old:1000:1000::/home/a:/bin/sh\r\n#\n", USERS_SET_PASSWORD, "a", OK,
		    "b:c\r\na:{X}y:1000:1000::/home/a:/bin/sh\r\n#\n" },
		{ "a:old", USERS_SET_PASSWORD, "a", OK, "a:{X}y" },
		{ "a", USERS_SET_PASSWORD, "a", OK, "a:{X}y" },
		{ "b:c\n", USERS_SET_PASSWORD, "a", ERR_NOT_FOUND, NULL },
		{ "# a:\nab:1\na:2\nb:3", USERS_REMOVE, "a", OK, "# a:\nab:1\nb:3" },
		{ "a@example.org:1\n", USERS_REMOVE, "a", ERR_NOT_FOUND, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buffer out;

		buffer_init(&out, 1000);
		const enum error error =
		    users_edit(text_of(rows[i].before), rows[i].edit, text_of(rows[i].name), TEXT("{X}y"), &out);

		if (error != rows[i].want || (error == OK && !text_equal(buffer_text(&out), text_of(rows[i].after))))
			fail_msg("row %zu: %.*s", i, TEXT_FORMAT(buffer_text(&out)));
		buffer_done(&out);
	}
}

static void owners_are_who_has_two_numbers(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, 1000);
	assert_true(users_print_owners(TEXT("a:{X}y:1000:1001::/home/a:/bin/sh\n# b:x:1:1\nc:x\nd:x:5:6\ne:x:0:0:\nf:x:x:6\n"
	                                    "g@h:x:4294967295:1\ni@j:x:7:8:"), &out));
	assert_true(text_equal(buffer_text(&out), TEXT("a 1000 1001\nd 5 6\ni@j 7 8\n")));
	buffer_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edits_leave_the_rest_alone),
		cmocka_unit_test(names_are_read_in_order_and_passwords_are_not),
		cmocka_unit_test(an_empty_file_has_no_users),
		cmocka_unit_test(wrong_lines_are_all_named_and_their_words_are_not),
		cmocka_unit_test(owners_are_who_has_two_numbers),
		cmocka_unit_test(nobody_stands_there_twice),
		cmocka_unit_test(any_byte_may_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
