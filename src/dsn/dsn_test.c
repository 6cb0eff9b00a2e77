#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dsn/sample.h"

/* -- Golden texts: what a sender reads ------------------------------------------------ */

static const char golden_refused[] =
    "From: Mail Delivery System <postmaster@mail.example.org>\r\n"
    "To: <alice@example.org>\r\n"
    "Subject: Undelivered: a message could not be delivered\r\n"
    "Date: Tue, 24 Nov 2026 04:28:03 +0000\r\n"
    "Message-ID: <6aedp49k6j000@mail.example.org>\r\n"
    "Auto-Submitted: auto-replied\r\n"
    "In-Reply-To: <hello.1@example.org>\r\n"
    "References: <hello.1@example.org>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
    "\tboundary=\"=_6aedp49k6j000_0\"\r\n"
    "\r\n"
    "This is a report in three parts: words, status, and the original.\r\n"
    "\r\n"
    "--=_6aedp49k6j000_0\r\n"
    "Content-Type: text/plain; charset=us-ascii\r\n"
    "\r\n"
    "This is the mail server at mail.example.org.\r\n"
    "\r\n"
    "Your message could not be delivered to this address:\r\n"
    "\r\n"
    "    carol@remote.test\r\n"
    "        (for friends@example.org)\r\n"
    "        mx.remote.test[192.0.2.1] said: 550 5.1.1 no such carol here\r\n"
    "\r\n"
    "It will not be tried again. Please check the address. If it is right, show\r\n"
    "the answer above to the people who run that server.\r\n"
    "\r\n"
    "The header of the message is attached.\r\n"
    "\r\n"
    "--=_6aedp49k6j000_0\r\n"
    "Content-Type: message/delivery-status\r\n"
    "\r\n"
    "Original-Envelope-Id: QQ314159\r\n"
    "Reporting-MTA: dns; mail.example.org\r\n"
    "Arrival-Date: Tue, 24 Nov 2026 04:28:01 +0000\r\n"
    "\r\n"
    "Original-Recipient: rfc822; friends@example.org\r\n"
    "Final-Recipient: rfc822; carol@remote.test\r\n"
    "Action: failed\r\n"
    "Status: 5.1.1\r\n"
    "Remote-MTA: dns; mx.remote.test\r\n"
    "Diagnostic-Code: smtp; 550 5.1.1 no such carol here\r\n"
    "Last-Attempt-Date: Tue, 24 Nov 2026 04:28:03 +0000\r\n"
    "\r\n"
    "--=_6aedp49k6j000_0\r\n"
    "Content-Type: text/rfc822-headers\r\n"
    "\r\n"
    "Received: from client.test ([192.0.2.9]) by mail.example.org with ESMTP id 6aedp49k6g000;\r\n"
    "\tTue, 24 Nov 2026 04:28:01 +0000\r\n"
    "From: Alice <alice@example.org>\r\n"
    "To: carol@remote.test\r\n"
    "Subject: Hello\r\n"
    "Message-ID: <hello.1@example.org>\r\n"
    "\r\n"
    "--=_6aedp49k6j000_0--\r\n";

