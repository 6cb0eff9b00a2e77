#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "route/sts_check.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

struct domain { /* One domain through time: what is remembered, and what DNS and web say now. */
	struct arena *arena;
	int64_t now_ms;
	struct sts_memory memory;
	bool remembered;
	const char *record; /* NULL: no answer; "": none. */
	struct https_response page;
	struct sts_check check;
	unsigned fetches;
};

static int setup(void **state)
{
	struct domain *domain = calloc(1, sizeof *domain);

	domain->arena = arena_new(1 << 20);
	domain->now_ms = (int64_t)20000 * DAY;
	domain->record = "";
	*state = domain;
	return 0;
}

static int teardown(void **state)
{
	struct domain *domain = *state;

	arena_free(domain->arena);
	free(domain);
	return 0;
}

#define POLICY(mode, mx, age) "version: STSv1\r\nmode: " mode "\r\nmx: " mx "\r\nmax_age: " age "\r\n"
#define WEEK "604800"

static void serve(struct domain *domain, const char *id, const char *policy)
{
	domain->record = id;
	domain->page = (struct https_response){
		.end = HTTPS_ANSWERED, .status = 200, .content_type = TEXT("text/plain"), .content = text_of(policy)
	};
}

static void serve_nothing(struct domain *domain)
{
	domain->page = (struct https_response){ .end = HTTPS_UNREACHABLE, .trouble = TEXT("connection refused") };
}

static const struct sts_policy *look(struct domain *domain, enum sts_purpose purpose)
{
	struct sts_check *check = &domain->check;
	const struct text record = text_of(domain->record);

	sts_check_begin(check, domain->remembered ? &domain->memory : NULL, purpose, domain->now_ms, domain->arena);
	assert_int_equal(check->question, STS_ASK_RECORD);
	if (domain->record == NULL)
		sts_check_no_record(check);
	else
		sts_check_record(check, &record, record.length > 0);
	if (check->question == STS_ASK_POLICY) {
		domain->fetches++;
		sts_check_policy(check, &domain->page);
	}
	assert_int_equal(check->question, STS_ASK_NOTHING);
	if (check->forget)
		domain->remembered = false;
	else if (check->remember)
		domain->remembered = true;
	if (domain->remembered)
		domain->memory = check->memory;
	return sts_check_result(check);
}

static void expect(struct domain *domain, const char *mode, const char *patterns, enum sts_news news)
{
	const struct sts_policy *policy = look(domain, STS_FOR_MAIL);

	assert_string_equal(policy ? sts_mode_word(policy->mode) : "", mode);
	assert_true(text_equal(policy ? policy->patterns : TEXT_EMPTY, text_of(patterns)));
	assert_int_equal(domain->check.news, news);
}

/* -- Tests ------------------------------------------------------------------------------------- */

static void a_domain_without_record_has_no_policy(void **state)
{
	struct domain *domain = *state;

	expect(domain, "", "", STS_NO_NEWS);
	domain->record = NULL;
	expect(domain, "", "", STS_NO_NEWS);
	domain->record = "v=STSv1; id=;";
	expect(domain, "", "", STS_NO_NEWS);
	assert_int_equal(domain->fetches, 0);
	assert_false(domain->remembered || domain->check.wanted);
}

static void a_policy_is_fetched_once(void **state)
{
	struct domain *domain = *state;

	serve(domain, "v=STSv1; id=1;", POLICY("enforce", "mx.a.test", WEEK));
	expect(domain, "enforce", "mx.a.test", STS_FETCHED);
	serve_nothing(domain);
	domain->now_ms += 7 * (int64_t)DAY - 1;
	expect(domain, "enforce", "mx.a.test", STS_NO_NEWS);
	assert_int_equal(domain->fetches, 1);
	domain->now_ms += 1; /* Too old: gone with its max_age. */
	expect(domain, "", "", STS_FAILED);
	assert_true(domain->check.wanted);
	assert_int_equal(domain->fetches, 2);
}

static void another_id_brings_another_policy(void **state)
{
	struct domain *domain = *state;

	serve(domain, "v=STSv1; id=1;", POLICY("testing", "mx.a.test", WEEK));
	expect(domain, "testing", "mx.a.test", STS_FETCHED);
	serve(domain, "v=STSv1; id=1;", POLICY("enforce", "mx.b.test", WEEK));
	expect(domain, "testing", "mx.a.test", STS_NO_NEWS);
	domain->record = "v=STSv1; id=2;";
	expect(domain, "enforce", "mx.b.test", STS_CHANGED);
	domain->record = "v=STSv1; id=3;";
	expect(domain, "enforce", "mx.b.test", STS_NO_NEWS); /* The same one, by another id. */
	assert_int_equal(domain->fetches, 3);
	serve(domain, "v=STSv1; id=4;", POLICY("none", "mx.b.test", WEEK));
	expect(domain, "none", "mx.b.test", STS_CHANGED);
}

