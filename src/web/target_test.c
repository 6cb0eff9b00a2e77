#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "web/target.h"

static const struct {
	const char *method, *path;
	enum web_match match;
	const char *verb, *first, *second;
} targets[] = {
	{ "GET", "/healthz", WEB_FOUND, NULL, "", "" },
	{ "HEAD", "/healthz", WEB_FOUND, NULL, "", "" },
	{ "POST", "/healthz", WEB_NO_METHOD, NULL, "", "" },
	{ "GET", "/v1/queue", WEB_FOUND, "queue list", "", "" },
	{ "GET", "/v1/queue/", WEB_NO_PATH, NULL, "", "" },
	{ "GET", "/v1/queue/ABC", WEB_FOUND, "queue show", "ABC", "" },
	{ "GET", "/v1/webhooks", WEB_FOUND, "webhooks", "", "" },
	{ "POST", "/v1/webhooks", WEB_NO_METHOD, NULL, "", "" },
	{ "POST", "/v1/queue/retry", WEB_FOUND, NULL, "retry", "" },
	{ "POST", "/v1/messages/ABC/hold", WEB_FOUND, NULL, "ABC", "hold" },
	{ "DELETE", "/v1/messages/ABC", WEB_FOUND, "queue delete", "ABC", "" },
	{ "GET", "/v1/messages/ABC/hold/more", WEB_NO_PATH, NULL, "", "" },
	{ "GET", "/v1/messages//hold", WEB_NO_PATH, NULL, "", "" },
	{ "GET", "", WEB_NO_PATH, NULL, "", "" },
	{ "GET", "//healthz", WEB_NO_PATH, NULL, "", "" },
	{ "GET", "/healthz/", WEB_NO_PATH, NULL, "", "" },
	{ "GET", "/../healthz", WEB_NO_PATH, NULL, "", "" },
};

static void paths_lead_to_endpoints(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		struct web_target target = { 0 };

		assert_int_equal(web_target_find(text_of(targets[i].method), text_of(targets[i].path), &target), targets[i].match);
		if (targets[i].match != WEB_FOUND)
			continue;
		assert_true(text_equal(text_of(target.endpoint->verb), text_of(targets[i].verb)));
		assert_true(text_equal(target.first, text_of(targets[i].first)));
		assert_true(text_equal(target.second, text_of(targets[i].second)));
	}
}

static void hosts_of_this_machine_are_known(void **state)
{
	static const char *const local[] = { "localhost", "LOCALHOST:8025", "127.0.0.1", "127.0.0.1:8025", "127.1.2.3:1", "[::1]", "[::1]:8025" };
	static const char *const others[] = { "", "example.org", "localhost.example.org", "127.0.0.1.example.org", "192.0.2.1:8025",
		"[2001:db8::1]", "unix:/run/x", "evil.test:8025" };

	(void)state;
	for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
		assert_true(web_host_is_local(text_of(local[i])));
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_false(web_host_is_local(text_of(others[i])));
}

static void pages_of_others_are_known(void **state)
{
	(void)state;
	assert_true(web_origin_is_host(TEXT("http://localhost:8025"), TEXT("localhost:8025")));
	assert_true(web_origin_is_host(TEXT("https://mail.example.org"), TEXT("MAIL.example.org")));
	assert_false(web_origin_is_host(TEXT("https://evil.test"), TEXT("localhost:8025")));
	assert_false(web_origin_is_host(TEXT("http://localhost:80250"), TEXT("localhost:8025")));
	assert_false(web_origin_is_host(TEXT("null"), TEXT("null")));
	assert_false(web_origin_is_host(TEXT("localhost:8025"), TEXT("localhost:8025")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_lead_to_endpoints),
		cmocka_unit_test(hosts_of_this_machine_are_known),
		cmocka_unit_test(pages_of_others_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
