/* Requests and answers: what goes in comes out, and nothing else is taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "mailbox/request.h"

static const struct mailbox_request sample = {
	.number = 0x123456789abcdef0,
	.body_size = 50u << 20,
	.parts = { { "alice", 5 }, { "example.org", 11 }, { "lists", 5 }, true },
	.return_path = { "bob@example.net", 15 },
	.delivered_to = { "alice+lists@example.org", 23 },
	.original = { "all@example.net", 15 },
};

static void a_request_survives(void **state)
{
	char room[MAILBOX_MESSAGE_MAX];
	const size_t length = mailbox_request_encode(&sample, room);
	struct mailbox_request request;

	(void)state;
	assert_int_not_equal(length, 0);
	assert_int_equal(mailbox_request_decode((struct text){ room, length }, &request), OK);
	assert_int_equal(request.number, sample.number);
	assert_int_equal(request.body_size, sample.body_size);
	assert_true(text_equal(request.parts.user, sample.parts.user));
	assert_true(text_equal(request.parts.domain, sample.parts.domain));
	assert_true(text_equal(request.parts.detail, sample.parts.detail));
	assert_true(request.parts.junk);
	assert_true(text_equal(request.return_path, sample.return_path));
	assert_true(text_equal(request.delivered_to, sample.delivered_to));
	assert_true(text_equal(request.original, sample.original));
}

/* A small body comes with it, and must be as long as it says. */
static void a_request_carries_a_small_body(void **state)
{
	struct mailbox_request request = sample, heard;
	char room[MAILBOX_MESSAGE_MAX];

	(void)state;
	request.body = TEXT("Subject: small\r\n");
	request.body_size = request.body.length;
	size_t length = mailbox_request_encode(&request, room);

	assert_int_not_equal(length, 0);
	assert_int_equal(mailbox_request_decode((struct text){ room, length }, &heard), OK);
	assert_true(text_equal(heard.body, request.body));
	request.body_size++;
	length = mailbox_request_encode(&request, room);
	assert_int_equal(mailbox_request_decode((struct text){ room, length }, &heard), ERR_SYNTAX);
	request.body_size = 0;
	request.body = TEXT_EMPTY;
	length = mailbox_request_encode(&request, room);
	assert_int_equal(mailbox_request_decode((struct text){ room, length }, &heard), OK);
	assert_int_equal(heard.body.length, 0);
}

static void an_answer_survives(void **state)
{
	struct mailbox_answer answer = { 7, VERDICT(452, 4, 2, 2, "full") }, heard;
	char room[MAILBOX_MESSAGE_MAX];

	(void)state;
	answer.verdict.host = TEXT("/var/mail/x");
	const size_t length = mailbox_answer_encode(&answer, room);

	assert_int_equal(mailbox_answer_decode((struct text){ room, length }, &heard), OK);
	assert_int_equal(heard.number, 7);
	assert_int_equal(heard.verdict.code, 452);
	assert_int_equal(heard.verdict.enhanced.detail, 2);
	assert_true(text_equal(heard.verdict.text, TEXT("full")));
	assert_true(text_equal(heard.verdict.host, TEXT("/var/mail/x")));
}

/* Every shorter piece, in memory of exactly its size (for the sanitizer), and one byte more. */
static void cut_and_long_messages_are_refused(void **state)
{
	char room[MAILBOX_MESSAGE_MAX];
	const size_t length = mailbox_request_encode(&sample, room);
	struct mailbox_request request;
	struct mailbox_answer answer;

	(void)state;
	for (size_t cut = 0; cut <= length + 1; cut++) {
		char *bytes = malloc(cut + 1);

		assert_non_null(bytes);
		memcpy(bytes, room, cut < length ? cut : length);
		bytes[cut] = 0;
		if (cut > length)
			bytes[length] = 0;
		assert_int_equal(
		    mailbox_request_decode((struct text){ bytes, cut }, &request), cut == length ? OK : ERR_SYNTAX);
		assert_int_equal(mailbox_answer_decode((struct text){ bytes, cut }, &answer), ERR_SYNTAX);
		free(bytes);
	}
}

static void header_texts_stay_on_one_line(void **state)
{
	static const struct text bad[] = { { "a\nB: c", 6 }, { "a\rb", 3 }, { "a\0b", 3 } };
	char room[MAILBOX_MESSAGE_MAX];
	struct mailbox_request out;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct mailbox_request request = sample;
		size_t length;

		request.return_path = bad[i];
		length = mailbox_request_encode(&request, room);
		assert_int_equal(mailbox_request_decode((struct text){ room, length }, &out), ERR_SYNTAX);
		request = sample;
		request.delivered_to = bad[i];
		length = mailbox_request_encode(&request, room);
		assert_int_equal(mailbox_request_decode((struct text){ room, length }, &out), ERR_SYNTAX);
	}
}

static void the_largest_fits_and_larger_is_not_encoded(void **state)
{
	static char big[MAILBOX_TEXT_MAX + 1];
	char room[MAILBOX_MESSAGE_MAX];
	struct mailbox_request request = sample;
	struct text full = { big, MAILBOX_TEXT_MAX };

	(void)state;
	memset(big, 'x', sizeof big);
	request.parts = (struct mailbox_parts){ full, full, full, true };
	request.return_path = request.delivered_to = full;
	assert_int_not_equal(mailbox_request_encode(&request, room), 0);
	request.delivered_to.length++;
	assert_int_equal(mailbox_request_encode(&request, room), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_survives),
		cmocka_unit_test(a_request_carries_a_small_body),
		cmocka_unit_test(an_answer_survives),
		cmocka_unit_test(cut_and_long_messages_are_refused),
		cmocka_unit_test(header_texts_stay_on_one_line),
		cmocka_unit_test(the_largest_fits_and_larger_is_not_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