static const char golden_delayed[] =
    "From: Mail Delivery System <postmaster@mail.example.org>\r\n"
    "To: <alice@example.org>\r\n"
    "Subject: Delayed: a message has not been delivered yet\r\n"
    "Date: Tue, 24 Nov 2026 04:28:03 +0000\r\n"
    "Message-ID: <6aedp49k6j000@mail.example.org>\r\n"
    "Auto-Submitted: auto-replied\r\n"
    "In-Reply-To: <hello.1@example.org>\r\n"
    "References: <hello.1@example.org>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
    "\tboundary=\"=_6aedp49k6j000_0\"\r\n"
    "\r\n"
    "This is a report in three parts: words, status, and the original.\r\n"
    "\r\n"
    "--=_6aedp49k6j000_0\r\n"
    "Content-Type: text/plain; charset=us-ascii\r\n"
    "\r\n"
    "This is the mail server at mail.example.org.\r\n"
    "\r\n"
    "Your message has not yet been delivered to this address:\r\n"
    "\r\n"
    "    carol@remote.test\r\n"
    "        450 4.4.1 connection refused\r\n"
    "        will be tried until Sun, 29 Nov 2026 04:28:01 +0000\r\n"
    "\r\n"
    "This is only a notice: there is no need to send the message again. It will\r\n"
    "be tried further, and you will be told if it cannot be delivered.\r\n"
    "\r\n"
    "The header of the message is attached.\r\n"
    "\r\n"
    "--=_6aedp49k6j000_0\r\n"
    "Content-Type: message/delivery-status\r\n"
    "\r\n"
    "Original-Envelope-Id: QQ314159\r\n"
    "Reporting-MTA: dns; mail.example.org\r\n"
    "Arrival-Date: Tue, 24 Nov 2026 04:28:01 +0000\r\n"
    "\r\n"
    "Final-Recipient: rfc822; carol@remote.test\r\n"
    "Action: delayed\r\n"
    "Status: 4.4.1\r\n"
    "Diagnostic-Code: x-postroad; 450 4.4.1 connection refused\r\n"
    "Last-Attempt-Date: Tue, 24 Nov 2026 08:28:01 +0000\r\n"
    "Will-Retry-Until: Sun, 29 Nov 2026 04:28:01 +0000\r\n"
    "\r\n"
    "--=_6aedp49k6j000_0\r\n"
    "Content-Type: text/rfc822-headers\r\n"
    "\r\n"
    "Received: from client.test ([192.0.2.9]) by mail.example.org with ESMTP id 6aedp49k6g000;\r\n"
    "\tTue, 24 Nov 2026 04:28:01 +0000\r\n"
    "From: Alice <alice@example.org>\r\n"
    "To: carol@remote.test\r\n"
    "Subject: Hello\r\n"
    "Message-ID: <hello.1@example.org>\r\n"
    "\r\n"
    "--=_6aedp49k6j000_0--\r\n";

static const char golden_success[] =
    "From: Mail Delivery System <postmaster@mail.example.org>\r\n"
    "To: <alice@example.org>\r\n"
    "Subject: Handed on: a message left for its recipient\r\n"
    "Date: Tue, 24 Nov 2026 04:28:03 +0000\r\n"
    "Message-ID: <6aedp49k6j000@mail.example.org>\r\n"
    "Auto-Submitted: auto-replied\r\n"
    "In-Reply-To: <hello.1@example.org>\r\n"
    "References: <hello.1@example.org>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
    "\tboundary=\"=_6aedp49k6j000_0\"\r\n"
    "\r\n"
    "This is a report in three parts: words, status, and the original.\r\n"
    "\r\n"
    "--=_6aedp49k6j000_0\r\n"
    "Content-Type: text/plain; charset=us-ascii\r\n"
    "\r\n"
    "This is the mail server at mail.example.org.\r\n"
    "\r\n"
    "Your message was handed on to a server that confirms no deliveries, for this address:\r\n"
    "\r\n"
    "    carol@remote.test\r\n"
    "        mx.remote.test[192.0.2.1] said: 250 2.0.0 ok: queued as 7\r\n"
    "\r\n"
    "You will probably hear no more of it unless it fails.\r\n"
    "\r\n"
    "Your message was delivered to this address:\r\n"
    "\r\n"
    "    bob@example.org\r\n"
    "        250 2.0.0 delivered\r\n"
    "\r\n"
    "The header of the message is attached.\r\n"
    "\r\n"
    "--=_6aedp49k6j000_0\r\n"
    "Content-Type: message/delivery-status\r\n"
    "\r\n"
    "Original-Envelope-Id: QQ314159\r\n"
    "Reporting-MTA: dns; mail.example.org\r\n"
    "Arrival-Date: Tue, 24 Nov 2026 04:28:01 +0000\r\n"
    "\r\n"
    "Final-Recipient: rfc822; carol@remote.test\r\n"
    "Action: relayed\r\n"
    "Status: 2.0.0\r\n"
    "Remote-MTA: dns; mx.remote.test\r\n"
    "Diagnostic-Code: smtp; 250 2.0.0 ok: queued as 7\r\n"
    "\r\n"
    "Final-Recipient: rfc822; bob@example.org\r\n"
    "Action: delivered\r\n"
    "Status: 2.0.0\r\n"
    "Diagnostic-Code: x-postroad; 250 2.0.0 delivered\r\n"
    "\r\n"
    "--=_6aedp49k6j000_0\r\n"
    "Content-Type: text/rfc822-headers\r\n"
    "\r\n"
    "Received: from client.test ([192.0.2.9]) by mail.example.org with ESMTP id 6aedp49k6g000;\r\n"
    "\tTue, 24 Nov 2026 04:28:01 +0000\r\n"
    "From: Alice <alice@example.org>\r\n"
    "To: carol@remote.test\r\n"
    "Subject: Hello\r\n"
    "Message-ID: <hello.1@example.org>\r\n"
    "\r\n"
    "--=_6aedp49k6j000_0--\r\n";

