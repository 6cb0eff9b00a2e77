#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "route/router.h"

#define DAY_MS INT64_C(86400000)
#define NOW_MS (INT64_C(20000) * DAY_MS)

static const struct text domains[] = { { "example.org", 11 }, { "gate.test", 9 }, { "other.test", 10 } };
static const struct text users[] = { { "alice", 5 } };
static const struct text hosts[] = { { "inner.test", 10 } };
static const struct router_rule rules[] = { { .pattern = { "gate.test", 9 }, .via = hosts, .via_count = 1 } };
static const char secrets[] = "a secret of more than 16 characters\nand another, an older one\n";
static const char older[] = "and another, an older one\n";

struct world {
	struct arena *arena;
	struct router *router;
};

static enum error make(const struct router_settings *settings, struct world *world, struct text *out_complaint)
{
	world->arena = arena_new(1 << 20);
	return router_new(settings, world->arena, &world->router, out_complaint);
}

static struct router_settings usual(const char *content)
{
	return (struct router_settings){ .hostname = TEXT("mail.example.org"),
		.domains = domains, .domain_count = sizeof domains / sizeof *domains,
		.users_known = true, .users = users, .user_count = 1,
		.aliases = TEXT("away: friend@far.test\nback: SRS0=XXXXXX=AA=good.test=a@example.org\n"),
		.aliases_name = TEXT("aliases"), .separator = TEXT("+="),
		.rules = rules, .rule_count = 1,
		.srs_secrets = text_of(content), .srs_secrets_name = TEXT("secrets") };
}

static struct world make_usual(const char *content)
{
	const struct router_settings settings = usual(content);
	struct world world;
	struct text complaint;

	assert_int_equal(make(&settings, &world, &complaint), OK);
	return world;
}

static void done(struct world *world)
{
	router_unref(world->router);
	arena_free(world->arena);
}

static struct address parse(struct world *world, const char *text)
{
	struct address address;

	assert_int_equal(address_parse(text_of(text), true, world->arena, &address), OK);
	return address;
}

static struct router_return_path path_of(struct world *world, const char *sender)
{
	const struct address address =
	    sender[0] != '\0' ? parse(world, sender) : (struct address){ .local = TEXT_EMPTY };
	struct router_return_path path;

	assert_int_equal(router_return_path(world->router, &address, NOW_MS, world->arena, &path), OK);
	if (!path.rewritten)
		assert_true(text_equal(path.address.local, address.local) && text_equal(path.address.domain, address.domain));
	return path;
}

static void who_is_rewritten(void **state)
{
	static const struct {
		const char *sender;
		bool rewritten, too_long;
	} rows[] = {
		{ "a@good.test", true, false },
		{ "\"a b\"@good.test", true, false },
		{ "a@sub.example.org", true, false },
		{ "SRS0=HHHHHH=TT=first.test=a@second.test", true, false },
		{ "a@b\xc3\xbc" "cher.test", true, false },
		{ "", false, false },
		{ "alice@example.org", false, false },
		{ "alice@Example.ORG", false, false },
		{ "x@other.test", false, false },
		{ "postmaster@mail.example.org", false, false },
		{ "a@[192.0.2.1]", false, false },
		{ "a.name.that.is.nearly.as.long.as.any.may.be.at.all@good.test", false, true },
	};
	struct world world = make_usual(secrets), off = make_usual("");

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct router_return_path path = path_of(&world, rows[i].sender);

		if (path.rewritten != rows[i].rewritten || path.too_long != rows[i].too_long)
			fail_msg("%s: %d %d", rows[i].sender, path.rewritten, path.too_long);
		if (path.rewritten)
			assert_true(text_equal(path.address.domain, TEXT("example.org")) && text_is_ascii(path.address.local));
		assert_false(path_of(&off, rows[i].sender).rewritten);
	}
	assert_true(text_equal(router_rewrites_into(world.router), TEXT("example.org")));
	assert_int_equal(router_rewrites_into(off.router).length, 0);
	done(&world);
	done(&off);
}