static void a_policy_outlives_its_sources(void **state)
{
	struct domain *domain = *state;

	serve(domain, "v=STSv1; id=1;", POLICY("enforce", "mx.a.test", WEEK));
	look(domain, STS_FOR_MAIL);
	domain->record = "";
	expect(domain, "enforce", "mx.a.test", STS_NO_NEWS);
	domain->record = NULL;
	expect(domain, "enforce", "mx.a.test", STS_NO_NEWS);
	domain->record = "v=STSv1; id=2;";
	serve_nothing(domain);
	expect(domain, "enforce", "mx.a.test", STS_FAILED);
	assert_false(domain->check.wanted);
	expect(domain, "enforce", "mx.a.test", STS_NO_NEWS);
	assert_int_equal(domain->fetches, 2);
	domain->now_ms += 7 * (int64_t)DAY;
	domain->record = "";
	expect(domain, "", "", STS_NO_NEWS);
	assert_false(domain->remembered);
}

static void pages_that_are_no_policy(void **state)
{
	static const struct {
		struct https_response page;
		enum sts_failure failure;
		const char *trouble;
	} cases[] = {
		{ { .end = HTTPS_UNREACHABLE, .trouble = TEXT("timed out") }, STS_FETCH_ERROR, "timed out" },
		{ { .end = HTTPS_UNTRUSTED, .trouble = TEXT("another name") }, STS_WEBPKI_INVALID, "another name" },
		{ { .end = HTTPS_TOO_LARGE, .trouble = TEXT("x") }, STS_POLICY_INVALID, "the policy is too large" },
		{ { .status = 404 }, STS_FETCH_ERROR, "the web server answers 404" },
		{ { .status = 301, .content_type = TEXT("text/plain"), .content = TEXT(POLICY("none", "a.b", "5")) }, STS_FETCH_ERROR,
		    "the web server answers 301" },
		{ { .status = 204, .content_type = TEXT("text/plain"), .content = TEXT(POLICY("none", "a.b", "5")) }, STS_FETCH_ERROR,
		    "the web server answers 204" },
		{ { .status = 200, .content_type = TEXT("text/html"), .content = TEXT(POLICY("none", "a.b", "5")) },
		    STS_POLICY_INVALID, "the policy is not text/plain" },
		{ { .status = 200, .content = TEXT(POLICY("none", "a.b", "5")) }, STS_POLICY_INVALID,
		    "the policy is not text/plain" },
		{ { .status = 200, .content_type = TEXT("Text/Plain ;charset=utf-8"), .content = TEXT("version: STSv1\n") },
		    STS_POLICY_INVALID, "no mode" },
	};
	struct domain *domain = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		domain->remembered = false;
		domain->record = "v=STSv1; id=1;";
		domain->page = cases[i].page;
		expect(domain, "", "", STS_FAILED);
		assert_true(domain->check.wanted && domain->remembered);
		assert_int_equal(domain->memory.failure, cases[i].failure);
		assert_true(text_equal(domain->memory.trouble, text_of(cases[i].trouble)));
	}
}

static void failing_fetches_are_seldom(void **state)
{
	static const int64_t gaps[] = { 5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, 80 * MINUTE, 160 * MINUTE,
		320 * MINUTE, 6 * HOUR, 6 * HOUR };
	struct domain *domain = *state;

	domain->record = "v=STSv1; id=1;";
	serve_nothing(domain);
	expect(domain, "", "", STS_FAILED);
	for (unsigned i = 0; i < sizeof gaps / sizeof *gaps; i++) {
		assert_int_equal(domain->fetches, i + 1);
		domain->now_ms += gaps[i] - 1;
		expect(domain, "", "", STS_NO_NEWS); /* Told once. */
		assert_true(domain->check.wanted);
		assert_int_equal(domain->fetches, i + 1);
		domain->now_ms += 1;
		expect(domain, "", "", STS_NO_NEWS);
	}
	const unsigned fetches = domain->fetches;

	serve(domain, "v=STSv1; id=2;", POLICY("enforce", "mx.a.test", WEEK));
	domain->now_ms += MINUTE - 1;
	expect(domain, "", "", STS_NO_NEWS);
	domain->now_ms += 1; /* Another id may be asked for sooner. */
	expect(domain, "enforce", "mx.a.test", STS_FETCHED);
	assert_int_equal(domain->fetches, fetches + 1);
	assert_int_equal(domain->memory.failure_count, 0);
}

