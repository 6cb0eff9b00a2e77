/* Who is known, and where mail goes, without DNS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/must.h"
#include "route/router.h"
#include "route/via.h"

static const struct text domains[] = { { "Example.org", 11 }, { "example.net", 11 }, { "gate.test", 9 },
	{ "b\xc3\xbc" "cher.example", 15 } };
static const struct text users[] = { { "Alice", 5 }, { "bob@example.org", 15 }, { "carol+x", 7 }, { "dan@gate.test", 13 },
	{ "eve@foreign.test", 16 } };
static const char aliases[] = "staff: alice, bob, zoe@remote.test\n"
			      "sales@example.org: staff, Alice, ALICE@example.org\n"
			      "alice: alice, alice@backup.test\n"
			      "self: self\n"
			      "round: about\nabout: round\n"
			      "half: round, bob\n"
			      "twice: zoe@remote.test, Zoe@remote.test, zoe@REMOTE.test\n"
			      "raw: \\staff\n"
			      "tagged: alice+tag\n"
			      "typo: alcie\n"
			      "@example.net: bob@example.org\n"
			      "box@gate.test: bob@example.org\n";
static const struct text gate_via[] = { { "inner.test:2525", 15 } };
static const struct text partner_via[] = { { "192.0.2.1", 9 }, { "[2001:db8::1]:26", 16 } };
static const struct text sub_via[] = { { "sub.host", 8 } };
static const struct text lists_via[] = { { "unix:/run/lists", 15 } };
static const struct router_rule rules[] = {
	{ .pattern = { "gate.test", 9 }, .via = gate_via, .via_count = 1 },
	{ .pattern = { "Partner.test", 12 }, .via = partner_via, .via_count = 2 },
	{ .pattern = { ".partner.test", 13 }, .via = sub_via, .via_count = 1 },
	{ .pattern = { ".deep.partner.test", 18 }, .via = lists_via, .via_count = 1, .lmtp = true },
	{ .pattern = { "direct.partner.test", 19 } },
	{ .pattern = { ".example.org", 12 }, .via = sub_via, .via_count = 1 },
};

static struct router_settings settings_new(void)
{
	return (struct router_settings){
		.hostname = TEXT("mail.example.org"),
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
	};
}

static struct router *make(const struct router_settings *settings)
{
	struct arena *arena = arena_new(1 << 16);
	struct router *router = NULL;
	struct text complaint = TEXT_EMPTY;

	if (router_new(settings, arena, &router, &complaint) != OK)
		fprintf(stderr, "%.*s\n", TEXT_FORMAT(complaint));
	must(router != NULL);
	arena_free(arena);
	return router;
}

static struct address address_of(const char *printed)
{
	const struct text text = text_of(printed);
	const size_t at = text_find_byte_last(text, '@');

	return (struct address){ text_part(text, 0, at), text_from(text, at + 1) };
}

static void describe(const struct route_decision *decision, struct buffer *out)
{
	bool fits = true;

	switch (decision->kind) {
	case ROUTE_EXPAND:
		fits = buffer_append(out, TEXT("expand"));
		for (size_t i = 0; i < decision->target_count; i++)
			fits = fits && buffer_print(out, " %.*s@%.*s", TEXT_FORMAT(decision->targets[i].local),
			    TEXT_FORMAT(decision->targets[i].domain));
		break;
	case ROUTE_MAILBOX:
		fits = buffer_print(out, "mailbox %.*s %.*s %.*s", TEXT_FORMAT(decision->user),
		    TEXT_FORMAT(decision->domain), TEXT_FORMAT(decision->detail));
		break;
	case ROUTE_PIPE:
		fits = buffer_print(out, "pipe %.*s %.*s %.*s", TEXT_FORMAT(decision->user), TEXT_FORMAT(decision->domain),
		    TEXT_FORMAT(decision->detail));
		break;
	case ROUTE_HOSTS:
		fits = buffer_print(out, "hosts%s [%.*s] %.*s", decision->next_hop.lmtp ? " lmtp" : "",
		    TEXT_FORMAT(decision->next_hop.destination), TEXT_FORMAT(decision->next_hop.domain));
		for (size_t i = 0; i < decision->next_hop.via_count; i++)
			fits = fits && buffer_print(out, " %.*s", TEXT_FORMAT(decision->next_hop.via[i]));
		break;
	case ROUTE_REFUSE:
		fits = buffer_print(out, "refuse %u %u.%u.%u", decision->verdict.code,
		    decision->verdict.enhanced.class, decision->verdict.enhanced.subject,
		    decision->verdict.enhanced.detail);
		break;
	}
	assert_true(fits);
	assert_true(decision->explanation.length > 0);
}

struct row {
	const char *address, *want;
	bool expanded;
};

static void check_one(
    const struct router *router, const char *to, const struct address *sender, bool expanded, const char *want)
{
	struct arena *arena = arena_new(1 << 18);
	const struct address address = address_of(to);
	struct route_decision decision;
	struct buffer got;

	buffer_init(&got, 4096);
	assert_int_equal(router_decide(router, &address, sender, expanded, arena, &decision), OK);
	describe(&decision, &got);
	if (!text_equal(buffer_text(&got), text_of(want)))
		fail_msg("%s: got \"%.*s\", want \"%s\"", to, TEXT_FORMAT(buffer_text(&got)), want);
	buffer_done(&got);
	arena_free(arena);
}

static void check(const struct router *router, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_one(router, rows[i].address, NULL, rows[i].expanded, rows[i].want);
}

static void decisions(void **state)
{
	static const struct row rows[] = {
		/* Users */
		{ "BOB@Example.ORG", "mailbox bob example.org ", false },
		{ "bob+a+b@example.org", "mailbox bob example.org a+b", false },
		{ "carol+X@example.org", "mailbox carol+x example.org ", false },
		{ "carol@example.org", "refuse 550 5.1.1", false },
		{ "+bob@example.org", "refuse 550 5.1.1", false },
		{ "nobody@example.org", "refuse 550 5.1.1", false },
		{ "alice@xn--bcher-kva.example", "expand alice@xn--bcher-kva.example alice@backup.test", false },
		{ "alice@b\xc3\xbc" "cher.example", "mailbox Alice xn--bcher-kva.example ", true },
		/* Aliases */
		{ "alice@example.org", "expand alice@example.org alice@backup.test", false },
		{ "alice+d@example.org", "expand alice@example.org alice@backup.test", false },
		{ "alice@example.org", "mailbox Alice example.org ", true },
		{ "staff@example.org", "expand alice@example.org alice@backup.test bob@example.org zoe@remote.test", false },
		{ "Staff+x@example.org", "expand alice@example.org alice@backup.test bob@example.org zoe@remote.test", false },
		{ "sales@example.org", "expand alice@example.org alice@backup.test bob@example.org zoe@remote.test", false },
		{ "sales@example.net", "expand bob@example.org", false },
		{ "staff@example.net", "expand alice@example.net alice@backup.test bob@example.org zoe@remote.test", false },
		{ "staff@example.org", "refuse 550 5.1.1", true },
		{ "self@example.org", "refuse 550 5.1.1", false },
		{ "round@example.org", "refuse 550 5.4.6", false },
		{ "half@example.org", "expand bob@example.org", false },
		{ "twice@example.org", "expand zoe@remote.test Zoe@remote.test", false },
		{ "raw@example.org", "expand staff@example.org", false },
		{ "tagged@example.org", "expand alice@example.org alice@backup.test", false },
		{ "typo@example.org", "expand alcie@example.org", false },
		{ "anything@example.net", "expand bob@example.org", false },
		{ "anything@example.net", "refuse 550 5.1.1", true },
		/* Postmaster */
		{ "PostMaster@example.org", "mailbox postmaster example.org ", false },
		{ "postmaster@example.org", "mailbox postmaster example.org ", true },
		{ "postmaster", "mailbox postmaster example.org ", false },
		{ "postmaster@example.net", "expand bob@example.org", false },
		{ "PostMaster@Mail.example.org", "mailbox postmaster example.org ", false },
		{ "alice@mail.example.org", "hosts [via sub.host] mail.example.org sub.host", false },
		/* A domain of ours that is handed on */
		{ "x@gate.test", "hosts [via inner.test:2525] gate.test inner.test:2525", false },
		{ "postmaster@gate.test", "hosts [via inner.test:2525] gate.test inner.test:2525", false },
		{ "alice@gate.test", "expand alice@gate.test alice@backup.test", false },
		{ "carol+x@gate.test", "hosts [via inner.test:2525] gate.test inner.test:2525", false },
		{ "dan@gate.test", "mailbox dan gate.test ", false },
		{ "box@gate.test", "expand bob@example.org", false },
		/* Others */
		{ "u@remote.test", "hosts [remote.test] remote.test", false },
		{ "u@Remote.test", "hosts [remote.test] remote.test", true },
		{ "u@partner.test", "hosts [via 192.0.2.1, [2001:db8::1]:26] partner.test 192.0.2.1 [2001:db8::1]:26", false },
		{ "u@a.partner.test", "hosts [via sub.host] a.partner.test sub.host", false },
		{ "u@deep.partner.test", "hosts [via sub.host] deep.partner.test sub.host", false },
		{ "u@a.b.deep.partner.test", "hosts lmtp [via unix:/run/lists] a.b.deep.partner.test unix:/run/lists", false },
		{ "u@direct.partner.test", "hosts [direct.partner.test] direct.partner.test", false },
		{ "u@sub.example.org", "hosts [via sub.host] sub.example.org sub.host", false },
		{ "u@notpartner.test", "hosts [notpartner.test] notpartner.test", false },
		{ "u@d\xc3\xa9j\xc3\xa0.test", "hosts [xn--dj-kia8a.test] xn--dj-kia8a.test", false },
		{ "u@[192.0.2.9]", "hosts [[192.0.2.9]] [192.0.2.9]", false },
		{ "u@[127.0.0.1]", "refuse 550 5.1.2", false },
		{ "u@[IPv6:::1]", "refuse 550 5.1.2", false },
		{ "u@[0.0.0.0]", "refuse 550 5.1.2", false },
	};
	const struct router_settings settings = settings_new();
	struct router *router = make(&settings);

	(void)state;
	check(router, rows, sizeof rows / sizeof *rows);
	router_unref(router);
}

