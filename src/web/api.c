#include "web/api.h"

#include <string.h>
#include <sysexits.h>

/* What a call may say, in its query or its body; anything else is a mistake that would widen what is hit. */
static const char *const words[] = { "sender", "recipient", "domain", "user", "state", "host", "error", "older", "id", "after",
	"limit", "via", "address", "from", "about", "event", "since", "day", "all" };

static const char *const actions[] = { "retry", "hold", "release", "delete", "expire", "bounce", "reroute" };

static bool is_known(const char *word)
{
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

static bool is_action(struct text word)
{
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (text_equal(word, text_of(actions[i])))
			return true;
	return false;
}

/* A limit is a number to the server, and a text in a query. */
static bool put_limit(json_t *request, const json_t *value)
{
	uint64_t limit = 0;

	if (json_is_integer(value) && json_integer_value(value) > 0)
		limit = (uint64_t)json_integer_value(value);
	else if (!json_is_string(value) || !text_to_u64(text_of(json_string_value(value)), &limit))
		return false;
	return limit > 0 && limit < INT32_MAX && json_object_set_new(request, "limit", json_integer((json_int_t)limit)) == 0;
}

static const char *put_words(json_t *request, const json_t *from)
{
	const json_t *value;
	const char *key;

	json_object_foreach ((json_t *)from, key, value) {
		if (!is_known(key))
			return "a word of the request is not known";
		if (strcmp(key, "limit") == 0) {
			if (!put_limit(request, value))
				return "limit is no number above 0";
		} else if (strcmp(key, "all") == 0) {
			if (!json_is_true(value))
				return "all is true, or not given";
			json_object_set_new(request, "all", json_true());
		} else if (!json_is_string(value) || json_string_length(value) == 0) {
			return "a word of the request has no text";
		} else {
			json_object_set(request, key, (json_t *)value);
		}
	}
	return NULL;
}

static const char *put_body(json_t *request, struct text body)
{
	json_t *object;
	const char *wrong;

	if (body.length == 0)
		return NULL;
	object = json_loadb(body.bytes, body.length, JSON_REJECT_DUPLICATES, NULL);
	wrong = json_is_object(object) ? put_words(request, object) : "the body is no JSON object";
	json_decref(object);
	return wrong;
}

static const char *put_text(json_t *request, const char *key, struct text value)
{
	return json_object_set_new(request, key, json_stringn(value.bytes, value.length)) == 0 ? NULL : "the path is not UTF-8";
}

/* The verb, and what the path says of the rest. */
static const char *put_target(json_t *request, const struct web_target *target)
{
	const struct web_endpoint *endpoint = target->endpoint;
	const bool of_one = target->second.length > 0;
	const struct text action = of_one ? target->second : target->first;
	char verb[32] = "queue ";

	if (endpoint->verb != NULL) {
		json_object_set_new(request, "do", json_string(endpoint->verb));
		if (target->first.length == 0)
			return NULL;
		return put_text(request, strcmp(endpoint->verb, "trace") == 0 ? "about" : "id", target->first);
	}
	if (!is_action(action))
		return "the action is one of retry, hold, release, delete, expire, bounce and reroute";
	memcpy(verb + 6, action.bytes, action.length);
	json_object_set_new(request, "do", json_string(verb));
	return of_one ? put_text(request, "id", target->first) : NULL;
}

static bool has_filter(const json_t *request)
{
	static const char *const filters[] = { "sender", "recipient", "domain", "user", "state", "host", "error", "older", "id" };

	for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
		if (json_object_get(request, filters[i]) != NULL)
			return true;
	return false;
}

bool web_api_is_change(const json_t *request)
{
	const char *verb = json_string_value(json_object_get(request, "do"));

	return verb != NULL && strncmp(verb, "queue ", 6) == 0 && (is_action(text_of(verb + 6)) || strcmp(verb, "queue resume") == 0);
}

json_t *web_api_request(const struct web_call *call, const char **out_wrong)
{
	json_t *request = json_object();
	const char *wrong = put_words(request, call->query);

	if (wrong == NULL)
		wrong = put_body(request, call->body);
	if (wrong == NULL)
		wrong = put_target(request, &call->target);
	/* Who forgets the filter must not hit everything. */
	if (wrong == NULL && web_api_is_change(request) && !has_filter(request) && json_object_get(request, "all") == NULL)
		wrong = "say which mail: by a filter, or all = true";
	json_object_del(request, "all");
	if (wrong == NULL)
		return request;
	*out_wrong = wrong;
	json_decref(request);
	return NULL;
}

unsigned web_api_status(const json_t *answer)
{
	if (answer == NULL)
		return 503;
	if (json_is_true(json_object_get(answer, "ok")))
		return 200;
	switch (json_integer_value(json_object_get(answer, "exit"))) {
	case EX_USAGE:
		return 400;
	case EX_NOINPUT:
		return 404;
	case EX_DATAERR:
		return 422;
	case EX_TEMPFAIL:
	case EX_UNAVAILABLE:
		return 503;
	default:
		return 500;
	}
}

json_t *web_api_failure(const char *why)
{
	return json_pack("{s:b, s:s}", "ok", 0, "error", why);
}
