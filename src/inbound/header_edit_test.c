#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "inbound/header_edit.h"

enum { OUT_MAX = 1 << 20 };

/* The header as it comes out when it goes in by pieces of this size. */
static void run(struct header_edit *edit, struct text message, size_t piece_size, struct buffer *out)
{
	struct header_scan scan = { .split = true };
	struct text part;

	header_edit_init(edit, TEXT("here.test"));
	for (size_t at = 0; at < message.length && scan.position != HEADER_OVER; at += piece_size) {
		struct text input = text_part(message, at, piece_size);

		while (input.length > 0 && scan.position != HEADER_OVER) {
			const enum header_event event = header_scan_next(&scan, &input, &part);

			if (event == HEADER_PIECE || event == HEADER_HELD)
				assert_true(header_edit_piece(edit, &scan, part, out));
		}
	}
	header_scan_finish(&scan);
	assert_true(header_edit_end(edit, out));
}

static const struct {
	const char *in, *out;
} cases[] = {
	{ "To: a\r\n\r\n", "To: a@here.test\r\n" },
	{ "to : a , b@c,\r\n d\r\n\r\n", "to : a@here.test , b@c,\r\n d@here.test\r\n" },
	{ "From: A B <a>\r\nCc: <a >\r\n\r\n", "From: A B <a@here.test>\r\nCc: <a@here.test >\r\n" },
	{ "To: \"a b\"\r\n\r\n", "To: \"a b\"@here.test\r\n" },
	{ "To: \"a\\\"\" <a.b>\r\n\r\n", "To: \"a\\\"\" <a.b@here.test>\r\n" },
	{ "To: \"a, b@c\" <d>\r\n\r\n", "To: \"a, b@c\" <d@here.test>\r\n" },
	{ "To: (x, y) a (z (z) \\) )\r\n\r\n", "To: (x, y) a@here.test (z (z) \\) )\r\n" },
	{ "To: g: a, b;, c\r\n\r\n", "To: g: a@here.test, b@here.test;, c@here.test\r\n" },
	{ "To: g:;\r\n\r\n", "To: g:;\r\n" },
	{ "Sender: a\r\nX-Sender: b\r\n\r\n", "Sender: a@here.test\r\nX-Sender: b\r\n" },
	{ "Sender: =?utf-8?q?a?=\r\n\r\n", "Sender: =?utf-8?q?a?=\r\n" },
	{ "Bcc: a\r\nResent-Bcc: b\r\n c\r\nSubject: Bcc: a\r\n\r\n", "Subject: Bcc: a\r\n" },
	{ "bcc:\r\nTo: b\r\n\r\n", "To: b@here.test\r\n" },
	/* What has no sense stays. */
	{ "To: a b\r\n\r\n", "To: a b\r\n" },
	{ "To: <a> b\r\n\r\n", "To: <a> b\r\n" },
	{ "To: <a> <b>\r\n\r\n", "To: <a> <b>\r\n" },
	{ "To: <a\r\nCc: (a\r\nFrom: \"a\r\nReply-To: [a\r\n\r\n", "To: <a\r\nCc: (a\r\nFrom: \"a\r\nReply-To: [a\r\n" },
	{ "To: <a, b\r\n\r\n", "To: <a, b\r\n" },
	{ "To: >,)a\r\nSubject: x\r\n\r\n", "To: >,)a@here.test\r\nSubject: x\r\n" },
	{ "To: \r\n\r\n", "To: \r\n" },
	{ "To:", "To:" },
	{ "To: a", "To: a@here.test" },
	{ "Subject: a\r\nno field\r\n", "Subject: a\r\n" },
};

static void addresses_get_a_domain_and_bcc_goes(void **state)
{
	struct header_edit edit;
	struct buffer out;

	(void)state;
	buffer_init(&out, OUT_MAX);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t piece_size = 1; piece_size <= strlen(cases[i].in); piece_size++) {
			buffer_clear(&out);
			run(&edit, text_of(cases[i].in), piece_size, &out);
			if (!text_equal(buffer_text(&out), text_of(cases[i].out)))
				fail_msg("%s, by %zu: %.*s", cases[i].in, piece_size, TEXT_FORMAT(buffer_text(&out)));
		}
	buffer_done(&out);
}

/* E3 */
static void what_is_held_and_added_is_bounded(void **state)
{
	struct header_edit edit;
	struct buffer in, out;
	size_t domains = 0;

	(void)state;
	buffer_init(&in, OUT_MAX);
	buffer_init(&out, OUT_MAX);
	assert_true(buffer_append(&in, TEXT("To: ")));
	for (int i = 0; i < HEADER_EDIT_HELD_MAX; i++)
		assert_true(buffer_append(&in, TEXT("a")));
	assert_true(buffer_append(&in, TEXT(",b")));
	run(&edit, buffer_text(&in), 100, &out);
	assert_true(text_ends(buffer_text(&out), TEXT("aaa,b@here.test")));
	assert_int_equal(out.length, in.length + sizeof "@here.test" - 1);

	buffer_clear(&in);
	buffer_clear(&out);
	assert_true(buffer_append(&in, TEXT("To: ")));
	for (int i = 0; i < 10000; i++)
		assert_true(buffer_append(&in, TEXT("a,")));
	run(&edit, buffer_text(&in), 4096, &out);
	assert_true(out.length > in.length + HEADER_EDIT_ADDED_MAX - 20 && out.length <= in.length + HEADER_EDIT_ADDED_MAX);
	for (struct text rest = buffer_text(&out), item; text_cut(&rest, ',', &item);)
		domains += text_ends(item, TEXT("a@here.test"));
	assert_true(domains >= 1000);
	buffer_done(&in);
	buffer_done(&out);
}

static bool authors_of(const char *message, size_t piece_size, struct text *out_value)
{
	static struct header_edit edit;
	struct buffer out;

	buffer_init(&out, OUT_MAX);
	run(&edit, text_of(message), piece_size, &out);
	buffer_done(&out);
	return header_edit_authors(&edit, out_value);
}

static void the_author_is_known_if_there_is_one_field(void **state)
{
	static const char one[] = "To: x\r\nFROM : A\r\n <a@b>, c\r\nSubject: y\r\n\r\nFrom: z\r\n";
	struct text value;
	char long_one[3000] = "From: ";

	(void)state;
	for (size_t piece_size = 1; piece_size < sizeof one; piece_size++) {
		assert_true(authors_of(one, piece_size, &value));
		assert_true(text_equal(value, TEXT(" A\r\n <a@b>, c@here.test\r\n")));
	}
	assert_true(authors_of("To: x\r\n\r\n", 100, &value));
	assert_int_equal(value.length, 0);
	assert_false(authors_of("From: a\r\nfrom: b\r\n\r\n", 100, &value));
	memset(long_one + 6, 'a', 2900);
	assert_false(authors_of(long_one, 10, &value));
	long_one[5 + HEADER_EDIT_AUTHORS_MAX] = '\0';
	assert_true(authors_of(long_one, 10, &value));
	assert_int_equal(value.length, HEADER_EDIT_AUTHORS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_get_a_domain_and_bcc_goes),
		cmocka_unit_test(what_is_held_and_added_is_bounded),
		cmocka_unit_test(the_author_is_known_if_there_is_one_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