static void a_default_route_takes_all_others(void **state)
{
	static const struct text smart[] = { { "smtp.provider.test:587", 22 } };
	static const struct router_rule star[] = {
		{ .pattern = { "*", 1 }, .via = smart, .via_count = 1 },
		{ .pattern = { ".com", 4 } },
		{ .pattern = { "[192.0.2.7]", 11 } },
	};
	static const struct row rows[] = {
		{ "u@remote.test", "hosts [via smtp.provider.test:587] remote.test smtp.provider.test:587", false },
		{ "u@[127.0.0.1]", "hosts [via smtp.provider.test:587] [127.0.0.1] smtp.provider.test:587", false },
		{ "u@[192.0.2.7]", "hosts [[192.0.2.7]] [192.0.2.7]", false },
		{ "u@a.b.com", "hosts [a.b.com] a.b.com", false },
		{ "bob@example.org", "mailbox bob example.org ", false },
		{ "nobody@example.org", "refuse 550 5.1.1", false },
	};
	struct router_settings settings = settings_new();

	(void)state;
	settings.rules = star;
	settings.rule_count = 3;
	struct router *router = make(&settings);

	check(router, rows, sizeof rows / sizeof *rows);
	router_unref(router);
}

/* Logins and demands are part of the key, and hold for who is sent there by an operator, too. */
static void a_provider_may_want_a_login(void **state)
{
	static const struct text smart[] = { { "smtp.provider.test:587", 22 } };
	static const struct router_rule provider_rules[] = {
		{ .pattern = { "*", 1 }, .via = smart, .via_count = 1, .tls = { .level = TLS_VERIFIED }, .user = { "u", 1 } },
		{ .pattern = { "other.test", 10 }, .via = sub_via, .via_count = 1 },
	};
	struct router_settings settings = settings_new();
	struct arena *arena = arena_new(1 << 20);
	const struct address recipient = address_of("x@remote.test");
	struct route_decision decision;

	(void)state;
	settings.rules = provider_rules;
	settings.rule_count = 2;
	struct router *router = make(&settings);

	assert_int_equal(router_decide(router, &recipient, NULL, false, arena, &decision), OK);
	assert_true(text_equal(decision.next_hop.user, TEXT("u")));
	assert_true(text_equal(decision.next_hop.destination, TEXT("via smtp.provider.test:587, TLS required, logs in as u")));
	assert_true(router_waive_policies(&decision, arena)); /* What we demand ourselves stays. */
	assert_false(decision.next_hop.tls.waived);
	assert_true(text_equal(decision.explanation, TEXT("route \"*\" via smtp.provider.test:587, TLS required, logs in as u")));

	assert_int_equal(router_decide_via(router, &recipient, smart[0], arena, &decision), OK);
	assert_true(text_equal(decision.next_hop.user, TEXT("u")));
	assert_int_equal(decision.next_hop.tls.level, TLS_VERIFIED);
	assert_int_equal(router_decide_via(router, &recipient, TEXT("smtp.provider.test"), arena, &decision), OK);
	assert_int_equal(decision.next_hop.user.length, 0);
	arena_free(arena);
	router_unref(router);
}

