/* Reports of TLS (RFC 8460 §4.4). */
#include <jansson.h>

#include "mail/date.h"
#include "reports/reading.h"

/* -- Bounds ---------------------------------------------------------------------------------------- */

/* What the JSON would make us hold, found before it is read: nesting and values (D1). */
static bool is_bounded(struct text json)
{
	unsigned depth = 0;
	size_t values = 1;
	bool quoted = false;

	for (size_t i = 0; i < json.length; i++) {
		const char c = json.bytes[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
			continue;
		}
		quoted = c == '"';
		values += c == ',' || c == '{' || c == '[';
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > READING_DEPTH_MAX || values > READING_VALUES_MAX)
			return false;
	}
	return true;
}

/* -- Members ------------------------------------------------------------------------------------------ */

struct reader {
	struct arena *arena;
	size_t rows;
	bool no_memory;
};

/* Cut at READING_TEXT_MAX; empty if there is none. */
static struct text member_text(struct reader *reader, const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);
	struct text text = { json_string_value(member), json_string_length(member) }, copy = TEXT_EMPTY;

	if (text.length > READING_TEXT_MAX)
		text.length = READING_TEXT_MAX;
	while (!text_is_utf8(text) && text.length > 0)
		text.length--;
	if (!arena_copy(reader->arena, text, &copy))
		reader->no_memory = true;
	return copy;
}

/* A domain. */
static struct text member_name(struct reader *reader, const json_t *object, const char *key)
{
	const struct text name = member_text(reader, object, key);

	for (size_t i = 0; i < name.length; i++)
		((char *)name.bytes)[i] = byte_lower(name.bytes[i]);
	return name;
}

static bool member_count(const json_t *object, const char *key, uint64_t *out_count)
{
	static const json_int_t count_max = 1000000000000000;
	const json_t *member = json_object_get(object, key);

	if (!json_is_integer(member) || json_integer_value(member) < 0 || json_integer_value(member) > count_max)
		return false;
	*out_count = (uint64_t)json_integer_value(member);
	return true;
}

static bool member_moment(const json_t *object, const char *key, int64_t *out_s)
{
	const json_t *member = json_object_get(object, key);
	int64_t ms;

	if (!date_parse_rfc3339((struct text){ json_string_value(member), json_string_length(member) }, &ms))
		return false;
	*out_s = ms / 1000;
	return true;
}

/* -- The whole ------------------------------------------------------------------------------------------ */

static void *row(struct reader *reader, size_t size)
{
	void *room = reader->rows < READING_ROWS_MAX ? arena_alloc(reader->arena, size) : NULL;

	reader->rows++;
	if (room == NULL)
		reader->no_memory = true;
	return room;
}

/* NULL: all is well. Static. */
static const char *read_failures(struct reader *reader, const json_t *list, struct tls_policy_reading *policy)
{
	struct tls_failure **end = &policy->failures;
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		struct tls_failure *failure = row(reader, sizeof *failure);

		if (failure == NULL)
			return NULL;
		*failure = (struct tls_failure){ .result = member_text(reader, item, "result-type"),
			.mx = member_name(reader, item, "receiving-mx-hostname"),
			.mx_ip = member_text(reader, item, "receiving-ip"),
			.sending_ip = member_text(reader, item, "sending-mta-ip"),
			.reason = member_text(reader, item, "failure-reason-code") };
		if (failure->result.length == 0 || !member_count(item, "failed-session-count", &failure->count))
			return "a failure has no result-type or no count";
		*end = failure;
		end = &failure->next;
	}
	return NULL;
}

static const char *read_policies(struct reader *reader, const json_t *list, struct tls_reading *reading)
{
	struct tls_policy_reading **end = &reading->policies;
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const json_t *summary = json_object_get(item, "summary"), *about = json_object_get(item, "policy");
		struct tls_policy_reading *policy = row(reader, sizeof *policy);
		const char *trouble;

		if (policy == NULL)
			return NULL;
		*policy = (struct tls_policy_reading){ .type = member_text(reader, about, "policy-type"),
			.domain = member_name(reader, about, "policy-domain") };
		if (policy->type.length == 0 || policy->domain.length == 0)
			return "a policy has no type or no domain";
		if (!member_count(summary, "total-successful-session-count", &policy->succeeded) ||
		    !member_count(summary, "total-failure-session-count", &policy->failed))
			return "a policy has no summary";
		trouble = read_failures(reader, json_object_get(item, "failure-details"), policy);
		if (trouble != NULL)
			return trouble;
		*end = policy;
		end = &policy->next;
	}
	return reading->policies != NULL ? NULL : "it is not about TLS";
}

static const char *read_report(struct reader *reader, const json_t *json, struct tls_reading *reading)
{
	const json_t *range = json_object_get(json, "date-range");

	if (!json_is_array(json_object_get(json, "policies")))
		return "it is not about TLS";
	reading->organization = member_text(reader, json, "organization-name");
	reading->id = member_text(reader, json, "report-id");
	if (!member_moment(range, "start-datetime", &reading->begin_s) || !member_moment(range, "end-datetime", &reading->end_s))
		return "it has no range of time";
	return read_policies(reader, json_object_get(json, "policies"), reading);
}

enum error tls_reading_make(struct text json, struct arena *arena, struct tls_reading *out_reading, struct text *out_trouble)
{
	struct reader reader = { .arena = arena };
	struct tls_reading reading = { 0 };
	json_error_t mistake;
	const char *trouble;
	json_t *root;

	if (json.length > READING_JSON_MAX || !is_bounded(json)) {
		*out_trouble = TEXT("it is too long, or nested too deep");
		return ERR_SYNTAX;
	}
	root = json_loadb(json.length > 0 ? json.bytes : "", json.length, 0, &mistake);
	if (root == NULL) {
		if (!arena_print(arena, out_trouble, "line %d: %s", mistake.line, mistake.text))
			return ERR_NO_MEMORY;
		return ERR_SYNTAX;
	}
	trouble = read_report(&reader, root, &reading);
	json_decref(root);
	if (reader.no_memory)
		return ERR_NO_MEMORY;
	if (trouble != NULL) {
		*out_trouble = text_of(trouble);
		return ERR_SYNTAX;
	}
	*out_reading = reading;
	return OK;
}
