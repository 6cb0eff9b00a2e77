/* The aliases file: what it means, and what is complained about where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "route/aliases.h"

static void describe(const struct alias *alias, char room[512])
{
	size_t used = (size_t)snprintf(room, 512, "%u %.*s@%.*s:", (unsigned)alias->line, TEXT_FORMAT(alias->local),
	    TEXT_FORMAT(alias->domain));

	for (size_t i = 0; i < alias->target_count; i++) {
		const struct alias_target *target = &alias->targets[i];

		used += (size_t)snprintf(room + used, 512 - used, " %s%.*s@%.*s", target->final ? "\\" : "",
		    TEXT_FORMAT(target->address.local), TEXT_FORMAT(target->address.domain));
	}
}

static void one_entry(void **state)
{
	static const struct {
		const char *content, *want;
	} rows[] = {
		{ "a: b", "1 a@: b@" },
		{ "a:b\n", "1 a@: b@" },
		{ "A : B ,\tc@X.org", "1 a@: B@ c@x.org" },
		{ "# comment\n\n  # another\r\nA: b\r\n", "4 a@: b@" },
		{ "a: b,\n c\n", "1 a@: b@ c@" },
		{ "a:\n\tb\n\n# between\n  # indented\n  , c\n", "1 a@: b@ c@" },
		{ "a: b,,c,", "1 a@: b@ c@" },
		{ "a: b,\n", "1 a@: b@" },
		{ "joe@Example.org: joe", "1 joe@example.org: joe@" },
		{ "@example.org: all@example.net", "1 @example.org: all@example.net" },
		{ "\"Joe Smith\": \"x y\"@example.org", "1 joe smith@: x y@example.org" },
		{ "\"a:b\\\"c\"@example.org: \"\\\\\"", "1 a:b\"c@example.org: \\@" },
		{ "a: \\a, \\b@x.org", "1 a@: \\a@ \\b@x.org" },
		{ "a: b@[192.0.2.1], c@[IPv6:2001:db8::1]", "1 a@: b@[192.0.2.1] c@[ipv6:2001:db8::1]" },
		{ "a: b@b\xc3\xbc" "cher.example", "1 a@: b@xn--bcher-kva.example" },
		{ "@b\xc3\xbc" "cher.example: b", "1 @xn--bcher-kva.example: b@" },
		{ "j\xc3\xbcrgen: a+b=c", "1 j\xc3\xbcrgen@: a+b=c@" },
		{ "  a: b", "1 a@: b@" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct arena *arena = arena_new(1 << 20);
		struct aliases aliases = { 0 };
		struct text complaint = TEXT_EMPTY;
		char got[512];

		if (aliases_parse(text_of(rows[i].content), TEXT("f"), arena, &aliases, &complaint) != OK)
			fail_msg("%s: %.*s", rows[i].content, TEXT_FORMAT(complaint));
		assert_int_equal(aliases.count, 1);
		describe(&aliases.entries[0], got);
		assert_string_equal(got, rows[i].want);
		arena_free(arena);
	}
}

static void complaints(void **state)
{
	static const struct {
		const char *content, *want;
	} rows[] = {
		{ "a b", "f:1: \"a\": a name must be followed by a colon" },
		{ "a", "f:1: \"a\": a name must be followed by a colon" },
		{ "\n\na:", "f:3: an alias without a target" },
		{ "a: # b\n", "f:1: \"b\": unexpected; targets are separated by commas" },
		{ "a: ,,\nb: c", "f:1: an alias without a target" },
		{ "a: b c", "f:1: \"c\": unexpected; targets are separated by commas" },
		{ "a: b,\n  c d", "f:2: \"d\": unexpected" },
		{ "a: b\na: c", "f:2: \"a\": this name is given twice" },
		{ "A@x.org: b\n#\n@x.org: b\na@X.ORG: c", "f:4: \"a@x.org\": this name is given twice" },
		{ "a: |/bin/prog arg", "f:1: \"|/bin/prog arg\": programs are no targets" },
		{ "a: \"|/bin/prog arg\", b", "f:1: \"\"|/bin/prog arg\"\": programs are no targets" },
		{ "a: b, /dev/null", "f:1: \"/dev/null\": files are not supported" },
		{ "a: :include:/etc/list", "f:1: \":include:/etc/list\": :include: is not supported" },
		{ "a: :fail: gone", "f:1: \":fail: gone\": not an address" },
		{ "a: <b@x.org>", "f:1: \"<b@x.org>\": not an address" },
		{ "a: @x.org", "f:1: \"@x.org\": not an address" },
		{ "a: b@", "f:1: not a domain" },
		{ "a: b@x..org", "f:1: \"x..org\": not a domain" },
		{ "a: b@[1.2.3]", "f:1: \"[1.2.3]\": not a domain" },
		{ "a: \"b\n", "f:1: a quoted name must end" },
		{ "a: \"b\\", "f:1: a quoted name must end" },
		{ "a: \"\"", "f:1: an empty name in quotes" },
		{ ": b", "f:1: \": b\": not a name" },
		{ "@: b", "f:1: not a domain" },
		{ "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff12345: b", "f:1: \"aaaaaaaaaabbbb" },
		{ "a: \"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff12345\"", "f:1: a local part" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct arena *arena = arena_new(1 << 20);
		struct aliases aliases = { 0 };
		struct text complaint = TEXT_EMPTY;

		if (aliases_parse(text_of(rows[i].content), TEXT("f"), arena, &aliases, &complaint) != ERR_SYNTAX)
			fail_msg("%s: no complaint", rows[i].content);
		if (!text_starts(complaint, text_of(rows[i].want)))
			fail_msg("%s: %.*s", rows[i].content, TEXT_FORMAT(complaint));
		assert_int_equal(aliases.count, 0);
		arena_free(arena);
	}
}

static void finding(void **state)
{
	static const char content[] = "staff: a\nsales@example.org: b\n@example.org: c\nSTAFF@example.net: d\n"
				      "postmaster: e\n";
	static const struct {
		const char *local, *domain;
		unsigned line; /* 0: none. */
	} rows[] = {
		{ "staff", "", 1 }, { "Staff", "", 1 }, { "staff", "example.net", 4 }, { "staff", "example.org", 0 },
		{ "SALES", "example.org", 2 }, { "", "example.org", 3 }, { "", "example.net", 0 },
		{ "postmaster", "", 5 }, { "x", "", 0 }, { "", "", 0 },
	};
	struct arena *arena = arena_new(1 << 20);
	struct aliases aliases = { 0 };
	struct text complaint;

	(void)state;
	assert_null(aliases_find(&aliases, TEXT("a"), TEXT("")));
	assert_int_equal(aliases_parse(text_of(content), TEXT("f"), arena, &aliases, &complaint), OK);
	assert_int_equal(aliases.count, 5);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct alias *alias =
		    aliases_find(&aliases, text_of(rows[i].local), text_of(rows[i].domain));

		assert_int_equal(alias ? alias->line : 0, rows[i].line);
	}
	arena_free(arena);
}

