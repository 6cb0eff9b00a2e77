#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/auth_results.h"
#include "auth/author.h"
#include "auth/received_spf.h"
#include "auth/test_facts.h"

static void what_was_found_is_said(void **state)
{
	struct buffer out;
	const struct spf_verdict spf = { .result = AUTH_PASS, .domain = TEXT("example.org") };
	struct signature signature = { .domain = TEXT("bad \"one\"\r\n; x=y"),
		.selector = TEXT("s"),
		.algorithm = TEXT("rsa-sha256"),
		.hole = TEXT(" ab\r\n cdefghij") };
	const struct dkim_finding dkim = {
		.result = AUTH_FAIL, .reason = "the body was changed", .signature = &signature
	};
	const struct auth_results results = { .authserv_id = TEXT("mx.here.test"),
		.spf = &spf,
		.dkim = &dkim,
		.dkim_count = 1,
		.dkim_used = true };

	(void)state;
	buffer_init(&out, 4096);
	assert_true(auth_results_compose(&results, &out));
	assert_true(text_equal(buffer_text(&out),
	    TEXT(
		"Authentication-Results: mx.here.test;\r\n\tspf=pass smtp.mailfrom=example.org;\r\n\tdkim=fail reason=\"the body "
		"was changed\" header.d=\"bad \\\"one\\\"; x=y\" header.s=s header.a=rsa-sha256 header.b=abcdefgh\r\n")));
	buffer_clear(&out);
	struct spf_verdict helo = { .result = AUTH_FAIL, .is_helo = true, .domain = TEXT("c.test") };
	const struct auth_results both = { .authserv_id = TEXT("a.test"), .spf = &spf, .spf_helo = &helo };

	assert_true(auth_results_compose(&both, &out));
	assert_true(text_equal(buffer_text(&out),
	    TEXT("Authentication-Results: a.test;\r\n\tspf=pass smtp.mailfrom=example.org;\r\n\tspf=fail smtp.helo=c.test\r\n")));
	buffer_clear(&out);
	helo.result = AUTH_NONE;
	assert_true(auth_results_compose(&both, &out));
	assert_true(text_equal(
	    buffer_text(&out), TEXT("Authentication-Results: a.test;\r\n\tspf=pass smtp.mailfrom=example.org\r\n")));
	buffer_clear(&out);
	assert_true(auth_results_compose(
	    &(struct auth_results){ .authserv_id = TEXT("a.test"), .dkim_used = true }, &out));
	assert_true(
	    text_equal(buffer_text(&out), TEXT("Authentication-Results: a.test;\r\n\tdkim=none\r\n")));
	buffer_clear(&out);
	assert_true(auth_results_compose(&(struct auth_results){ .authserv_id = TEXT("a.test") }, &out));
	assert_true(text_equal(buffer_text(&out), TEXT("Authentication-Results: a.test; none\r\n")));
	buffer_done(&out);
}

static void what_spf_found_is_said(void **state)
{
	struct spf_request request = { .helo = TEXT("c.test"), .sender = TEXT("\"a\r\nb\"@far.test"), .receiver = TEXT("mx.here.test") };
	const struct spf_verdict verdicts[] = { { .result = AUTH_PASS, .mechanism = TEXT("ip4:192.0.2.0/24") },
		{ .result = AUTH_TEMPERROR, .is_helo = true, .reason = TEXT("no answer") } };
	struct buffer out;

	(void)state;
	buffer_init(&out, 4096);
	assert_true(endpoint_parse_ip(TEXT("2001:db8::1"), &request.client));
	assert_true(received_spf_compose(&request, &verdicts[0], &out));
	assert_true(text_equal(buffer_text(&out),
	    TEXT("Received-SPF: pass\r\n\tidentity=mailfrom;\r\n\treceiver=mx.here.test;\r\n\tclient-ip=\"2001:db8::1\";\r\n\t"
		 "envelope-from=\"\\\"ab\\\"@far.test\";\r\n\thelo=c.test;\r\n\tmechanism=\"ip4:192.0.2.0/24\"\r\n")));
	buffer_clear(&out);
	request.sender = TEXT_EMPTY;
	assert_true(endpoint_parse_ip(TEXT("192.0.2.1"), &request.client));
	assert_true(received_spf_compose(&request, &verdicts[1], &out));
	assert_true(text_equal(buffer_text(&out),
	    TEXT("Received-SPF: temperror\r\n\tidentity=helo;\r\n\treceiver=mx.here.test;\r\n\tclient-ip=192.0.2.1;\r\n\t"
		 "helo=c.test;\r\n\tproblem=\"no answer\"\r\n")));
	buffer_done(&out);
}

