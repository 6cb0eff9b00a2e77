/* What reports say together. */
#include "reports/findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "reports/test_world.h"

struct world {
	struct findings *findings;
	json_t *sum;
	char room[8192];
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	world->findings = findings_new();
	*state = world;
	return world->findings != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	json_decref(world->sum);
	findings_free(world->findings);
	free(world);
	return 0;
}

static size_t read(struct world *world, const char *text)
{
	size_t found = 99;

	assert_true(findings_file(world->findings, TEXT("a file"), text_of(text), &found));
	return found;
}

/* A report of DMARC with these rows, each of "<row>...". */
static void read_dmarc(struct world *world, const char *organization, unsigned id, unsigned begin, const char *rows)
{
	snprintf(world->room, sizeof world->room,
	    "<feedback><report_metadata><org_name>%s</org_name><report_id>%u</report_id><date_range><begin>%u</begin>"
	    "<end>%u</end></date_range></report_metadata><policy_published><domain>a.test</domain><p>p%u</p></policy_published>%s</feedback>",
	    organization, id, begin, begin + 86399, begin, rows);
	assert_int_equal(read(world, world->room), 1);
}

#define RECORD(ip, count, disposition, dkim, spf)                                                                    \
	"<record><row><source_ip>" ip "</source_ip><count>" count "</count><policy_evaluated><disposition>" disposition \
	"</disposition><dkim>" dkim "</dkim><spf>" spf "</spf></policy_evaluated></row>"                               \
	"<identifiers><header_from>a.test</header_from></identifiers></record>"

static const json_t *sum(struct world *world)
{
	json_decref(world->sum);
	world->sum = findings_sum(world->findings);
	assert_non_null(world->sum);
	return world->sum;
}

static void sources_are_summed_up(void **state)
{
	struct world *world = *state;
	const json_t *domain, *sources;

	read_dmarc(world, "one", 1, 200000, RECORD("192.0.2.1", "5", "none", "pass", "fail") RECORD("192.0.2.2", "7", "reject", "fail", "fail"));
	read_dmarc(world, "two", 1, 100000, RECORD("192.0.2.1", "3", "none", "pass", "pass") RECORD("192.0.2.3", "8", "quarantine", "fail", "fail"));
	assert_true(test_json_has(sum(world), "{\"reports\": 2, \"repeated\": 0, \"overflow\": 0, \"unreadable\": []}"));
	domain = json_array_get(json_object_get(world->sum, "dmarc"), 0);
	assert_true(test_json_has(domain, "{\"domain\": \"a.test\", \"reports\": 2, \"organizations\": [\"one\", \"two\"], \"messages\": 23, \"passed\": 8,"
			       "\"spf_aligned\": 3, \"dkim_aligned\": 8, \"quarantine\": 8, \"reject\": 7, \"p\": \"p200000\","
			       "\"begin\": \"1970-01-02T03:46:40.000Z\", \"end\": \"1970-01-04T07:33:19.000Z\"}"));
	sources = json_object_get(domain, "sources");
	assert_int_equal(json_array_size(sources), 3);
	/* The most first, and of as many in the order of their addresses. */
	assert_true(test_json_has(json_array_get(sources, 0), "{\"ip\": \"192.0.2.1\", \"messages\": 8, \"passed\": 8, \"header_from\": [\"a.test\"]}"));
	assert_true(test_json_has(json_array_get(sources, 1), "{\"ip\": \"192.0.2.3\", \"messages\": 8, \"passed\": 0, \"quarantine\": 8}"));
	assert_true(test_json_has(json_array_get(sources, 2), "{\"ip\": \"192.0.2.2\", \"messages\": 7, \"reject\": 7}"));
}

/* G1 */
static void a_report_counts_once(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 3; i++)
		read_dmarc(world, "one", 1, 5, RECORD("192.0.2.1", "5", "none", "pass", "fail"));
	read_dmarc(world, "two", 1, 5, RECORD("192.0.2.1", "5", "none", "pass", "fail"));
	assert_true(test_json_has(sum(world), "{\"reports\": 2, \"repeated\": 2}"));
	assert_true(test_json_has(json_array_get(json_object_get(world->sum, "dmarc"), 0), "{\"messages\": 10}"));
}

static void what_cannot_be_read_is_told(void **state)
{
	struct world *world = *state;

	assert_int_equal(read(world, "<feedback>"), 1);
	assert_int_equal(read(world, "Subject: x\n\nHello.\n"), 0);
	assert_int_equal(read(world, "PK\x03\x04zip"), 1);
	assert_true(test_json_has(sum(world), "{\"reports\": 0, \"unreadable\": [{\"file\": \"a file\", \"reason\": \"line 1: no element found\"},"
				   "{\"file\": \"a file\", \"reason\": \"the archive has no end\"}]}"));
}

