#include "auth/received_spf.h"

/* Whole values of RFC 5322's dot-atom; of the rest, what is in quotes need not be looked at. */
static bool is_dot_atom(struct text text)
{
	bool was_dot = true;

	for (size_t i = 0; i < text.length; i++) {
		const unsigned char c = (unsigned char)text.bytes[i];

		if (c <= ' ' || c > '~' || memchr("()<>,;:\\\"[]@", c, 12) != NULL || (c == '.' && was_dot))
			return false;
		was_dot = c == '.';
	}
	return !was_dot;
}

static bool put_quoted(struct buffer *out, struct text text)
{
	bool ok = buffer_append(out, TEXT("\""));

	for (size_t i = 0; ok && i < text.length; i++) {
		const unsigned char c = (unsigned char)text.bytes[i];

		if (c < ' ' || c == 0x7f)
			continue;
		ok = ((c != '"' && c != '\\') || buffer_append(out, TEXT("\\"))) &&
		    buffer_append(out, text_part(text, i, 1));
	}
	return ok && buffer_append(out, TEXT("\""));
}

/* Nothing without a value. */
static bool put_pair(struct buffer *out, const char *key, struct text value)
{
	if (value.length == 0)
		return true;
	return buffer_print(out, ";\r\n\t%s=", key) &&
	    (is_dot_atom(value) ? buffer_append(out, value) : put_quoted(out, value));
}

bool received_spf_compose(const struct spf_request *request, const struct spf_verdict *verdict, struct buffer *out)
{
	char room[ENDPOINT_TEXT_MAX];

	return buffer_print(out, "Received-SPF: %s\r\n\tidentity=%s", auth_result_word(verdict->result),
		   verdict->is_helo ? "helo" : "mailfrom") &&
	    put_pair(out, "receiver", request->receiver) &&
	    put_pair(out, "client-ip", endpoint_print_ip(&request->client, room)) &&
	    put_pair(out, "envelope-from", request->sender) && put_pair(out, "helo", request->helo) &&
	    put_pair(out, "mechanism", verdict->mechanism) && put_pair(out, "problem", verdict->reason) &&
	    buffer_append(out, TEXT("\r\n"));
}