static void policies_are_refreshed_before_they_end(void **state)
{
	struct domain *domain = *state;

	serve(domain, "v=STSv1; id=1;", POLICY("enforce", "mx.a.test", WEEK));
	look(domain, STS_FOR_MAIL);
	assert_int_equal(sts_memory_refresh_ms(&domain->memory), domain->now_ms + DAY);
	domain->now_ms += DAY;
	assert_non_null(look(domain, STS_FOR_REFRESH));
	assert_int_equal(domain->check.news, STS_NO_NEWS);
	assert_int_equal(domain->fetches, 2);
	assert_int_equal(domain->memory.fetched_ms, domain->now_ms);

	/* Failures are told once and tried again; the policy stays. */
	domain->now_ms += DAY;
	domain->record = "";
	assert_non_null(look(domain, STS_FOR_REFRESH));
	assert_int_equal(domain->check.news, STS_FAILED);
	assert_int_equal(sts_memory_refresh_ms(&domain->memory), domain->now_ms + 5 * MINUTE);
	domain->now_ms += 5 * MINUTE;
	domain->record = NULL;
	assert_non_null(look(domain, STS_FOR_REFRESH));
	assert_int_equal(domain->check.news, STS_NO_NEWS);
	domain->now_ms += 10 * MINUTE;
	serve(domain, "v=STSv1; id=2;", POLICY("enforce", "mx.b.test", "60"));
	look(domain, STS_FOR_REFRESH);
	assert_int_equal(domain->check.news, STS_CHANGED);

	/* A short life is refreshed in its middle, and not shorter than some minutes. */
	assert_int_equal(sts_memory_end_ms(&domain->memory), domain->now_ms + 5 * MINUTE);
	assert_int_equal(sts_memory_refresh_ms(&domain->memory), domain->now_ms + 5 * MINUTE / 2);
	assert_int_equal(sts_memory_refresh_ms(&(struct sts_memory){ .failed_ms = 1 }), INT64_MAX);
}

static void nobody_hears_of_an_end_of_none(void **state)
{
	struct domain *domain = *state;

	serve(domain, "v=STSv1; id=1;", POLICY("none", "mx.a.test", WEEK));
	look(domain, STS_FOR_MAIL);
	domain->now_ms += DAY;
	serve_nothing(domain);
	assert_int_equal(look(domain, STS_FOR_REFRESH)->mode, STS_NONE);
	assert_int_equal(domain->check.news, STS_NO_NEWS);
	assert_int_equal(domain->memory.failure_count, 1);
}

static void use_is_remembered_by_the_day(void **state)
{
	struct domain *domain = *state;

	serve(domain, "v=STSv1; id=1;", POLICY("enforce", "mx.a.test", WEEK));
	look(domain, STS_FOR_MAIL);
	assert_int_equal(domain->memory.used_ms, domain->now_ms);
	domain->now_ms += DAY - 1;
	look(domain, STS_FOR_MAIL);
	assert_false(domain->check.remember);
	domain->now_ms += 1;
	look(domain, STS_FOR_REFRESH);
	assert_int_equal(domain->memory.used_ms, domain->now_ms - DAY);
	look(domain, STS_FOR_MAIL);
	assert_true(domain->check.remember);
	assert_int_equal(domain->memory.used_ms, domain->now_ms);
}

static void what_is_stored_comes_back(void **state)
{
	struct domain *domain = *state;
	const struct sts_memory *memory = &domain->memory;
	char room[STS_MEMORY_BYTES_MAX], long_room[STS_PATTERNS_MAX], again_room[STS_MEMORY_BYTES_MAX];
	struct sts_memory again;

	serve(domain, "v=STSv1; id=12345678901234567890123456789012", POLICY("enforce", "*.a.test", WEEK));
	look(domain, STS_FOR_MAIL);
	domain->record = "v=STSv1; id=22345678901234567890123456789012";
	domain->page = (struct https_response){ .end = HTTPS_UNTRUSTED, .trouble = TEXT("SSL: \x07\n\xff") };
	look(domain, STS_FOR_MAIL);
	assert_true(text_equal(memory->trouble, TEXT("SSL: ???")));
	memset(long_room, 'x', sizeof long_room);
	domain->memory.policy.patterns = (struct text){ long_room, sizeof long_room };
	domain->memory.trouble = (struct text){ long_room, STS_TROUBLE_MAX };

	const struct text stored = sts_memory_encode(memory, room);

	assert_true(sts_memory_decode(stored, &again));
	assert_true(sts_policy_equal(&again.policy, &memory->policy) && text_equal(again.id, memory->id));
	assert_int_equal(again.fetched_ms, memory->fetched_ms);
	assert_int_equal(again.failure, STS_WEBPKI_INVALID);
	assert_true(text_equal(sts_memory_encode(&again, again_room), stored));
	for (size_t length = 0; length < stored.length; length++)
		assert_false(sts_memory_decode(text_part(stored, 0, length), &again));
	room[0]++;
	assert_false(sts_memory_decode(stored, &again));
}

static void the_future_is_not_believed(void **state)
{
	struct domain *domain = *state;

	serve(domain, "v=STSv1; id=1;", POLICY("enforce", "mx.a.test", WEEK));
	look(domain, STS_FOR_MAIL);
	domain->now_ms -= DAY;
	serve_nothing(domain);
	expect(domain, "", "", STS_FAILED);
	assert_int_equal(domain->memory.failed_ms, domain->now_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_domain_without_record_has_no_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(a_policy_is_fetched_once, setup, teardown),
		cmocka_unit_test_setup_teardown(another_id_brings_another_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(a_policy_outlives_its_sources, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_that_are_no_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(failing_fetches_are_seldom, setup, teardown),
		cmocka_unit_test_setup_teardown(policies_are_refreshed_before_they_end, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_hears_of_an_end_of_none, setup, teardown),
		cmocka_unit_test_setup_teardown(use_is_remembered_by_the_day, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_stored_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(the_future_is_not_believed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
