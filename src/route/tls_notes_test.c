/* What is noted of policies. */
#include "route/tls_notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool is(struct text text, const char *words)
{
	return text_equal(text, text_of(words));
}

static void records_come_before_a_policy(void **state)
{
	static const struct text records[] = { TEXT("\3\1\1\x00\xff"), TEXT("\2\0\1\x12") };
	const struct host_policy policy = { .holds = true, .sts = { .mode = STS_ENFORCE, .patterns = TEXT("mx.a.test"), .max_age_s = 60 } };
	const struct host_tlsa usable = { TLSA_USABLE, { records, 2 }, TEXT("mx.a.test") }, unusable = { .finding = TLSA_UNUSABLE };
	struct arena *arena = arena_new(1 << 16);
	struct tls_result result = tls_notes_policy(&policy, &usable, arena);

	(void)state;
	assert_int_equal(result.policy, TLS_POLICY_TLSA);
	assert_true(is(result.policy_text, "3 1 1 00ff\n2 0 1 12"));
	result = tls_notes_policy(&policy, &unusable, arena);
	assert_int_equal(result.policy, TLS_POLICY_STS);
	assert_true(is(result.policy_text, "version: STSv1\nmode: enforce\nmx: mx.a.test\nmax_age: 60"));
	result = tls_notes_policy(&(struct host_policy){ 0 }, &unusable, arena);
	assert_int_equal(result.policy, TLS_POLICY_NONE_FOUND);
	arena_free(arena);
}

static void what_bars_all_hosts_is_noted(void **state)
{
	static const struct {
		enum hosts_barred barred;
		enum tls_policy_type policy;
		enum tls_result_type type;
	} rows[] = {
		{ HOSTS_BARRED_BY_STS, TLS_POLICY_STS, TLS_RESULT_VALIDATION_FAILURE },
		{ HOSTS_BARRED_BY_DNSSEC, TLS_POLICY_TLSA, TLS_RESULT_DNSSEC_INVALID },
		{ HOSTS_BARRED_BY_DANE, TLS_POLICY_TLSA, TLS_RESULT_DANE_REQUIRED },
	};
	struct arena *arena = arena_new(1 << 16);
	struct tls_notes notes = { .wanted = true }, unwanted = { 0 };
	struct host_list list = { .policy = { .holds = true, .sts.mode = STS_ENFORCE } };

	(void)state;
	tls_notes_add_barred(&notes, &list, arena);
	assert_int_equal(notes.count, 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		list.barred = rows[i].barred;
		tls_notes_add_barred(&notes, &list, arena);
		tls_notes_add_barred(&unwanted, &list, arena);
		assert_int_equal(notes.count, i + 1);
		assert_int_equal(notes.results[i].policy, rows[i].policy);
		assert_int_equal(notes.results[i].type, rows[i].type);
	}
	assert_int_equal(unwanted.count, 0);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_before_a_policy),
		cmocka_unit_test(what_bars_all_hosts_is_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