/* Relays are part of the key where they are not those of everybody. */
static void relays_stand_behind_the_hosts(void **state)
{
	static const struct text usual[] = { { "relay.test:26", 13 } }, own[] = { { "a.test", 6 }, { "b.test", 6 } };
	static const struct text via[] = { { "smart.test", 10 } };
	static const struct router_rule ruled[] = {
		{ .pattern = { "usual.test", 10 }, .fallback = usual, .fallback_count = 1 },
		{ .pattern = { "own.test", 8 }, .fallback = own, .fallback_count = 2, .fallback_tls.level = TLS_VERIFIED },
		{ .pattern = { "safe.test", 9 }, .via = via, .via_count = 1, .tls.level = TLS_VERIFIED, .fallback = usual, .fallback_count = 1,
		    .user = { "u", 1 } },
	};
	static const struct {
		const char *to, *destination, *explanation, *relay;
		enum tls_level level;
	} rows[] = {
		{ "x@remote.test", "remote.test", "MX of remote.test, else relay.test:26", "relay.test:26", TLS_OPPORTUNISTIC },
		{ "x@usual.test", "usual.test", "MX of usual.test (route \"usual.test\"), else relay.test:26", "relay.test:26", TLS_UNUSED },
		{ "x@own.test", "own.test, else a.test, b.test, TLS required",
		    "MX of own.test (route \"own.test\"), else a.test, b.test, TLS required", "a.test", TLS_VERIFIED },
		{ "x@safe.test", "via smart.test, TLS required, logs in as u, else relay.test:26",
		    "route \"safe.test\" via smart.test, TLS required, logs in as u, else relay.test:26", "relay.test:26", TLS_VERIFIED },
	};
	struct router_settings settings = settings_new();
	struct arena *arena = arena_new(1 << 20);
	struct route_decision decision;

	(void)state;
	settings.rules = ruled;
	settings.rule_count = 3;
	settings.fallback = usual;
	settings.fallback_count = 1;
	settings.fallback_tls.level = TLS_OPPORTUNISTIC;
	struct router *router = make(&settings);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct address recipient = address_of(rows[i].to);

		assert_int_equal(router_decide(router, &recipient, NULL, false, arena, &decision), OK);
		if (!text_equal(decision.next_hop.destination, text_of(rows[i].destination)) ||
		    !text_equal(decision.explanation, text_of(rows[i].explanation)) ||
		    !text_equal(decision.next_hop.fallback[0], text_of(rows[i].relay)) ||
		    decision.next_hop.fallback_tls.level != rows[i].level)
			fail_msg("%s: \"%.*s\", \"%.*s\"", rows[i].to, TEXT_FORMAT(decision.next_hop.destination),
			    TEXT_FORMAT(decision.explanation));
		assert_true(router_require_tls(&decision, arena));
		assert_true(decision.next_hop.fallback_tls.whole_way && decision.next_hop.fallback_tls.level == TLS_VERIFIED);
	}
	arena_free(arena);
	router_unref(router);
}

