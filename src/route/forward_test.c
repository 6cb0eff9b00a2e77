#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "route/router.h"

static const struct text domains[] = { { "example.org", 11 }, { "gate.test", 9 } };
static const struct text users[] = { { "alice", 5 }, { "bob", 3 } };
static const char aliases[] = "away: alice, friend@far.test\n"
			      "staff: alice, bob\n"
			      "further: staff, away\n"
			      "inside: carol@gate.test\n"
			      "device: dan@lmtp.test\n"
			      "stray: nobody@example.org\n";
static const struct text hosts[] = { { "inner.test", 10 } };
static const struct router_rule rules[] = { { .pattern = { "gate.test", 9 }, .via = hosts, .via_count = 1 },
	{ .pattern = { "lmtp.test", 9 }, .via = hosts, .via_count = 1, .lmtp = true } };

static const struct {
	const char *local, *domain;
	bool forwards;
} cases[] = {
	{ "away", "example.org", true },
	{ "Away+detail", "EXAMPLE.org", true },
	{ "further", "example.org", true },
	{ "inside", "example.org", true },
	{ "staff", "example.org", false },
	{ "device", "example.org", false },
	{ "stray", "example.org", false },
	{ "alice", "example.org", false },
	{ "nobody", "example.org", false },
	{ "carol", "gate.test", false }, /* Nobody's alias: its domain goes there as it is. */
	{ "friend", "far.test", false },
};

static void aliases_send_mail_on(void **state)
{
	(void)state;
	for (int lmtp = 0; lmtp < 2; lmtp++) {
		const struct router_settings settings = { .hostname = TEXT("mail.example.org"),
			.domains = domains, .domain_count = sizeof domains / sizeof *domains,
			.users_known = true, .users = users, .user_count = sizeof users / sizeof *users,
			.aliases = text_of(aliases), .aliases_name = TEXT("aliases"), .separator = TEXT("+"),
			.rules = rules, .rule_count = sizeof rules / sizeof *rules,
			.mailbox_lmtp = text_of(lmtp ? "unix:/run/lmtp" : "") };
		struct arena *arena = arena_new(1 << 16);
		struct router *router;
		struct text complaint;

		assert_int_equal(router_new(&settings, arena, &router, &complaint), OK);
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			const struct address address = { text_of(cases[i].local), text_of(cases[i].domain) };
			bool forwards = !cases[i].forwards;

			assert_int_equal(router_forwards(router, &address, NULL, &forwards), OK);
			if (forwards != cases[i].forwards)
				fail_msg("%s@%s", cases[i].local, cases[i].domain);
		}
		router_unref(router);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(aliases_send_mail_on) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
