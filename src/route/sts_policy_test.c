#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "route/sts_policy.h"

#define ID32 "12345678901234567890123456789012"
#define NAME32 "abcdefghijklmnopqrstuvwxyz_-.123"

static void records(void **state)
{
	static const struct {
		const char *record, *id;
	} cases[] = {
		{ "v=STSv1; id=20160831085700Z;", "20160831085700Z" },
		{ "v=STSv1;id=1", "1" },
		{ "v=STSv1 \t; \tid=aZ9 ; ", "aZ9" },
		{ "v=STSv1; id=" ID32, ID32 },
		{ "v=STSv1; x=!~; id=1", "1" },
		{ "v=STSv1; id=1; id=2", "1" },
		{ "v=STSv1; id=1; " NAME32 "=a:b", "1" },
		{ "v=STSv1; id=" ID32 "3", NULL },
		{ "v=STSv1; id=", NULL },
		{ "v=STSv1; id=a-b", NULL },
		{ "v=STSv1; id=1 ", NULL },
		{ "v=STSv1; id =1", NULL },
		{ "v=STSv1; id= 1", NULL },
		{ "v=STSv1; ID=1", NULL },
		{ "v=STSv1; x=1", NULL },
		{ "v=STSv1; id=1;; ", NULL },
		{ "v=STSv1;; id=1", NULL },
		{ "v=STSv1; id=1; x", NULL },
		{ "v=STSv1; id=1; x=", NULL },
		{ "v=STSv1; id=1; x=a=b", NULL },
		{ "v=STSv1; id=1; _x=a", NULL },
		{ "v=STSv1; id=1; " NAME32 "4=a", NULL },
		{ "v=STSv1; id=1; x=\xc3\xbc", NULL },
		{ "v=stsv1; id=1", NULL },
		{ "V=STSv1; id=1", NULL },
		{ "v=STSv10; id=1", NULL },
		{ " v=STSv1; id=1", NULL },
		{ "v=STSv1", NULL },
		{ "v=STSv1;", NULL },
		{ "id=1; v=STSv1", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct text id = TEXT_EMPTY;
		const bool taken = sts_record_parse(text_of(cases[i].record), &id);

		if (taken != (cases[i].id != NULL) || !text_equal(id, text_of(cases[i].id)))
			fail_msg("%s: %s", cases[i].record, taken ? "taken" : "refused");
	}
}

static void which_record_counts(void **state)
{
	const struct text spf = TEXT("v=spf1 -all"), good = TEXT("v=STSv1; id=1;"), bad = TEXT("v=STSv1; id;"),
			  foreign = TEXT("v=STSv2; id=1;"), loose = TEXT("v=STSv1 ; id=1");
	struct text id;

	(void)state;
	assert_int_equal(sts_record_choose(NULL, 0, &id), ERR_NOT_FOUND);
	assert_int_equal(sts_record_choose(&spf, 1, &id), ERR_NOT_FOUND);
	assert_int_equal(sts_record_choose((struct text[]){ spf, good, foreign }, 3, &id), OK);
	assert_true(text_equal(id, TEXT("1")));
	assert_int_equal(sts_record_choose((struct text[]){ good, spf, good }, 3, &id), ERR_SYNTAX);
	assert_int_equal(sts_record_choose((struct text[]){ good, bad }, 2, &id), ERR_SYNTAX);
	assert_int_equal(sts_record_choose(&bad, 1, &id), ERR_SYNTAX);
	assert_int_equal(sts_record_choose(&loose, 1, &id), ERR_NOT_FOUND); /* It does not begin with "v=STSv1;". */
}

static void policies(void **state)
{
	static const struct {
		const char *text;
		enum sts_mode mode;
		uint32_t max_age_s;
		const char *patterns, *why;
	} cases[] = {
		{ "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmx: "
		  "backupmx.example.com\r\nmax_age: 604800\r\n",
		    STS_ENFORCE, 604800, "mail.example.com *.example.net backupmx.example.com", NULL },
		{ "version:STSv1\nmode:testing\nmx:MX.Example\nmax_age:1", STS_TESTING, 1, "mx.example", NULL },
		{ "max_age: \t 0 \t\nmode: none \nversion: STSv1", STS_NONE, 0, "", NULL },
		{ "version: STSv1\nmode: none\nmax_age: 86400\nmx: a.b\n", STS_NONE, 86400, "a.b", NULL },
		{ "version: STSv1\nmode: enforce\nmode: none\nmax_age: 5\nmax_age: x\nversion: STSv2\nmx: a.b\n", STS_ENFORCE, 5,
		    "a.b", NULL },
		{ "version: STSv1\nmode: enforce\nmx: a.b\nmax_age: 9999999999\n", STS_ENFORCE, STS_AGE_S_MAX, "a.b", NULL },
		{ "version: STSv1\nmode: enforce\nmx: a.b\nmax_age: 5\nx-1_.y: b\xc3\xbc"
		  "cher sind: sch\xc3\xb6n\n",
		    STS_ENFORCE, 5, "a.b", NULL },
		{ "version: STSv1\nmode: enforce\nmx: a.b\nmax_age: 5\nMode: none\n", STS_ENFORCE, 5, "a.b", NULL },
		{ "", 0, 0, NULL, "no version" },
		{ "version: STSv1\nmode: enforce\nmx: a.b\n", 0, 0, NULL, "no max_age" },
		{ "version: STSv1\nmode: enforce\nmax_age: 5\n", 0, 0, NULL, "no mx" },
		{ "version: STSv1\nmode: testing\nmax_age: 5\n", 0, 0, NULL, "no mx" },
		{ "version: STSv1\nmx: a.b\nmax_age: 5\n", 0, 0, NULL, "no mode" },
		{ "mode: none\nmax_age: 5\n", 0, 0, NULL, "no version" },
		{ "version: STSv2\nmode: none\nmax_age: 5\n", 0, 0, NULL, "not version STSv1" },
		{ "version: stsv1\nmode: none\nmax_age: 5\n", 0, 0, NULL, "not version STSv1" },
		{ "version: STSv1\nmode: report\nmax_age: 5\n", 0, 0, NULL, "no such mode" },
		{ "version: STSv1\nmode: ENFORCE\nmx: a.b\nmax_age: 5\n", 0, 0, NULL, "no such mode" },
		{ "version: STSv1\nmode: none\nmax_age: -5\n", 0, 0, NULL, "max_age is no number of seconds" },
		{ "version: STSv1\nmode: none\nmax_age: 00000000001\n", 0, 0, NULL, "max_age is no number of seconds" },
		{ "version: STSv1\nmode: none\nmax_age: 5 s\n", 0, 0, NULL, "max_age is no number of seconds" },
		{ "version: STSv1\n\nmode: none\nmax_age: 5\n", 0, 0, NULL, "a line is not a name, a colon and a value" },
		{ "version: STSv1\nmode: none\nmax_age: 5\n\n", 0, 0, NULL, "a line is not a name, a colon and a value" },
		{ "version: STSv1\rmode: none\rmax_age: 5\r", 0, 0, NULL, "a line is not a name, a colon and a value" },
		{ "version: STSv1\nmode: none\nmax_age: 5\r", 0, 0, NULL, "a line is not a name, a colon and a value" },
		{ "version: STSv1\nmode: none\nmax_age:\n", 0, 0, NULL, "a line is not a name, a colon and a value" },
		{ "version: STSv1\n mode: none\nmax_age: 5\n", 0, 0, NULL, "a line is not a name, a colon and a value" },
		{ "version : STSv1\nmode: none\nmax_age: 5\n", 0, 0, NULL, "a line is not a name, a colon and a value" },
		{ "version: STSv1\nmode: none\nmax_age: 5\nx: a\x01\n", 0, 0, NULL, "a line is not a name, a colon and a value" },
		{ "version: STSv1\nmode: none\nmax_age: 5\nx: \xff\n", 0, 0, NULL, "a line is not a name, a colon and a value" },
		{ "<html>\n", 0, 0, NULL, "a line is not a name, a colon and a value" },
	};

	struct arena *arena = arena_new(1 << 16);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sts_policy policy = { 0 };
		const char *why = NULL;
		const enum error error = sts_policy_parse(text_of(cases[i].text), arena, &policy, &why);

		if (error != (cases[i].why ? ERR_SYNTAX : OK))
			fail_msg("%s: %s", cases[i].text, why ? why : "taken");
		if (cases[i].why != NULL)
			assert_string_equal(why, cases[i].why);
		assert_true(text_equal(policy.patterns, text_of(cases[i].patterns)));
		assert_int_equal(policy.mode, cases[i].mode);
		assert_int_equal(policy.max_age_s, cases[i].max_age_s);
	}
	arena_free(arena);
}

