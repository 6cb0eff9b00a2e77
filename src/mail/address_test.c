#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/address.h"

/* All of an array but its NUL. */
#define TEXT_ROOM(array) ((struct text){ (array), sizeof(array) - 1 })

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
	{ "a@[IPv6:1:2:3:4:5:6::8]", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@[IPv6:1:2:3:4:5::8]", false, OK, "a", "[ipv6:1:2:3:4:5::8]", "a@[ipv6:1:2:3:4:5::8]" },
	{ "a@[IPv6:::ffff:192.0.2.1]", false, OK, "a", "[ipv6:::ffff:192.0.2.1]",
	    "a@[ipv6:::ffff:192.0.2.1]" },
	{ "a@[tag:content]", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@[]", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@[", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@[[192.0.2.1]]", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@[192.0.2.1].test", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "\"", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "\"a", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "\"a\\", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "\"a\"b@c", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "@x.test,:a@b", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "@x.test a@b", false, ERR_SYNTAX, NULL, NULL, NULL },
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
	{ "üser@example.org", false, ERR_SYNTAX, NULL, NULL, NULL },
	{ "üser@bücher.test", true, OK, "üser", "bücher.test", "üser@bücher.test" },
	{ "\xc3@example.org", true, ERR_SYNTAX, NULL, NULL, NULL },
	{ "a@\xff.test", true, ERR_SYNTAX, NULL, NULL, NULL },
	{ "1234567890123456789012345678901234567890123456789012345678901234@b", false, OK,
	    "1234567890123456789012345678901234567890123456789012345678901234", "b",
	    "1234567890123456789012345678901234567890123456789012345678901234@b" },
	{ "12345678901234567890123456789012345678901234567890123456789012345@b", false, ERR_TOO_LARGE, NULL,
	    NULL, NULL },
};

static void paths_follow_the_grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		struct arena *arena = arena_new(4096);
		struct address address = { TEXT("before"), TEXT("before") };
		struct text printed;
		const enum error error =
		    address_parse(text_of(paths[i].text), paths[i].utf8, arena, &address);

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
	assert_int_equal(address_domain_to_ascii(TEXT("Bücher.test"), arena, &ascii), OK);
	assert_true(text_equal(ascii, TEXT("xn--bcher-kva.test")));
	assert_int_equal(address_domain_to_ascii(TEXT("ORG.test"), arena, &ascii), OK);
	assert_true(text_equal(ascii, TEXT("org.test")));
	arena_free(arena);
}

static void domains_that_only_look_harmless_have_no_ascii_form(void **state)
{
	/* Wide look-alikes of "/", ".", "@" and "[": libidn2 maps them to the bytes they look like. */
	static const char *const bad[] = { "bü／.test", "／", "bü．", "bü..test", "bü＠x.test",
		"［192.0.2.1]", "bü.\xff", "\xe2\x80\x8d" };
	struct arena *arena = arena_new(64 << 10);
	struct text ascii;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (address_domain_to_ascii(text_of(bad[i]), arena, &ascii) != ERR_SYNTAX)
			fail_msg("%s became %.*s", bad[i], TEXT_FORMAT(ascii));
	assert_int_equal(address_domain_to_ascii(TEXT("bü\0x.test"), arena, &ascii), ERR_SYNTAX);
	arena_free(arena);
}

