#include "dsn/dmarc_report.h"

#include "base/must.h"

/* -- Elements ------------------------------------------------------------------------------- */

static struct text escaped(char byte, bool utf8)
{
	switch (byte) {
	case '&':
		return TEXT("&amp;");
	case '<':
		return TEXT("&lt;");
	case '>':
		return TEXT("&gt;");
	default:
		return (unsigned char)byte < ' ' || byte == '\x7f' || (!utf8 && (unsigned char)byte > '\x7f') ? TEXT("?") : TEXT_EMPTY;
	}
}

/* UTF-8, and neither of the two characters that XML does not have. */
static bool is_xml_text(struct text words)
{
	return text_is_utf8(words) && text_find(words, TEXT("\xEF\xBF\xBE")) == words.length &&
	    text_find(words, TEXT("\xEF\xBF\xBF")) == words.length;
}

/* X1 */
static bool put_escaped(struct buffer *out, struct text words)
{
	const bool utf8 = is_xml_text(words);
	size_t begun = 0;

	for (size_t i = 0; i < words.length; i++) {
		const struct text instead = escaped(words.bytes[i], utf8);

		if (instead.length == 0)
			continue;
		if (!buffer_append(out, text_part(words, begun, i - begun)) || !buffer_append(out, instead))
			return false;
		begun = i + 1;
	}
	return buffer_append(out, text_from(words, begun));
}

static bool put(struct buffer *out, const char *name, struct text value)
{
	return buffer_print(out, "<%s>", name) && put_escaped(out, value) && buffer_print(out, "</%s>\n", name);
}

/* What may be left out, is, when it is empty. */
static bool put_any(struct buffer *out, const char *name, struct text value)
{
	return value.length == 0 || put(out, name, value);
}

static bool put_word(struct buffer *out, const char *name, const char *word)
{
	return word == NULL || buffer_print(out, "<%s>%s</%s>\n", name, word, name);
}

static const char *pass_or_fail(bool pass)
{
	return pass ? "pass" : "fail";
}

/* -- The policy ------------------------------------------------------------------------------- */

/* X2: the weight of a policy is that of all rows like the one at `which`. */
static uint64_t weigh(const struct dmarc_report *report, size_t which)
{
	uint64_t weight = 0;

	for (size_t i = 0; i < report->row_count; i++)
		if (dmarc_published_equal(&report->rows[i].result.published, &report->rows[which].result.published))
			weight += report->rows[i].count;
	return weight;
}

/* Of a record that changed many times not all versions are weighed. */
static const struct dmarc_published *choose_policy(const struct dmarc_report *report, bool *out_changed)
{
	enum { WEIGHED_MAX = 8 };
	size_t chosen = 0, weighed = 1;
	uint64_t heaviest = weigh(report, 0);

	*out_changed = false;
	for (size_t i = 1; i < report->row_count && weighed < WEIGHED_MAX; i++) {
		if (dmarc_published_equal(&report->rows[i].result.published, &report->rows[i - 1].result.published) ||
		    dmarc_published_equal(&report->rows[i].result.published, &report->rows[chosen].result.published))
			continue;

		const uint64_t weight = weigh(report, i);

		*out_changed = true;
		weighed++;
		if (weight > heaviest) {
			heaviest = weight;
			chosen = i;
		}
	}
	return &report->rows[chosen].result.published;
}

static bool put_policy(const struct dmarc_report *report, const struct dmarc_published *published, struct buffer *out)
{
	return buffer_append(out, TEXT("<policy_published>\n")) && put(out, "domain", report->domain) &&
	    put_word(out, "p", published->policy) && put_word(out, "sp", published->subdomains) &&
	    put_word(out, "np", published->absent) && put_word(out, "adkim", published->dkim_strict ? "s" : "r") &&
	    put_word(out, "aspf", published->spf_strict ? "s" : "r") && put_any(out, "fo", published->failure_options) &&
	    put_word(out, "testing", published->testing ? "y" : "n") && put_word(out, "discovery_method", "treewalk") &&
	    buffer_append(out, TEXT("</policy_published>\n"));
}

/* -- The front ---------------------------------------------------------------------------------- */

