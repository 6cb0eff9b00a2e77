#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "web/rules.h"

/* Of "secret" and of "other". */
#define SECRET "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
#define OTHER "D9298A10D1B0735837DC4BD85DAC641B0F3CEF27A47E5D53A54F2F3F5B2FCFFA"

static const char file[] = "# who may ask\n\nprometheus:" SECRET ":metrics\r\noperator:" OTHER ":read, change\n";

static struct web_tokens *read_file(const char *bytes, struct buffer *complaints)
{
	buffer_init(complaints, 4096);
	return web_tokens_new("tokens", text_of(bytes), complaints);
}

static void tokens_have_scopes(void **state)
{
	struct buffer complaints;
	struct web_tokens *tokens = read_file(file, &complaints);
	struct text name = TEXT_EMPTY;

	(void)state;
	assert_non_null(tokens);
	assert_int_equal(web_tokens_scopes(tokens, TEXT("secret"), &name), WEB_METRICS);
	assert_true(text_equal(name, TEXT("prometheus")));
	assert_int_equal(web_tokens_scopes(tokens, TEXT("other"), &name), WEB_READ | WEB_CHANGE);
	assert_int_equal(web_tokens_scopes(tokens, TEXT(SECRET), &name), 0);
	assert_int_equal(web_tokens_scopes(tokens, TEXT(""), &name), 0);
	web_tokens_free(tokens);
	buffer_done(&complaints);
}

static void wrong_lines_are_told(void **state)
{
	static const struct {
		const char *file, *begin;
	} wrong[] = {
		{ "\nname\n", "tokens:2: this line is not NAME:SHA256:SCOPES" },
		{ ":" SECRET ":read\n", "tokens:1: this line is not" },
		{ "a:12:read\n", "tokens:1: this line has no SHA-256" },
		{ "a:" SECRET ":read,all\n", "tokens:1: this line has a scope that there is not" },
		{ "a:" SECRET ":\n", "tokens:1: this line has a scope" },
		{ "a:" SECRET "\n", "tokens:1: this line has a scope" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct buffer complaints;

		assert_null(read_file(wrong[i].file, &complaints));
		assert_true(text_starts(buffer_text(&complaints), text_of(wrong[i].begin)));
		buffer_done(&complaints);
	}
}

static const struct {
	bool has_tokens;
	const char *host, *origin, *authorization;
	unsigned scope, status;
} visits[] = {
	{ false, "localhost:8025", "", "", WEB_ADMIN, 0 },
	{ false, "localhost:8025", "http://localhost:8025", "", WEB_CHANGE, 0 },
	{ false, "localhost:8025", "http://evil.test", "", WEB_CHANGE, 403 },
	{ false, "localhost:8025", "null", "", WEB_CHANGE, 403 },
	{ false, "evil.test:8025", "", "", WEB_READ, 403 },
	{ false, "evil.test:8025", "http://evil.test:8025", "", WEB_READ, 403 },
	{ false, "", "", "", WEB_READ, 403 },
	{ false, "evil.test", "", "", 0, 0 },
	{ true, "mail.example.org", "", "Bearer other", WEB_READ, 0 },
	{ true, "mail.example.org", "", "bearer  other ", WEB_CHANGE, 0 },
	{ true, "mail.example.org", "", "Bearer other", WEB_ADMIN, 403 },
	{ true, "mail.example.org", "", "Bearer secret", WEB_READ, 403 },
	{ true, "mail.example.org", "", "Bearer wrong", WEB_READ, 401 },
	{ true, "localhost", "", "", WEB_READ, 401 },
	{ true, "localhost", "", "Basic other", WEB_READ, 401 },
	{ true, "localhost", "", "Bearer ", WEB_READ, 401 },
	{ true, "localhost", "http://evil.test", "Bearer other", WEB_READ, 403 },
	{ true, "localhost", "", "", 0, 0 },
};

static void policies_are_for_our_domains(void **state)
{
	const struct text domains[] = { TEXT("example.org"), TEXT("example.net") };
	const struct web_rules_settings settings = { .policy = TEXT("version: STSv1\r\n"), .domains = domains, .domain_count = 2 };
	struct web_rules *rules = web_rules_new(&settings, NULL);

	(void)state;
	assert_true(text_equal(web_rules_policy(rules, TEXT("mta-sts.example.org")), settings.policy));
	assert_true(text_equal(web_rules_policy(rules, TEXT("MTA-STS.example.net:443")), settings.policy));
	assert_int_equal(web_rules_policy(rules, TEXT("mta-sts.example.com")).length, 0);
	assert_int_equal(web_rules_policy(rules, TEXT("example.org")).length, 0);
	assert_int_equal(web_rules_policy(rules, TEXT("mta-sts.")).length, 0);
	assert_int_equal(web_rules_policy(rules, TEXT("")).length, 0);
	web_rules_unref(rules);
}

static void visitors_are_judged(void **state)
{
	struct buffer complaints;

	(void)state;
	buffer_init(&complaints, 4096);
	for (size_t i = 0; i < sizeof visits / sizeof visits[0]; i++) {
		const struct web_rules_settings settings = { .name = "tokens", .tokens = text_of(file), .has_tokens = visits[i].has_tokens };
		const struct web_visitor visitor = { text_of(visits[i].host), text_of(visits[i].origin), text_of(visits[i].authorization) };
		struct web_rules *rules = web_rules_new(&settings, &complaints);
		const char *why;

		assert_int_equal(web_rules_judge(rules, &visitor, visits[i].scope, &why), visits[i].status);
		web_rules_unref(rules);
	}
	buffer_done(&complaints);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_have_scopes),
		cmocka_unit_test(wrong_lines_are_told),
		cmocka_unit_test(policies_are_for_our_domains),
		cmocka_unit_test(visitors_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
