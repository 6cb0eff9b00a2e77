/* Entries, reasons and silence of lists in the DNS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/dns_list.h"
#include "base/must.h"

static struct arena *arena;
static struct network replies[2];
static struct dns_list_settings settings = { .zone = TEXT("list.test"), .weight = 1, .replies = replies };

static void start(struct dns_list *list, const char *subject)
{
	struct endpoint client;

	must(network_parse(TEXT("127.0.0.0/24"), &replies[0]) && network_parse(TEXT("127.0.2.3"), &replies[1]));
	settings.reply_count = 2;
	settings.of_domains = !endpoint_parse_ip(text_of(subject), &client);
	if (settings.of_domains)
		dns_list_start_domain(list, &settings, text_of(subject), arena);
	else
		dns_list_start_address(list, &settings, &client, arena);
}

static void answer(struct dns_list *list, enum answer_status status, const char *ip, const char *text)
{
	struct answer_record record = { .text = text_of(text) };
	const struct answer whole = { status, &record, status == ANSWER_FOUND };

	must(ip == NULL || endpoint_parse_ip(text_of(ip), &record.address));
	dns_list_answer(list, &whole);
}

static void names(void **state)
{
	static const char *const cases[][2] = {
		{ "192.0.2.99", "99.2.0.192.list.test" },
		{ "2001:db8:1:2:3:4:567:89ab",
		    "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.list.test" }, /* RFC 5782 §2.4 */
		{ "invalid.test", "invalid.test.list.test" },
		{ "invalid.test.", "invalid.test.list.test" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dns_list list;
		struct question question;

		start(&list, cases[i][0]);
		assert_true(dns_list_question(&list, &question));
		assert_int_equal(question.type, QUESTION_A);
		if (!text_equal_nocase(question.name, text_of(cases[i][1])))
			fail_msg("%.*s", TEXT_FORMAT(question.name));
	}
}

static void results(void **state)
{
	static const struct {
		enum answer_status status;
		const char *reply;
		enum dns_list_result result;
	} cases[] = {
		{ ANSWER_FOUND, "127.0.0.2", DNS_LIST_LISTED }, { ANSWER_FOUND, "127.0.2.3", DNS_LIST_LISTED },
		{ ANSWER_FOUND, "127.0.2.4", DNS_LIST_FAILED }, { ANSWER_FOUND, "127.255.255.254", DNS_LIST_FAILED },
		{ ANSWER_ABSENT, NULL, DNS_LIST_CLEAR }, { ANSWER_EMPTY, NULL, DNS_LIST_CLEAR },
		{ ANSWER_FAILED, NULL, DNS_LIST_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dns_list list;
		struct question question;

		start(&list, "192.0.2.1");
		answer(&list, cases[i].status, cases[i].reply, "");
		assert_int_equal(list.result, cases[i].result);
		assert_int_equal(dns_list_question(&list, &question), cases[i].result == DNS_LIST_LISTED);
	}
}

static void reasons(void **state)
{
	struct dns_list list;
	struct question question;
	char much[300];

	(void)state;
	start(&list, "192.0.2.1");
	answer(&list, ANSWER_FOUND, "127.0.0.2", "");
	assert_true(dns_list_question(&list, &question));
	assert_int_equal(question.type, QUESTION_TXT);
	answer(&list, ANSWER_FOUND, NULL, "bad\r\n250 \xc3\xa9 see http://list.test/ ");
	assert_true(text_equal(list.reason, TEXT("bad??250 ?? see http://list.test/")));
	assert_false(dns_list_question(&list, &question));

	memset(much, 'x', sizeof much - 1);
	much[sizeof much - 1] = '\0';
	start(&list, "192.0.2.1");
	answer(&list, ANSWER_FOUND, "127.0.0.2", "");
	answer(&list, ANSWER_FOUND, NULL, much);
	assert_int_equal(list.reason.length, DNS_LIST_REASON_MAX);

	/* No reason is no answer of the list, and no doubt about the entry. */
	start(&list, "192.0.2.1");
	answer(&list, ANSWER_FOUND, "127.0.0.2", "");
	answer(&list, ANSWER_FAILED, NULL, "");
	assert_int_equal(list.result, DNS_LIST_LISTED);
	assert_int_equal(list.reason.length, 0);

	settings.allows = true;
	start(&list, "192.0.2.1");
	answer(&list, ANSWER_FOUND, "127.0.0.2", "");
	assert_false(dns_list_question(&list, &question));
	settings.allows = false;
}

static int make_arena(void **state)
{
	(void)state;
	arena = arena_new(1 << 20);
	return arena ? 0 : -1;
}

static int drop_arena(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(names), cmocka_unit_test(results), cmocka_unit_test(reasons) };

	return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
