#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "route/router.h"

static const struct text domains[] = { { "example.org", 11 }, { "example.net", 11 }, { "gate.test", 9 },
	{ "xn--bcher-kva.example", 21 } };
static const struct text users[] = { { "Alice", 5 }, { "bob", 3 }, { "bob@example.net", 15 }, { "dan@gate.test", 13 },
	{ "eve@foreign.test", 16 }, { "news", 4 }, { "shop", 4 } };
static const char aliases[] = "sales: alice, friend@far.test\n"
			      "press@example.org: sales\n"
			      "about: around\naround: about, bob\n"
			      "dot: \\bob\n"
			      "bob@example.org: alice\n"
			      "webmaster: alice+web\n"
			      "postmaster: alice\n"
			      "far: friend@far.test\n"
			      "@xn--bcher-kva.example: bob@example.net\n";
static const struct text gate[] = { { "inner.test", 10 } };
static const struct router_rule rules[] = { { .pattern = { "gate.test", 9 }, .via = gate, .via_count = 1 } };
static const struct text news_may[] = { { "*", 1 } };
static const struct text shop_may[] = { { "@partner.test", 13 }, { "Sales@example.org", 17 }, { "Owner@far.test", 14 } };
static const struct router_permission permissions[] = {
	{ { "News", 4 }, news_may, 1 },
	{ { "shop", 4 }, shop_may, 3 },
	{ { "dan@GATE.test", 13 }, shop_may, 1 },
};

static struct router_settings settings_new(void)
{
	return (struct router_settings){ .hostname = TEXT("mail.example.org"),
		.domains = domains,
		.domain_count = sizeof domains / sizeof *domains,
		.users_known = true,
		.users = users,
		.user_count = sizeof users / sizeof *users,
		.aliases = text_of(aliases),
		.aliases_name = TEXT("aliases"),
		.separator = TEXT("+"),
		.rules = rules,
		.rule_count = sizeof rules / sizeof *rules,
		.permissions = permissions,
		.permission_count = sizeof permissions / sizeof *permissions };
}

static enum error make(const struct router_settings *settings, struct router **out_router)
{
	struct arena *arena = arena_new(1 << 16);
	struct text complaint;
	const enum error error = router_new(settings, arena, out_router, &complaint);

	arena_free(arena);
	return error;
}

static bool may(const struct router *router, const char *user, const char *printed)
{
	const struct text text = text_of(printed);
	const size_t at = text_find_byte_last(text, '@');
	const struct address address = { text_part(text, 0, at), text_from(text, at + 1) };
	bool answer = false;

	assert_int_equal(router_may_send_as(router, text_of(user), &address, &answer), OK);
	return answer;
}

static const struct {
	const char *user, *address;
	bool may;
} cases[] = {
	{ "Alice", "alice@example.org", true },
	{ "alice", "ALICE@example.net", true },
	{ "Alice", "alice+lists@example.org", true },
	{ "Alice", "alice@b\xc3\xbc" "cher.example", true },
	{ "Alice", "alice@far.test", false },
	{ "Alice", "alice@gate.test", false }, /* A gateway's people are others. */
	{ "Alice", "news@example.org", false },
	{ "Alice", "nobody@example.org", false },
	{ "Alice", "", false },
	{ "Alice", "sales@example.org", true },
	{ "Alice", "sales+spring@example.net", true },
	{ "Alice", "press@example.org", true },
	{ "Alice", "press@example.net", false },
	{ "Alice", "webmaster@example.org", true },
	{ "Alice", "postmaster", true },
	{ "Alice", "postmaster@mail.example.org", true },
	{ "Alice", "far@example.org", false },
	{ "Alice", "friend@far.test", false },
	{ "Alice", "bob@example.org", true }, /* His mail there goes to her, */
	{ "bob", "bob@example.org", true },   /* but the name is his. */
	{ "bob", "bob@example.net", false },  /* Another bob. */
	{ "bob@example.net", "bob@example.net", true },
	{ "bob@example.net", "bob@example.org", false },
	{ "bob@EXAMPLE.net", "Bob+x@example.net", true },
	{ "bob", "around@example.org", false },
	{ "Alice", "around@example.org", true },
	{ "Alice", "about@example.org", true },
	{ "bob", "dot@example.org", true },
	{ "bob@example.net", "whatever@xn--bcher-kva.example", true }, /* The catch-all's. */
	{ "bob", "whatever@xn--bcher-kva.example", false },
	{ "dan@gate.test", "dan@gate.test", true },
	{ "dan@gate.test", "somebody@gate.test", false },
	{ "dan@gate.test", "somebody@partner.test", true },
	{ "eve@foreign.test", "eve@foreign.test", true },
	{ "eve@foreign.test", "eve+x@foreign.test", true },
	{ "eve@foreign.test", "adam@foreign.test", false },
	{ "eve@foreign.test", "eve@example.org", false },
	{ "news", "whoever@far.test", true },
	{ "news", "alice@example.org", true },
	{ "shop", "anybody@Partner.test", true },
	{ "shop", "anybody@sub.partner.test", false },
	{ "shop", "sales@example.org", true },
	{ "shop", "sales+x@example.org", true },
	{ "shop", "sales@example.net", false },
	{ "shop", "Owner@far.test", true },
	{ "shop", "owner@far.test", false }, /* Case counts where we do not know better (RFC 5321 §2.4). */
	{ "uid 1000", "alice@example.org", false },
	{ "", "alice@example.org", false },
};

static void everybody_is_himself(void **state)
{
	const struct router_settings settings = settings_new();
	struct router *router;

	(void)state;
	assert_int_equal(make(&settings, &router), OK);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (may(router, cases[i].user, cases[i].address) != cases[i].may)
			fail_msg("%s as <%s>: not %s", cases[i].user, cases[i].address, cases[i].may ? "allowed" : "refused");
	router_unref(router);
}

static void names_that_nobody_knows_are_their_own(void **state)
{
	struct router_settings settings = settings_new();
	struct router *router;

	(void)state;
	settings.users_known = false;
	settings.aliases = TEXT_EMPTY;
	assert_int_equal(make(&settings, &router), OK);
	assert_true(may(router, "carol", "carol@example.org"));
	assert_true(may(router, "carol@example.org", "carol+x@example.org"));
	assert_false(may(router, "carol@example.org", "carol@example.net"));
	assert_false(may(router, "carol", "dave@example.org"));
	router_unref(router);
}

static void wrong_permissions_are_refused(void **state)
{
	static const struct text wrong[] = { { "", 0 }, { "alice", 5 }, { "alice@", 6 }, { "*@example.org@", 14 }, { "@a b", 4 } };
	struct router_permission permission = { .user = TEXT("alice"), .send_as_count = 1 };
	struct router_settings settings = settings_new();
	struct router *router;

	(void)state;
	settings.permissions = &permission;
	settings.permission_count = 1;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		permission.send_as = &wrong[i];
		assert_int_equal(make(&settings, &router), ERR_SYNTAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybody_is_himself),
		cmocka_unit_test(names_that_nobody_knows_are_their_own),
		cmocka_unit_test(wrong_permissions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
