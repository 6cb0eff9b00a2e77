/* Reports of TLS: the example of RFC 8460 composed from rows, other people's copies of it, and the record that asks for them. */
#include "dsn/tls_report.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { REPORT_MAX = 1 << 20 };

/* -- Rows ------------------------------------------------------------------------------------ */

static void expect_text(struct text text, const char *expected)
{
	assert_int_equal(text.length, strlen(expected));
	if (text.length > 0)
		assert_memory_equal(text.bytes, expected, text.length);
}

static struct tls_result failure(void)
{
	return (struct tls_result){ TLS_POLICY_STS, TLS_RESULT_CERTIFICATE_EXPIRED, TEXT("version: STSv1\nmode: testing"),
		TEXT("192.0.2.1"), TEXT("mx.example.net"), TEXT("2001:db8::1"), TEXT("certificate has expired") };
}

static void a_row_comes_back_as_it_went(void **state)
{
	struct tls_result result = failure(), back;
	char room[TLS_RESULT_ROW_MAX], again[TLS_RESULT_ROW_MAX];

	(void)state;
	assert_true(tls_result_decode(tls_result_encode(&result, room), &back));
	assert_int_equal(back.policy, TLS_POLICY_STS);
	assert_int_equal(back.type, TLS_RESULT_CERTIFICATE_EXPIRED);
	expect_text(back.policy_text, "version: STSv1\nmode: testing");
	expect_text(back.sending_ip, "192.0.2.1");
	expect_text(back.mx, "mx.example.net");
	expect_text(back.mx_ip, "2001:db8::1");
	expect_text(back.reason, "certificate has expired");

	/* R2 */
	result.type = TLS_RESULT_SUCCESS;
	assert_true(tls_result_decode(tls_result_encode(&result, room), &back));
	expect_text(back.mx, "");
	result.mx = TEXT("another.example.net");
	assert_true(text_equal(tls_result_encode(&result, again), tls_result_encode(&result, room)));
	assert_false(tls_result_decode(TEXT(""), &back));
	assert_false(tls_result_decode(TEXT("A"), &back));
	assert_false(tls_result_decode(TEXT("AZ"), &back));
	assert_false(tls_result_decode(TEXT("DA"), &back));
	assert_false(tls_result_decode((struct text){ "AB\0\0\0\0\0", 7 }, &back));
}

/* R1 */
static void a_row_is_bounded(void **state)
{
	static char lines[3000], host[3000];
	struct tls_result result = failure(), back;
	char room[TLS_RESULT_ROW_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof lines; i++)
		lines[i] = i % 100 == 99 ? '\n' : 'x';
	memset(host, 'h', sizeof host);
	result.policy_text = (struct text){ lines, sizeof lines };
	result.mx = result.mx_ip = result.sending_ip = result.reason = (struct text){ host, sizeof host };
	assert_true(tls_result_decode(tls_result_encode(&result, room), &back));
	assert_int_equal(back.policy_text.length, 499);
	assert_int_equal(back.mx.length, 255);
	assert_int_equal(back.reason.length, TLS_RESULT_REASON_MAX);
	result.mx = TEXT("a\0b\xff\r\n");
	assert_true(tls_result_decode(tls_result_encode(&result, room), &back));
	expect_text(back.mx, "a?b??\n");
}

/* -- JSON ------------------------------------------------------------------------------------- */

/* 2016-04-01 */
static const struct tls_report example = {
	.organization = { "Company-X", 9 },
	.contact = { "sts-reporting@company-x.example", 31 },
	.id = { "5065427c-23d3-47ca-b6e0-946ea0e8c4be", 36 },
	.domain = { "company-y.example", 17 },
	.start_ms = 1459468800000,
	.end_ms = 1459555199999,
};

#define EXAMPLE_POLICY "version: STSv1\nmode: testing\nmx: *.mail.company-y.example\nmax_age: 86400"

/* Counted as they came, in any order. */
static size_t example_rows(struct tls_report_row *rows)
{
	const struct text policy = TEXT(EXAMPLE_POLICY);

	rows[0] = (struct tls_report_row){ { TLS_POLICY_STS, TLS_RESULT_VALIDATION_FAILURE, policy, TEXT("198.51.100.62"),
	    TEXT("mx-backup.mail.company-y.example"), TEXT("203.0.113.58"), TEXT("X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED") }, 3 };
	rows[1] = (struct tls_report_row){ { .policy = TLS_POLICY_STS, .type = TLS_RESULT_SUCCESS, .policy_text = policy }, 5326 };
	rows[2] = (struct tls_report_row){ { TLS_POLICY_STS, TLS_RESULT_CERTIFICATE_EXPIRED, policy,
	    TEXT("2001:db8:abcd:0012::1"), TEXT("mx1.mail.company-y.example"), TEXT(""), TEXT("") }, 100 };
	rows[3] = (struct tls_report_row){ { TLS_POLICY_STS, TLS_RESULT_STARTTLS_NOT_SUPPORTED, policy,
	    TEXT("2001:db8:abcd:0013::1"), TEXT("mx2.mail.company-y.example"), TEXT("203.0.113.56"), TEXT("") }, 200 };
	return 4;
}

