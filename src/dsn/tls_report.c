/* The JSON of RFC 8460 §4.4: one element for each policy that rows name, with the failures under it. */
#include "dsn/tls_report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "mail/date.h"

static int compare_rows(const void *a, const void *b)
{
	const struct tls_result *x = &(*(const struct tls_report_row *const *)a)->result;
	const struct tls_result *y = &(*(const struct tls_report_row *const *)b)->result;

	if (x->policy != y->policy)
		return x->policy < y->policy ? -1 : 1;
	const int order = text_compare(x->policy_text, y->policy_text);

	return order != 0 ? order : x->type < y->type ? -1 : x->type > y->type;
}

static bool same_policy(const struct tls_result *a, const struct tls_result *b)
{
	return a->policy == b->policy && text_equal(a->policy_text, b->policy_text);
}

/* -- JSON ------------------------------------------------------------------------------- */

/* Takes `value`, which may be NULL: no memory. */
static bool set(json_t *object, const char *key, json_t *value)
{
	return value != NULL && json_object_set_new(object, key, value) == 0;
}

/* What is not UTF-8 is no text of JSON. */
static json_t *text_json(struct text text)
{
	return text_is_utf8(text) ? json_stringn(text.length > 0 ? text.bytes : "", text.length) : json_string("?");
}

static bool set_text(json_t *object, const char *key, struct text text)
{
	return text.length == 0 || set(object, key, text_json(text));
}

/* To the second, as the examples have it. */
static bool set_date(json_t *object, const char *key, int64_t unix_ms)
{
	char room[DATE_TEXT_SIZE];
	const struct text date = date_print_rfc3339(unix_ms / 1000 * 1000, room);
	const size_t dot = text_find_byte(date, '.');

	return set(object, key, json_sprintf("%.*sZ", (int)dot, date.bytes));
}

/* The lines that begin with `prefix`, without it. */
static json_t *lines_json(struct text text, struct text prefix)
{
	json_t *lines = json_array();
	struct text rest = text, line;

	while (lines != NULL && text_cut(&rest, '\n', &line)) {
		if (!text_starts(line, prefix) || json_array_append_new(lines, text_json(text_from(line, prefix.length))) == 0)
			continue;
		json_decref(lines);
		lines = NULL;
	}
	return lines;
}

static json_t *policy_json(const struct tls_report *report, const struct tls_result *result)
{
	const bool sts = result->policy == TLS_POLICY_STS;
	json_t *policy = json_object();
	bool ok = policy != NULL &&
	    set(policy, "policy-type", json_string(tls_policy_type_word(result->policy)));

	if (ok && result->policy_text.length > 0)
		ok = set(policy, "policy-string", lines_json(result->policy_text, TEXT("")));
	ok = ok && set(policy, "policy-domain", text_json(report->domain));
	/* There may be several patterns: an array. */
	if (ok && sts && result->policy_text.length > 0)
		ok = set(policy, "mx-host", lines_json(result->policy_text, TEXT("mx: ")));
	if (ok)
		return policy;
	json_decref(policy);
	return NULL;
}

static json_t *failure_json(const struct tls_report_row *row)
{
	const struct tls_result *result = &row->result;
	json_t *failure = json_object();

	if (failure != NULL && set(failure, "result-type", json_string(tls_result_word(result->type))) &&
	    set_text(failure, "sending-mta-ip", result->sending_ip) &&
	    set_text(failure, "receiving-mx-hostname", result->mx) &&
	    set_text(failure, "receiving-ip", result->mx_ip) &&
	    set(failure, "failed-session-count", json_integer((json_int_t)row->count)) &&
	    set_text(failure, "failure-reason-code", result->reason))
		return failure;
	json_decref(failure);
	return NULL;
}

static json_t *summary_json(uint64_t good, uint64_t bad)
{
	return json_pack("{sI sI}", "total-successful-session-count", (json_int_t)good, "total-failure-session-count",
	    (json_int_t)bad);
}

/* Rows of one policy. */
static json_t *element_json(const struct tls_report *report, const struct tls_report_row *const *rows, size_t count)
{
	json_t *element = json_object(), *failures = json_array();
	uint64_t good = 0, bad = 0;
	bool ok = element != NULL && failures != NULL;

	for (size_t i = 0; ok && i < count; i++) {
		if (rows[i]->result.type == TLS_RESULT_SUCCESS) {
			good += rows[i]->count;
			continue;
		}
		bad += rows[i]->count;
		ok = json_array_append_new(failures, failure_json(rows[i])) == 0;
	}
	ok = ok && set(element, "policy", policy_json(report, &rows[0]->result)) &&
	    set(element, "summary", summary_json(good, bad));
	if (ok && json_array_size(failures) > 0)
		ok = json_object_set(element, "failure-details", failures) == 0;
	json_decref(failures);
	if (ok)
		return element;
	json_decref(element);
	return NULL;
}

static json_t *policies_json(const struct tls_report *report)
{
	const struct tls_report_row **sorted = calloc(report->row_count + 1, sizeof *sorted);
	json_t *policies = json_array();
	bool ok = sorted != NULL && policies != NULL;
	size_t end;

	for (size_t i = 0; ok && i < report->row_count; i++)
		sorted[i] = &report->rows[i];
	if (ok)
		qsort(sorted, report->row_count, sizeof *sorted, compare_rows);
	for (size_t start = 0; ok && start < report->row_count; start = end) {
		for (end = start + 1; end < report->row_count && same_policy(&sorted[start]->result, &sorted[end]->result);)
			end++;
		ok = json_array_append_new(policies, element_json(report, sorted + start, end - start)) == 0;
	}
	free(sorted);
	if (ok)
		return policies;
	json_decref(policies);
	return NULL;
}

static json_t *report_json(const struct tls_report *report)
{
	json_t *root = json_object(), *range = json_object();
	const bool ok = root != NULL && range != NULL && set(root, "organization-name", text_json(report->organization)) &&
	    set_date(range, "start-datetime", report->start_ms) && set_date(range, "end-datetime", report->end_ms) &&
	    json_object_set(root, "date-range", range) == 0 && set(root, "contact-info", text_json(report->contact)) &&
	    set(root, "report-id", text_json(report->id)) && set(root, "policies", policies_json(report));

	json_decref(range);
	if (ok)
		return root;
	json_decref(root);
	return NULL;
}

static int append(const char *bytes, size_t length, void *out)
{
	return buffer_append(out, (struct text){ bytes, length }) ? 0 : -1;
}

bool tls_report_compose(const struct tls_report *report, struct buffer *out)
{
	const size_t before = out->length;
	json_t *root = report_json(report);
	const bool ok = root != NULL && json_dump_callback(root, append, out, JSON_COMPACT) == 0;

	json_decref(root);
	if (!ok)
		out->length = before;
	return ok;
}
