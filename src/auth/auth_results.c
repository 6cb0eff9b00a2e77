#include "auth/auth_results.h"

/* -- saying ------------------------------------------------------------------ */

/* token (RFC 2045 §5.1), and "@" as in a pvalue that is an address. */
static bool is_plain(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if (text.bytes[i] <= ' ' || text.bytes[i] > '~' ||
		    memchr("()<>,;:\\\"/[]?=", text.bytes[i], 14) != NULL)
			return false;
	return text.length > 0;
}

static bool put_quoted(struct buffer *out, struct text text)
{
	bool ok = buffer_append(out, TEXT("\""));

	for (size_t i = 0; ok && i < text.length; i++) {
		const char c = text.bytes[i];

		if ((c >= 0 && c < ' ') || c == 0x7f)
			continue;
		ok = ((c != '"' && c != '\\') || buffer_append(out, TEXT("\\"))) &&
		    buffer_append(out, text_part(text, i, 1));
	}
	return ok && buffer_append(out, TEXT("\""));
}

/* " name=value"; nothing without a value. */
static bool put_property(struct buffer *out, const char *name, struct text value)
{
	if (value.length == 0)
		return true;
	return buffer_print(out, " %s=", name) &&
	    (is_plain(value) ? buffer_append(out, value) : put_quoted(out, value));
}

static bool put_result(struct buffer *out, const char *method, enum auth_result result, struct text reason)
{
	return buffer_print(out, ";\r\n\t%s=%s", method, auth_result_word(result)) &&
	    (reason.length == 0 || (buffer_append(out, TEXT(" reason=")) && put_quoted(out, reason)));
}

static bool put_iprev(const struct iprev *iprev, struct buffer *out)
{
	char room[ENDPOINT_TEXT_MAX];

	return put_result(out, "iprev", iprev_result(iprev), TEXT_EMPTY) &&
	    put_property(out, "policy.iprev", endpoint_print_ip(&iprev->client, room));
}

static bool put_spf(const struct spf_verdict *spf, struct buffer *out)
{
	return put_result(out, "spf", spf->result, spf->reason) &&
	    put_property(out, spf->is_helo ? "smtp.helo" : "smtp.mailfrom", spf->domain);
}

static bool put_dkim(const struct dkim_finding *finding, struct buffer *out)
{
	enum { START = 8 };
	const struct signature *signature = finding->signature;
	char start[START];
	size_t length = 0;

	for (size_t i = 0; i < signature->hole.length && length < START; i++)
		if (memchr(" \t\r\n", signature->hole.bytes[i], 4) == NULL)
			start[length++] = signature->hole.bytes[i];
	return put_result(out, "dkim", finding->result, text_of(finding->reason)) &&
	    put_property(out, "header.d", signature->domain) &&
	    put_property(out, "header.s", signature->selector) &&
	    put_property(out, "header.a", signature->algorithm) &&
	    put_property(out, "header.b", (struct text){ start, length });
}

static bool put_dmarc(const struct dmarc_verdict *dmarc, struct buffer *out)
{
	return put_result(out, "dmarc", dmarc->result, text_of(dmarc->reason)) &&
	    (dmarc->record == NULL || buffer_print(out, " (p=%s)", dmarc_policy_word(dmarc->policy))) &&
	    put_property(out, "header.from", dmarc->author);
}

bool auth_results_compose(const struct auth_results *results, struct buffer *out)
{
	bool ok = buffer_append(out, TEXT("Authentication-Results: ")) &&
	    (is_plain(results->authserv_id) ? buffer_append(out, results->authserv_id)
					    : put_quoted(out, results->authserv_id));
	const bool any =
	    results->iprev || results->spf || results->dkim_used || results->arc || results->dmarc;

	ok = ok && (any || buffer_append(out, TEXT("; none")));
	ok = ok && (results->iprev == NULL || put_iprev(results->iprev, out));
	ok = ok && (results->spf == NULL || put_spf(results->spf, out));
	ok = ok &&
	    (results->spf_helo == NULL || results->spf_helo->result == AUTH_NONE || put_spf(results->spf_helo, out));
	for (size_t i = 0; ok && results->dkim_used && i < results->dkim_count; i++)
		ok = put_dkim(&results->dkim[i], out);
	if (results->dkim_used && results->dkim_count == 0)
		ok = ok && put_result(out, "dkim", AUTH_NONE, TEXT_EMPTY);
	ok = ok &&
	    (results->arc == NULL ||
		put_result(out, "arc", results->arc->result, text_of(results->arc->reason)));
	ok = ok && (results->dmarc == NULL || put_dmarc(results->dmarc, out));
	return ok && buffer_append(out, TEXT("\r\n"));
}

/* -- knowing ----------------------------------------------------------------- */

/* Blanks, folding and comments. False: a comment without end. */
static bool skip_blanks(struct text *rest)
{
	size_t depth = 0;

	while (rest->length > 0) {
		const char c = rest->bytes[0];

		if (depth == 0 && c != '(' && memchr(" \t\r\n", c, 4) == NULL)
			break;
		depth += c == '(';
		depth -= c == ')' && depth > 0;
		if (c == '\\' && depth > 0)
			*rest = text_from(*rest, 1);
		*rest = text_from(*rest, 1);
	}
	return depth == 0;
}

/* The authserv-id in quotes; the text in them is compared as it goes. */
static bool quoted_is(struct text rest, struct text name)
{
	size_t matched = 0;
	bool equal = true;

	for (size_t i = 1; i < rest.length; i++) {
		if (rest.bytes[i] == '"')
			return equal && matched == name.length;
		if (rest.bytes[i] == '\\')
			i++;
		if (i == rest.length)
			break;
		equal = equal && matched < name.length &&
		    byte_lower(rest.bytes[i]) == byte_lower(name.bytes[matched]);
		matched++;
	}
	return true; /* It has no end, so nobody can say whose it is. */
}

bool auth_results_claims(struct text value, struct text authserv_id)
{
	size_t length = 0;

	if (!skip_blanks(&value) || value.length == 0)
		return true;
	if (value.bytes[0] == '"')
		return quoted_is(value, authserv_id);
	while (length < value.length && memchr(" \t\r\n;(", value.bytes[length], 6) == NULL)
		length++;
	const struct text name = text_part(value, 0, length);

	return text_equal_nocase(name, authserv_id) ||
	    (text_ends(name, TEXT(".")) && text_equal_nocase(text_part(name, 0, length - 1), authserv_id));
}
