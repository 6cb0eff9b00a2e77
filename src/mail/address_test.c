#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/address.h"
#include "mail/address_list.h"

static const struct {
	const char *text;
	bool utf8;
	enum error expected;
	const char *local, *domain, *printed;
} paths[] = {
	{ "user@example.org", false, OK, "user", "example.org", "user@example.org" },
	{ "User@EXAMPLE.org", false, OK, "User", "example.org", "User@example.org" },
	{ "", false, OK, "", "", "" },
	{ "postmaster", false, OK, "postmaster", "", "postmaster" },
	{ "PostMaster", false, OK, "PostMaster", "", "PostMaster" },
	{ "other", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "\"postmaster\"", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a.b@c.d", false, OK, "a.b", "c.d", "a.b@c.d" },
	{ "\"a.b\"@c.d", false, OK, "a.b", "c.d", "a.b@c.d" },
	{ "\"a b\"@c.d", false, OK, "a b", "c.d", "\"a b\"@c.d" },
	{ "\"a\\\"b\\\\\"@c.d", false, OK, "a\"b\\", "c.d", "\"a\\\"b\\\\\"@c.d" },
	{ "\"\"@c.d", false, OK, "", "c.d", "\"\"@c.d" },
	{ "@x.test,@y.test:user@c.d", false, OK, "user", "c.d", "user@c.d" },
	{ "@x.test:user@", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@[192.0.2.1]", false, OK, "a", "[192.0.2.1]", "a@[192.0.2.1]" },
	{ "a@[IPv6:2001:db8::1]", false, OK, "a", "[ipv6:2001:db8::1]", "a@[ipv6:2001:db8::1]" },
	{ "a@[2001:db8::1]", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@[192.0.2.256]", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@[192.0.2.1", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "@b", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@b@c", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ ".a@b", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a.@b", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a..b@c", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@b..c", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@b.c.", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@-b.c", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@b-.c", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a b@c", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@b c", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a\r@b", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@b>", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "\xc3\xbcser@example.org", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "\xc3\xbcser@b\xc3\xbc" "cher.test", true, OK, "\xc3\xbcser", "b\xc3\xbc" "cher.test", "\xc3\xbcser@b\xc3\xbc" "cher.test" },
	{ "\xc3@example.org", true, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@\xff.test", true, ERR_SYNTAX, NULL, NULL, NULL },
	{ "1234567890123456789012345678901234567890123456789012345678901234@b", false, OK,
	    "1234567890123456789012345678901234567890123456789012345678901234", "b",
	    "1234567890123456789012345678901234567890123456789012345678901234@b" },
	{ "12345678901234567890123456789012345678901234567890123456789012345@b", false, ERR_TOO_LARGE, NULL, NULL, NULL },
};

static void paths_follow_the_grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		struct arena *arena = arena_new(4096);
		struct address address = { TEXT("before"), TEXT("before") };
		struct text printed;
		const enum error error = address_parse(text_of(paths[i].text), paths[i].utf8, arena, &address);

		if (error != paths[i].expected)
			fail_msg("%s: %s", paths[i].text, error_text(error));
		if (error == OK) {
			assert_true(text_equal(address.local, text_of(paths[i].local)));
			assert_true(text_equal(address.domain, text_of(paths[i].domain)));
			assert_true(address_print(&address, arena, &printed));
			assert_true(text_equal(printed, text_of(paths[i].printed)));
		} else {
			assert_true(text_equal(address.local, TEXT("before"))); /* Untouched on failure. */
		}
		arena_free(arena);
	}
}

static void a_path_leaves_what_follows(void **state)
{
	struct arena *arena = arena_new(4096);
	struct text rest = TEXT("<\"a>b\"@example.org> SIZE=1");
	struct address address;

	(void)state;
	assert_int_equal(address_parse_path(&rest, false, arena, &address), OK);
	assert_true(text_equal(address.local, TEXT("a>b")));
	assert_true(text_equal(rest, TEXT(" SIZE=1")));
	rest = TEXT("<a@b");
	assert_int_equal(address_parse_path(&rest, false, arena, &address), ERR_SYNTAX);
	assert_true(text_equal(rest, TEXT("<a@b")));
	rest = TEXT("<>");
	assert_int_equal(address_parse_path(&rest, false, arena, &address), OK);
	assert_true(address_is_null(&address));
	arena_free(arena);
}

static void names_with_wide_letters_have_an_ascii_form(void **state)
{
	struct arena *arena = arena_new(4096);
	struct text ascii;

	(void)state;
	assert_int_equal(address_domain_to_ascii(TEXT("B\xc3\xbc" "cher.test"), arena, &ascii), OK);
	assert_true(text_equal(ascii, TEXT("xn--bcher-kva.test")));
	assert_int_equal(address_domain_to_ascii(TEXT("ORG.test"), arena, &ascii), OK);
	assert_true(text_equal(ascii, TEXT("org.test")));
	arena_free(arena);
}

static void lists_of_a_header_are_read(void **state)
{
	struct arena *arena = arena_new(64 << 10);
	struct address list[8];
	size_t count = 0;
	static const char *const expected[] = { "a", "b", "c d", "e", "f" };

	(void)state;
	assert_int_equal(address_list_parse(TEXT("\"Last, First\" <a@x.test>, b@x.test (a, comment),\r\n "
	                                         "\"c d\"@x.test, Team: e@x.test, f;"), TEXT("home.test"), arena, list, 8, &count), OK);
	assert_int_equal(count, 5);
	for (size_t i = 0; i < count; i++)
		assert_true(text_equal(list[i].local, text_of(expected[i])));
	assert_true(text_equal(list[4].domain, TEXT("home.test")));
	count = 0;
	assert_int_equal(address_list_parse(TEXT("a@b.c, \"open"), TEXT("h"), arena, list, 8, &count), ERR_SYNTAX);
	assert_int_equal(address_list_parse(TEXT("a@b.c, d@e.f"), TEXT("h"), arena, list, 1, &count), ERR_TOO_LARGE);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_follow_the_grammar),
		cmocka_unit_test(a_path_leaves_what_follows),
		cmocka_unit_test(names_with_wide_letters_have_an_ascii_form),
		cmocka_unit_test(lists_of_a_header_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
