#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "inbound/submitter.h"

static const struct text domains[] = { { "here.test", 9 } };
static const struct text users[] = { { "alice", 5 }, { "bob", 3 }, { "news", 4 } };
static const struct submitter_user named[] = { { .name = { "News", 4 }, .rates = { .recipients = { 5, 60 * 1000 } } } };

static char reply[SUBMITTER_REPLY_MAX];
static struct submitter_rules rules;

/* alice, with a router and a table of her own. */
static struct submitter begin(enum submitter_check check)
{
	const struct router_settings settings = { .hostname = TEXT("mx.here.test"),
		.domains = domains,
		.domain_count = 1,
		.users_known = true,
		.users = users,
		.user_count = sizeof users / sizeof *users,
		.aliases = TEXT("sales: alice\n"),
		.separator = TEXT("+") };
	struct arena *arena = arena_new(1 << 16);
	struct router *router;
	struct text complaint;

	must(router_new(&settings, arena, &router, &complaint) == OK);
	arena_free(arena);
	rules = (struct submitter_rules){ .check = check,
		.rates = { { 2, 3600 * 1000 }, { 3, 24 * 3600 * 1000 } },
		.users = named,
		.user_count = 1 };
	return (struct submitter){ .rules = &rules, .router = router, .rates = rate_table_new(64, 1), .name = TEXT("alice"),
		.reply = reply };
}

static void end(struct submitter *submitter)
{
	router_unref((struct router *)(uintptr_t)submitter->router);
	rate_table_free(submitter->rates);
}

static void assert_said(struct verdict verdict, unsigned code, const char *text)
{
	assert_int_equal(verdict.code, code);
	if (code >= 400 && !text_equal(verdict.text, text_of(text)))
		fail_msg("said: %.*s", TEXT_FORMAT(verdict.text));
}

static void the_reverse_path_is_his_own(void **state)
{
	struct submitter alice = begin(SUBMITTER_ENVELOPE);
	const struct address own = { TEXT("Sales+x"), TEXT("here.test") }, foreign = { TEXT("bob"), TEXT("here.test") };
	const struct address nobody = { TEXT_EMPTY, TEXT_EMPTY };

	(void)state;
	assert_said(submitter_sender(&alice, &foreign), 553, "This sender address does not belong to alice");
	assert_true(alice.is_foreign && !alice.is_too_fast);
	assert_said(submitter_sender(&alice, &own), 250, "");
	assert_said(submitter_sender(&alice, &nobody), 250, ""); /* M2 */
	assert_said(submitter_authors(&alice, TEXT("bob@here.test")), 250, "");
	rules.check = SUBMITTER_FREE;
	alice.name = TEXT("bob");
	assert_said(submitter_sender(&alice, &own), 250, "");
	end(&alice);
}

static void so_are_all_authors(void **state)
{
	struct submitter alice = begin(SUBMITTER_BOTH);
	const char *foreign = "The address in the From field does not belong to alice";
	const char *nonsense = "What cannot be understood in the From field does not belong to alice";

	(void)state;
	assert_said(submitter_authors(&alice, TEXT("")), 250, "");
	assert_said(submitter_authors(&alice, TEXT(" \"Bob <bob@here.test>\" <alice@here.test>\r\n")), 250, "");
	assert_said(submitter_authors(&alice, TEXT(" alice@here.test,\r\n Sales <sales@HERE.test>\r\n")), 250, "");
	assert_false(alice.is_foreign);
	assert_said(submitter_authors(&alice, TEXT(" alice@here.test, bob@here.test\r\n")), 550, foreign);
	assert_said(submitter_authors(&alice, TEXT(" \"alice@here.test\" <ceo@far.test>\r\n")), 550, foreign);
	assert_said(submitter_authors(&alice, TEXT("\r\n")), 550, nonsense);
	assert_said(submitter_authors(&alice, TEXT(" alice@here.test <bob@here.test\r\n")), 550, nonsense);
	assert_said(submitter_authors(&alice, TEXT_EMPTY), 550, "A message must have one From field, of sensible length");
	assert_true(alice.is_foreign);
	end(&alice);
}

static void who_owns_all_of_them(void **state)
{
	struct submitter alice = begin(SUBMITTER_ENVELOPE);

	(void)state;
	assert_true(submitter_owns(&alice, TEXT(" Alice <alice@here.test>, sales+x@HERE.test\r\n")));
	assert_false(submitter_owns(&alice, TEXT(" alice@here.test, bob@here.test\r\n")));
	assert_false(submitter_owns(&alice, TEXT(" alice@far.test\r\n")));
	assert_false(submitter_owns(&alice, TEXT("\r\n")));
	assert_false(submitter_owns(&alice, TEXT(" alice@here.test <bob@here.test\r\n")));
	assert_false(alice.is_foreign);
	end(&alice);
}

static void rates_are_told_with_their_end(void **state)
{
	struct submitter alice = begin(SUBMITTER_FREE);
	const struct address sender = { TEXT("x"), TEXT("far.test") };

	(void)state;
	assert_said(submitter_sender(&alice, &sender), 250, "");
	assert_said(submitter_sender(&alice, &sender), 250, "");
	assert_false(alice.is_too_fast);
	assert_said(submitter_sender(&alice, &sender), 452, "More than 2 messages within 1 hour, try again in 30 minutes");
	assert_true(alice.is_too_fast && !alice.is_foreign);
	alice.now_ms = 1741 * 1000;
	assert_said(submitter_sender(&alice, &sender), 452, "More than 2 messages within 1 hour, try again in 59 seconds");
	for (int i = 0; i < 3; i++)
		assert_said(submitter_recipient(&alice), 250, "");
	assert_said(submitter_recipient(&alice), 450, "More than 3 recipients within 24 hours, try again in 8 hours");
	alice.name = TEXT("bob");
	assert_said(submitter_recipient(&alice), 250, "");
	alice.name = TEXT("news"); /* Who has rates of his own. */
	for (int i = 0; i < 5; i++)
		assert_said(submitter_recipient(&alice), 250, "");
	assert_said(submitter_recipient(&alice), 450, "More than 5 recipients within 1 minute, try again in 12 seconds");
	for (int i = 0; i < 5; i++)
		assert_said(submitter_sender(&alice, &sender), 250, "");
	end(&alice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reverse_path_is_his_own),
		cmocka_unit_test(so_are_all_authors),
		cmocka_unit_test(who_owns_all_of_them),
		cmocka_unit_test(rates_are_told_with_their_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
