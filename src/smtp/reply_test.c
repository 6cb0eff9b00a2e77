#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "smtp/reply.h"

struct expectation {
	const char *bytes;
	uint16_t code;              /* 0: broken. */
	struct enhanced_code enhanced;
	const char *text;
};

static const struct expectation expectations[] = {
	{ "250 2.1.0 Ok\r\n", 250, { 2, 1, 0 }, "Ok" },
	{ "250 Ok\n", 250, { 0 }, "Ok" },
	{ "250\r\n", 250, { 0 }, "" },
	{ "250 \r\n", 250, { 0 }, "" },
	{ "354-\r\n354\r\n", 354, { 0 }, "" },
	{ "550-5.7.1 Bad\r\n550-5.7.1 reputation\r\n550 5.7.1 see x\r\n", 550, { 5, 7, 1 }, "Bad / reputation / see x" },
	{ "550-5.1.1 first\n550 without\n", 550, { 5, 1, 1 }, "first / without" },
	{ "550 4.1.1 other class\r\n", 550, { 0 }, "4.1.1 other class" },
	{ "250-2.0.0 a\r\n550 b\r\n", 550, { 0 }, "a / b" },
	{ "550 5.1.1\r\n", 550, { 5, 1, 1 }, "" },
	{ "550 5.1.1234 words\r\n", 550, { 0 }, "5.1.1234 words" },
	{ "550 5.1 words\r\n", 550, { 0 }, "5.1 words" },
	{ "550 5.1.1.1 words\r\n", 550, { 0 }, "5.1.1.1 words" },
	{ "550 a\x1b[31m\tb\x7f\r\n", 550, { 0 }, "a?[31m b?" },
	{ "550 a\rb\r\n", 550, { 0 }, "a?b" },
	{ "550 gr\xc3\xbc\xc3\x9f\r\n", 550, { 0 }, "gr\xc3\xbc\xc3\x9f" },
	{ "550 gr\xfc\xdf\r\n", 550, { 0 }, "gr??" },
	{ "550 c1 \xc2\x9b" "31m\r\n", 550, { 0 }, "c1 ??31m" },
	{ "2500 Ok\r\n", 0, { 0 }, "" },
	{ "25 Ok\r\n", 0, { 0 }, "" },
	{ "150 wait\r\n", 0, { 0 }, "" },
	{ "650 what\r\n", 0, { 0 }, "" },
	{ "250_Ok\r\n", 0, { 0 }, "" },
	{ "\r\n", 0, { 0 }, "" },
	{ "HTTP/1.1 200 OK\r\n", 0, { 0 }, "" },
	{ "250-first\r\nsecond\r\n", 0, { 0 }, "" },
};

static enum reply_event feed_in_steps(struct reply_parser *parser, struct text whole, size_t step)
{
	enum reply_event event = REPLY_MORE;

	for (size_t at = 0; at < whole.length; at += step) {
		struct text piece = text_part(whole, at, step);

		do {
			event = reply_parser_feed(parser, &piece);
		} while (event == REPLY_LINE || (event == REPLY_MORE && piece.length > 0));
		if (event == REPLY_BROKEN)
			break;
	}
	return event;
}

static void reads_replies_in_pieces_of_any_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof expectations / sizeof *expectations; i++) {
		const struct expectation *expected = &expectations[i];

		for (size_t step = 1; step < 80; step++) {
			struct reply_parser parser;

			reply_parser_init(&parser);
			const enum reply_event event = feed_in_steps(&parser, text_of(expected->bytes), step);

			if (expected->code == 0) {
				assert_int_equal(event, REPLY_BROKEN);
				continue;
			}
			assert_int_equal(event, REPLY_DONE);
			const struct verdict verdict = reply_verdict(&parser);

			assert_int_equal(verdict.code, expected->code);
			assert_memory_equal(&verdict.enhanced, &expected->enhanced, sizeof verdict.enhanced);
			assert_true(text_equal(verdict.text, text_of(expected->text)));
		}
	}
}

static void reads_many_replies_from_one_piece(void **state)
{
	struct text piece = TEXT("250 2.1.0 one\r\n550 two\r\n354 three\r\n25");
	struct reply_parser parser;

	(void)state;
	reply_parser_init(&parser);
	assert_int_equal(reply_parser_feed(&parser, &piece), REPLY_DONE);
	assert_int_equal(reply_verdict(&parser).code, 250);
	assert_int_equal(reply_parser_feed(&parser, &piece), REPLY_DONE);
	assert_int_equal(reply_verdict(&parser).enhanced.class, 0);
	assert_true(text_equal(reply_verdict(&parser).text, TEXT("two")));
	assert_int_equal(reply_parser_feed(&parser, &piece), REPLY_DONE);
	assert_int_equal(reply_parser_feed(&parser, &piece), REPLY_MORE);
	assert_int_equal(piece.length, 0);
}