static void targets_are_bounded(void **state)
{
	(void)state;
	for (size_t count = ALIASES_TARGET_MAX; count <= ALIASES_TARGET_MAX + 1; count++) {
		struct arena *arena = arena_new(1 << 20);
		char *content = malloc(2 + count * 2);
		struct aliases aliases;
		struct text complaint;

		memcpy(content, "a:", 2);
		for (size_t i = 0; i < count; i++)
			memcpy(content + 2 + 2 * i, "b,", 2);
		const enum error error = aliases_parse(
		    (struct text){ content, 2 + count * 2 }, TEXT("f"), arena, &aliases, &complaint);

		assert_int_equal(error, count <= ALIASES_TARGET_MAX ? OK : ERR_SYNTAX);
		free(content);
		arena_free(arena);
	}
}

/* Any prefix, any byte put anywhere: an answer, and no byte read that is not there. */
static void damage_is_survived(void **state)
{
	static const char good[] = "a: b,\n \"c d\"@x.org # e\n@x.org: \\f@[192.0.2.1]\n\n  # g\n\"h\\\"i\": j";
	static const char odd[] = "\0\n\r\t \"\\@:,#[]|/\177\377";

	(void)state;
	for (size_t at = 0; at < sizeof good; at++) {
		for (size_t i = 0; i < sizeof odd; i++) {
			struct arena *arena = arena_new(1 << 20);
			char *content = malloc(at + 1); /* Exactly as long as it is, for the sanitizer. */
			struct aliases aliases;
			struct text complaint;

			memcpy(content, good, at);
			content[at] = odd[i];
			const enum error error = aliases_parse(
			    (struct text){ content, at + 1 }, TEXT("f"), arena, &aliases, &complaint);

			assert_true(error == OK || error == ERR_SYNTAX);
			free(content);
			arena_free(arena);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_entry),
		cmocka_unit_test(complaints),
		cmocka_unit_test(finding),
		cmocka_unit_test(targets_are_bounded),
		cmocka_unit_test(damage_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
