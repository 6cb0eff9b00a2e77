/* The scenarios of postfix-mta-sts-resolver (tests/vectors/mta-sts): which of its domains has a policy that is enforced?
 *
 * Its table is keyed by Postfix's next hops. "[example.net]", "[...]:25" and ".example.net" are forms of Postfix's own, of
 * which we know none: what is looked up here is always a recipient domain. The scenario has more domains than the table has
 * lines; what is expected of those stands in `untold`.
 *
 * One case is judged otherwise here than there: a max_age above a year (bad-policy6.loc) is taken for a year. RFC 8461 §3.2
 * names the maximum and not what becomes of more, and a domain that wants its mail protected for longer is not one whose
 * mail should go unprotected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "route/sts_check.h"

static const int64_t now_ms = INT64_C(1'700'000'000'000);

static const struct {
	const char *domain;
	bool enforced;
} untold[] = {
	{ "bad-record3.loc", false },        /* v=STSv12 */
	{ "bad-policy4.loc", false },        /* 404 */
	{ "bad-policy5.loc", false },        /* max_age is no number. */
	{ "bad-policy6.loc", true },         /* max_age is above the most that there is. */
	{ "bad-policy7.loc", false },        /* No mode, */
	{ "bad-policy8.loc", false },        /* or one that nobody knows. */
	{ "static-overlength.loc", false },
	{ "chunked-overlength.loc", false },
	{ "fast-expire.loc", true },         /* For a second. */
};

static struct https_response page_of(const char *domain, const json_t *host)
{
	struct https_response page = { .end = HTTPS_UNREACHABLE, .trouble = TEXT("no such host") };

	if (host == NULL)
		return page;
	if (strstr(domain, "bad-cert") != NULL)
		return (struct https_response){ .end = HTTPS_UNTRUSTED, .trouble = TEXT("wrong name") };
	if (!json_is_string(json_object_get(host, "body")))
		return (struct https_response){ .end = HTTPS_TOO_LARGE, .trouble = TEXT("too large") };
	page.end = HTTPS_ANSWERED;
	page.status = (unsigned)json_integer_value(json_object_get(host, "status"));
	page.content_type = text_of(json_string_value(json_object_get(host, "content_type")));
	page.content = text_of(json_string_value(json_object_get(host, "body")));
	return page;
}

static bool is_enforced(const json_t *scenario, const char *domain)
{
	struct arena *arena = arena_new(1 << 16);
	struct sts_check check;
	char name[300];

	snprintf(name, sizeof name, "_mta-sts.%s", domain);
	const char *record = json_string_value(json_object_get(json_object_get(scenario, "txt_records"), name));
	const struct text text = text_of(record ? record : "");

	snprintf(name, sizeof name, "mta-sts.%s", domain);
	const struct https_response page = page_of(domain, json_object_get(json_object_get(scenario, "policy_hosts"), name));

	sts_check_begin(&check, NULL, STS_FOR_MAIL, now_ms, arena);
	sts_check_record(&check, &text, record != NULL);
	if (check.question == STS_ASK_POLICY)
		sts_check_policy(&check, &page);
	assert_int_equal(check.question, STS_ASK_NOTHING);

	const struct sts_policy *policy = sts_check_result(&check);
	const bool enforced = policy != NULL && policy->mode == STS_ENFORCE;

	/* Postfix is told "match=mail.loc" where we let no other host take the mail. */
	if (enforced) {
		assert_true(sts_policy_allows(policy, TEXT("mail.loc")));
		assert_false(sts_policy_allows(policy, TEXT("other.loc")));
	}
	arena_free(arena);
	return enforced;
}

static json_t *scenario_load(void)
{
	json_error_t error;
	json_t *scenario = json_load_file(VECTORS "/sts-resolver/scenario.json", 0, &error);

	assert_non_null(scenario);
	return scenario;
}

static void lines_of_the_table(void **state)
{
	json_t *scenario = scenario_load();
	FILE *table = fopen(VECTORS "/sts-resolver/refdata.tsv", "r");
	char line[200], domain[100], answer[100];
	unsigned told = 0;

	(void)state;
	assert_non_null(table);
	while (fgets(line, sizeof line, table) != NULL) {
		assert_int_equal(sscanf(line, "%*s %99s %99s", domain, answer), 2);
		if (strpbrk(domain, "[:") != NULL || domain[0] == '.')
			continue;
		if (domain[strlen(domain) - 1] == '.')
			domain[strlen(domain) - 1] = 0; /* Recipient domains come to us without it. */
		if (is_enforced(scenario, domain) != (strcmp(answer, "OK") == 0))
			fail_msg("%s: not %s", domain, answer);
		told++;
	}
	fclose(table);
	json_decref(scenario);
	assert_int_equal(told, 13);
}

static void domains_without_a_line(void **state)
{
	json_t *scenario = scenario_load();

	(void)state;
	for (size_t i = 0; i < sizeof untold / sizeof *untold; i++)
		if (is_enforced(scenario, untold[i].domain) != untold[i].enforced)
			fail_msg("%s", untold[i].domain);
	json_decref(scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_the_table),
		cmocka_unit_test(domains_without_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