static bool put_error(const struct dmarc_report *report, bool changed, struct buffer *out)
{
	if (!changed && report->unlisted == 0)
		return true;
	return buffer_append(out, TEXT("<error>")) &&
	    (!changed ||
		buffer_append(out, TEXT("The policy changed within this time; most messages came under the one given here. "))) &&
	    (report->unlisted == 0 ||
		buffer_print(out, "%llu more messages are not listed, because they were of too many kinds.",
		    (unsigned long long)report->unlisted)) &&
	    buffer_append(out, TEXT("</error>\n"));
}

static bool put_metadata(const struct dmarc_report *report, bool changed, struct buffer *out)
{
	return buffer_append(out, TEXT("<report_metadata>\n")) && put(out, "org_name", report->organization) &&
	    put(out, "email", report->contact) && put(out, "report_id", report->id) &&
	    buffer_print(out, "<date_range>\n<begin>%lld</begin>\n<end>%lld</end>\n</date_range>\n",
		(long long)report->start_ms / 1000, (long long)report->end_ms / 1000) &&
	    put_error(report, changed, out) && put_any(out, "generator", report->generator) &&
	    buffer_append(out, TEXT("</report_metadata>\n"));
}

/* -- Records ------------------------------------------------------------------------------------- */

static bool put_row(const struct dmarc_report_row *row, struct buffer *out)
{
	const struct dmarc_result *result = &row->result;

	return buffer_append(out, TEXT("<row>\n")) && put(out, "source_ip", result->client) &&
	    buffer_print(out, "<count>%llu</count>\n<policy_evaluated>\n", (unsigned long long)row->count) &&
	    put_word(out, "disposition", result->disposition) && put_word(out, "dkim", pass_or_fail(result->dkim_aligned)) &&
	    put_word(out, "spf", pass_or_fail(result->spf_aligned)) &&
	    (result->override == NULL || buffer_print(out, "<reason><type>%s</type></reason>\n", result->override)) &&
	    buffer_append(out, TEXT("</policy_evaluated>\n</row>\n"));
}

static bool put_identifiers(const struct dmarc_result *result, struct buffer *out)
{
	return buffer_append(out, TEXT("<identifiers>\n")) && put(out, "header_from", result->author) &&
	    put_any(out, "envelope_from", result->sender) && buffer_append(out, TEXT("</identifiers>\n"));
}

static bool put_signature(const struct dmarc_result_signature *signature, struct buffer *out)
{
	return buffer_append(out, TEXT("<dkim>\n")) && put(out, "domain", signature->domain) &&
	    put(out, "selector", signature->selector) && put_word(out, "result", signature->result) &&
	    buffer_append(out, TEXT("</dkim>\n"));
}

static bool put_spf(const struct dmarc_result *result, struct buffer *out)
{
	return result->spf == NULL ||
	    (buffer_append(out, TEXT("<spf>\n")) && put(out, "domain", result->spf_domain) &&
		put_word(out, "scope", "mfrom") && put_word(out, "result", result->spf) &&
		buffer_append(out, TEXT("</spf>\n")));
}

static bool put_record(const struct dmarc_report_row *row, struct buffer *out)
{
	const struct dmarc_result *result = &row->result;
	bool ok = buffer_append(out, TEXT("<record>\n")) && put_row(row, out) && put_identifiers(result, out) &&
	    buffer_append(out, TEXT("<auth_results>\n"));

	for (size_t i = 0; ok && i < result->signature_count; i++)
		ok = put_signature(&result->signatures[i], out);
	ok = ok && put_spf(result, out) && buffer_append(out, TEXT("</auth_results>\n</record>\n"));
	return ok;
}

bool dmarc_report_compose(const struct dmarc_report *report, struct buffer *out)
{
	const size_t before = out->length;
	bool changed;

	must(report->row_count > 0);

	const struct dmarc_published *published = choose_policy(report, &changed);
	bool ok = buffer_append(out,
		      TEXT("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			   "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n<version>1.0</version>\n")) &&
	    put_metadata(report, changed, out) && put_policy(report, published, out);

	for (size_t i = 0; ok && i < report->row_count; i++)
		ok = put_record(&report->rows[i], out);
	if (ok && buffer_append(out, TEXT("</feedback>\n")))
		return true;
	out->length = before;
	return false;
}
