/* Aggregate reports of DMARC: rows that come back as they went, and XML that no name breaks. Whether it is right by the
 * schema, tests/interop asks xmllint. */
#include "dsn/dmarc_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { REPORT_MAX = 1 << 20 };

static void expect_text(struct text text, const char *expected)
{
	assert_int_equal(text.length, strlen(expected));
	if (text.length > 0)
		assert_memory_equal(text.bytes, expected, text.length);
}

static struct dmarc_result sample(void)
{
	return (struct dmarc_result){
		.published = { .policy = "reject", .absent = "quarantine", .spf_strict = true, .testing = true,
		    .failure_options = TEXT("1:d") },
		.client = TEXT("192.0.2.1"),
		.disposition = "quarantine",
		.dkim_aligned = false,
		.spf_aligned = true,
		.override = "policy_test_mode",
		.author = TEXT("Example.com"),
		.sender = TEXT("bounce.example.com"),
		.spf = "softfail",
		.spf_domain = TEXT("bounce.example.com"),
		.signatures = { { "pass", TEXT("example.com"), TEXT("abc") }, { "permerror", TEXT("other.test"), TEXT("") } },
		.signature_count = 2,
	};
}

/* -- Rows ------------------------------------------------------------------------------------ */

static void a_row_comes_back_as_it_went(void **state)
{
	const struct dmarc_result result = sample();
	struct dmarc_result back;
	char room[DMARC_RESULT_ROW_MAX];

	(void)state;
	assert_true(dmarc_result_decode(dmarc_result_encode(&result, room), &back));
	assert_string_equal(back.published.policy, "reject");
	assert_null(back.published.subdomains);
	assert_string_equal(back.published.absent, "quarantine");
	assert_false(back.published.dkim_strict);
	assert_true(back.published.spf_strict);
	assert_true(back.published.testing);
	expect_text(back.published.failure_options, "1:d");
	expect_text(back.client, "192.0.2.1");
	assert_string_equal(back.disposition, "quarantine");
	assert_false(back.dkim_aligned);
	assert_true(back.spf_aligned);
	assert_string_equal(back.override, "policy_test_mode");
	expect_text(back.author, "example.com");
	expect_text(back.sender, "bounce.example.com");
	assert_string_equal(back.spf, "softfail");
	expect_text(back.spf_domain, "bounce.example.com");
	assert_int_equal(back.signature_count, 2);
	assert_string_equal(back.signatures[0].result, "pass");
	expect_text(back.signatures[0].selector, "abc");
	assert_string_equal(back.signatures[1].result, "permerror");
	expect_text(back.signatures[1].domain, "other.test");
	expect_text(back.signatures[1].selector, "");
}

/* R1 */
static void a_row_is_bounded(void **state)
{
	static char name[3000];
	struct dmarc_result result = sample(), back;
	const struct text endless = { name, sizeof name }, longest = { name, 255 };
	char room[DMARC_RESULT_ROW_MAX];

	(void)state;
	memset(name, 'x', sizeof name);
	result.published.failure_options = result.client = result.author = result.sender = result.spf_domain = endless;
	for (size_t i = 0; i < DMARC_RESULT_SIGNATURES_MAX; i++)
		result.signatures[i] = (struct dmarc_result_signature){ "fail", longest, TEXT("s") };
	result.signature_count = DMARC_RESULT_SIGNATURES_MAX;
	assert_true(dmarc_result_encode(&result, room).length <= DMARC_RESULT_ROW_MAX);
	assert_true(dmarc_result_decode(dmarc_result_encode(&result, room), &back));
	assert_int_equal(back.author.length, 255);
	assert_int_equal(back.signature_count, 0);
	result.sender = TEXT("a.test");
	result.spf_domain = TEXT("");
	assert_true(dmarc_result_decode(dmarc_result_encode(&result, room), &back));
	assert_int_equal(back.signature_count, 2);
	result.signatures[0].domain = endless;
	assert_true(dmarc_result_decode(dmarc_result_encode(&result, room), &back));
	assert_int_equal(back.signature_count, 0);
}

/* R3 */
static void what_is_no_row_is_none(void **state)
{
	const struct dmarc_result result = sample();
	struct dmarc_result back;
	char room[DMARC_RESULT_ROW_MAX + 1];
	const size_t length = dmarc_result_encode(&result, room).length;

	(void)state;
	for (size_t cut = 0; cut < length; cut++) {
		/* A row may end where a signature ends, and nowhere else. */
		const bool whole = dmarc_result_decode((struct text){ room, cut }, &back);

		assert_true(!whole || (room[cut - 1] == '\0' && back.signature_count < 2));
	}
	room[length] = 'x';
	assert_false(dmarc_result_decode((struct text){ room, length + 1 }, &back));
	for (size_t i = 0; i < 11; i++) {
		const char letter = room[i];

		room[i] = 'z';
		assert_false(dmarc_result_decode((struct text){ room, length }, &back));
		room[i] = letter;
	}
	room[0] = '-';
	assert_false(dmarc_result_decode((struct text){ room, length }, &back));
}

/* -- XML -------------------------------------------------------------------------------------- */

static struct text compose(struct dmarc_report_row *rows, size_t count, uint64_t unlisted, struct buffer *out)
{
	const struct dmarc_report report = { .organization = TEXT("Example & Sons <\x01>"),
		.contact = TEXT("postmaster@example.org"),
		.id = TEXT("2024-10-04_7_example.com@mail.example.org"),
		.generator = TEXT("postroad"),
		.domain = TEXT("example.com"),
		.start_ms = 1728000000000,
		.end_ms = 1728086399000,
		.unlisted = unlisted,
		.rows = rows,
		.row_count = count };

	buffer_init(out, REPORT_MAX);
	assert_true(dmarc_report_compose(&report, out));
	return buffer_text(out);
}