/* A pool is part of the key wherever there is one; and a host is told the same address whoever sends mail there. */
static void mail_leaves_from_a_pool(void **state)
{
	static const struct text via[] = { { "smart.test", 10 } };
	static const struct router_rule ruled[] = {
		{ .pattern = { "mx.test", 7 }, .pool = { "news", 4 } },
		{ .pattern = { "none.test", 9 } },
		{ .pattern = { "via.test", 8 }, .via = via, .via_count = 1, .tls.level = TLS_VERIFIED, .pool = { "news", 4 }, .user = { "u", 1 } },
	};
	static const struct {
		const char *to, *destination, *explanation, *pool;
	} rows[] = {
		{ "x@remote.test", "remote.test, from pool usual", "MX of remote.test, from pool usual", "usual" },
		{ "x@mx.test", "mx.test, from pool news", "MX of mx.test (route \"mx.test\"), from pool news", "news" },
		{ "x@none.test", "none.test", "MX of none.test (route \"none.test\")", "" },
		{ "x@via.test", "via smart.test, TLS required, from pool news, logs in as u",
		    "route \"via.test\" via smart.test, TLS required, from pool news, logs in as u", "news" },
		{ "alice@example.org", NULL, NULL, "" },
	};
	struct router_settings settings = settings_new();
	struct arena *arena = arena_new(1 << 20);
	struct route_decision decision;
	struct address recipient;

	(void)state;
	settings.rules = ruled;
	settings.rule_count = 3;
	settings.pool = TEXT("usual");
	settings.mailbox_lmtp = TEXT("127.0.0.1:24");
	struct router *router = make(&settings);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		recipient = address_of(rows[i].to);
		assert_int_equal(router_decide(router, &recipient, NULL, false, arena, &decision), OK);
		assert_true(text_equal(decision.next_hop.pool, text_of(rows[i].pool)));
		if (rows[i].destination != NULL && (!text_equal(decision.next_hop.destination, text_of(rows[i].destination)) ||
		    !text_equal(decision.explanation, text_of(rows[i].explanation))))
			fail_msg("%s: \"%.*s\", \"%.*s\"", rows[i].to, TEXT_FORMAT(decision.next_hop.destination),
			    TEXT_FORMAT(decision.explanation));
	}
	recipient = address_of("x@remote.test");
	assert_int_equal(router_decide_via(router, &recipient, via[0], arena, &decision), OK);
	assert_true(text_equal(decision.next_hop.pool, TEXT("news")));
	assert_int_equal(router_decide_via(router, &recipient, TEXT("else.test"), arena, &decision), OK);
	assert_true(text_equal(decision.next_hop.pool, TEXT("usual")));
	arena_free(arena);
	router_unref(router);
}

static void policies_can_be_waived(void **state)
{
	struct router_settings settings = settings_new();
	struct arena *arena = arena_new(1 << 20);
	const struct address recipient = address_of("x@remote.test");
	struct route_decision decision;

	(void)state;
	settings.rule_count = 0;
	struct router *router = make(&settings);

	assert_int_equal(router_decide(router, &recipient, NULL, false, arena, &decision), OK);
	assert_false(decision.next_hop.tls.waived);
	assert_true(router_waive_policies(&decision, arena));
	assert_true(decision.next_hop.tls.waived);
	assert_true(text_equal(decision.next_hop.destination, TEXT("remote.test, whatever its policies")));
	arena_free(arena);
	router_unref(router);
}

