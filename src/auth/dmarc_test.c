#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/dmarc.h"
#include "auth/test_facts.h"

static const struct fact world[] = {
	{ QUESTION_TXT, "_dmarc.strict.test", "v=DMARC1; p=reject; adkim=s; aspf=s" },
	{ QUESTION_TXT, "_dmarc.plain.test", "v=DMARC1;p=quarantine;sp=reject;np=none;pct=5;rf=afrf" },
	{ QUESTION_A, "mail.plain.test", "192.0.2.1" },
	{ QUESTION_TXT, "_dmarc.trial.test", "v=DMARC1; p=reject; t=y" },
	{ QUESTION_TXT, "_dmarc.odd.test", "v=DMARC1; p=maybe; rua=mailto:r@odd.test!10m" },
	{ QUESTION_TXT, "_dmarc.empty.test", "v=DMARC1; p=maybe; rua=https://odd.test/" },
	{ QUESTION_TXT, "_dmarc.late.test", NULL },
	{ QUESTION_TXT, "_dmarc.own.shared.test", "v=DMARC1; p=reject; psd=n" },
	{ QUESTION_TXT, "_dmarc.shared.test", "v=DMARC1; p=none" },
	{ QUESTION_TXT, "_dmarc.half.shared.test", NULL },
	{ QUESTION_TXT, "_dmarc.suffix.example", "v=DMARC1; p=reject; psd=y; np=quarantine" },
};

static const struct row {
	const char *author, *spf, *dkim, *result, *policy, *disposition;
	bool spf_aligned, dkim_aligned;
} rows[] = {
	{ "strict.test", "strict.test", "", "pass", "reject", "none", true, false },
	{ "strict.test", "a.strict.test", "a.strict.test", "fail", "reject", "reject", false, false },
	{ "plain.test", "", "a.b.plain.test", "pass", "quarantine", "none", false, true },
	{ "plain.test", "PLAIN.test.", "plain.test", "pass", "quarantine", "none", true, true },
	{ "plain.test", "notplain.test", "test", "fail", "quarantine", "quarantine", false, false },
	{ "mail.plain.test", "", "", "fail", "reject", "reject", false, false },
	{ "absent.plain.test", "", "", "fail", "none", "none", false, false },
	{ "absent.plain.test", "", "other.plain.test", "pass", "none", "none", false, true },
	{ "trial.test", "", "", "fail", "quarantine", "quarantine", false, false },
	{ "odd.test", "", "", "fail", "none", "none", false, false },
	{ "empty.test", "empty.test", "", "none", "none", "none", false, false },
	{ "nothing.test", "nothing.test", "", "none", "none", "none", false, false },
	{ "late.test", "late.test", "", "temperror", "none", "none", false, false },
	/* psd=n makes a subdomain an organization of its own, both ways. */
	{ "own.shared.test", "shared.test", "", "fail", "reject", "reject", false, false },
	{ "shared.test", "own.shared.test", "", "fail", "none", "none", false, false },
	{ "own.shared.test", "x.own.shared.test", "", "pass", "reject", "none", true, false },
	/* A failing look-up is no fail, unless something else passes. */
	{ "shared.test", "half.shared.test", "", "temperror", "none", "none", false, false },
	{ "shared.test", "half.shared.test", "a.shared.test", "pass", "none", "none", false, true },
	/* A public suffix speaks for those who say nothing. */
	{ "bank.suffix.example", "", "x.bank.suffix.example", "pass", "quarantine", "none", false, true },
	{ "bank.suffix.example", "", "other.suffix.example", "fail", "quarantine", "quarantine", false,
	    false },
};

static void check_row(const struct row *row, bool identify_first)
{
	struct arena *arena = arena_new(1 << 20);
	struct facts facts = FACTS(world);
	struct dmarc *dmarc = dmarc_new(text_of(row->author), arena);
	const struct text dkim = text_of(row->dkim);
	const struct dmarc_identifiers identifiers = { text_of(row->spf), &dkim, dkim.length > 0 };

	if (identify_first)
		dmarc_identify(dmarc, &identifiers);
	facts_satisfy(&facts, dmarc, dmarc);
	if (!identify_first)
		dmarc_identify(dmarc, &identifiers);
	facts_satisfy(&facts, dmarc, dmarc);
	const struct dmarc_verdict *verdict = dmarc_verdict(dmarc);

	assert_string_equal(auth_result_word(verdict->result), row->result);
	assert_string_equal(dmarc_policy_word(verdict->policy), row->policy);
	assert_string_equal(dmarc_policy_word(verdict->disposition), row->disposition);
	assert_int_equal(verdict->spf_aligned, row->spf_aligned);
	assert_int_equal(verdict->dkim_aligned, row->dkim_aligned);
	arena_free(arena);
}

static void policies_and_alignment(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("%s: %s, %s\n", rows[i].author, rows[i].spf, rows[i].dkim);
		check_row(&rows[i], true);
		check_row(&rows[i], false);
	}
}

static void a_deep_name_costs_eight_questions(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct facts facts = { 0 };
	struct dmarc *dmarc = dmarc_new(TEXT("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.test"), arena);

	(void)state;
	facts_satisfy(&facts, dmarc, dmarc);
	assert_int_equal(facts.asked, 8);
	dmarc_identify(dmarc, &(struct dmarc_identifiers){ 0 });
	assert_string_equal(auth_result_word(dmarc_verdict(dmarc)->result), "none");
	arena_free(arena);
}

static void the_version_is_exact(void **state)
{
	static const char *const bad[] = { "", "v=DMARC2; p=none", "v=dmarc1; p=none", "p=none; v=DMARC1",
		"v=DMARC1x", "DMARC1" };
	struct dmarc_record record;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(dmarc_record_read(text_of(bad[i]), &record));
	assert_true(dmarc_record_read(TEXT("v\t=\tDMARC1 ; nonsense ;; p = Reject; psd=y"), &record));
	assert_int_equal(record.policy, DMARC_REJECT);
	assert_int_equal(record.psd, DMARC_PSD_YES);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(policies_and_alignment),
		cmocka_unit_test(a_deep_name_costs_eight_questions), cmocka_unit_test(the_version_is_exact) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