static void sessions_are_summed_up(void **state)
{
	static const char report[] =
	    "{\"organization-name\": \"%s\", \"report-id\": \"1\", \"date-range\": {\"start-datetime\": \"2016-04-01T00:00:00Z\", "
	    "\"end-datetime\": \"2016-04-01T23:59:59Z\"}, \"policies\": [{\"policy\": {\"policy-type\": \"sts\", \"policy-domain\": \"a.test\"}, "
	    "\"summary\": {\"total-successful-session-count\": 10, \"total-failure-session-count\": 6}, \"failure-details\": ["
	    "{\"result-type\": \"certificate-expired\", \"receiving-mx-hostname\": \"MX.a.test\", \"failed-session-count\": 1},"
	    "{\"result-type\": \"validation-failure\", \"failed-session-count\": 5}]},"
	    "{\"policy\": {\"policy-type\": \"tlsa\", \"policy-domain\": \"b.test\"}, "
	    "\"summary\": {\"total-successful-session-count\": 4, \"total-failure-session-count\": 0}}]}";
	struct world *world = *state;
	const json_t *domain, *policy, *failures;

	for (int i = 0; i < 2; i++) {
		snprintf(world->room, sizeof world->room, report, i == 0 ? "one" : "two");
		assert_int_equal(read(world, world->room), 1);
	}
	assert_int_equal(json_array_size(json_object_get(sum(world), "tls")), 2);
	domain = json_array_get(json_object_get(world->sum, "tls"), 0);
	assert_true(test_json_has(domain, "{\"domain\": \"a.test\", \"reports\": 2, \"begin\": \"2016-04-01T00:00:00.000Z\"}"));
	policy = json_array_get(json_object_get(domain, "policies"), 0);
	assert_true(test_json_has(policy, "{\"type\": \"sts\", \"succeeded\": 20, \"failed\": 12}"));
	failures = json_object_get(policy, "failures");
	assert_int_equal(json_array_size(failures), 2);
	assert_true(test_json_has(json_array_get(failures, 0), "{\"result\": \"validation-failure\", \"sessions\": 10}"));
	assert_true(test_json_has(json_array_get(failures, 1), "{\"result\": \"certificate-expired\", \"mx\": \"mx.a.test\", \"sessions\": 2}"));
	assert_true(test_json_has(json_array_get(json_object_get(world->sum, "tls"), 1), "{\"domain\": \"b.test\"}"));
}

static void what_is_not_asked_for_is_left_out(void **state)
{
	struct world *world = *state;

	findings_limit(world->findings, TEXT_EMPTY, 86400 + 10);
	read_dmarc(world, "one", 1, 10, RECORD("192.0.2.1", "5", "none", "pass", "fail"));
	read_dmarc(world, "one", 2, 20, RECORD("192.0.2.1", "6", "none", "pass", "fail"));
	assert_true(test_json_has(sum(world), "{\"reports\": 1, \"left_out\": 1}"));
	findings_limit(world->findings, TEXT("B.test"), 0);
	read_dmarc(world, "one", 3, 20, RECORD("192.0.2.1", "7", "none", "pass", "fail"));
	findings_limit(world->findings, TEXT("A.test"), 0);
	read_dmarc(world, "one", 3, 20, RECORD("192.0.2.1", "8", "none", "pass", "fail"));
	assert_true(test_json_has(sum(world), "{\"reports\": 2, \"repeated\": 0, \"left_out\": 2}"));
	assert_true(test_json_has(json_array_get(json_object_get(world->sum, "dmarc"), 0), "{\"messages\": 14}"));
}

/* G2 */
static void sources_are_bounded(void **state)
{
	struct world *world = *state;
	struct dmarc_record *records = calloc(FINDINGS_ROWS_MAX + 100, sizeof *records);
	char (*ips)[16] = calloc(FINDINGS_ROWS_MAX + 100, sizeof *ips);
	const struct dmarc_reading reading = { .id = TEXT("1"), .domain = TEXT("a.test"), .records = records };

	for (size_t i = 0; i < FINDINGS_ROWS_MAX + 100; i++) {
		snprintf(ips[i], sizeof ips[i], "%zu", i);
		records[i] = (struct dmarc_record){ .source_ip = text_of(ips[i]), .count = 1,
			.next = i + 1 < FINDINGS_ROWS_MAX + 100 ? &records[i + 1] : NULL };
	}
	assert_true(findings_dmarc(world->findings, &reading));
	assert_true(test_json_has(sum(world), "{\"overflow\": 101}")); /* The domain is a row, too. */
	assert_true(test_json_has(json_array_get(json_object_get(world->sum, "dmarc"), 0), "{\"messages\": 100100}"));
	free(records);
	free(ips);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(sources_are_summed_up),
		TEST(a_report_counts_once),
		TEST(what_cannot_be_read_is_told),
		TEST(sessions_are_summed_up),
		TEST(what_is_not_asked_for_is_left_out),
		TEST(sources_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
