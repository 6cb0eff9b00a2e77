/* The message that brings a report: its form, and strangers' bytes in its addresses. */
#include "dsn/report_mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include <cmocka.h>

#include "dsn/gzip.h"

static const struct address nobody[] = { { { "tls-reports", 11 }, { "example.net", 11 } },
	{ { "a \"b\xff\r\nX: ", 10 }, { "example.org", 11 } } };

static struct report_mail sample(void)
{
	return (struct report_mail){
		.id = 1,
		.hostname = TEXT("mail.example.com"),
		.from_name = TEXT("Example \"Inc\"\r\nBcc: x"),
		.from = { TEXT("postmaster"), TEXT("mail.example.com") },
		.to = nobody,
		.to_count = 2,
		.subject = TEXT("Report Domain: example.net Submitter: mail.example.com Report-ID: <2026-11-24_example.net@mail.example.com>"),
		.fields = TEXT("TLS-Report-Domain: example.net\r\n"),
		.report_type = TEXT("tlsrpt"),
		.words = TEXT("A report.\r\n"),
		.media_type = TEXT("application/tlsrpt+gzip"),
		.filename = TEXT("a!b!1!2.json.gz"),
	};
}

static bool holds(struct text text, const char *part)
{
	return text_find(text, text_of(part)) < text.length;
}

/* M1 */
static void expect_lines(struct text message)
{
	struct text rest = message, line;

	assert_true(text_is_ascii(message));
	while (text_cut(&rest, '\n', &line)) {
		assert_true(line.length <= 999);
		assert_true((rest.bytes == NULL && line.length == 0) || text_ends(line, TEXT("\r")));
		assert_true(line.length == 0 || text_find_byte(line, '\r') >= line.length - 1);
	}
}

static void a_report_is_a_message(void **state)
{
	struct report_mail mail = sample();
	static char content[1000];
	struct buffer out;

	(void)state;
	memset(content, 'z', sizeof content);
	mail.content = (struct text){ content, sizeof content };
	buffer_init(&out, REPORT_MAIL_MAX);
	assert_true(report_mail_compose(&mail, &out));

	const struct text message = buffer_text(&out);

	expect_lines(message);
	assert_true(text_starts(message, TEXT("From: \"Example \\\"Inc\\\"  Bcc: x\" <postmaster@mail.example.com>\r\n"
	                                      "To: <tls-reports@example.net>,\r\n\t<\"a \\\"b?  X: \"@example.org>\r\nSubject: ")));
	assert_false(holds(message, "\nX:"));
	assert_true(holds(message, "\r\nTLS-Report-Domain: example.net\r\nMIME-Version: 1.0\r\n"));
	assert_true(holds(message, "Content-Type: multipart/report; report-type=tlsrpt;\r\n\tboundary=\"=_"));
	assert_true(holds(message, "\r\n\r\nA report.\r\n\r\n--=_"));
	assert_true(holds(message, "filename=\"a!b!1!2.json.gz\"\r\n\r\nenp6"));
	assert_true(text_ends(message, TEXT("--\r\n")));

	mail.report_type = TEXT("");
	buffer_clear(&out);
	assert_true(report_mail_compose(&mail, &out));
	assert_true(holds(buffer_text(&out), "Content-Type: multipart/mixed; boundary=\"=_"));
	buffer_done(&out);

	buffer_init(&out, 500);
	assert_true(buffer_append(&out, TEXT("before")));
	assert_false(report_mail_compose(&mail, &out));
	assert_int_equal(out.length, 6);
	buffer_done(&out);
}

static void what_is_packed_can_be_unpacked(void **state)
{
	static char bytes[200000], back[sizeof bytes + 1];
	const size_t lengths[] = { 0, 1, sizeof bytes };

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * i >> 5);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct buffer out;
		z_stream stream = { 0 };

		buffer_init(&out, 1 << 20);
		assert_true(gzip_pack((struct text){ bytes, lengths[i] }, &out));
		assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
		stream.next_in = (const Bytef *)buffer_text(&out).bytes;
		stream.avail_in = (uInt)out.length;
		stream.next_out = (Bytef *)back;
		stream.avail_out = sizeof back;
		assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
		assert_int_equal(stream.total_out, lengths[i]);
		assert_memory_equal(back, bytes, lengths[i]);
		inflateEnd(&stream);
		buffer_done(&out);
	}

	struct buffer small;

	buffer_init(&small, 20);
	assert_false(gzip_pack((struct text){ bytes, sizeof bytes }, &small));
	assert_int_equal(small.length, 0);
	buffer_done(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_is_a_message),
		cmocka_unit_test(what_is_packed_can_be_unpacked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
