/* Reports as others write them: the samples of parsers that nobody here wrote, our own, and what a stranger would write to do harm. */
#include "reports/reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "dsn/dmarc_report.h"
#include "dsn/tls_report.h"

enum { FILE_BYTES = 1 << 20, TEST_BYTES_MAX = 40 << 20 };

struct world {
	struct arena *arena;
	struct buffer text;
	struct dmarc_reading dmarc;
	struct tls_reading tls;
	struct text trouble;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	world->arena = arena_new(READING_ARENA_BYTES);
	buffer_init(&world->text, TEST_BYTES_MAX);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	buffer_done(&world->text);
	arena_free(world->arena);
	free(world);
	return 0;
}

static struct text vector(struct world *world, const char *name)
{
	char path[1024], *room;
	FILE *file;

	snprintf(path, sizeof path, VECTORS "/%s", name);
	file = fopen(path, "rb");
	assert_non_null(file);
	buffer_clear(&world->text);
	room = buffer_reserve(&world->text, FILE_BYTES);
	assert_non_null(room);
	buffer_added(&world->text, fread(room, 1, FILE_BYTES, file));
	fclose(file);
	return buffer_text(&world->text);
}

static enum error read_dmarc(struct world *world, struct text xml)
{
	world->trouble = TEXT_EMPTY;
	return dmarc_reading_make(xml, world->arena, &world->dmarc, &world->trouble);
}

static enum error read_tls(struct world *world, struct text json)
{
	world->trouble = TEXT_EMPTY;
	return tls_reading_make(json, world->arena, &world->tls, &world->trouble);
}

static bool is(struct text text, const char *words)
{
	return text_equal(text, text_of(words));
}

static bool tells(const struct world *world, const char *words)
{
	if (text_find(world->trouble, text_of(words)) < world->trouble.length)
		return true;
	print_error("said: %.*s\n", TEXT_FORMAT(world->trouble));
	return false;
}

static void put(struct world *world, const char *words, size_t times)
{
	for (size_t i = 0; i < times; i++)
		assert_true(buffer_append(&world->text, text_of(words)));
}

/* -- DMARC --------------------------------------------------------------------------------------------- */

#define HEAD                                                                                                  \
	"<feedback><report_metadata><org_name>o</org_name><report_id>1</report_id><date_range><begin>5</begin>" \
	"<end>6</end></date_range></report_metadata><policy_published><domain>A.test</domain><p>none</p></policy_published>"
#define ROW(count) "<record><row><source_ip>192.0.2.1</source_ip><count>" count "</count></row></record>"

static void a_report_is_read(void **state)
{
	struct world *world = *state;
	const struct dmarc_reading *report = &world->dmarc;
	const struct dmarc_record *record;

	assert_int_equal(read_dmarc(world, vector(world, "dmarc/mail-auth-feedback/003.xml")), OK);
	assert_true(is(report->organization, "Fastmail Pty Ltd") && is(report->id, "758848224"));
	assert_int_equal(report->begin_s, 1667347200);
	assert_int_equal(report->end_s, 1667433599);
	assert_true(is(report->domain, "stalw.art") && is(report->p, "none") && is(report->sp, "none") && is(report->np, ""));
	assert_int_equal(report->record_count, 4);
	record = report->records;
	assert_true(is(record->source_ip, "64.147.108.117") && is(record->disposition, "none") && is(record->dkim, "fail"));
	assert_true(is(record->spf, "fail") && is(record->reason, "trusted_forwarder") && is(record->header_from, "stalw.art"));
	assert_int_equal(record->count, 3);
	record = record->next->next->next;
	assert_true(is(record->source_ip, "54.240.8.13") && is(record->dkim, "pass") && is(record->reason, ""));
	assert_int_equal(record->count, 1);
	assert_null(record->next);
}

