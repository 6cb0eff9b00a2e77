#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/spf.h"
#include "auth/test_facts.h"
#include "base/buffer.h"

static const struct fact world[] = {
	{ QUESTION_TXT, "plain.test", "v=spf1 ip4:192.0.2.0/24 ~all" },
	{ QUESTION_TXT, "plain.test", "another text" },
	{ QUESTION_TXT, "mx.test", "V=SPF1 mx -all" },
	{ QUESTION_MX, "mx.test", "a.mx.test" },
	{ QUESTION_MX, "mx.test", "b.mx.test." },
	{ QUESTION_A, "b.mx.test", "192.0.2.1" },
	{ QUESTION_TXT, "outer.test", "v=spf1 include:plain.test ?all" },
	{ QUESTION_TXT, "moved.test", "v=spf1 redirect=mx.test" },
	{ QUESTION_TXT, "lost.test", "v=spf1 redirect=nowhere.test" },
	{ QUESTION_TXT, "two.test", "v=spf1 -all" },
	{ QUESTION_TXT, "two.test", "v=spf1 +all" },
	{ QUESTION_TXT, "late.test", NULL },
	{ QUESTION_TXT, "later.test", "v=spf1 a:slow.test -all" },
	{ QUESTION_A, "slow.test", NULL },
	{ QUESTION_TXT, "wrong.test", "v=spf1 ip4:192.0.2.1 bogus:x -all" },
	{ QUESTION_TXT, "silent.test", "v=spf1 a:n1.test a:n2.test a:n3.test -all" },
	{ QUESTION_TXT, "round.test", "v=spf1 include:round.test -all" },
	{ QUESTION_TXT, "named.test", "v=spf1 ptr -all" },
	{ QUESTION_PTR, "1.2.0.192.in-addr.arpa", "host.named.test" },
	{ QUESTION_PTR, "1.2.0.192.in-addr.arpa", "liar.test" },
	{ QUESTION_A, "host.named.test", "192.0.2.1" },
	{ QUESTION_TXT, "macro.test", "v=spf1 exists:%{ir}.%{l1r-}.%{d2} -all exp=why.%{d}" },
	{ QUESTION_A, "1.2.0.192.strong.macro.test", "127.0.0.2" },
	{ QUESTION_TXT, "why.macro.test", "%{c} is %{p}, not one of %{o}%_at %{t}" },
	{ QUESTION_TXT, "six.test", "v=spf1 ip6:2001:db8::/32 a/24//64 -all" },
	{ QUESTION_AAAA, "six.test", "2001:db9::1" },
	{ QUESTION_TXT, "mail.helo.test", "v=spf1 a -all" },
	{ QUESTION_A, "mail.helo.test", "192.0.2.1" },
};

static const struct spf_row {
	const char *sender, *client, *result, *mechanism;
	unsigned lookups;
} rows[] = {
	{ "a@plain.test", "192.0.2.9", "pass", "ip4:192.0.2.0/24", 0 },
	{ "a@plain.test", "::ffff:192.0.2.9", "pass", "ip4:192.0.2.0/24", 0 },
	{ "a@plain.test", "192.0.3.9", "softfail", "all", 0 },
	{ "a@plain.test.", "192.0.3.9", "softfail", "all", 0 },
	{ "a@mx.test", "192.0.2.1", "pass", "mx", 1 },
	{ "a@mx.test", "192.0.2.2", "fail", "all", 1 },
	{ "a@outer.test", "192.0.2.1", "pass", "include:plain.test", 1 },
	{ "a@outer.test", "192.0.3.1", "neutral", "all", 1 },
	{ "a@moved.test", "192.0.2.1", "pass", "mx", 2 },
	{ "a@lost.test", "192.0.2.1", "permerror", "", 1 },
	{ "a@two.test", "192.0.2.1", "permerror", "", 0 },
	{ "a@late.test", "192.0.2.1", "temperror", "", 0 },
	{ "a@later.test", "192.0.2.1", "temperror", "", 1 },
	{ "a@wrong.test", "192.0.2.1", "permerror", "", 0 },
	{ "a@silent.test", "192.0.2.1", "permerror", "", 3 },
	{ "a@round.test", "192.0.2.1", "permerror", "", 10 },
	{ "a@named.test", "192.0.2.1", "pass", "ptr", 1 },
	{ "a@named.test", "192.0.2.2", "fail", "all", 1 },
	{ "strong-list@macro.test", "192.0.2.1", "pass", "exists:%{ir}.%{l1r-}.%{d2}", 1 },
	{ "a@six.test", "2001:db8:1::1", "pass", "ip6:2001:db8::/32", 0 },
	{ "a@six.test", "2001:db9::2", "pass", "a/24//64", 1 },
	{ "a@six.test", "2001:dba::2", "fail", "all", 1 },
	{ "a@absent.test", "192.0.2.1", "none", "", 0 },
	{ "a@single", "192.0.2.1", "none", "", 0 },
	{ "a@[192.0.2.1]", "192.0.2.1", "none", "", 0 },
	{ "", "192.0.2.1", "pass", "a", 1 },
};

