/* What the doctor finds of webhooks, by what the server tells of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/doctor.h"

static const struct {
	const char *told;                        /* Without its name. */
	size_t count;                            /* Of findings. */
	const char *severity, *finding, *mend;   /* Of the last one: parts of these. */
} rows[] = {
	{ "'state': 'works', 'waiting': 0, 'oldest_age_ms': 0, 'worked': null", 1, "fine", "nothing was told", NULL },
	{ "'state': 'works', 'waiting': 3, 'oldest_age_ms': 599999, 'worked': '2026'", 1, "fine", "takes what it is told", NULL },
	{ "'state': 'works', 'waiting': 900, 'oldest_age_ms': 600000, 'worked': '2026'", 1, "warning",
	    "later than they come: 900 events wait for it, the oldest for 10 min", "want fewer events" },
	{ "'state': 'fails', 'waiting': 1, 'oldest_age_ms': 5000, 'failing_age_ms': 4000, 'last': {'error': 'it answers 503'}", 1, "warning",
	    "nothing for 5 s (it answers 503): 1 event waits for it, the oldest for 5 s", "see to https://hook.test/: it is to answer 2xx" },
	{ "'state': 'fails', 'waiting': 2, 'oldest_age_ms': 7200000, 'failing_age_ms': 4000, 'last': {'error': 'it answers 503'}", 1, "error",
	    "nothing for 2 h (it answers 503): 2 events wait", "postroad reload" },
	{ "'state': 'fails', 'waiting': 0, 'oldest_age_ms': 0, 'failing_age_ms': 3600000, 'last': {'error': 'connection refused'}", 1, "error",
	    "nothing for 60 min (connection refused)", "postroad reload" },
	{ "'state': 'stopped', 'waiting': 0, 'failing_age_ms': 4000, 'last': {'error': 'it answers 410'}", 1, "warning", "410 (gone)",
	    "take it out of the configuration" },
	{ "'state': 'unusable', 'problem': 'it is empty'", 1, "error", "cannot be read: it is empty", "secret-file" },
	{ "'state': 'works', 'worked': '2026', 'dropped': 12", 2, "warning", "12 gave way to newer ones", "postroad trace" },
};

static json_t *read_told(const char *told)
{
	char room[512];
	const int length = snprintf(room, sizeof room, "{'name': 'billing', 'url': 'https://hook.test/', %s}", told);

	assert_in_range(length, 1, sizeof room - 1);
	for (char *at = room; (at = strchr(at, '\'')) != NULL;)
		*at = '"';
	return json_loads(room, 0, NULL);
}

static void webhooks_are_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct doctor doctor = { .arena = arena_new(1 << 20), .findings = json_array() };
		json_t *webhook = read_told(rows[i].told);

		assert_non_null(webhook);
		doctor_judge_webhook(&doctor, webhook);
		assert_int_equal(json_array_size(doctor.findings), rows[i].count);
		const json_t *last = json_array_get(doctor.findings, rows[i].count - 1);
		const char *mend = json_string_value(json_object_get(last, "mend"));

		assert_string_equal(json_string_value(json_object_get(last, "severity")), rows[i].severity);
		if (strstr(json_string_value(json_object_get(last, "finding")), rows[i].finding) == NULL)
			fail_msg("row %zu: %s", i, json_string_value(json_object_get(last, "finding")));
		assert_true(rows[i].mend == NULL ? mend == NULL : mend != NULL && strstr(mend, rows[i].mend) != NULL);
		json_decref(webhook);
		json_decref(doctor.findings);
		arena_free(doctor.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(webhooks_are_judged) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