static void reports_of_all_forms_are_read(void **state)
{
	static const struct {
		const char *name, *domain, *ip, *disposition;
		uint64_t count;
	} samples[] = {
		{ "dmarc/aggregate-samples/empty_reason.xml", "example.com", "198.51.100.123", "none", 2 },
		{ "dmarc/aggregate-samples/old_draft_from_wiki.xml", "example.com", "72.150.241.94", "none", 2 },
		{ "dmarc/aggregate-samples/rfc9990-sample.xml", "example.com", "192.0.2.123", "pass", 123 },
		{ "dmarc/aggregate-samples/invalid_utf_8.xml", "example.com", "12.20.127.122", "none", 1 },
		{ "dmarc/report-schema/dmarc-xml-0.2.xml", "example.com", "192.0.2.123", "pass", 123 },
		{ "dmarc/report-schema/dmarc-xmlalt-0.2.xml", "example.com", "192.0.2.123", "quarantine", 123 },
		{ "dmarc/mail-auth-feedback/001.xml", "example.com", "192.168.4.4", "quarantine", 123 },
		{ "dmarc/mail-auth-feedback/002.xml", "example.org", "209.85.220.41", "none", 2 },
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		if (read_dmarc(world, vector(world, samples[i].name)) != OK)
			fail_msg("%s: %.*s", samples[i].name, TEXT_FORMAT(world->trouble));
		const struct dmarc_record *record = world->dmarc.records;

		assert_true(is(world->dmarc.domain, samples[i].domain) && is(record->source_ip, samples[i].ip));
		assert_true(is(record->disposition, samples[i].disposition));
		assert_int_equal(record->count, samples[i].count);
	}
	/* The byte that is no UTF-8 has become a question mark. */
	assert_int_equal(read_dmarc(world, vector(world, "dmarc/aggregate-samples/invalid_utf_8.xml")), OK);
	assert_true(is(world->dmarc.records->header_from, "bad_byte?"));
}

static void what_is_no_report_is_said(void **state)
{
	static const struct {
		const char *xml, *trouble;
	} wrong[] = {
		{ "<html></html>", "not about DMARC" },
		{ "<feedback>", "line 1: no element found" },
		{ "<feedback></feedback>", "no domain" },
		{ "<feedback><policy_published><domain>a.test</domain></policy_published></feedback>", "no range of time" },
		{ HEAD ROW("x") "</feedback>", "a row has no count" },
		{ HEAD ROW("-1") "</feedback>", "a row has no count" },
		{ HEAD ROW("9999999999999999") "</feedback>", "a row has no count" },
		{ HEAD ROW("1") "<record></record></feedback>", "a row has no count" },
		{ HEAD ROW("1") "</feedback><feedback/>", "line 1: junk after document element" },
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_int_equal(read_dmarc(world, text_of(wrong[i].xml)), ERR_SYNTAX);
		assert_true(tells(world, wrong[i].trouble));
	}
	assert_int_equal(read_dmarc(world, vector(world, "dmarc/aggregate-samples/invalid_xml.xml")), ERR_SYNTAX);
	assert_true(tells(world, "line 5: not well-formed"));
	assert_int_equal(read_dmarc(world, text_of(HEAD ROW("1") "</feedback>")), OK);
	assert_true(is(world->dmarc.domain, "a.test"));
}

static void what_we_report_of_dmarc_can_be_read(void **state)
{
	const struct dmarc_published published = { .policy = "reject", .subdomains = "none" };
	const struct dmarc_report_row rows[] = {
		{ { .published = published, .client = TEXT("192.0.2.1"), .disposition = "pass", .dkim_aligned = true,
		      .author = TEXT("mail.a.test"), .sender = TEXT("b.test"), .spf = "pass", .spf_domain = TEXT("b.test") }, 3 },
		{ { .published = published, .client = TEXT("2001:db8::1"), .disposition = "none", .override = "trusted_forwarder",
		      .author = TEXT("a.test"), .spf = "fail", .spf_domain = TEXT("a.test") }, 4 },
	};
	const struct dmarc_report report = { .organization = TEXT("We <&> You"), .contact = TEXT("a@b.test"), .id = TEXT("1@b.test"),
		.generator = TEXT("postroad"), .domain = TEXT("a.test"), .start_ms = 1700000000000, .end_ms = 1700086399000,
		.rows = rows, .row_count = 2 };
	struct world *world = *state;
	uint64_t messages = 0;

	assert_true(dmarc_report_compose(&report, &world->text));
	assert_int_equal(read_dmarc(world, buffer_text(&world->text)), OK);
	assert_true(is(world->dmarc.organization, "We <&> You") && is(world->dmarc.id, "1@b.test") && is(world->dmarc.domain, "a.test"));
	assert_true(is(world->dmarc.p, "reject") && is(world->dmarc.sp, "none"));
	assert_int_equal(world->dmarc.begin_s, 1700000000);
	assert_int_equal(world->dmarc.record_count, 2);
	for (const struct dmarc_record *record = world->dmarc.records; record != NULL; record = record->next) {
		const bool first = is(record->source_ip, "192.0.2.1");

		messages += record->count;
		assert_true(is(record->dkim, first ? "pass" : "fail") && is(record->spf, "fail"));
		assert_true(is(record->disposition, first ? "pass" : "none") && is(record->reason, first ? "" : "trusted_forwarder"));
		assert_true(is(record->header_from, first ? "mail.a.test" : "a.test"));
	}
	assert_int_equal(messages, 7);
}