static json_t *composed(const struct tls_report *report)
{
	struct buffer out;
	json_error_t error;

	buffer_init(&out, REPORT_MAX);
	assert_true(tls_report_compose(report, &out));

	json_t *json = json_loadb(buffer_text(&out).bytes, buffer_text(&out).length, JSON_REJECT_DUPLICATES, &error);

	assert_non_null(json);
	buffer_done(&out);
	return json;
}

/* Failures in one order, the patterns always in an array, and without what refers to pages of the sender. */
static void normalize(json_t *report)
{
	json_t *element = json_array_get(json_object_get(report, "policies"), 0);
	json_t *policy = json_object_get(element, "policy"), *host = json_object_get(policy, "mx-host");
	json_t *failures = json_object_get(element, "failure-details"), *sorted = json_array();
	size_t at;
	json_t *one;

	if (json_is_string(host))
		json_object_set_new(policy, "mx-host", json_pack("[O]", host));
	json_array_foreach (failures, at, one) {
		size_t place = 0;

		json_object_del(one, "additional-information");
		while (place < json_array_size(sorted) &&
		    json_integer_value(json_object_get(json_array_get(sorted, place), "failed-session-count")) <
		        json_integer_value(json_object_get(one, "failed-session-count")))
			place++;
		json_array_insert(sorted, place, one);
	}
	json_object_set_new(element, "failure-details", sorted);
}

static void the_example_of_the_rfc_is_composed(void **state)
{
	static const char *const files[] = { VECTORS "/parsedmarc/rfc8460.json", VECTORS "/mail-auth/rpt01.json" };
	struct tls_report_row rows[4];
	struct tls_report report = example;

	(void)state;
	report.rows = rows;
	report.row_count = example_rows(rows);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		json_error_t error;
		json_t *theirs = json_load_file(files[i], 0, &error), *ours = composed(&report);

		assert_non_null(theirs);
		normalize(theirs);
		normalize(ours);
		if (!json_equal(theirs, ours))
			fail_msg("%s: %s", files[i], json_dumps(ours, JSON_INDENT(1)));
		json_decref(theirs);
		json_decref(ours);
	}
}

static void policies_are_told_apart(void **state)
{
	const struct tls_report_row rows[] = {
		{ { .policy = TLS_POLICY_NONE_FOUND, .type = TLS_RESULT_SUCCESS }, 7 },
		{ { .policy = TLS_POLICY_TLSA, .type = TLS_RESULT_TLSA_INVALID, .policy_text = TEXT("3 1 1 AB\n3 1 1 CD"),
		      .mx = TEXT("mx.example.net") }, 2 },
		{ { .policy = TLS_POLICY_STS, .type = TLS_RESULT_STS_POLICY_FETCH_ERROR }, 1 },
		{ { .policy = TLS_POLICY_NONE_FOUND, .type = TLS_RESULT_STARTTLS_NOT_SUPPORTED, .mx = TEXT("\xff\"") }, 1 },
	};
	struct tls_report report = example;

	(void)state;
	report.rows = rows;
	report.row_count = sizeof rows / sizeof *rows;

	json_t *json = composed(&report), *policies = json_object_get(json, "policies");
	const char *type, *string;
	int good, bad;

	assert_int_equal(json_array_size(policies), 3);
	assert_int_equal(json_unpack(json_array_get(policies, 0), "{s{ss} s{si si}}", "policy", "policy-type", &type, "summary",
	    "total-successful-session-count", &good, "total-failure-session-count", &bad), 0);
	assert_string_equal(type, "no-policy-found");
	assert_int_equal(good, 7);
	assert_int_equal(bad, 1);
	assert_int_equal(json_unpack(json_array_get(policies, 1), "{s{ss}}", "policy", "policy-type", &type), 0);
	assert_string_equal(type, "sts");
	assert_null(json_object_get(json_object_get(json_array_get(policies, 1), "policy"), "policy-string"));
	assert_int_equal(json_unpack(json_array_get(policies, 2), "{s{ss s[ss]}}", "policy", "policy-type", &type,
	    "policy-string", &string, &string), 0);
	assert_string_equal(string, "3 1 1 CD");
	json_decref(json);
}

static void a_buffer_too_small_stays_as_it_was(void **state)
{
	struct tls_report report = example;
	struct buffer out;

	(void)state;
	buffer_init(&out, 100);
	assert_true(buffer_append(&out, TEXT("before")));
	assert_false(tls_report_compose(&report, &out));
	expect_text(buffer_text(&out), "before");
	buffer_done(&out);
}

/* -- The record --------------------------------------------------------------------------------- */

