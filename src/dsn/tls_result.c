#include "dsn/tls_result.h"

#include "base/must.h"

enum {
	IP_MAX = 46,
	HOST_MAX = 255,
	FRONT = 2,  /* Two letters: policy and result. */
	GAPS = 4,   /* A NUL between two fields. */
	LETTER = 'A' - 1
};

_Static_assert(FRONT + GAPS + TLS_RESULT_POLICY_MAX + 2 * IP_MAX + HOST_MAX + TLS_RESULT_REASON_MAX <= TLS_RESULT_ROW_MAX,
    "a row holds the longest of all fields");

const char *tls_policy_type_word(enum tls_policy_type type)
{
	switch (type) {
	case TLS_POLICY_NONE_FOUND:
		return "no-policy-found";
	case TLS_POLICY_STS:
		return "sts";
	case TLS_POLICY_TLSA:
		return "tlsa";
	}
	must(false); /* Decoding takes no other. */
	return "";
}

const char *tls_result_word(enum tls_result_type type)
{
	switch (type) {
#define RESULT(number, name, word)   \
	case TLS_RESULT_##name: \
		return word;
		TLS_RESULT_LIST(RESULT)
#undef RESULT
	}
	must(false);
	return "";
}

/* What ends at a line as long as it may be. */
static struct text whole_lines(struct text policy)
{
	if (policy.length <= TLS_RESULT_POLICY_MAX)
		return policy;

	const struct text part = text_part(policy, 0, TLS_RESULT_POLICY_MAX + 1);
	const size_t end = text_find_byte_last(part, '\n');

	return text_part(policy, 0, end < part.length ? end : 0);
}

static char *put(char *at, struct text field, size_t max)
{
	field = text_part(field, 0, max);
	for (size_t i = 0; i < field.length; i++) {
		const char byte = field.bytes[i];

		*at++ = (byte >= ' ' && byte <= '~') || byte == '\n' ? byte : '?';
	}
	return at;
}

struct text tls_result_encode(const struct tls_result *result, char room[TLS_RESULT_ROW_MAX])
{
	char *at = room;

	*at++ = (char)(LETTER + result->policy);
	*at++ = (char)(LETTER + result->type);
	at = put(at, whole_lines(result->policy_text), TLS_RESULT_POLICY_MAX);
	if (result->type == TLS_RESULT_SUCCESS) /* R2 */
		return (struct text){ room, (size_t)(at - room) };
	*at++ = '\0';
	at = put(at, result->sending_ip, IP_MAX);
	*at++ = '\0';
	at = put(at, result->mx, HOST_MAX);
	*at++ = '\0';
	at = put(at, result->mx_ip, IP_MAX);
	*at++ = '\0';
	at = put(at, result->reason, TLS_RESULT_REASON_MAX);
	return (struct text){ room, (size_t)(at - room) };
}

bool tls_result_decode(struct text row, struct tls_result *out_result)
{
	struct tls_result result = { 0 };
	struct text rest = text_from(row, FRONT);
	struct text *const fields[] = { &result.policy_text, &result.sending_ip, &result.mx, &result.mx_ip, &result.reason };

	if (row.length < FRONT)
		return false;
	result.policy = (enum tls_policy_type)(row.bytes[0] - LETTER);
	result.type = (enum tls_result_type)(row.bytes[1] - LETTER);
	if (result.policy < TLS_POLICY_NONE_FOUND || result.policy > TLS_POLICY_TLSA ||
	    result.type < TLS_RESULT_SUCCESS || result.type > TLS_RESULT_STS_WEBPKI_INVALID)
		return false;
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (!text_cut(&rest, '\0', fields[i]))
			break;
	*out_result = result;
	return rest.bytes == NULL;
}