static void routes_may_be_for_some_senders(void **state)
{
	static const struct text out[] = { { "out.test", 8 } }, sales[] = { { "sales.out", 9 } }, bobs[] = { { "bob.out", 7 } };
	static const struct text reports[] = { { "reports.out", 11 } };
	static const struct text from_bob[] = { { "Bob@Example.org", 15 } }, from_null[] = { { "<>", 2 } };
	static const struct text from_sales[] = { { "@sales.example.org", 18 }, { "@b\xc3\xbc" "cher.example", 16 } };
	static const struct text from_below[] = { { ".example.org", 12 } }, from_direct[] = { { "direct@example.org", 18 } };
	static const struct router_rule dependent[] = {
		{ .pattern = { "*", 1 }, .via = out, .via_count = 1 },
		{ .pattern = { "*", 1 }, .from = from_sales, .from_count = 2, .via = sales, .via_count = 1 },
		{ .pattern = { "*", 1 }, .from = from_bob, .from_count = 1, .via = bobs, .via_count = 1 },
		{ .pattern = { "*", 1 }, .from = from_null, .from_count = 1, .via = reports, .via_count = 1 },
		{ .pattern = { "*", 1 }, .from = from_direct, .from_count = 1 },
		{ .pattern = { ".test", 5 }, .from = from_below, .from_count = 1, .via = bobs, .via_count = 1 },
		{ .pattern = { "only.net", 8 }, .from = from_sales, .from_count = 2, .via = sales, .via_count = 1 },
		{ .pattern = { "safe.net", 8 }, .from = from_sales, .from_count = 2, .tls = { .level = TLS_VERIFIED } },
	};
	static const struct {
		const char *address, *want, *sender;
	} rows[] = {
		{ "u@remote.net", "hosts [via out.test] remote.net out.test", NULL },
		{ "u@remote.net", "hosts [via reports.out] remote.net reports.out", "" },
		{ "u@remote.net", "hosts [via out.test] remote.net out.test", "alice@example.org" },
		{ "u@remote.net", "hosts [via out.test] remote.net out.test", "alice@a.sales.example.org" },
		{ "u@remote.net", "hosts [via sales.out] remote.net sales.out", "alice@SALES.example.org" },
		{ "u@remote.net", "hosts [via sales.out] remote.net sales.out", "a@b\xc3\xbc" "cher.example" },
		{ "u@remote.net", "hosts [via sales.out] remote.net sales.out", "a@xn--bcher-kva.example" },
		{ "u@remote.net", "hosts [via bob.out] remote.net bob.out", "BOB@example.org" },
		{ "u@remote.net", "hosts [via bob.out] remote.net bob.out", "bob+list@example.org" },
		{ "u@remote.net", "hosts [remote.net] remote.net", "direct@example.org" },
		/* A pattern whose routes are all for others is passed over; the recipient comes before the sender. */
		{ "u@a.test", "hosts [via bob.out] a.test bob.out", "x@sales.example.org" },
		{ "u@a.test", "hosts [via bob.out] a.test bob.out", "x@a.b.example.org" },
		{ "u@a.test", "hosts [via out.test] a.test out.test", "x@example.org" },
		{ "u@only.net", "hosts [via out.test] only.net out.test", "x@example.org" },
		{ "u@only.net", "hosts [via sales.out] only.net sales.out", "x@sales.example.org" },
		{ "u@safe.net", "hosts [safe.net, TLS required] safe.net", "x@sales.example.org" },
		/* No address of a domain, or none that there could be. */
		{ "u@remote.net", "hosts [via out.test] remote.net out.test", "postmaster@" },
		{ "u@remote.net", "hosts [via out.test] remote.net out.test", "x@\xe2\x80\x8b.example.org" },
		/* Ours is ours. */
		{ "bob@example.org", "mailbox bob example.org ", "bob@example.org" },
	};
	struct router_settings settings = settings_new();

	(void)state;
	settings.rules = dependent;
	settings.rule_count = sizeof dependent / sizeof *dependent;
	struct router *router = make(&settings);
	struct arena *arena = arena_new(1 << 16);
	const struct address to = address_of("u@remote.net"), bob = address_of("bob@example.org");
	struct route_decision decision;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct address sender = address_of(rows[i].sender ? rows[i].sender : "");

		check_one(router, rows[i].address, rows[i].sender ? &sender : NULL, false, rows[i].want);
	}
	assert_int_equal(router_decide(router, &to, &bob, false, arena, &decision), OK);
	assert_true(text_equal(decision.explanation, TEXT("route \"*\" from bob@example.org via bob.out")));
	router_unref(router);
	arena_free(arena);
}