/* "mail@place https://...", or why not. */
static const char *places_of(struct arena *arena, const struct text *records, size_t count)
{
	struct report_place places[TLS_REPORT_PLACES_MAX];
	struct text print = TEXT("");
	size_t place_count = 0;
	const enum error error = tls_report_record_choose(records, count, arena, places, &place_count);

	if (error != OK)
		return error_text(error);
	for (size_t i = 0; i < place_count; i++) {
		struct text place = places[i].url;

		if (places[i].kind == REPORT_BY_MAIL)
			assert_true(address_print(&places[i].address, arena, &place));
		assert_true(arena_print(arena, &print, "%.*s%s%.*s", TEXT_FORMAT(print), i > 0 ? " " : "", TEXT_FORMAT(place)));
	}
	assert_true(arena_print(arena, &print, "%.*s", TEXT_FORMAT(print)));
	return print.bytes;
}

static void records_say_where_to(void **state)
{
	static const struct {
		const char *record, *places; /* NULL: it does not ask for reports. */
	} cases[] = {
		{ "v=TLSRPTv1;rua=mailto:reports@example.com", "reports@example.com" }, /* RFC 8460 §3 */
		{ "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt", "https://reporting.example.com/v1/tlsrpt" },
		{ "v=TLSRPTv1; rua=mailto:a@x.test , https://y.test/ ;", "a@x.test https://y.test/" },
		{ "v=TLSRPTv1; ext=1; rua=mailto:a@x.test; rua=b", "a@x.test" },
		{ "v=TLSRPTv1\t;\trua=mailto:a%2Cb@x.test", NULL }, /* A comma must be quoted in an address. */
		{ "v=TLSRPTv1; rua=mailto:%22a%2Cb%22@x.test", "\"a,b\"@x.test" },
		{ "v=TLSRPTv1; rua=mailto:a@x.test?subject=hello", "a@x.test" },
		{ "v=TLSRPTv1; rua=MAILTO:a@x.test", "a@x.test" },
		{ "v=TLSRPTv1; rua=ftp://x.test/", "" },
		{ "v=TLSRPTv1; rua=http://x.test/,mailto:a@x.test", "a@x.test" },
		{ "v=TLSRPTv1; rua=mailto:a@x.test,", NULL },
		{ "v=TLSRPTv1; rua=mailto:a@x.test b@x.test", NULL },
		{ "v=TLSRPTv1; rua=mailto:", NULL },
		{ "v=TLSRPTv1; rua=mailto:%0d%0aa@x.test", NULL },
		{ "v=TLSRPTv1; rua=mailto:%4", NULL },
		{ "v=TLSRPTv1; rua=", NULL },
		{ "v=TLSRPTv1; rua", NULL },
		{ "v=TLSRPTv1; RUA=mailto:a@x.test", NULL },
		{ "v=TLSRPTv1;", NULL },
		{ "v=TLSRPTv1", NULL },
		{ " v=TLSRPTv1; rua=mailto:a@x.test", NULL },
		{ "V=TLSRPTv1; rua=mailto:a@x.test", NULL },
		{ "v=TLSRPTv2; rua=mailto:a@x.test", NULL },
		{ "v=TLSRPTv1;; rua=mailto:a@x.test", NULL },
		{ "v=TLSRPTv1; rua=mailto:1@x,mailto:2@x,mailto:3@x,mailto:4@x,mailto:5@x,mailto:6@x,mailto:7@x,mailto:8@x,mailto:9@x",
		    "1@x 2@x 3@x 4@x 5@x 6@x 7@x 8@x" }, /* J2 */
	};
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct text record = text_of(cases[i].record);
		const char *places = places_of(arena, &record, 1);

		if (cases[i].places == NULL && (strcmp(places, error_text(ERR_SYNTAX)) == 0 ||
		                                   strcmp(places, error_text(ERR_NOT_FOUND)) == 0))
			continue;
		if (cases[i].places == NULL || strcmp(places, cases[i].places) != 0)
			fail_msg("%s: %s", cases[i].record, places);
	}

	const struct text two[] = { TEXT("v=TLSRPTv1; rua=mailto:a@x.test"), TEXT("v=TLSRPTv1; rua=mailto:b@x.test") };
	const struct text other[] = { TEXT("v=spf1 -all"), two[0] };

	assert_string_equal(places_of(arena, two, 2), error_text(ERR_SYNTAX));
	assert_string_equal(places_of(arena, other, 2), "a@x.test");
	assert_string_equal(places_of(arena, other, 1), error_text(ERR_NOT_FOUND));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_comes_back_as_it_went),
		cmocka_unit_test(a_row_is_bounded),
		cmocka_unit_test(the_example_of_the_rfc_is_composed),
		cmocka_unit_test(policies_are_told_apart),
		cmocka_unit_test(a_buffer_too_small_stays_as_it_was),
		cmocka_unit_test(records_say_where_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
