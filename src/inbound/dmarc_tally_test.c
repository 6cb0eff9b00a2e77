#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inbound/dmarc_tally.h"

static const struct {
	const char *what;
	enum auth_result found;
	enum dmarc_policy published, asked;
	bool testing;
	enum policy_course course;
	const char *override;              /* Of the decision. */
	const char *disposition, *reason;  /* In the row; NULL: there is none. */
} cases[] = {
	{ "nothing to enforce", AUTH_PASS, DMARC_NONE, DMARC_NONE, false, POLICY_TAKE, NULL, "none", NULL },
	{ "aligned", AUTH_PASS, DMARC_REJECT, DMARC_NONE, false, POLICY_TAKE, NULL, "pass", NULL },
	{ "aligned, and refused by SPF", AUTH_PASS, DMARC_REJECT, DMARC_NONE, false, POLICY_REFUSE, NULL, "reject", "local_policy" },
	{ "nothing asked", AUTH_FAIL, DMARC_NONE, DMARC_NONE, false, POLICY_TAKE, NULL, "none", NULL },
	{ "junk as asked", AUTH_FAIL, DMARC_QUARANTINE, DMARC_QUARANTINE, false, POLICY_JUNK, NULL, "quarantine", NULL },
	{ "refused as asked", AUTH_FAIL, DMARC_REJECT, DMARC_REJECT, false, POLICY_REFUSE, NULL, "reject", NULL },
	{ "junk instead", AUTH_FAIL, DMARC_REJECT, DMARC_REJECT, false, POLICY_JUNK, "local_policy", "quarantine", "local_policy" },
	{ "marked only", AUTH_FAIL, DMARC_REJECT, DMARC_REJECT, false, POLICY_TAKE, NULL, "none", "local_policy" },
	{ "vouched for", AUTH_FAIL, DMARC_REJECT, DMARC_REJECT, false, POLICY_TAKE, "trusted_forwarder", "none", "trusted_forwarder" },
	{ "testing", AUTH_FAIL, DMARC_QUARANTINE, DMARC_NONE, true, POLICY_TAKE, NULL, "none", "policy_test_mode" },
	{ "testing rejection", AUTH_FAIL, DMARC_REJECT, DMARC_QUARANTINE, true, POLICY_JUNK, NULL, "quarantine", "policy_test_mode" },
	{ "comes again", AUTH_FAIL, DMARC_REJECT, DMARC_REJECT, false, POLICY_DEFER, NULL, NULL, NULL },
	{ "no answer", AUTH_TEMPERROR, DMARC_REJECT, DMARC_NONE, false, POLICY_TAKE, NULL, NULL, NULL },
	{ "no policy", AUTH_NONE, DMARC_NONE, DMARC_NONE, false, POLICY_TAKE, NULL, NULL, NULL },
};

static bool same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void dispositions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct dmarc_record record = { .policy = cases[i].published, .testing = cases[i].testing, .rua = TEXT("mailto:a@b.test") };
		const struct dmarc_verdict dmarc = { .result = cases[i].found, .author = TEXT("a.test"), .domain = TEXT("a.test"),
			.untested = cases[i].published, .policy = cases[i].found == AUTH_FAIL ? cases[i].asked : cases[i].published,
			.disposition = cases[i].asked, .record = &record };
		const struct evaluation_findings findings = { .dmarc = &dmarc };
		const struct policy_decision decision = { .course = cases[i].course, .override = cases[i].override };
		struct dmarc_tally_facts facts = { .findings = &findings, .decision = &decision };
		struct dmarc_tally tally;
		struct dmarc_result result;
		const bool told = dmarc_tally_make(&facts, &tally);

		if (told != (cases[i].disposition != NULL))
			fail_msg("%s: told %d", cases[i].what, told);
		if (!told)
			continue;
		assert_true(dmarc_result_decode(tally.row, &result));
		if (!same(result.disposition, cases[i].disposition) || !same(result.override, cases[i].reason))
			fail_msg("%s: %s, %s", cases[i].what, result.disposition, result.override ? result.override : "-");
	}
}

static void what_a_row_tells(void **state)
{
	const struct signature ours = { .domain = TEXT("mail.a.test."), .selector = TEXT("s1") },
			       theirs = { .domain = TEXT("list.test"), .selector = TEXT("s2") },
			       bad = { .domain = TEXT("a.test"), .selector = TEXT("s3") };
	const struct dkim_finding dkim[] = { { .result = AUTH_FAIL, .signature = &bad }, { .result = AUTH_PASS, .signature = &theirs },
		{ .result = AUTH_PASS, .signature = &ours } };
	const struct spf_request request = { .sender = TEXT("bounce@list.test") };
	const struct spf_verdict spf = { .result = AUTH_SOFTFAIL, .domain = TEXT("list.test") };
	struct dmarc_record record = { .policy = DMARC_REJECT, .absent_policy = DMARC_NONE, .dkim_strict = true,
		.fo = TEXT("1"), .rua = TEXT("mailto:a@b.test") };
	struct dmarc_verdict dmarc = { .result = AUTH_PASS, .author = TEXT("sub.a.test"), .domain = TEXT("a.test"),
		.policy = DMARC_REJECT, .untested = DMARC_REJECT, .dkim_aligned = true, .record = &record };
	const struct evaluation_findings findings = { .spf = &spf, .spf_request = &request, .dkim = dkim, .dkim_count = 3, .dmarc = &dmarc };
	const struct policy_decision decision = { .course = POLICY_TAKE };
	struct dmarc_tally_facts facts = { .findings = &findings, .decision = &decision, .now_ms = 86400000ll * 20000 };
	struct dmarc_tally tally;
	struct dmarc_result result;

	(void)state;
	assert_true(endpoint_parse_ip(TEXT("2001:db8::1"), &facts.client));
	assert_true(dmarc_tally_make(&facts, &tally));
	assert_int_equal(tally.set.kind, TALLY_DMARC);
	assert_int_equal(tally.set.day, 20000);
	assert_true(text_equal(tally.set.domain, TEXT("a.test")));
	assert_true(dmarc_result_decode(tally.row, &result));
	assert_true(text_equal(result.client, TEXT("2001:db8::1")));
	assert_true(text_equal(result.author, TEXT("sub.a.test")));
	assert_true(text_equal(result.sender, TEXT("list.test")));
	assert_string_equal(result.spf, "softfail");
	assert_true(result.dkim_aligned && !result.spf_aligned && result.published.dkim_strict);
	assert_string_equal(result.published.absent, "none");
	assert_null(result.published.subdomains);
	assert_true(text_equal(result.published.failure_options, TEXT("1")));
	assert_int_equal(result.signature_count, 3);
	assert_true(text_equal(result.signatures[0].selector, TEXT("s1")));
	assert_true(text_equal(result.signatures[1].selector, TEXT("s2")));
	assert_true(text_equal(result.signatures[2].selector, TEXT("s3")));
	assert_string_equal(result.signatures[2].result, "fail");

	/* Nobody asks; or a name that the spool does not hold. */
	dmarc.domain = (struct text){ "a\0test", 6 };
	assert_false(dmarc_tally_make(&facts, &tally));
	dmarc.domain = TEXT("a.test");
	record.rua = TEXT_EMPTY;
	assert_false(dmarc_tally_make(&facts, &tally));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(dispositions), cmocka_unit_test(what_a_row_tells) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
