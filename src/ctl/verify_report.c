#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "ctl/ask.h"
#include "ctl/verify.h"

enum { RESULTS_FIELD_MAX = 64 << 10 };

/* -- as JSON ----------------------------------------------------------------- */

/* A string, or null when it is empty. What a stranger wrote need not be UTF-8. */
static json_t *string(struct text text)
{
	if (text.length == 0)
		return json_null();
	json_t *value = json_stringn(text.bytes, text.length);

	if (value != NULL)
		return value;
	char *copy = malloc(text.length);

	for (size_t i = 0; copy != NULL && i < text.length; i++)
		copy[i] = (unsigned char)text.bytes[i] < 0x80 ? text.bytes[i] : '?';
	value = copy ? json_stringn(copy, text.length) : NULL;
	free(copy);
	return value;
}

static json_t *word(enum auth_result result)
{
	return json_string(auth_result_word(result));
}

static json_t *spf_json(const struct spf_verdict *spf)
{
	if (spf == NULL)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:i, s:o}", "result", word(spf->result), "domain",
	    string(spf->domain), "mechanism", string(spf->mechanism), "explanation", string(spf->explanation),
	    "lookups", (int)spf->lookups, "reason", string(spf->reason));
}

static json_t *dkim_json(const struct verify_findings *findings)
{
	json_t *list = json_array();

	for (size_t i = 0; i < findings->dkim_count; i++) {
		const struct dkim_finding *finding = &findings->dkim[i];

		json_array_append_new(list,
		    json_pack("{s:o, s:o, s:o, s:o, s:o}", "domain", string(finding->signature->domain),
			"selector", string(finding->signature->selector), "algorithm",
			string(finding->signature->algorithm), "result", word(finding->result), "reason",
			string(text_of(finding->reason))));
	}
	return list;
}

static json_t *arc_json(const struct arc_verdict *arc)
{
	json_t *reason = json_null();

	if (arc->reason != NULL && arc->at > 0)
		reason = json_sprintf("i=%u: %s", arc->at, arc->reason);
	else if (arc->reason != NULL)
		reason = json_string(arc->reason);
	return json_pack("{s:o, s:o}", "cv", word(arc->result), "reason", reason);
}

static json_t *dmarc_json(const struct dmarc_verdict *dmarc)
{
	return json_pack("{s:o, s:o, s:o, s:s, s:b, s:b, s:o}", "result", word(dmarc->result), "policy",
	    dmarc->record ? json_string(dmarc_policy_word(dmarc->policy)) : json_null(), "domain",
	    string(dmarc->domain), "disposition", dmarc_policy_word(dmarc->disposition), "spf_aligned",
	    dmarc->spf_aligned, "dkim_aligned", dmarc->dkim_aligned, "reason",
	    string(text_of(dmarc->reason)));
}

/* The field's value in one line. */
static json_t *results_json(const struct verify_request *request, const struct verify_findings *findings)
{
	const struct auth_results results = { .authserv_id = request->hostname,
		.iprev = findings->iprev,
		.spf = findings->spf,
		.dkim = findings->dkim,
		.dkim_count = findings->dkim_count,
		.dkim_used = findings->dkim_used,
		.arc = findings->arc,
		.dmarc = findings->dmarc };
	struct arena *arena = arena_new(4 * RESULTS_FIELD_MAX);
	struct buffer field;
	struct text value;
	json_t *json = NULL;

	buffer_init(&field, RESULTS_FIELD_MAX);
	if (arena != NULL && auth_results_compose(&results, &field) &&
	    header_find(buffer_text(&field), TEXT("Authentication-Results"), &value) &&
	    header_unfold(value, arena, &value)) {
		for (size_t i = 0; i < value.length; i++)
			if (value.bytes[i] == '\t')
				((char *)value.bytes)[i] = ' ';
		json = string(value);
	}
	buffer_done(&field);
	arena_free(arena);
	return json ? json : json_null();
}