static void the_way_back(void **state)
{
	struct world world = make_usual(secrets), before = make_usual(older), off = make_usual("");
	struct address back = path_of(&world, "A.b@good.test").address;
	struct route_decision decision;

	(void)state;
	assert_int_equal(router_judge(world.router, &back, false, NOW_MS + 21 * DAY_MS).code, 250);
	struct verdict verdict = router_judge(world.router, &back, false, NOW_MS + 22 * DAY_MS);

	assert_int_equal(verdict.code, 550);
	assert_true(text_find(verdict.text, TEXT("expired")) < verdict.text.length);
	/* What was taken in time is delivered. */
	assert_int_equal(router_decide(world.router, &back, NULL, false, world.arena, &decision), OK);
	assert_int_equal(decision.kind, ROUTE_EXPAND);
	assert_int_equal(decision.target_count, 1);
	assert_true(text_equal(decision.targets[0].local, TEXT("A.b")) && text_equal(decision.targets[0].domain, TEXT("good.test")));

	/* Where it was not made it is nobody. */
	verdict = router_judge(before.router, &back, false, NOW_MS);
	assert_int_equal(verdict.code, 550);
	assert_true(text_find(verdict.text, TEXT("not made here")) < verdict.text.length);
	assert_int_equal(router_decide(before.router, &back, NULL, false, before.arena, &decision), OK);
	assert_int_equal(decision.kind, ROUTE_REFUSE);
	assert_int_equal(router_judge(off.router, &back, false, NOW_MS).code, 550);
	back = path_of(&before, "a@good.test").address;
	assert_int_equal(router_judge(world.router, &back, false, NOW_MS).code, 250); /* The older secret. */

	/* In every domain of ours; but what is behind a gateway is its own. */
	back.domain = TEXT("OTHER.test");
	assert_int_equal(router_judge(world.router, &back, false, NOW_MS).code, 250);
	back.domain = TEXT("gate.test");
	assert_int_equal(router_decide(world.router, &back, NULL, false, world.arena, &decision), OK);
	assert_int_equal(decision.kind, ROUTE_HOSTS);
	back.domain = TEXT("far.test");
	assert_int_equal(router_judge(world.router, &back, true, NOW_MS).code, 250);
	assert_int_equal(router_decide(world.router, &back, NULL, false, world.arena, &decision), OK);
	assert_int_equal(decision.kind, ROUTE_HOSTS);
	done(&world);
	done(&before);
	done(&off);
}

static void strange_ones(void **state)
{
	static const struct {
		const char *address, *words;
	} rows[] = {
		{ "SRS0=x@example.org", "not complete" },
		{ "SRS0=AAAAAA=AA=good.test=a@example.org", "not made here" },
		{ "srs1=AAAAAA=first.test==AAAAAA=AA=good.test=a@example.org", "not made here" },
		{ "SRS0@example.org", "no such user" },
	};
	struct world world = make_usual(secrets);
	struct route_decision decision;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct address address = parse(&world, rows[i].address);
		const struct verdict verdict = router_judge(world.router, &address, true, NOW_MS);

		assert_int_equal(verdict.code, 550);
		assert_int_equal(verdict.enhanced.detail, 1);
		if (text_find(verdict.text, text_of(rows[i].words)) == verdict.text.length)
			fail_msg("%s: %.*s", rows[i].address, TEXT_FORMAT(verdict.text));
	}
	/* Behind an alias: it would be opened twice. */
	const struct address back = parse(&world, "SRS0=XXXXXX=AA=good.test=a@example.org");

	assert_int_equal(router_decide(world.router, &back, NULL, true, world.arena, &decision), OK);
	assert_int_equal(decision.kind, ROUTE_REFUSE);
	done(&world);
}

/* A domain that came to us while its mail was on the way. */
static void senders_who_are_ours_by_now(void **state)
{
	static const struct text more[] = { { "example.org", 11 }, { "good.test", 9 } };
	struct world world = make_usual(secrets), later;
	struct router_settings settings = usual(secrets);
	const struct address back = path_of(&world, "away@good.test").address;
	struct route_decision decision;
	struct text complaint;

	(void)state;
	settings.domains = more;
	settings.domain_count = 2;
	settings.rule_count = 0;
	assert_int_equal(make(&settings, &later, &complaint), OK);
	assert_int_equal(router_decide(later.router, &back, NULL, false, later.arena, &decision), OK);
	assert_int_equal(decision.kind, ROUTE_EXPAND);
	assert_true(text_equal(decision.targets[0].local, TEXT("friend")));
	done(&world);
	done(&later);
}

static void mistakes(void **state)
{
	struct router_settings settings = usual("short\n");
	struct text complaint;
	struct world world;

	(void)state;
	assert_int_equal(make(&settings, &world, &complaint), ERR_SYNTAX);
	assert_true(text_starts(complaint, TEXT("secrets:1: ")));
	arena_free(world.arena);
	settings = usual(secrets);
	settings.srs_domain = TEXT("far.test");
	assert_int_equal(make(&settings, &world, &complaint), ERR_SYNTAX);
	assert_true(text_starts(complaint, TEXT("srs domain \"far.test\"")));
	arena_free(world.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_rewritten),
		cmocka_unit_test(the_way_back),
		cmocka_unit_test(strange_ones),
		cmocka_unit_test(senders_who_are_ours_by_now),
		cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
