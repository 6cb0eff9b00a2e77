#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inbound/policy.h"

static const struct text trusted[] = { { "lists.test", 10 } };

static const struct {
	const char *what;
	enum policy_spf spf;
	enum policy_dmarc dmarc;
	bool defers, forwarded;
	enum auth_result spf_result, dmarc_result, arc_result;
	enum dmarc_policy asked;
	const char *sealer, *sealed;
	enum policy_course course;
	uint16_t code, detail;
} cases[] = {
#define FOUND(spf, dmarc, asked) AUTH_##spf, AUTH_##dmarc, AUTH_NONE, DMARC_##asked, "", ""
	{ "nothing asked for", POLICY_SPF_MARK, POLICY_DMARC_MARK, false, false, FOUND(FAIL, FAIL, REJECT), POLICY_TAKE, 0, 0 },
	{ "an SPF fail is marked", POLICY_SPF_MARK, POLICY_DMARC_OFF, false, false, FOUND(FAIL, NONE, UNSET), POLICY_TAKE, 0, 0 },
	{ "or refused", POLICY_SPF_REJECT, POLICY_DMARC_OFF, false, false, FOUND(FAIL, NONE, UNSET), POLICY_REFUSE, 550, 23 },
	{ "a softfail is not", POLICY_SPF_REJECT, POLICY_DMARC_OFF, false, false, FOUND(SOFTFAIL, NONE, UNSET), POLICY_TAKE, 0, 0 },
	{ "nor is an error", POLICY_SPF_REJECT, POLICY_DMARC_OFF, false, false, FOUND(TEMPERROR, NONE, UNSET), POLICY_TAKE, 0, 0 },
	{ "but put off", POLICY_SPF_REJECT, POLICY_DMARC_OFF, true, false, FOUND(TEMPERROR, NONE, UNSET), POLICY_DEFER, 451, 24 },
	{ "if it could be refused", POLICY_SPF_MARK, POLICY_DMARC_MARK, true, false, FOUND(TEMPERROR, TEMPERROR, UNSET), POLICY_TAKE, 0, 0 },
	{ "disowned: junk", POLICY_SPF_MARK, POLICY_DMARC_QUARANTINE, false, false, FOUND(FAIL, FAIL, REJECT), POLICY_JUNK, 0, 0 },
	{ "disowned: refused", POLICY_SPF_MARK, POLICY_DMARC_ENFORCE, false, false, FOUND(FAIL, FAIL, REJECT), POLICY_REFUSE, 550, 1 },
	{ "as it asks", POLICY_SPF_MARK, POLICY_DMARC_ENFORCE, false, false, FOUND(FAIL, FAIL, QUARANTINE), POLICY_JUNK, 0, 0 },
	{ "it asks for nothing", POLICY_SPF_MARK, POLICY_DMARC_ENFORCE, false, false, FOUND(FAIL, FAIL, NONE), POLICY_TAKE, 0, 0 },
	{ "the DNS fails", POLICY_SPF_MARK, POLICY_DMARC_ENFORCE, false, false, FOUND(PASS, TEMPERROR, UNSET), POLICY_TAKE, 0, 0 },
	{ "and we wait", POLICY_SPF_MARK, POLICY_DMARC_ENFORCE, true, false, FOUND(PASS, TEMPERROR, UNSET), POLICY_DEFER, 451, 0 },
	{ "a refusal does not wait", POLICY_SPF_REJECT, POLICY_DMARC_ENFORCE, true, false, FOUND(TEMPERROR, FAIL, REJECT), POLICY_REFUSE, 550, 1 },
	{ "a forwarder", POLICY_SPF_REJECT, POLICY_DMARC_ENFORCE, true, true, FOUND(FAIL, FAIL, REJECT), POLICY_TAKE, 0, 0 },
#define SEALED(arc, sealer, sealed) AUTH_FAIL, AUTH_FAIL, AUTH_##arc, DMARC_REJECT, sealer, sealed
	{ "sealed", POLICY_SPF_MARK, POLICY_DMARC_ENFORCE, false, false, SEALED(PASS, "LISTS.test", "lists.test; dmarc=pass"), POLICY_TAKE, 0, 0 },
	{ "sealed as bad", POLICY_SPF_MARK, POLICY_DMARC_ENFORCE, false, false, SEALED(PASS, "lists.test", "x; dmarc=fail"), POLICY_REFUSE, 550, 1 },
	{ "by a stranger", POLICY_SPF_MARK, POLICY_DMARC_ENFORCE, false, false, SEALED(PASS, "evil.test", "x; dmarc=pass"), POLICY_REFUSE, 550, 1 },
	{ "broken seal", POLICY_SPF_MARK, POLICY_DMARC_ENFORCE, false, false, SEALED(FAIL, "lists.test", "x; dmarc=pass"), POLICY_REFUSE, 550, 1 },
};

static void courses(void **state)
{
	struct network forwarder;
	struct endpoint friend, stranger;

	(void)state;
	assert_true(network_parse(TEXT("192.0.2.0/28"), &forwarder) && endpoint_parse_ip(TEXT("192.0.2.9"), &friend) &&
	    endpoint_parse_ip(TEXT("192.0.2.99"), &stranger));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct policy policy = { .spf = cases[i].spf, .dmarc = cases[i].dmarc, .defers = cases[i].defers,
			.arc_trusted = trusted, .arc_trusted_count = 1, .forwarders = &forwarder, .forwarder_count = 1 };
		const struct spf_verdict spf = { .result = cases[i].spf_result };
		const struct arc_verdict arc = { .result = cases[i].arc_result, .domain = text_of(cases[i].sealer),
			.results = text_of(cases[i].sealed) };
		const struct dmarc_verdict dmarc = { .result = cases[i].dmarc_result, .disposition = cases[i].asked };
		const struct evaluation_findings findings = { .spf = &spf, .arc = &arc, .dmarc = &dmarc };
		const struct policy_decision decision =
		    policy_decide(&policy, cases[i].forwarded ? &friend : &stranger, &findings);

		if (decision.course != cases[i].course)
			fail_msg("%s: course %d", cases[i].what, decision.course);
		assert_int_equal(decision.verdict.code, cases[i].code);
		assert_int_equal(decision.verdict.enhanced.detail, cases[i].detail);
	}
}

/* Nobody gets past by what cannot be looked at. */
static void what_cannot_be_looked_at(void **state)
{
	const struct policy policy = { 0 };
	const struct endpoint nobody = { 0 };

	(void)state;
	assert_int_equal(policy_decide(&policy, &nobody, &(struct evaluation_findings){ .header_too_large = true }).verdict.code, 552);
	assert_int_equal(policy_decide(&policy, &nobody, &(struct evaluation_findings){ .no_memory = true }).verdict.code, 452);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(courses), cmocka_unit_test(what_cannot_be_looked_at) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