static void unknown_users_are_all_users(void **state)
{
	static const struct row rows[] = {
		{ "Any.One+tag@example.org", "mailbox Any.One example.org tag", false },
		{ "staff@example.org", "expand alice@example.org alice@backup.test bob@example.org zoe@remote.test", false },
		{ "any@example.net", "expand bob@example.org", false },
		{ "any@example.net", "mailbox any example.net ", true },
		{ "../../etc/x@example.org", "refuse 550 5.1.1", false },
		{ "a/b@example.org", "refuse 550 5.1.1", false },
		{ "a b@example.org", "refuse 550 5.1.1", false },
		{ "x@gate.test", "hosts [via inner.test:2525] gate.test inner.test:2525", false },
	};
	struct router_settings settings = settings_new();

	(void)state;
	settings.users_known = false;
	struct router *router = make(&settings);

	check(router, rows, sizeof rows / sizeof *rows);
	router_unref(router);
}

static void mailboxes_may_be_lmtp(void **state)
{
	static const struct row rows[] = {
		{ "bob+t@example.org", "hosts lmtp [lmtp unix:/run/lmtp] example.org unix:/run/lmtp", false },
		{ "nobody@example.org", "refuse 550 5.1.1", false },
	};
	struct router_settings settings = settings_new();

	(void)state;
	settings.mailbox_lmtp = TEXT("unix:/run/lmtp");
	struct router *router = make(&settings);

	check(router, rows, sizeof rows / sizeof *rows);
	router_unref(router);
}

static void judgements(void **state)
{
	static const struct {
		const char *address;
		bool may_relay;
		uint16_t code, subject, detail;
	} rows[] = {
		{ "bob@EXAMPLE.org", false, 250, 1, 5 },
		{ "bob+x@example.org", false, 250, 1, 5 },
		{ "nobody@example.org", false, 550, 1, 1 },
		{ "nobody@example.org", true, 550, 1, 1 },
		{ "nobody@example.net", false, 250, 1, 5 },
		{ "staff@b\xc3\xbc" "cher.example", false, 250, 1, 5 },
		{ "postmaster", false, 250, 1, 5 },
		{ "POSTMASTER@example.org", false, 250, 1, 5 },
		{ "postmaster@mail.example.org", false, 250, 1, 5 },
		{ "abuse@mail.example.org", false, 550, 7, 1 },
		{ "postmaster@remote.test", false, 550, 7, 1 },
		{ "nobody@gate.test", false, 250, 1, 5 },
		{ "u@partner.test", false, 550, 7, 1 },
		{ "u@remote.test", false, 550, 7, 1 },
		{ "u@remote.test", true, 250, 1, 5 },
		{ "u@[127.0.0.1]", true, 550, 1, 2 },
		{ "u@[192.0.2.1]", true, 250, 1, 5 },
		{ "u@sub.example.org", false, 550, 7, 1 },
	};
	const struct router_settings settings = settings_new();
	struct router *router = make(&settings);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct address address = address_of(rows[i].address);
		const struct verdict verdict = router_judge(router, &address, rows[i].may_relay, 0);

		if (verdict.code != rows[i].code)
			fail_msg("%s: %u %.*s", rows[i].address, verdict.code, TEXT_FORMAT(verdict.text));
		assert_int_equal(verdict.enhanced.subject, rows[i].subject);
		assert_int_equal(verdict.enhanced.detail, rows[i].detail);
	}
	assert_true(router_is_local(router, TEXT("EXAMPLE.net")));
	assert_true(router_is_local(router, text_of("b\xc3\xbc" "cher.example")));
	assert_false(router_is_local(router, TEXT("sub.example.net")));
	assert_false(router_is_local(router, TEXT_EMPTY));
	router_unref(router_ref(router));
	router_unref(router);
	router_unref(NULL);
}

/* "a0: a1" to "aN-1: aN" and a user at the end. */
static enum route_kind decide_chain(unsigned links)
{
	struct router_settings settings = settings_new();
	struct arena *arena = arena_new(1 << 20);
	struct route_decision decision;
	struct buffer file;

	buffer_init(&file, 1 << 20);
	for (unsigned i = 0; i < links; i++)
		assert_true(buffer_print(&file, "a%u: %s%u\n", i, i + 1 < links ? "a" : "end", i + 1));
	settings.aliases = buffer_text(&file);
	struct router *router = make(&settings);
	const struct address address = address_of("a0@example.org");

	assert_int_equal(router_decide(router, &address, NULL, false, arena, &decision), OK);
	router_unref(router);
	buffer_done(&file);
	arena_free(arena);
	return decision.kind;
}

static void chains_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(decide_chain(1), ROUTE_EXPAND);
	assert_int_equal(decide_chain(ROUTER_ALIAS_DEPTH_MAX), ROUTE_EXPAND);
	assert_int_equal(decide_chain(ROUTER_ALIAS_DEPTH_MAX + 1), ROUTE_REFUSE);
}

/* Two aliases of `half` targets each, both in one; `shared` of them are the same. */
static struct route_decision decide_crowd(unsigned half, unsigned shared, struct arena *arena)
{
	struct router_settings settings = settings_new();
	struct route_decision decision;
	struct buffer file;