/* D1 */
static void entities_nesting_and_length_are_bounded(void **state)
{
	struct world *world = *state;

	assert_int_equal(read_dmarc(world, TEXT("<!DOCTYPE feedback [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><feedback>&b;</feedback>")),
	    ERR_SYNTAX);
	assert_true(tells(world, "document type"));
	assert_int_equal(read_dmarc(world, TEXT("<!DOCTYPE feedback SYSTEM \"/etc/passwd\"><feedback/>")), ERR_SYNTAX);
	put(world, "<feedback>", 1);
	put(world, "<a>", 1000000);
	assert_int_equal(read_dmarc(world, buffer_text(&world->text)), ERR_SYNTAX);
	assert_true(tells(world, "too deep"));
	buffer_clear(&world->text);
	put(world, HEAD "<record><row><count>1</count><source_ip>", 1);
	put(world, "0123456789\xc3\xa4", 1000);
	put(world, "</source_ip></row></record></feedback>", 1);
	assert_int_equal(read_dmarc(world, buffer_text(&world->text)), OK);
	assert_in_range(world->dmarc.records->source_ip.length, READING_TEXT_MAX - 3, READING_TEXT_MAX);
	assert_true(text_is_utf8(world->dmarc.records->source_ip));
	buffer_clear(&world->text);
	put(world, HEAD, 1);
	put(world, ROW("1"), READING_ROWS_MAX);
	put(world, ROW("1"), 1);
	put(world, "</feedback>", 1);
	assert_int_equal(read_dmarc(world, buffer_text(&world->text)), ERR_SYNTAX);
	assert_true(tells(world, "too many rows"));
}

/* -- TLS -------------------------------------------------------------------------------------------------- */

static void both_samples_of_tls_are_the_same_report(void **state)
{
	static const char *const names[] = { "tlsrpt/parsedmarc/rfc8460.json", "tlsrpt/mail-auth/rpt01.json" };
	struct world *world = *state;

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(read_tls(world, vector(world, names[i])), OK);

		const struct tls_reading *report = &world->tls;
		const struct tls_policy_reading *policy = report->policies;
		const struct tls_failure *failure = policy->failures;

		assert_true(is(report->organization, "Company-X") && is(report->id, "5065427c-23d3-47ca-b6e0-946ea0e8c4be"));
		assert_int_equal(report->begin_s, 1459468800);
		assert_int_equal(report->end_s, 1459555199);
		assert_true(is(policy->type, "sts") && is(policy->domain, "company-y.example"));
		assert_int_equal(policy->succeeded, 5326);
		assert_int_equal(policy->failed, 303);
		assert_null(policy->next);
		assert_true(is(failure->result, "certificate-expired") && is(failure->mx, "mx1.mail.company-y.example"));
		assert_true(is(failure->sending_ip, "2001:db8:abcd:0012::1"));
		assert_int_equal(failure->count, 100);
		failure = failure->next->next;
		assert_true(is(failure->result, "validation-failure") && is(failure->mx_ip, "203.0.113.58"));
		assert_true(is(failure->reason, "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"));
		assert_int_equal(failure->count, 3);
		assert_null(failure->next);
	}
}

