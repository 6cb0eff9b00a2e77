#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/header.h"
#include "mail/received.h"

static struct received sample(const struct endpoint *client)
{
	return (struct received){
		.helo = TEXT("client.test"),
		.client = client,
		.hostname = TEXT("mail.example.org"),
		.protocol = TEXT("ESMTP"),
		.recipient = TEXT("user@example.org"),
		.unix_ms = 1795494481123,
	};
}

static struct endpoint ip(const char *text)
{
	struct endpoint endpoint;

	assert_true(endpoint_parse_ip(text_of(text), &endpoint));
	return endpoint;
}

static void check(const struct received *received, const char *expected)
{
	struct buffer out;

	buffer_init(&out, 4096);
	assert_true(received_print(received, &out));
	if (!text_equal(buffer_text(&out), text_of(expected)))
		fail_msg("%.*s", TEXT_FORMAT(buffer_text(&out)));
	buffer_done(&out);
}

static void clauses_stand_in_the_order_of_the_rfc(void **state)
{
	const struct endpoint ip4 = ip("192.0.2.1"), ip6 = ip("2001:db8::1");
	const struct endpoint local = { .family = ENDPOINT_UNIX };
	struct received received = sample(&ip4);

	(void)state;
	check(&received,
	    "Received: from client.test ([192.0.2.1])\r\n\tby mail.example.org (postroad)\r\n"
	    "\twith ESMTP id 0000000000000\r\n\tfor <user@example.org>;\r\n\tTue, 24 Nov 2026 04:28:01 +0000\r\n");
	received.client = &ip6;
	received.recipient = TEXT_EMPTY;
	check(&received,
	    "Received: from client.test ([IPv6:2001:db8::1])\r\n\tby mail.example.org (postroad)\r\n"
	    "\twith ESMTP id 0000000000000;\r\n\tTue, 24 Nov 2026 04:28:01 +0000\r\n");
	/* Whoever owns the reverse zone owns this word. */
	received.client_name = TEXT("a.test) by b(");
	check(&received,
	    "Received: from client.test (a.test??by?b? [IPv6:2001:db8::1])\r\n\tby mail.example.org (postroad)\r\n"
	    "\twith ESMTP id 0000000000000;\r\n\tTue, 24 Nov 2026 04:28:01 +0000\r\n");
	received.client = &local;
	received.user = TEXT("uid 1000");
	received.protocol = TEXT("local");
	check(&received,
	    "Received: by mail.example.org (postroad, from uid 1000)\r\n\twith local id 0000000000000;\r\n"
	    "\tTue, 24 Nov 2026 04:28:01 +0000\r\n");
}

/* Whatever it is: one field, no byte that ends it, and no clause that we did not write. */
static void hostile_names_stay_one_word(void **state)
{
	static const struct text hostile[] = {
		{ "", 0 },
		{ "a\r\nBcc: x", 9 },
		{ "a\0b", 3 },
		{ "a by evil.test (postroad) with ESMTPS id 1; x", 46 },
		{ "(((((", 5 },
		{ "\"\\", 2 },
		{ "\xc3\xbc\xff\x80", 4 },
	};
	const struct endpoint client = ip("192.0.2.1");

	(void)state;
	for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
		struct received received = sample(&client);
		struct header_field field;
		struct buffer out;

		received.helo = hostile[i];
		buffer_init(&out, 4096);
		assert_true(received_print(&received, &out));
		struct text rest = buffer_text(&out);

		assert_true(header_next(&rest, &field));
		assert_int_equal(rest.length, 0);
		assert_true(text_is_ascii(field.whole));
		assert_true(text_find_byte(field.whole, '\0') == field.whole.length);
		const size_t opened = text_find_byte(field.value, '(');

		assert_true(text_starts(
		    text_from(field.value, opened), TEXT("([192.0.2.1])\r\n\tby mail.example.org (")));
		const struct text from = text_part(field.value, 0, opened);

		assert_true(text_starts(from, TEXT(" from ")));
		assert_int_equal(
		    text_find_byte(text_from(from, 6), ' '), from.length - 7); /* No blank inside. */
		assert_true(from.length > 7);
		buffer_done(&out);
	}
}

static void wide_letters_need_smtputf8(void **state)
{
	const struct endpoint client = ip("192.0.2.1");
	struct received received = sample(&client);
	struct buffer out;

	(void)state;
	received.helo = TEXT("bücher.test");
	received.recipient = TEXT("ü@example.org");
	buffer_init(&out, 4096);
	assert_true(received_print(&received, &out));
	assert_true(text_is_ascii(buffer_text(&out)));
	buffer_clear(&out);
	received.protocol = TEXT("UTF8SMTP");
	assert_true(received_print(&received, &out));
	assert_true(text_find(buffer_text(&out), received.helo) < buffer_text(&out).length);
	assert_true(text_find(buffer_text(&out), received.recipient) < buffer_text(&out).length);
	buffer_done(&out);
}

static void long_names_are_cut_and_full_buffers_said(void **state)
{
	const struct endpoint client = ip("192.0.2.1");
	struct received received = sample(&client);
	char helo[2000];
	struct buffer out;

	(void)state;
	memset(helo, 'a', sizeof helo);
	received.helo = (struct text){ helo, sizeof helo };
	buffer_init(&out, 1000);
	assert_true(received_print(&received, &out));
	buffer_done(&out);
	buffer_init(&out, 100);
	assert_false(received_print(&received, &out));
	buffer_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clauses_stand_in_the_order_of_the_rfc),
		cmocka_unit_test(hostile_names_stay_one_word),
		cmocka_unit_test(wide_letters_need_smtputf8),
		cmocka_unit_test(long_names_are_cut_and_full_buffers_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