static void addresses_are_compared_as_servers_must(void **state)
{
	static const struct {
		struct address a, b;
		bool equal;
	} pairs[] = {
		{ { { "a", 1 }, { "x.test", 6 } }, { { "a", 1 }, { "X.Test", 6 } }, true },
		{ { { "a", 1 }, { "x.test", 6 } }, { { "A", 1 }, { "x.test", 6 } }, false },
		{ { { "Postmaster", 10 }, { "x.test", 6 } }, { { "postmasteR", 10 }, { "x.test", 6 } },
		    true },
		{ { { "a", 1 }, { "x.test", 6 } }, { { "a", 1 }, { "y.test", 6 } }, false },
		{ { { NULL, 0 }, { NULL, 0 } }, { { "", 0 }, { "", 0 } }, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		assert_int_equal(address_equal(&pairs[i].a, &pairs[i].b), pairs[i].equal);
		assert_int_equal(address_equal(&pairs[i].b, &pairs[i].a), pairs[i].equal);
	}
}

static void every_hostile_byte_is_refused_everywhere(void **state)
{
	struct arena *arena = arena_new(64 << 10);
	struct address address;

	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		const bool control = byte < ' ' || byte == 127;
		char atom[] = "a?b@example.org", quoted[] = "\"a?b\"@example.org",
		     pair[] = "\"a\\?b\"@example.org";
		char domain[] = "ab@exa?ple.org", literal[] = "ab@[192.0.2.?]";

		atom[1] = quoted[2] = pair[3] = domain[6] = literal[12] = (char)byte;
		assert_int_equal(address_parse(TEXT_ROOM(quoted), true, arena, &address) == OK,
		    !control && byte < 128 && byte != '"'); /* A backslash quotes the b. */
		assert_int_equal(
		    address_parse(TEXT_ROOM(pair), true, arena, &address) == OK, !control && byte < 128);
		assert_int_equal(address_parse(TEXT_ROOM(domain), true, arena, &address) == OK,
		    byte_is_alnum((char)byte) || byte == '-' || byte == '.' || byte == '_');
		assert_int_equal(address_parse(TEXT_ROOM(literal), true, arena, &address) == OK,
		    byte_is_digit((char)byte));
		if (control || byte > 127 || byte == ' ')
			assert_int_equal(address_parse(TEXT_ROOM(atom), true, arena, &address), ERR_SYNTAX);
		arena_reset(arena);
	}
	arena_free(arena);
}

static void lengths_are_held_to_the_limits(void **state)
{
	struct arena *arena = arena_new(64 << 10);
	struct address address;
	char room[70000];

	(void)state;
	memset(room, 'a', sizeof room);
	assert_int_equal(address_parse(TEXT_ROOM(room), false, arena, &address), ERR_TOO_LARGE);
	/* 254 bytes of mailbox make the longest path; labels of 62 and a dot. */
	for (size_t i = 65; i < 300; i += 63)
		room[i] = '.';
	room[1] = '@';
	assert_int_equal(address_parse((struct text){ room, 254 }, false, arena, &address), OK);
	assert_int_equal(address_parse((struct text){ room, 255 }, false, arena, &address), ERR_TOO_LARGE);
	/* A label of 64 is none. */
	room[64] = 'a', room[65] = 'a', room[66] = '.';
	assert_int_equal(address_parse((struct text){ room, 66 }, false, arena, &address), ERR_SYNTAX);
	assert_int_equal(address_parse((struct text){ room, 65 }, false, arena, &address), OK);
	arena_free(arena);
}

static void no_memory_is_said(void **state)
{
	struct arena *arena = arena_new(16);
	struct address address;
	struct text text;

	(void)state;
	assert_int_equal(
	    address_parse(TEXT("\"a\"@averylongdomain.example.org"), false, arena, &address), ERR_NO_MEMORY);
	address = (struct address){ TEXT("averylonguser"), TEXT("averylongdomain.example.org") };
	assert_false(address_print(&address, arena, &text));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_follow_the_grammar),
		cmocka_unit_test(a_path_leaves_what_follows),
		cmocka_unit_test(names_with_wide_letters_have_an_ascii_form),
		cmocka_unit_test(domains_that_only_look_harmless_have_no_ascii_form),
		cmocka_unit_test(addresses_are_compared_as_servers_must),
		cmocka_unit_test(every_hostile_byte_is_refused_everywhere),
		cmocka_unit_test(lengths_are_held_to_the_limits),
		cmocka_unit_test(no_memory_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