static json_t *as_json(const struct verify_request *request, const struct verify_findings *findings)
{
	json_t *report = json_object();

	if (findings->spf != NULL || request->everything)
		json_object_set_new(report, "spf", spf_json(findings->spf));
	if (findings->dkim_used)
		json_object_set_new(report, "dkim", dkim_json(findings));
	if (findings->arc != NULL)
		json_object_set_new(report, "arc", arc_json(findings->arc));
	if (findings->dmarc != NULL)
		json_object_set_new(report, "dmarc", dmarc_json(findings->dmarc));
	json_object_set_new(report, "authentication_results", results_json(request, findings));
	json_object_set(report, "queries", findings->queries);
	return report;
}

/* -- for people -------------------------------------------------------------- */

static void print_reason(const json_t *part)
{
	const char *reason = ctl_string(part, "reason", NULL);

	printf("%s%s%s\n", reason ? " (" : "", reason ? reason : "", reason ? ")" : "");
}

static void print_spf(const json_t *spf)
{
	if (json_is_null(spf)) {
		printf("spf:   not looked at, without --ip\n");
		return;
	}
	printf("spf:   %s for %s", ctl_string(spf, "result", "?"), ctl_string(spf, "domain", "no domain"));
	if (ctl_string(spf, "mechanism", NULL) != NULL)
		printf(" by %s", ctl_string(spf, "mechanism", ""));
	print_reason(spf);
	if (ctl_string(spf, "explanation", NULL) != NULL)
		printf("       the domain explains: %s\n", ctl_string(spf, "explanation", ""));
}

static void print_dkim(const json_t *dkim, size_t ignored)
{
	const json_t *one;
	size_t i;

	if (json_array_size(dkim) == 0)
		printf("dkim:  none\n");
	json_array_foreach(dkim, i, one)
	{
		printf("dkim:  %s for %s, selector %s, %s", ctl_string(one, "result", "?"),
		    ctl_string(one, "domain", "no domain"), ctl_string(one, "selector", "none"),
		    ctl_string(one, "algorithm", "no algorithm"));
		print_reason(one);
	}
	if (ignored > 0)
		printf("       %zu more signatures were not looked at\n", ignored);
}

static void print_dmarc(const json_t *dmarc)
{
	printf("dmarc: %s", ctl_string(dmarc, "result", "?"));
	if (ctl_string(dmarc, "domain", NULL) != NULL)
		printf(", policy %s of %s", ctl_string(dmarc, "policy", "none"),
		    ctl_string(dmarc, "domain", ""));
	print_reason(dmarc);
	printf("       aligned: %s; to be done: %s\n",
	    json_is_true(json_object_get(dmarc, "spf_aligned"))
		? json_is_true(json_object_get(dmarc, "dkim_aligned")) ? "SPF and DKIM" : "SPF"
		: json_is_true(json_object_get(dmarc, "dkim_aligned")) ? "DKIM"
								       : "nothing",
	    strcmp(ctl_string(dmarc, "disposition", "none"), "none") == 0
		? "nothing"
		: ctl_string(dmarc, "disposition", ""));
}

static void print_report(json_t *report, size_t ignored)
{
	const json_t *part, *query;
	size_t i;

	ctl_make_printable(report);
	if ((part = json_object_get(report, "spf")) != NULL)
		print_spf(part);
	if ((part = json_object_get(report, "dkim")) != NULL)
		print_dkim(part, ignored);
	if ((part = json_object_get(report, "arc")) != NULL) {
		printf("arc:   %s", ctl_string(part, "cv", "?"));
		print_reason(part);
	}
	if ((part = json_object_get(report, "dmarc")) != NULL)
		print_dmarc(part);
	printf("\nAuthentication-Results: %s\n", ctl_string(report, "authentication_results", ""));
	json_array_foreach(json_object_get(report, "queries"), i, query)
	    printf("%s%s\n", i == 0 ? "\nasked: " : "       ", json_string_value(query));
}

int verify_report(const struct verify_request *request, const struct verify_findings *findings)
{
	json_t *report = as_json(request, findings);

	if (report == NULL)
		return EX_OSERR;
	if (request->json)
		ctl_print_json(report);
	else
		print_report(report, findings->dkim_ignored);
	json_decref(report);
	return EX_OK;
}