static void who_speaks_in_our_name(void **state)
{
	static const struct {
		const char *value;
		bool ours;
	} rows[] = {
		{ " mx.here.test; spf=pass", true },
		{ " MX.Here.TEST 1; spf=pass", true },
		{ " (a (nested) \\) comment)\r\n\tmx.here.test;none", true },
		{ "\"mx.here.test\"; spf=pass", true },
		{ "\"mx.\\here.test\"; spf=pass", true },
		{ " mx.here.test.; spf=pass", true },
		{ "mx.here.test(comment); spf=pass", true },
		{ "mx.here.test", true },
		{ " (without end", true },
		{ "\"without end", true },
		{ "", true },
		{ " other.test; spf=pass header.from=mx.here.test", false },
		{ " xmx.here.test; spf=pass", false },
		{ " mx.here.test.example; spf=pass", false },
		{ "\"mx.here.tes\"; spf=pass", false },
		{ " (mx.here.test) other.test; spf=pass", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("%s\n", rows[i].value);
		assert_int_equal(
		    auth_results_claims(text_of(rows[i].value), TEXT("mx.here.test")), rows[i].ours);
	}
}

static void the_name_of_a_client(void **state)
{
	static const struct fact world[] = {
		{ QUESTION_PTR, "1.2.0.192.in-addr.arpa", "liar.test" },
		{ QUESTION_PTR, "1.2.0.192.in-addr.arpa", "mail.test." },
		{ QUESTION_A, "liar.test", "192.0.2.9" },
		{ QUESTION_A, "mail.test", "192.0.2.9" },
		{ QUESTION_A, "mail.test", "192.0.2.1" },
		{ QUESTION_PTR, "2.2.0.192.in-addr.arpa", "liar.test" },
		{ QUESTION_PTR, "3.2.0.192.in-addr.arpa", NULL },
		{ QUESTION_PTR, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6.arpa",
		    "six.test" },
		{ QUESTION_AAAA, "six.test", "2001:db8::1" },
	};
	static const char *const rows[][3] = { { "192.0.2.1", "pass", "mail.test" },
		{ "192.0.2.2", "fail", "" }, { "192.0.2.3", "temperror", "" },
		{ "192.0.2.4", "permerror", "" }, { "2001:db8::1", "pass", "six.test" } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena *arena = arena_new(1 << 16);
		struct facts facts = FACTS(world);
		struct endpoint client;
		struct iprev iprev;

		assert_true(endpoint_parse_ip(text_of(rows[i][0]), &client));
		iprev_start(&iprev, &client, arena);
		facts_satisfy(&facts, iprev, &iprev);
		assert_string_equal(auth_result_word(iprev_result(&iprev)), rows[i][1]);
		assert_true(text_equal(iprev_name(&iprev), text_of(rows[i][2])));
		arena_free(arena);
	}
}

static void the_author_is_one_domain(void **state)
{
	static const char *const rows[][2] = {
		{ "From: A <a@Example.org>\r\n", "example.org" },
		{ "from : a@example.org\r\n", "example.org" },
		{ "FROM:\r\n\t\"a@evil.test\" <a@example.org>\r\n", "example.org" },
		{ "From: a@example.org, B <b@EXAMPLE.org>\r\n", "example.org" },
		{ "From: Staff: a@example.org;\r\n", "example.org" },
		{ "From: \xc3\xa9 <\xc3\xa9@b\xc3\xbc"
		  "cher.example>\r\n",
		    "xn--bcher-kva.example" },
		{ "From: \xff\xfe <a@example.org>\r\n", "example.org" },
		{ "From: a@example.org, b@evil.test\r\n", NULL },
		{ "From: a@example.org\r\nFrom: a@example.org\r\n", NULL },
		{ "From : a@example.org\r\nFrom: a@evil.test\r\n", NULL },
		{ "From: Nobody:;\r\n", NULL },
		{ "From:\r\n", NULL },
		{ "From: a\r\n", NULL },
		{ "From: a@[192.0.2.1]\r\n", NULL },
		{ "From: <a@example.org\r\n", NULL },
		{ "Subject: x\r\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena *arena = arena_new(1 << 16);
		struct header_index index;
		struct text domain;
		const char *reason = NULL;

		print_message("%s", rows[i][0]);
		assert_int_equal(header_index_make(text_of(rows[i][0]), arena, &index), OK);
		assert_int_equal(
		    author_domain(&index, arena, &domain, &reason), rows[i][1] ? OK : ERR_SYNTAX);
		if (rows[i][1] != NULL)
			assert_true(text_equal(domain, text_of(rows[i][1])));
		else
			assert_non_null(reason);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_was_found_is_said),
		cmocka_unit_test(what_spf_found_is_said),
		cmocka_unit_test(who_speaks_in_our_name), cmocka_unit_test(the_name_of_a_client),
		cmocka_unit_test(the_author_is_one_domain) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
