#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inbound/dmarc_failure.h"

static const struct {
	const char *what, *options;
	enum auth_result dmarc, spf, dkim;
	bool spf_aligned, dkim_aligned;
	bool told;
} cases[] = {
	{ "all of it failed", "", AUTH_FAIL, AUTH_NONE, AUTH_NONE, false, false, true },
	{ "by default, no more", "", AUTH_PASS, AUTH_FAIL, AUTH_PASS, false, true, false },
	{ "one was not aligned", "1", AUTH_PASS, AUTH_PASS, AUTH_PASS, false, true, true },
	{ "both were", "0:1", AUTH_PASS, AUTH_PASS, AUTH_PASS, true, true, false },
	{ "a signature failed", "d", AUTH_PASS, AUTH_PASS, AUTH_FAIL, true, false, true },
	{ "none did", "d", AUTH_FAIL, AUTH_FAIL, AUTH_NONE, false, false, false },
	{ "SPF failed", "d : s", AUTH_PASS, AUTH_SOFTFAIL, AUTH_PASS, false, true, true },
	{ "SPF did not", "s", AUTH_FAIL, AUTH_NEUTRAL, AUTH_FAIL, false, false, false },
	{ "the DNS failed", "0:1:d:s", AUTH_TEMPERROR, AUTH_FAIL, AUTH_FAIL, false, false, false },
	{ "what nobody knows", "x:01", AUTH_FAIL, AUTH_FAIL, AUTH_FAIL, false, false, false },
};

static bool is_told(size_t i, const char *header, const char *sender, enum policy_course course, struct auth_failure *out)
{
	static struct dmarc_record record;
	static struct dmarc_verdict dmarc;
	static struct dkim_finding dkim;
	static const struct signature signature = { .domain = { "s.test", 6 }, .selector = { "one", 3 } };
	struct arena *arena = arena_new(1 << 20);
	const struct spf_request request = { .sender = text_of(sender) };
	const struct spf_verdict spf = { .result = cases[i].spf };
	const struct policy_decision decision = { .course = course };
	struct header_index index;

	record = (struct dmarc_record){ .ruf = TEXT("mailto:a@b.test"), .fo = text_of(cases[i].options) };
	dmarc = (struct dmarc_verdict){ .result = cases[i].dmarc, .record = &record, .author = TEXT("a.test"), .domain = TEXT("a.test"),
		.spf_aligned = cases[i].spf_aligned, .dkim_aligned = cases[i].dkim_aligned };
	dkim = (struct dkim_finding){ .result = cases[i].dkim, .signature = &signature };

	const struct evaluation_findings findings = { .spf = &spf, .spf_request = &request, .dkim = &dkim,
		.dkim_count = cases[i].dkim != AUTH_NONE, .dmarc = &dmarc };

	assert_int_equal(header_index_make(text_of(header), arena, &index), OK);

	const struct dmarc_failure_facts facts = { .findings = &findings, .decision = &decision, .header = &index };
	const bool told = dmarc_failure_make(&facts, out);

	arena_free(arena);
	return told;
}

/* F1 */
static void as_the_record_asks(void **state)
{
	struct auth_failure failure;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (is_told(i, "Subject: x\r\n\r\n", "a@far.test", POLICY_TAKE, &failure) != cases[i].told)
			fail_msg("%s", cases[i].what);
	assert_true(is_told(4, "Subject: x\r\nTo: y\r\n\r\n", "a@far.test", POLICY_REFUSE, &failure));
	assert_true(text_equal(failure.header, TEXT("Subject: x\r\nTo: y\r\n")));
	assert_true(text_equal(failure.dkim_domain, TEXT("s.test")) && text_equal(failure.dkim_selector, TEXT("one")));
	assert_string_equal(failure.delivery, "reject");
	assert_true(is_told(0, "Subject: x\r\n\r\n", "a@far.test", POLICY_JUNK, &failure));
	assert_string_equal(failure.delivery, "spam");
	assert_false(is_told(0, "Subject: x\r\n\r\n", "a@far.test", POLICY_DEFER, &failure));
}

/* F2 */
static void never_of_a_report(void **state)
{
	static const struct {
		const char *header, *sender;
		bool told;
	} rows[] = {
		{ "Subject: x\r\n\r\n", "", false },
		{ "\r\n", "a@far.test", false },
		{ "Content-type:\r\n multipart/REPORT; report-type=feedback-report\r\n\r\n", "a@far.test", false },
		{ "Auto-Submitted: auto-generated\r\n\r\n", "a@far.test", false },
		{ "Auto-Submitted: no\r\nContent-Type: multipart/mixed\r\n\r\n", "a@far.test", true },
	};
	struct auth_failure failure;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (is_told(0, rows[i].header, rows[i].sender, POLICY_TAKE, &failure) != rows[i].told)
			fail_msg("%s", rows[i].header);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(as_the_record_asks), cmocka_unit_test(never_of_a_report) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