static void what_we_report_can_be_read(void **state)
{
	const struct tls_report_row rows[] = {
		{ { .policy = TLS_POLICY_NONE_FOUND, .type = TLS_RESULT_SUCCESS }, 7 },
		{ { .policy = TLS_POLICY_STS, .type = TLS_RESULT_CERTIFICATE_EXPIRED, .policy_text = TEXT("version: STSv1\nmode: enforce\nmx: mx.a.test\nmax_age: 1"),
		      .mx = TEXT("mx.a.test"), .mx_ip = TEXT("192.0.2.1"), .sending_ip = TEXT("192.0.2.9") }, 2 },
	};
	const struct tls_report report = { .organization = TEXT("We \"&\" You"), .contact = TEXT("a@b.test"), .id = TEXT("1@b.test"),
		.domain = TEXT("a.test"), .start_ms = 1700000000000, .end_ms = 1700086399000, .rows = rows, .row_count = 2 };
	struct world *world = *state;
	const struct tls_policy_reading *policy;

	assert_true(tls_report_compose(&report, &world->text));
	assert_int_equal(read_tls(world, buffer_text(&world->text)), OK);
	assert_true(is(world->tls.organization, "We \"&\" You") && is(world->tls.id, "1@b.test"));
	assert_int_equal(world->tls.begin_s, 1700000000);
	assert_int_equal(world->tls.end_s, 1700086399);
	policy = world->tls.policies;
	assert_non_null(policy->next);
	for (; policy != NULL; policy = policy->next) {
		const bool sts = is(policy->type, "sts");

		assert_true(sts || is(policy->type, "no-policy-found"));
		assert_int_equal(policy->succeeded, sts ? 0 : 7);
		assert_int_equal(policy->failed, sts ? 2 : 0);
		assert_true(!sts || is(policy->failures->mx_ip, "192.0.2.1"));
	}
}

#define TLS_HEAD "{\"report-id\": 1, \"date-range\": {\"start-datetime\": \"2016-04-01T00:00:00Z\", \"end-datetime\": \"2016-04-01T23:59:59Z\"},"
#define POLICY "\"policy\": {\"policy-type\": \"sts\", \"policy-domain\": \"A.test\"}"
#define SUMMARY "\"summary\": {\"total-successful-session-count\": 1, \"total-failure-session-count\": 0}"

static void what_is_no_report_of_tls_is_said(void **state)
{
	static const struct {
		const char *json, *trouble;
	} wrong[] = {
		{ "", "line 1" },
		{ "{", "line 1" },
		{ "[]", "not about TLS" },
		{ "{\"policies\": []}", "no range of time" },
		{ TLS_HEAD "\"policies\": []}", "not about TLS" },
		{ TLS_HEAD "\"policies\": [1]}", "no type or no domain" },
		{ TLS_HEAD "\"policies\": [{" POLICY "}]}", "no summary" },
		{ TLS_HEAD "\"policies\": [{" POLICY "," SUMMARY ", \"failure-details\": [{}]}]}", "no result-type or no count" },
		{ TLS_HEAD "\"policies\": [{" POLICY "," SUMMARY
			   ", \"failure-details\": [{\"result-type\": \"x\", \"failed-session-count\": -1}]}]}",
		    "no result-type or no count" },
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_int_equal(read_tls(world, text_of(wrong[i].json)), ERR_SYNTAX);
		assert_true(tells(world, wrong[i].trouble));
	}
	assert_int_equal(read_tls(world, text_of(TLS_HEAD "\"policies\": [{" POLICY "," SUMMARY "}]}")), OK);
	assert_true(is(world->tls.policies->domain, "a.test") && is(world->tls.id, ""));
}

/* D1 */
static void json_is_bounded(void **state)
{
	struct world *world = *state;

	put(world, "[", READING_DEPTH_MAX + 1);
	assert_int_equal(read_tls(world, buffer_text(&world->text)), ERR_SYNTAX);
	assert_true(tells(world, "nested too deep"));
	buffer_clear(&world->text);
	put(world, "[0", 1);
	put(world, ",0", READING_VALUES_MAX);
	assert_int_equal(read_tls(world, buffer_text(&world->text)), ERR_SYNTAX);
	assert_true(tells(world, "too long"));
	buffer_clear(&world->text);
	put(world, "[\"\\\"", 1);
	put(world, "[", READING_DEPTH_MAX + 1); /* Within a string they nest nothing. */
	put(world, "\"]", 1);
	assert_int_equal(read_tls(world, buffer_text(&world->text)), ERR_SYNTAX);
	assert_true(tells(world, "not about TLS"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_report_is_read),
		TEST(reports_of_all_forms_are_read),
		TEST(what_is_no_report_is_said),
		TEST(what_we_report_of_dmarc_can_be_read),
		TEST(entities_nesting_and_length_are_bounded),
		TEST(both_samples_of_tls_are_the_same_report),
		TEST(what_we_report_can_be_read),
		TEST(what_is_no_report_of_tls_is_said),
		TEST(json_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
