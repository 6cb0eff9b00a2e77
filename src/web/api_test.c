#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "web/api.h"

static const struct {
	const char *method, *path, *query, *body, *expected; /* A request; or, without a brace, what is wrong. */
} calls[] = {
	{ "GET", "/v1/queue", "{}", "", "{\"do\": \"queue list\"}" },
	{ "GET", "/v1/queue", "{\"domain\": \"a.test\", \"limit\": \"5\"}", "", "{\"do\": \"queue list\", \"domain\": \"a.test\", \"limit\": 5}" },
	{ "GET", "/v1/queue", "{\"limit\": \"0\"}", "", "limit" },
	{ "GET", "/v1/queue", "{\"limit\": \"x\"}", "", "limit" },
	{ "GET", "/v1/queue", "{\"domian\": \"a.test\"}", "", "a word of the request is not known" },
	{ "GET", "/v1/queue", "{\"domain\": \"\"}", "", "a word of the request has no text" },
	{ "GET", "/v1/queue/ABC", "{}", "", "{\"do\": \"queue show\", \"id\": \"ABC\"}" },
	{ "GET", "/v1/messages/ABC", "{}", "", "{\"do\": \"trace\", \"about\": \"ABC\"}" },
	{ "GET", "/v1/messages", "{\"about\": \"a@b\"}", "", "{\"do\": \"trace\", \"about\": \"a@b\"}" },
	{ "GET", "/v1/explain", "{\"address\": \"a@b\"}", "", "{\"do\": \"explain\", \"address\": \"a@b\"}" },
	{ "POST", "/v1/queue/retry", "{}", "{\"domain\": \"a.test\"}", "{\"do\": \"queue retry\", \"domain\": \"a.test\"}" },
	{ "POST", "/v1/queue/retry", "{}", "{\"all\": true}", "{\"do\": \"queue retry\"}" },
	{ "POST", "/v1/queue/retry", "{}", "{\"all\": false}", "all is true" },
	{ "POST", "/v1/queue/retry", "{}", "", "say which mail" },
	{ "POST", "/v1/queue/retry", "{}", "[]", "the body is no JSON object" },
	{ "POST", "/v1/queue/retry", "{}", "{\"domain\": 1}", "a word of the request has no text" },
	{ "POST", "/v1/queue/retry", "{}", "{\"do\": \"stop\", \"all\": true}", "a word of the request is not known" },
	{ "POST", "/v1/queue/retry", "{}", "{\"id\": \"A\", \"id\": \"B\"}", "the body is no JSON object" },
	{ "POST", "/v1/queue/destroy", "{}", "{\"all\": true}", "the action is one of" },
	{ "POST", "/v1/messages/ABC/bounce", "{}", "", "{\"do\": \"queue bounce\", \"id\": \"ABC\"}" },
	{ "DELETE", "/v1/messages/ABC", "{}", "", "{\"do\": \"queue delete\", \"id\": \"ABC\"}" },
	{ "POST", "/v1/pauses", "{}", "{\"domain\": \"a.test\"}", "{\"do\": \"queue pause\", \"domain\": \"a.test\"}" },
	{ "DELETE", "/v1/pauses", "{\"domain\": \"a.test\"}", "", "{\"do\": \"queue resume\", \"domain\": \"a.test\"}" },
	{ "GET", "/v1/reports", "{\"domain\": \"a.test\"}", "", "{\"do\": \"reports\", \"domain\": \"a.test\"}" },
	{ "POST", "/v1/reports", "{}", "{\"day\": \"today\"}", "{\"do\": \"reports send\", \"day\": \"today\"}" },
	{ "POST", "/v1/reload", "{}", "", "{\"do\": \"reload\"}" },
};

static void calls_become_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		struct web_call call = { .query = json_loads(calls[i].query, 0, NULL), .body = text_of(calls[i].body) };
		const char *wrong = "";

		assert_int_equal(web_target_find(text_of(calls[i].method), text_of(calls[i].path), &call.target), WEB_FOUND);
		json_t *request = web_api_request(&call, &wrong);
		json_t *expected = json_loads(calls[i].expected, 0, NULL);

		if (expected != NULL && !json_equal(request, expected))
			fail_msg("call %zu: %s", i, request ? json_dumps(request, 0) : wrong);
		if (expected == NULL && (request != NULL || strncmp(wrong, calls[i].expected, strlen(calls[i].expected)) != 0))
			fail_msg("call %zu: %s", i, wrong);
		json_decref(request);
		json_decref(expected);
		json_decref((json_t *)call.query);
	}
}

static void answers_have_a_status(void **state)
{
	static const struct {
		const char *answer;
		unsigned status;
	} answers[] = {
		{ "{\"ok\": true}", 200 },
		{ "{\"ok\": false, \"exit\": 64}", 400 },
		{ "{\"ok\": false, \"exit\": 66}", 404 },
		{ "{\"ok\": false, \"exit\": 75}", 503 },
		{ "{\"ok\": false, \"exit\": 74}", 500 },
		{ "{}", 500 },
	};

	(void)state;
	assert_int_equal(web_api_status(NULL), 503);
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		json_t *answer = json_loads(answers[i].answer, 0, NULL);

		assert_int_equal(web_api_status(answer), answers[i].status);
		json_decref(answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_become_requests),
		cmocka_unit_test(answers_have_a_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