static struct text compose(const struct dsn_report *report, struct buffer *out)
{
	buffer_init(out, DSN_REPORT_MAX);
	assert_true(dsn_compose(report, out));
	/* A NUL for the text functions of the C library; it is not part of the message. */
	assert_true(buffer_append(out, (struct text){ "", 1 }));
	out->length--;
	return buffer_text(out);
}

static void check_golden(const char *name, const char *golden)
{
	for (unsigned i = 0; i < DSN_SAMPLE_COUNT; i++) {
		struct buffer out;

		if (strcmp(dsn_sample_name(i), name) != 0)
			continue;
		assert_string_equal(compose(dsn_sample(i), &out).bytes, golden);
		buffer_done(&out);
		return;
	}
	fail_msg("no sample %s", name);
}

static void test_golden(void **state)
{
	(void)state;
	check_golden("refused", golden_refused);
	check_golden("delayed", golden_delayed);
	check_golden("success", golden_success);
}

/* -- N1: well-formed whatever strangers write ------------------------------------------- */

static const struct dsn_report *sample(const char *name)
{
	for (unsigned i = 0; i < DSN_SAMPLE_COUNT; i++)
		if (strcmp(dsn_sample_name(i), name) == 0)
			return dsn_sample(i);
	fail_msg("no sample %s", name);
	return NULL;
}

static void check_lines(struct text message)
{
	struct text line;

	assert_true(text_ends(message, TEXT("\r\n")));
	message.length--;
	while (text_cut(&message, '\n', &line)) {
		assert_true(text_ends(line, TEXT("\r")));
		assert_true(line.length <= 999);
		assert_int_equal(text_find_byte(line, '\r'), line.length - 1);
		assert_int_equal(text_find_byte(line, '\0'), line.length);
	}
}

static size_t count_of(struct text whole, struct text part)
{
	size_t count = 0;

	for (size_t at; (at = text_find(whole, part)) < whole.length; whole = text_from(whole, at + part.length))
		count++;
	return count;
}

static void test_every_line_is_a_line(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DSN_SAMPLE_COUNT; i++) {
		struct buffer out;

		check_lines(compose(dsn_sample(i), &out));
		buffer_done(&out);
	}
}

static void test_hostile_words_start_no_line(void **state)
{
	(void)state;
	struct buffer out;
	const struct text message = compose(sample("hostile"), &out);

	assert_int_equal(count_of(message, TEXT("\r\nBcc:")), 0);
	assert_int_equal(count_of(message, TEXT("\r\nX: y")), 0);
	assert_int_equal(count_of(message, TEXT("\r\nAction:")), 1);
	assert_int_equal(count_of(message, TEXT("\x1b")), 0);
	buffer_done(&out);
}

static void test_boundary_is_nowhere_else(void **state)
{
	(void)state;
	struct buffer out;
	const struct text message = compose(sample("hostile"), &out);

	/* The number 0 stands in the original, so it had to be 1: in the header, three openings, one end. */
	assert_int_equal(count_of(message, TEXT("boundary=\"=_6aedp49k6j000_1\"")), 1);
	assert_int_equal(count_of(message, TEXT("=_6aedp49k6j000_1")), 5);
	buffer_done(&out);
}