static void patterns(void **state)
{
	static const struct {
		const char *pattern;
		bool good;
	} cases[] = {
		{ "a", true }, { "a.b", true }, { "*.b", true }, { "*.a.b", true }, { "xn--bcher-kva.example", true }, { "1.2", true },
		{ "a-b.c", true }, { "*", false }, { "*.", false }, { "*a.b", false }, { "a.*.b", false }, { "*.*.b", false },
		{ ".a.b", false }, { "a.b.", false }, { "a..b", false }, { "-a.b", false }, { "a-.b", false }, { "a_b.c", false },
		{ "a.b c.d", false }, { "[192.0.2.1]", false }, { "b\xc3\xbc"
								  "cher.example",
							       false },
		{ "a.1234567890123456789012345678901234567890123456789012345678901234", false },
		{ "a.123456789012345678901234567890123456789012345678901234567890123", true },
	};

	struct arena *arena = arena_new(1 << 16);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[256];
		struct sts_policy policy;
		const char *why = NULL;

		snprintf(text, sizeof text, "version: STSv1\nmode: enforce\nmax_age: 5\nmx: %s\n", cases[i].pattern);
		if ((sts_policy_parse(text_of(text), arena, &policy, &why) == OK) != cases[i].good)
			fail_msg("%s: %s", cases[i].pattern, why ? why : "taken");
	}
	arena_free(arena);
}