	buffer_init(&file, 1 << 20);
	assert_true(buffer_append(&file, TEXT("all: left, right\nleft: ")));
	for (unsigned i = 0; i < half; i++)
		assert_true(buffer_print(&file, "u%u@remote.test,", i));
	assert_true(buffer_append(&file, TEXT("\nright: ")));
	for (unsigned i = half - shared; i < 2 * half - shared; i++)
		assert_true(buffer_print(&file, "u%u@remote.test,", i));
	settings.aliases = buffer_text(&file);
	struct router *router = make(&settings);
	const struct address address = address_of("all@example.org");

	assert_int_equal(router_decide(router, &address, NULL, false, arena, &decision), OK);
	router_unref(router);
	buffer_done(&file);
	return decision;
}

static void expansions_are_bounded(void **state)
{
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	assert_int_equal(decide_crowd(500, 0, arena).target_count, ROUTER_TARGET_MAX);
	assert_int_equal(decide_crowd(501, 2, arena).target_count, ROUTER_TARGET_MAX);
	assert_int_equal(decide_crowd(501, 1, arena).kind, ROUTE_REFUSE);
	assert_int_equal(decide_crowd(501, 1, arena).verdict.enhanced.subject, 2);
	arena_free(arena);
}

static void results_outlive_the_router(void **state)
{
	const struct router_settings settings = settings_new();
	struct router *router = make(&settings);
	struct arena *arena = arena_new(1 << 16);
	struct route_decision staff, partner;
	const struct address to_staff = address_of("staff@example.org"), to_partner = address_of("u@partner.test");

	(void)state;
	assert_int_equal(router_decide(router, &to_staff, NULL, false, arena, &staff), OK);
	assert_int_equal(router_decide(router, &to_partner, NULL, false, arena, &partner), OK);
	router_unref(router); /* The sanitizer watches what follows. */
	assert_true(text_equal(staff.targets[0].local, TEXT("alice")));
	assert_true(text_equal(staff.explanation, TEXT("alias staff (aliases:1), 4 targets")));
	assert_true(text_equal(partner.next_hop.via[1], TEXT("[2001:db8::1]:26")));
	assert_true(text_equal(partner.explanation, TEXT("route \"partner.test\" via 192.0.2.1, [2001:db8::1]:26")));
	arena_free(arena);
}

static void a_full_arena_is_an_error(void **state)
{
	const struct router_settings settings = settings_new();
	struct router *router = make(&settings);
	const struct address address = address_of("staff@example.org");
	size_t cap;

	(void)state;
	for (cap = 16; cap < 2048; cap += 16) {
		struct arena *arena = arena_new(cap);
		struct route_decision decision;
		const enum error error = router_decide(router, &address, NULL, false, arena, &decision);

		arena_free(arena);
		if (error == OK)
			break;
		assert_int_equal(error, ERR_NO_MEMORY);
	}
	assert_in_range(cap, 64, 2000);
	router_unref(router);
}

static void complaints(void **state)
{
	static const struct text bad_domain = { "exa mple", 8 }, literal = { "[192.0.2.1]", 11 };
	static const struct text bad_via = { "host:port", 9 }, no_user = { "@example.org", 12 };
	static const struct router_rule bad_pattern = { .pattern = { "*.test", 6 } };
	static const struct router_rule via_rule = { .pattern = { "a.test", 6 }, .via = &bad_via, .via_count = 1 };
	static const struct text bob = { "bob", 3 }, twice[] = { { "Bob@a.test", 10 }, { "bob@A.test", 10 } };
	static const struct router_rule from_rule = { .pattern = { "a.test", 6 }, .from = &bob, .from_count = 1 };
	static const struct router_rule own_rule = { .pattern = { "example.net", 11 }, .from = twice, .from_count = 1 };
	static const struct router_rule twice_rule = { .pattern = { "a.test", 6 }, .from = twice, .from_count = 2 };
	static const struct router_rule lmtp_rule = { .pattern = { "a.test", 6 }, .lmtp = true };
	static const struct router_rule again[] = { { .pattern = { "a.test", 6 } }, { .pattern = { "A.test", 6 } } };
	struct router_settings bad[15];
	static const char *const want[15] = {
		"hostname \"\": not a domain name", "domain \"exa mple\": not a domain name",
		"domain \"[192.0.2.1]\": not a domain name", "user \"@example.org\": write a user as",
		"aliases:2: \"b\": a name must be", "aliases:1: \"a@other.test\": its domain is not ours",
		"route \"*.test\": not a domain name", "route via \"host:port\": write host",
		"route \"a.test\": LMTP needs a via", "route \"a.test\": given twice", "separator \"a\": at most",
		"mailbox lmtp \"/run/x\": write unix:/path", "route from \"bob\": write bob@example.org",
		"route \"example.net\": cannot be for some senders only", "route \"a.test\": given twice for one sender"
	};

	(void)state;
	for (size_t i = 0; i < 15; i++)
		bad[i] = settings_new();
	bad[0].hostname = TEXT_EMPTY;
	bad[1].domains = &bad_domain, bad[1].domain_count = 1;
	bad[2].domains = &literal, bad[2].domain_count = 1;
	bad[3].users = &no_user, bad[3].user_count = 1;
	bad[4].aliases = TEXT("a: b\nb\n");
	bad[5].aliases = TEXT("a@other.test: b\n");
	bad[6].rules = &bad_pattern, bad[6].rule_count = 1;
	bad[7].rules = &via_rule, bad[7].rule_count = 1;
	bad[8].rules = &lmtp_rule, bad[8].rule_count = 1;
	bad[9].rules = again, bad[9].rule_count = 2;
	bad[10].separator = TEXT("a");
	bad[11].mailbox_lmtp = TEXT("/run/x");
	bad[12].rules = &from_rule, bad[12].rule_count = 1;
	bad[13].rules = &own_rule, bad[13].rule_count = 1;
	bad[14].rules = &twice_rule, bad[14].rule_count = 1;
	for (size_t i = 0; i < 15; i++) {
		struct arena *arena = arena_new(1 << 16);
		struct router *router = NULL;
		struct text complaint = TEXT_EMPTY;

		assert_int_equal(router_new(&bad[i], arena, &router, &complaint), ERR_SYNTAX);
		if (!text_starts(complaint, text_of(want[i])))
			fail_msg("%.*s", TEXT_FORMAT(complaint));
		assert_null(router);
		arena_free(arena);
	}
}