static void test_long_and_broken_originals(void **state)
{
	(void)state;
	static char lines[5000];
	struct dsn_report report = *sample("expired");
	struct buffer out;

	memset(lines, 'x', sizeof lines);
	static const char start[] = "Subject: x\n\nlone \r and \0 nul\n";

	memcpy(lines, start, sizeof start - 1);
	report.original = (struct text){ lines, sizeof lines };
	check_lines(compose(&report, &out));
	buffer_done(&out);

	memset(lines, '\n', sizeof lines);
	check_lines(compose(&report, &out));
	buffer_done(&out);
	report.original = TEXT_EMPTY;
	check_lines(compose(&report, &out));
	buffer_done(&out);
}

static void test_one_endless_word(void **state)
{
	(void)state;
	static char word[5000];
	struct dsn_report report = *sample("refused");
	struct dsn_recipient recipient = report.recipients[0];
	struct buffer out;

	memset(word, 'w', sizeof word);
	recipient.verdict.text = recipient.original = recipient.verdict.host = (struct text){ word, sizeof word };
	report.recipients = &recipient;
	check_lines(compose(&report, &out));
	assert_true(out.length < 12000);
	buffer_done(&out);
}

/* -- What is returned, and in what form -------------------------------------------------- */

static bool holds(const struct dsn_report *report, const char *part)
{
	struct buffer out;
	const struct text message = compose(report, &out);
	const bool found = text_find(message, text_of(part)) < message.length;

	buffer_done(&out);
	return found;
}

static void test_what_is_returned(void **state)
{
	(void)state;
	struct dsn_report report = *sample("expired");

	assert_true(holds(&report, "\r\nHow are you?\r\n"));
	assert_true(holds(&report, "Content-Type: message/rfc822\r\n"));

	report.original_complete = false; /* Too large to be returned. */
	assert_false(holds(&report, "How are you?"));
	assert_true(holds(&report, "Content-Type: text/rfc822-headers\r\n"));

	report.original.length = text_find(report.original, TEXT("Subject")) + 10; /* Cut in a header line. */
	assert_true(holds(&report, "To: carol@remote.test\r\n\r\n--"));

	report = *sample("expired");
	report.recipients = sample("delayed")->recipients; /* RET is about failures (RFC 3461 §4.3). */
	assert_false(holds(&report, "How are you?"));
}

static void test_8bit_and_utf8(void **state)
{
	(void)state;
	struct dsn_report report = *sample("refused");
	struct buffer out;

	assert_int_equal(dsn_envelope_flags(&report, compose(&report, &out)), ENVELOPE_BOUNCE);
	buffer_done(&out);

	report.original = TEXT("Subject: caf\xe9\r\n\r\n");
	assert_true(holds(&report, "text/rfc822-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: caf\xe9"));
	assert_int_equal(dsn_envelope_flags(&report, compose(&report, &out)), ENVELOPE_BOUNCE | ENVELOPE_8BIT);
	buffer_done(&out);

	report = *sample("utf8");
	assert_true(holds(&report, "Content-Type: message/global-delivery-status\r\n"));
	assert_true(holds(&report, "Final-Recipient: utf-8; \xc3\xa7""arol@remote.test\r\n"));
	report.original = TEXT("Subject: caf\xc3\xa9\r\n\r\n");
	assert_true(holds(&report, "Content-Type: message/global-headers\r\n"));
	assert_int_equal(dsn_envelope_flags(&report, compose(&report, &out)),
	    ENVELOPE_BOUNCE | ENVELOPE_8BIT | ENVELOPE_SMTPUTF8);
	buffer_done(&out);
}