static void check_row(const struct spf_row *row)
{
	struct arena *arena = arena_new(1 << 20);
	struct facts facts = FACTS(world);
	struct spf_request request = { .sender = text_of(row->sender), .helo = TEXT("mail.helo.test") };

	assert_true(endpoint_parse_ip(text_of(row->client), &request.client));
	struct spf *spf = spf_new(&request, arena);

	facts_satisfy(&facts, spf, spf);
	const struct spf_verdict *verdict = spf_verdict(spf);

	assert_string_equal(auth_result_word(verdict->result), row->result);
	assert_true(text_equal(verdict->mechanism, text_of(row->mechanism)));
	assert_int_equal(verdict->lookups, row->lookups);
	assert_int_equal(verdict->is_helo, row->sender[0] == '\0');
	arena_free(arena);
}

static void each_record_says_what_it_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("%s from %s\n", rows[i].sender, rows[i].client);
		check_row(&rows[i]);
	}
}

static void a_fail_is_explained(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct facts facts = FACTS(world);
	struct spf_request request = { .sender = TEXT("weak-list@macro.test"), .now_s = 1234 };

	(void)state;
	assert_true(endpoint_parse_ip(TEXT("192.0.2.1"), &request.client));
	struct spf *spf = spf_new(&request, arena);

	facts_satisfy(&facts, spf, spf);
	assert_string_equal(auth_result_word(spf_verdict(spf)->result), "fail");
	assert_true(text_equal(spf_verdict(spf)->explanation,
	    TEXT("192.0.2.1 is host.named.test, not one of macro.test at 1234")));
	arena_free(arena);
}

/* A record of a stranger may be long, but not deep, and never asks for more than F1 allows. */
static void a_long_record_costs_no_stack(void **state)
{
	enum { TERMS = 60000 };
	struct arena *arena = arena_new(8 << 20);
	struct spf_request request = { .sender = TEXT("a@long.test") };
	struct buffer record;

	(void)state;
	buffer_init(&record, 2 << 20);
	assert_true(buffer_append(&record, TEXT("v=spf1")));
	for (int i = 0; i < TERMS; i++)
		assert_true(buffer_append(&record, TEXT(" ip4:10.0.0.1")));
	assert_true(buffer_append(&record, TEXT(" ?all")));
	assert_true(endpoint_parse_ip(TEXT("192.0.2.1"), &request.client));
	struct spf *spf = spf_new(&request, arena);
	const struct answer_record text = { .text = buffer_text(&record) };

	spf_answer(spf, &(struct answer){ ANSWER_FOUND, &text, 1 });
	assert_string_equal(auth_result_word(spf_verdict(spf)->result), "neutral");
	buffer_done(&record);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_record_says_what_it_should),
		cmocka_unit_test(a_fail_is_explained), cmocka_unit_test(a_long_record_costs_no_stack) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