static void gives_single_lines(void **state)
{
	struct text piece = TEXT("250-mx.test\r\n250-SIZE 1000\r\n250 DSN\r\n");
	struct reply_parser parser;

	(void)state;
	reply_parser_init(&parser);
	assert_int_equal(reply_parser_feed(&parser, &piece), REPLY_LINE);
	assert_true(text_equal(reply_line(&parser), TEXT("mx.test")));
	assert_int_equal(reply_parser_feed(&parser, &piece), REPLY_LINE);
	assert_true(text_equal(reply_line(&parser), TEXT("SIZE 1000")));
	assert_int_equal(reply_parser_feed(&parser, &piece), REPLY_DONE);
	assert_true(text_equal(reply_line(&parser), TEXT("DSN")));
	assert_int_equal(reply_line_count(&parser), 3);
}

/* A line without end, lines without end, and too many bytes. */
static void bounds_everything(void **state)
{
	char line[REPLY_LINE_MAX + 8];
	struct reply_parser parser;
	struct text piece;
	unsigned count = 0;

	(void)state;
	memset(line, 'x', sizeof line);
	reply_parser_init(&parser);
	piece = (struct text){ line, sizeof line };
	assert_int_equal(reply_parser_feed(&parser, &piece), REPLY_BROKEN);
	piece = TEXT("250 Ok\r\n");
	assert_int_equal(reply_parser_feed(&parser, &piece), REPLY_BROKEN);

	reply_parser_init(&parser);
	do {
		piece = TEXT("250-more\r\n");
		count++;
	} while (reply_parser_feed(&parser, &piece) == REPLY_LINE);
	assert_int_equal(count, REPLY_LINES_MAX + 1);

	reply_parser_init(&parser);
	memcpy(line, "250-", 4);
	line[REPLY_LINE_MAX - 1] = '\n';
	count = 0;
	do {
		piece = (struct text){ line, REPLY_LINE_MAX };
		count++;
	} while (reply_parser_feed(&parser, &piece) == REPLY_LINE);
	assert_int_equal(count, REPLY_BYTES_MAX / REPLY_LINE_MAX + 1);
}

static void cuts_text_between_characters(void **state)
{
	char line[REPLY_TEXT_MAX + 40];
	struct reply_parser parser;
	struct text piece = { line, sizeof line };

	(void)state;
	for (unsigned shift = 0; shift < 3; shift++) {
		memset(line, 'x', sizeof line);
		memcpy(line, "250 ", 4);
		for (size_t i = 4 + shift; i + 3 < sizeof line; i += 3)
			memcpy(line + i, "\xe2\x82\xac", 3);
		line[sizeof line - 1] = '\n';
		piece = (struct text){ line, sizeof line };
		reply_parser_init(&parser);
		assert_int_equal(reply_parser_feed(&parser, &piece), REPLY_DONE);
		const struct text text = reply_verdict(&parser).text;

		assert_true(text.length > REPLY_TEXT_MAX - 4 && text.length <= REPLY_TEXT_MAX);
		assert_true(text_is_utf8(text));
		assert_false(text_is_ascii(text));
	}
}

/* Y1 to Y3 against bytes that like to be replies. */
static void survives_noise(void **state)
{
	static const char alphabet[] = "2450-. \r\n\t\x1b\x80\xc2\x9b\xff" "a";
	struct reply_parser parser;
	char noise[64];

	(void)state;
	srand(5321);
	reply_parser_init(&parser);
	for (unsigned round = 0; round < 200000; round++) {
		const size_t length = (size_t)(rand() % (int)sizeof noise);

		for (size_t i = 0; i < length; i++)
			noise[i] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
		if (rand() % 2 == 0 && length > 4)
			memcpy(noise, "250", 3);

		struct text piece = { noise, length };

		while (piece.length > 0) {
			const enum reply_event event = reply_parser_feed(&parser, &piece);

			if (event == REPLY_BROKEN) {
				reply_parser_init(&parser);
				break;
			}
			if (event != REPLY_DONE)
				continue;
			const struct verdict verdict = reply_verdict(&parser);

			assert_in_range(verdict.code, 200, 599);
			assert_true(text_is_utf8(verdict.text));
			assert_true(verdict.enhanced.class == 0 || verdict.enhanced.class == verdict.code / 100);
			for (size_t i = 0; i < verdict.text.length; i++)
				assert_true((unsigned char)verdict.text.bytes[i] >= 32);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_replies_in_pieces_of_any_size),
		cmocka_unit_test(reads_many_replies_from_one_piece),
		cmocka_unit_test(gives_single_lines),
		cmocka_unit_test(bounds_everything),
		cmocka_unit_test(cuts_text_between_characters),
		cmocka_unit_test(survives_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
