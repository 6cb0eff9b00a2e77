#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "inbound/header_scan.h"

static const struct {
	const char *message;
	size_t header_length;
	const char *message_id;
	uint32_t received_count;
	bool has_date, empty_line;
} cases[] = {
	{ "Date: x\r\n\r\nbody", 9, "", 0, true, true },
	{ "\r\nDate: x\r\n", 0, "", 0, false, true },
	{ "hello\r\n", 0, "", 0, false, false },
	{ "hello world: x\r\n", 0, "", 0, false, false },
	{ " folded first: x\r\n", 0, "", 0, false, false },
	{ "Subject : x\r\nDATE : y\r\n\r\n", 23, "", 0, true, true },
	{ "Message-ID: <a@b>\r\nMessage-ID: <c@d>\r\n\r\n", 38, "<a@b>", 0, false, true },
	{ "message-id:\r\n <a@b>\r\n\r\n", 21, "<a@b>", 0, false, true },
	{ "Received: a\r\n Received: b\r\nreceived:c\r\nX: Received: d\r\n\r\nReceived: e\r\n", 55, "", 2, false, true },
	{ "Subject: x\r\nno field here\r\n", 12, "", 0, false, false },
	{ "Subject: x", 10, "", 0, false, false },
	{ "Subj", 0, "", 0, false, false },
	{ "", 0, "", 0, false, false },
};

/* What is seen of a message that comes in pieces of that many bytes. */
static struct header_scan scanned(struct text message, size_t piece_size)
{
	struct header_scan scan = { 0 };
	struct text piece;

	for (size_t at = 0; at < message.length && scan.position != HEADER_OVER; at += piece_size) {
		struct text input = text_part(message, at, piece_size);

		while (input.length > 0 && scan.position != HEADER_OVER)
			(void)header_scan_next(&scan, &input, &piece);
	}
	return scan;
}

/* H1 to H3, however the input is cut up. */
static void header_and_rest_are_the_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t piece_size = 1; piece_size <= strlen(cases[i].message) + 1; piece_size++) {
			const struct text message = text_of(cases[i].message);
			struct header_scan scan = { 0 };
			char bytes[256];
			size_t length = 0;

			for (size_t at = 0; at < message.length && scan.position != HEADER_OVER; at += piece_size) {
				struct text input = text_part(message, at, piece_size), piece;

				while (input.length > 0 && scan.position != HEADER_OVER) {
					const enum header_event event = header_scan_next(&scan, &input, &piece);

					if (event != HEADER_PIECE && event != HEADER_HELD)
						continue;
					memcpy(bytes + length, piece.bytes, piece.length);
					length += piece.length;
				}
			}
			header_scan_finish(&scan);
			assert_int_equal(length, cases[i].header_length);
			assert_memory_equal(bytes, message.bytes, length);
			assert_true(text_starts(text_from(message, length), header_scan_held(&scan)));
			assert_true(text_equal(header_scan_message_id(&scan), text_of(cases[i].message_id)));
			assert_int_equal(scan.received_count, cases[i].received_count);
			assert_int_equal(scan.has_date, cases[i].has_date);
			assert_int_equal(scan.empty_line, cases[i].empty_line);
		}
}

static void the_first_priority_is_kept(void **state)
{
	const struct text message = TEXT("MT-priority: -3\r\n (slow)\r\nMT-Priority: 9\r\n\r\n");

	(void)state;
	for (size_t piece_size = 1; piece_size <= message.length; piece_size++) {
		const struct header_scan scan = scanned(message, piece_size);

		assert_true(text_starts(header_scan_priority(&scan), TEXT("-3")));
		assert_true(text_find_byte(header_scan_priority(&scan), '9') == header_scan_priority(&scan).length);
	}
}

static void tls_is_waived_by_one_field_that_says_no(void **state)
{
	static const struct {
		const char *header;
		bool waives;
	} rows[] = {
		{ "TLS-Required: No\r\n\r\n", true },
		{ "tls-required:NO \r\nSubject: x\r\n\r\n", true },
		{ "TLS-Required:\r\n No\r\n\r\n", true },
		{ "TLS-Required: Yes\r\n\r\n", false },
		{ "TLS-Required: None\r\n\r\n", false },
		{ "TLS-Required: No\r\nTLS-Required: No\r\n\r\n", false },
		{ "TLS-Required: N\r\nTLS-Required: o\r\n\r\n", false },
		{ "TLS-Required: No, but only where it must be\r\n\r\n", false },
		{ "Subject: TLS-Required: No\r\n\r\nTLS-Required: No\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct text message = text_of(rows[i].header);

		for (size_t piece_size = 1; piece_size <= message.length; piece_size++) {
			const struct header_scan scan = scanned(message, piece_size);

			assert_int_equal(header_scan_waives_tls(&scan), rows[i].waives);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(header_and_rest_are_the_message),
		cmocka_unit_test(the_first_priority_is_kept),
		cmocka_unit_test(tls_is_waived_by_one_field_that_says_no) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
