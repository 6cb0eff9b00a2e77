#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/address_list.h"

enum { LIST_MAX = 8 };

/* `expected`: the printed addresses joined by a space, or NULL and an error. */
static const struct {
	const char *value, *expected;
	enum error error;
} lists[] = {
	{ "a@x.test", "a@x.test", OK },
	{ " a@x.test ,\r\n\tb@x.test", "a@x.test b@x.test", OK },
	{ "", "", OK },
	{ "  \r\n ", "", OK },
	{ ", ,a@x.test,, ", "a@x.test", OK },
	{ "bob", "bob@home.test", OK },
	{ "postmaster", "postmaster@home.test", OK },
	{ "<bob>", "bob@home.test", OK },
	{ "\"Last, First\" <a@x.test>", "a@x.test", OK },
	{ "J. R. \"Bob\" Dobbs (the one; only) <a@x.test>, b", "a@x.test b@home.test", OK },
	{ "=?utf-8?q?J=C3=BCrgen?= <a@x.test>", "a@x.test", OK },
	{ "Jürgen <jürgen@bücher.test>", "jürgen@bücher.test", OK },
	{ "Team: a@x.test, B <b@x.test>;, c@x.test", "a@x.test b@x.test c@x.test", OK },
	{ "undisclosed-recipients:;", "", OK },
	{ "(c1 (c2 \\) ) ) a@x.test (after)", "a@x.test", OK },
	{ "a (x) . b (y) @ (z) x . test", "a.b@x.test", OK },
	{ "<\"a>b\"@x.test>", "\"a>b\"@x.test", OK },
	{ "\"x <b@y.test>\" <\"a,b\"@x.test>", "\"a,b\"@x.test", OK },
	{ "\"fol\r\n ded\"@x.test", "\"fol ded\"@x.test", OK },
	{ "<@y.test,@z.test:a@x.test>", "a@x.test", OK },
	{ "a@[192.0.2.1], b@[IPv6:::1]", "a@[192.0.2.1] b@[ipv6:::1]", OK },
	/* What must not be mistaken for somebody's address. */
	{ "a b@x.test", NULL, ERR_SYNTAX },
	{ "a(b)c@x.test", NULL, ERR_SYNTAX },
	{ "a@x.test b@x.test", NULL, ERR_SYNTAX },
	{ "<a@x.test> b", NULL, ERR_SYNTAX },
	{ "<a@x.test> <b@x.test>", NULL, ERR_SYNTAX },
	{ "<a@x.test", NULL, ERR_SYNTAX },
	{ "a@x.test>", NULL, ERR_SYNTAX },
	{ "Name <>", NULL, ERR_SYNTAX },
	{ "Name Of Nobody", NULL, ERR_SYNTAX },
	{ "a@x.test, \"open", NULL, ERR_SYNTAX },
	{ "a@x.test, (open", NULL, ERR_SYNTAX },
	{ "a@x.test, (open\\)", NULL, ERR_SYNTAX },
	{ "a@x.test)", NULL, ERR_SYNTAX },
	{ "a@[192.0.2.1", NULL, ERR_SYNTAX },
	{ "a@x.test\\", NULL, ERR_SYNTAX },
	{ "\"a\\", NULL, ERR_SYNTAX },
	{ "a@x@y.test", NULL, ERR_SYNTAX },
	{ "\x01@x.test", NULL, ERR_SYNTAX },
};

static struct text joined(const struct address *list, size_t count, struct arena *arena)
{
	struct text all = TEXT_EMPTY, one;

	for (size_t i = 0; i < count; i++) {
		assert_true(address_print(&list[i], arena, &one));
		assert_true(arena_print(
		    arena, &all, "%.*s%s%.*s", TEXT_FORMAT(all), i > 0 ? " " : "", TEXT_FORMAT(one)));
	}
	return all;
}

static void fields_are_read_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		struct arena *arena = arena_new(64 << 10);
		struct address list[LIST_MAX];
		size_t count = 0;
		const enum error error = address_list_parse(
		    text_of(lists[i].value), TEXT("home.test"), arena, list, LIST_MAX, &count);
		const struct text found = joined(list, count, arena);

		if (error != lists[i].error || !text_equal(found, text_of(lists[i].expected)))
			fail_msg("%s: %s: %.*s", lists[i].value, error_text(error), TEXT_FORMAT(found));
		arena_free(arena);
	}
}

static void fields_are_appended_and_bounded(void **state)
{
	struct arena *arena = arena_new(64 << 10);
	struct address list[2];
	size_t count = 0;

	(void)state;
	assert_int_equal(address_list_parse(TEXT("a@x.test"), TEXT("h"), arena, list, 2, &count), OK);
	assert_int_equal(
	    address_list_parse(TEXT("b@x.test, c@x.test"), TEXT("h"), arena, list, 2, &count), ERR_TOO_LARGE);
	assert_int_equal(count, 1);
	assert_int_equal(address_list_parse(TEXT("b@x.test"), TEXT("h"), arena, list, 2, &count), OK);
	assert_int_equal(count, 2);
	assert_true(text_equal(list[1].local, TEXT("b")));
	arena_free(arena);
}

static void deep_comments_and_nul_bytes_do_no_harm(void **state)
{
	struct arena *arena = arena_new(256 << 10);
	struct address list[1];
	char value[40000];
	size_t count = 0;

	(void)state;
	memset(value, '(', sizeof value);
	assert_int_equal(
	    address_list_parse((struct text){ value, sizeof value }, TEXT("h"), arena, list, 1, &count),
	    ERR_SYNTAX);
	assert_int_equal(
	    address_list_parse(TEXT("a\0b@x.test"), TEXT("h"), arena, list, 1, &count), ERR_SYNTAX);
	arena_free(arena);
	arena = arena_new(64);
	assert_int_equal(
	    address_list_parse((struct text){ value, sizeof value }, TEXT("h"), arena, list, 1, &count),
	    ERR_NO_MEMORY);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_read_or_refused),
		cmocka_unit_test(fields_are_appended_and_bounded),
		cmocka_unit_test(deep_comments_and_nul_bytes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
