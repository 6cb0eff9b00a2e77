/* Reports of single messages: what is told, and what is left out. Whether it is the form of RFC 5965, a parser says in tests/e2e. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dsn/failure_report.h"

static const char header[] =
    "Received: from evil.test by mx.example.org for <alice.secret@example.org>;\r\n\tThu, 26 Nov 2026 12:00:00 +0000\r\n"
    "DKIM-Signature: v=1; d=good.test; s=s1; i=bob.secret@good.test; b=AAAA\r\n"
    "From: Bob Secret <bob.secret@good.test>\r\nTo: alice.secret@example.org\r\nSubject: secret\r\n"
    "Message-ID: <42@good.test>\r\nX-Other: secret\r\nDate: Thu, 26 Nov 2026 12:00:00 +0000\r\n\r\n";

static struct auth_failure sample(void)
{
	return (struct auth_failure){ .domain = TEXT("good.test"), .author = TEXT("sub.good.test"), .client = TEXT("192.0.2.9"),
		.sender = TEXT("bob.secret@far.test"), .results = TEXT(" mx.example.org;\r\n\tdmarc=fail header.from=sub.good.test\r\n"),
		.spf_aligned = false, .dkim_aligned = true, .delivery = "spam", .dkim_domain = TEXT("good.test"),
		.dkim_selector = TEXT("s1"), .header = text_of(header), .arrived_ms = 1728000000000 };
}

static struct text compose(const struct auth_failure *failure, struct arena *arena, struct buffer *out)
{
	const struct address to = { TEXT("ruf"), TEXT("good.test") };
	struct report_part parts[FAILURE_PARTS];
	struct report_mail mail = { .id = 42, .hostname = TEXT("mx.example.org"), .now_ms = 1728000001000,
		.from = { TEXT("postmaster"), TEXT("example.org") }, .to = &to, .to_count = 1 };

	assert_true(failure_report_dress(failure, arena, parts, &mail));
	buffer_init(out, REPORT_MAIL_MAX);
	assert_true(report_mail_compose(&mail, out));
	return buffer_text(out);
}

static bool has(struct text whole, const char *part)
{
	return text_find(whole, text_of(part)) < whole.length;
}

static void a_report_tells_what_failed(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct auth_failure failure = sample();
	struct buffer out;
	struct text text = compose(&failure, arena, &out);

	(void)state;
	assert_true(has(text, "Content-Type: multipart/report; report-type=feedback-report;\r\n"));
	assert_true(has(text, "Subject: DMARC failure report for sub.good.test\r\n"));
	assert_true(has(text, "\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: auth-failure\r\nVersion: 1\r\n"));
	assert_true(has(text, "\r\nAuth-Failure: dmarc\r\nIdentity-Alignment: dkim\r\nDelivery-Result: spam\r\nReported-Domain: sub.good.test\r\n"
			      "Source-IP: 192.0.2.9\r\nArrival-Date: Fri, 4 Oct 2024 00:00:00 +0000\r\n"));
	assert_true(has(text, "\r\nDKIM-Domain: good.test\r\nDKIM-Selector: s1\r\nAuthentication-Results: mx.example.org;\r\n\tdmarc=fail"));
	assert_true(has(text, "\r\nContent-Type: text/rfc822-headers; charset=us-ascii\r\n\r\nFrom: <redacted@sub.good.test>\r\nReceived: from evil.test"));
	assert_true(has(text, "\r\nMessage-ID: <42@good.test>\r\nDate: Thu, 26 Nov 2026 12:00:00 +0000\r\n"));
	buffer_done(&out);
	failure.dkim_domain = TEXT_EMPTY;
	failure.dkim_aligned = false;
	text = compose(&failure, arena, &out);
	assert_true(has(text, "\r\nIdentity-Alignment: none\r\n"));
	assert_false(has(text, "DKIM-Domain"));
	buffer_done(&out);
	arena_free(arena);
}

/* F1, F2 */
static void nobody_is_named(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{ "Received: for <secret@a.test>\r\n", "Received: for <redacted@a.test>\r\n" },
		{ "Received: for \"very secret\"@a.test (x)\r\n", "Received: for redacted@a.test (x)\r\n" },
		{ "Received: (secret@a.test,secret@b.test)\r\n", "Received: (redacted@a.test,redacted@b.test)\r\n" },
		{ "Received: secret@secret@a.test\r\n", "Received: redacted@redacted@a.test\r\n" },
		{ "Received: <@a.test:secret@b.test>\r\n", "Received: <@a.test:redacted@b.test>\r\n" },
		{ "DKIM-Signature: i=@a.test\r\n", "DKIM-Signature: i=@a.test\r\n" },
		{ "Received: \xC3\xA4\x01\r\n", "Received: ???\r\n" },
		{ "Cc: secret@a.test\r\n", "From: <redacted@sub.good.test>" },
	};
	struct arena *arena = arena_new(1 << 20);
	struct auth_failure failure = sample();
	struct buffer out;
	struct text text = compose(&failure, arena, &out);

	(void)state;
	assert_false(has(text, "secret") || has(text, "Secret"));
	buffer_done(&out);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		failure.header = text_of(rows[i].from);
		text = compose(&failure, arena, &out);
		if (!has(text, rows[i].to) || has(text, "secret"))
			fail_msg("%s became %.*s", rows[i].from, TEXT_FORMAT(text));
		buffer_done(&out);
	}
	arena_free(arena);
}

/* F3 */
static void a_report_is_bounded(void **state)
{
	static char endless[100 << 10];
	struct arena *arena = arena_new(1 << 20);
	struct auth_failure failure = sample();
	struct buffer out;

	(void)state;
	memset(endless, 'x', sizeof endless);
	memcpy(endless, "Received: ", 10);
	memcpy(endless + sizeof endless - 20, "\r\nReceived: y\r\n\r\n", 17);
	failure.header = (struct text){ endless, sizeof endless };

	const struct text text = compose(&failure, arena, &out);

	assert_true(text.length < 4 << 10);
	assert_true(has(text, "Received: y\r\n"));
	buffer_done(&out);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_report_tells_what_failed), cmocka_unit_test(nobody_is_named),
		cmocka_unit_test(a_report_is_bounded) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