static bool has(struct text xml, const char *part)
{
	return text_find(xml, text_of(part)) < xml.length;
}

static void a_report_says_what_was_found(void **state)
{
	struct dmarc_report_row row = { .result = sample(), .count = 3 };
	struct buffer out;
	const struct text xml = compose(&row, 1, 0, &out);

	(void)state;
	assert_true(has(xml, "<org_name>Example &amp; Sons &lt;?&gt;</org_name>\n<email>postmaster@example.org</email>\n"));
	assert_true(has(xml, "<date_range>\n<begin>1728000000</begin>\n<end>1728086399</end>\n</date_range>\n<generator>"));
	assert_true(has(xml,
	    "<policy_published>\n<domain>example.com</domain>\n<p>reject</p>\n<np>quarantine</np>\n<adkim>r</adkim>\n"
	    "<aspf>s</aspf>\n<fo>1:d</fo>\n<testing>y</testing>\n<discovery_method>treewalk</discovery_method>\n</policy_published>"));
	assert_true(has(xml,
	    "<row>\n<source_ip>192.0.2.1</source_ip>\n<count>3</count>\n<policy_evaluated>\n<disposition>quarantine</disposition>\n"
	    "<dkim>fail</dkim>\n<spf>pass</spf>\n<reason><type>policy_test_mode</type></reason>\n</policy_evaluated>\n</row>"));
	assert_true(has(xml, "<envelope_from>bounce.example.com</envelope_from>"));
	assert_true(has(xml, "<dkim>\n<domain>other.test</domain>\n<selector></selector>\n<result>permerror</result>\n</dkim>"));
	assert_true(has(xml, "<spf>\n<domain>bounce.example.com</domain>\n<scope>mfrom</scope>\n<result>softfail</result>\n</spf>"));
	assert_false(has(xml, "<error>"));
	buffer_done(&out);
}

/* R2, X1 */
static void no_name_breaks_the_xml(void **state)
{
	struct dmarc_report_row row = { .result = sample(), .count = 1 };
	struct dmarc_result back;
	char room[DMARC_RESULT_ROW_MAX];
	struct buffer out;

	(void)state;
	row.result.signatures[0].domain = TEXT("</domain><evil a=\"&b;\">\r\n");
	row.result.sender = TEXT("\xC3\xA4.test");
	row.result.author = TEXT("\xC3.test");
	row.result.spf_domain = TEXT("\xEF\xBF\xBF.test");
	assert_true(dmarc_result_decode(dmarc_result_encode(&row.result, room), &back));
	row.result = back;

	const struct text xml = compose(&row, 1, 0, &out);

	assert_true(has(xml, "<domain>?/domain?" "?evil?a=?" "?b;?" "?" "?" "?</domain>"));
	assert_true(has(xml, "<envelope_from>\xC3\xA4.test</envelope_from>"));
	assert_true(has(xml, "<header_from>?.test</header_from>"));
	assert_true(has(xml, "<domain>???.test</domain>"));
	buffer_done(&out);
}

/* X2 */
static void a_policy_that_changed_is_told(void **state)
{
	struct dmarc_report_row rows[3] = { { sample(), 2 }, { sample(), 3 }, { sample(), 2 } };
	struct buffer out;

	(void)state;
	rows[1].result.published.policy = "none";
	rows[2].result.client = TEXT("192.0.2.2");
	assert_true(has(compose(rows, 3, 0, &out), "<p>reject</p>"));
	assert_true(has(buffer_text(&out), "<error>The policy changed"));
	buffer_done(&out);
	rows[1].count = 5;
	assert_true(has(compose(rows, 3, 0, &out), "<p>none</p>"));
	buffer_done(&out);
}

static void what_is_not_listed_is_told(void **state)
{
	struct dmarc_report_row row = { .result = sample(), .count = 1 };
	struct buffer out;

	(void)state;
	assert_true(has(compose(&row, 1, 9, &out), "<error>9 more messages"));
	buffer_done(&out);
}

static void a_record_is_bounded(void **state)
{
	static char name[255];
	struct dmarc_report_row row = { .result = sample(), .count = UINT64_MAX };
	char room[DMARC_RESULT_ROW_MAX];
	struct buffer one, two;

	(void)state;
	memset(name, 'x', sizeof name);
	row.result.author = row.result.sender = row.result.spf_domain = (struct text){ name, sizeof name };
	row.result.client = TEXT("2001:db8:1111:2222:3333:4444:5555:6666");
	for (size_t i = 0; i < DMARC_RESULT_SIGNATURES_MAX; i++)
		row.result.signatures[i] = (struct dmarc_result_signature){ "temperror", TEXT("exa.tes"), TEXT("abcdef") };
	row.result.signature_count = DMARC_RESULT_SIGNATURES_MAX;
	assert_true(dmarc_result_decode(dmarc_result_encode(&row.result, room), &row.result));
	assert_int_equal(row.result.signature_count, DMARC_RESULT_SIGNATURES_MAX);

	struct dmarc_report_row rows[2] = { row, row };
	const size_t single = compose(rows, 1, 0, &one).length, pair = compose(rows, 2, 0, &two).length;

	assert_true(pair - single <= DMARC_REPORT_RECORD_MAX);
	buffer_done(&one);
	buffer_done(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_comes_back_as_it_went),
		cmocka_unit_test(a_row_is_bounded),
		cmocka_unit_test(what_is_no_row_is_none),
		cmocka_unit_test(a_report_says_what_was_found),
		cmocka_unit_test(no_name_breaks_the_xml),
		cmocka_unit_test(a_policy_that_changed_is_told),
		cmocka_unit_test(what_is_not_listed_is_told),
		cmocka_unit_test(a_record_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