static void via_items(void **state)
{
	static const struct {
		const char *item;
		bool taken, is_endpoint;
		uint16_t port;
	} rows[] = {
		{ "host", true, false, 25 }, { "mx.example.org:587", true, false, 587 }, { "192.0.2.1", true, true, 25 },
		{ "192.0.2.1:26", true, true, 26 }, { "2001:db8::1", true, true, 25 },
		{ "[2001:db8::1]:26", true, true, 26 }, { "unix:/x", true, true, 0 },
		{ "", false, false, 0 }, { "host:", false, false, 0 }, { "host:0", false, false, 0 },
		{ "host:65536", false, false, 0 }, { "a b", false, false, 0 }, { ":25", false, false, 0 },
		{ "[host]", false, false, 0 }, { "/run/x", false, false, 0 }, { "unix:", false, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct via via;

		assert_int_equal(via_parse(text_of(rows[i].item), 25, &via), rows[i].taken);
		if (!rows[i].taken)
			continue;
		assert_int_equal(via.is_endpoint, rows[i].is_endpoint);
		assert_int_equal(via.is_endpoint ? via.endpoint.port : via.port, rows[i].port);
	}
}

static void pipes(void **state)
{
	static const struct text tickets[] = { { "Tickets@example.org", 19 }, { "bob@example.net", 15 }, { "box2@gate.test", 14 } };
	static const struct text rest[] = { { "@example.org", 12 }, { "@gate.test", 10 } };
	static const struct router_pipe commands[] = { { { "ticket", 6 }, tickets, 3 }, { { "rest", 4 }, rest, 2 } };
	static const struct row rows[] = {
		{ "tickets@example.org", "pipe ticket example.org ", false },
		{ "TICKETS+17@example.org", "pipe ticket example.org 17", true },
		{ "bob@example.net", "pipe ticket example.net ", true },
		{ "bob@example.org", "mailbox bob example.org ", false },
		{ "sales@example.org", "expand alice@example.org alice@backup.test bob@example.org zoe@remote.test", false },
		{ "whoever+x@example.org", "pipe rest example.org x", false },
		{ "tickets@example.net", "refuse 550 5.1.1", true },
		/* A gateway hands on what is not named. */
		{ "box2@gate.test", "pipe ticket gate.test ", false },
		{ "box3@gate.test", "hosts [via inner.test:2525] gate.test inner.test:2525", false },
	};
	struct router_settings settings = settings_new();
	struct arena *arena = arena_new(1 << 16);
	struct text complaint;

	(void)state;
	settings.pipes = commands;
	settings.pipe_count = 2;
	struct router *router = make(&settings);

	check(router, rows, sizeof rows / sizeof rows[0]);
	router_unref(router);

	const struct router_pipe twice[] = { commands[0], { { "other", 5 }, tickets, 1 } };

	settings.pipes = twice;
	assert_int_equal(router_new(&settings, arena, &router, &complaint), ERR_SYNTAX);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decisions),
		cmocka_unit_test(pipes),
		cmocka_unit_test(a_default_route_takes_all_others),
		cmocka_unit_test(relays_stand_behind_the_hosts),
		cmocka_unit_test(mail_leaves_from_a_pool),
		cmocka_unit_test(policies_can_be_waived),
		cmocka_unit_test(routes_may_be_for_some_senders),
		cmocka_unit_test(a_provider_may_want_a_login),
		cmocka_unit_test(unknown_users_are_all_users),
		cmocka_unit_test(mailboxes_may_be_lmtp),
		cmocka_unit_test(judgements),
		cmocka_unit_test(chains_are_bounded),
		cmocka_unit_test(expansions_are_bounded),
		cmocka_unit_test(results_outlive_the_router),
		cmocka_unit_test(a_full_arena_is_an_error),
		cmocka_unit_test(complaints),
		cmocka_unit_test(via_items),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