static void no_more_patterns_than_are_kept(void **state)
{
	struct arena *arena = arena_new(1 << 16);
	struct buffer text;
	struct sts_policy policy;
	const char *why = NULL;

	(void)state;
	buffer_init(&text, 1 << 16);
	assert_true(buffer_append(&text, TEXT("version: STSv1\nmode: enforce\nmax_age: 5\n")));
	for (size_t i = 0; i < (STS_PATTERNS_MAX + 1) / 12; i++)
		assert_true(buffer_append(&text, TEXT("mx: mxx.example\n")));
	assert_int_equal(sts_policy_parse(buffer_text(&text), arena, &policy, &why), OK);
	assert_int_equal(policy.patterns.length, (STS_PATTERNS_MAX + 1) / 12 * 12 - 1);
	assert_true(buffer_append(&text, TEXT("mx: mxx.example\n")));
	assert_int_equal(sts_policy_parse(buffer_text(&text), arena, &policy, &why), ERR_SYNTAX);
	assert_string_equal(why, "more mx than are kept");
	buffer_done(&text);
	arena_free(arena);
}

static void hosts_that_match(void **state)
{
	static const struct {
		const char *host;
		bool allowed;
	} cases[] = {
		{ "mail.example.com", true }, { "MAIL.Example.COM", true }, { "a.mail.example.com", false }, { "example.com", false },
		{ "a.example.net", true }, { "A.EXAMPLE.NET", true }, { "example.net", false }, { ".example.net", false },
		{ "a.b.example.net", false }, { "aexample.net", false }, { "ail.example.com", false }, { "", false },
		{ "net", false }, { "mail.example.co", false },
	};
	const struct sts_policy policy = { .mode = STS_ENFORCE, .patterns = TEXT("mail.example.com *.example.net") },
				empty = { .mode = STS_NONE };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (sts_policy_allows(&policy, text_of(cases[i].host)) != cases[i].allowed)
			fail_msg("%s", cases[i].host);
		assert_false(sts_policy_allows(&empty, text_of(cases[i].host)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records),
		cmocka_unit_test(which_record_counts),
		cmocka_unit_test(policies),
		cmocka_unit_test(patterns),
		cmocka_unit_test(no_more_patterns_than_are_kept),
		cmocka_unit_test(hosts_that_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