static void test_status_fits_the_action(void **state)
{
	(void)state;
	const struct {
		enum dsn_action action;
		bool expired;
		struct verdict verdict;
		const char *status;
	} cases[] = {
		{ DSN_FAILED, false, VERDICT(550, 5, 7, 1, "no"), "\r\nStatus: 5.7.1\r\n" },
		{ DSN_FAILED, false, VERDICT(550, 0, 0, 0, "no"), "\r\nStatus: 5.0.0\r\n" },
		{ DSN_FAILED, false, VERDICT(550, 2, 0, 0, "no"), "\r\nStatus: 5.0.0\r\n" },
		{ DSN_FAILED, true, VERDICT(450, 4, 2, 0, "no"), "\r\nStatus: 4.4.7\r\n" },
		{ DSN_DELAYED, false, VERDICT(450, 0, 0, 0, "no"), "\r\nStatus: 4.0.0\r\n" },
		{ DSN_DELAYED, false, VERDICT(450, 5, 1, 1, "no"), "\r\nStatus: 4.0.0\r\n" },
		{ DSN_DELIVERED, false, VERDICT(250, 2, 6, 0, "ok"), "\r\nStatus: 2.6.0\r\n" },
		{ DSN_RELAYED, false, VERDICT(250, 0, 0, 0, "ok"), "\r\nStatus: 2.0.0\r\n" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct dsn_report report = *sample("refused");
		struct dsn_recipient recipient = report.recipients[0];

		recipient.action = cases[i].action;
		recipient.expired = cases[i].expired;
		recipient.verdict = cases[i].verdict;
		report.recipients = &recipient;
		assert_true(holds(&report, cases[i].status));
	}
}

/* RFC 2852 §5, RFC 4865 §8 */
static void test_times_that_were_asked_for(void **state)
{
	(void)state;
	struct dsn_report report = *sample("refused");
	struct envelope envelope = *report.envelope;
	struct dsn_recipient recipient = report.recipients[0];

	assert_false(holds(&report, "Deliver-By-Date") || holds(&report, "Future-Release-Request"));
	envelope.held_until_ms = envelope.arrived_ms + 60'000;
	envelope.deliver_by_ms = envelope.arrived_ms + 120'000;
	envelope.flags |= ENVELOPE_BY_RETURN;
	recipient.expired = true;
	report.envelope = &envelope;
	report.recipients = &recipient;
	assert_true(holds(&report, "\r\nDeliver-By-Date: Tue, 24 Nov 2026 04:30:01 +0000\r\n"));
	assert_true(holds(&report, "\r\nFuture-Release-Request: until;2026-11-24T04:29:01.000Z\r\n"));
	assert_true(holds(&report, "\r\nStatus: 5.4.7\r\n"));
}

static void test_only_a_real_message_id_is_answered(void **state)
{
	(void)state;
	static const char *const originals[] = { "Message-ID: two words\r\n\r\n", "Message-ID: <a@b> <c@d>\r\n\r\n",
		"Message-ID: <a\tb@c>\r\n\r\n", "Message-ID:\r\n\r\n", "\r\nMessage-ID: <in@body>\r\n" };

	for (size_t i = 0; i < sizeof originals / sizeof originals[0]; i++) {
		struct dsn_report report = *sample("refused");

		report.original = text_of(originals[i]);
		assert_false(holds(&report, "In-Reply-To"));
	}
}

static void test_limit_leaves_the_buffer_as_it_was(void **state)
{
	(void)state;
	struct buffer out;

	buffer_init(&out, 300);
	assert_true(buffer_append(&out, TEXT("before")));
	assert_false(dsn_compose(sample("refused"), &out));
	assert_true(text_equal(buffer_text(&out), TEXT("before")));
	buffer_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_every_line_is_a_line),
		cmocka_unit_test(test_hostile_words_start_no_line),
		cmocka_unit_test(test_boundary_is_nowhere_else),
		cmocka_unit_test(test_long_and_broken_originals),
		cmocka_unit_test(test_one_endless_word),
		cmocka_unit_test(test_what_is_returned),
		cmocka_unit_test(test_8bit_and_utf8),
		cmocka_unit_test(test_status_fits_the_action),
		cmocka_unit_test(test_times_that_were_asked_for),
		cmocka_unit_test(test_only_a_real_message_id_is_answered),
		cmocka_unit_test(test_limit_leaves_the_buffer_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
