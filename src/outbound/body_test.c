#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "outbound/body.h"

static const struct {
	const char *body, *dotted, *plain;
} cases[] = {
	{ "", ".\r\n", "" },
	{ "a\r\n", "a\r\n.\r\n", "a\r\n" },
	{ "a", "a\r\n.\r\n", "a\r\n" },
	{ "a\r", "a\r\n.\r\n", "a\r\n" },
	{ ".", "..\r\n.\r\n", ".\r\n" },
	{ ".\r\n", "..\r\n.\r\n", ".\r\n" },
	{ "..a\r\n.b\r\n", "...a\r\n..b\r\n.\r\n", "..a\r\n.b\r\n" },
	{ "a.b\r\n", "a.b\r\n.\r\n", "a.b\r\n" },
	{ "a\r\n\r\n.\r\n\r\n", "a\r\n\r\n..\r\n\r\n.\r\n", "a\r\n\r\n.\r\n\r\n" },
	{ "a\n.\n", "a\r\n..\r\n.\r\n", "a\r\n.\r\n" },
	{ "a\n.\r\nMAIL", "a\r\n..\r\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n" },
	{ "a\r.\r\n", "a .\r\n.\r\n", "a .\r\n" },
	{ "\r\r\n", " \r\n.\r\n", " \r\n" },
	{ "\r.\r\n", " .\r\n.\r\n", " .\r\n" },
	{ "\r\r", " \r\n.\r\n", " \r\n" },
};

/* Feed `body` in pieces of one size; 0: of random sizes. */
static void write_body(struct text body, size_t step, bool dots, struct buffer *out)
{
	struct body_writer writer;
	size_t at = 0;

	buffer_init(out, 1 << 20);
	body_writer_init(&writer, dots);
	while (at < body.length) {
		const struct text piece = text_part(body, at, step > 0 ? step : (size_t)(rand() % 7));

		assert_true(body_write(&writer, piece, out));
		at += piece.length;
	}
	assert_true(body_finish(&writer, out));
}

static void writes_what_is_expected(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t step = 1; step < 20; step++) {
			struct buffer dotted, plain;

			write_body(text_of(cases[i].body), step, true, &dotted);
			write_body(text_of(cases[i].body), step, false, &plain);
			assert_true(text_equal(buffer_text(&dotted), text_of(cases[i].dotted)));
			assert_true(text_equal(buffer_text(&plain), text_of(cases[i].plain)));
			buffer_done(&dotted);
			buffer_done(&plain);
		}
	}
}

/* What a receiver makes of DATA (RFC 5321 §4.5.2); it fails when the end comes early or never. */
static void receive(struct text wire, struct buffer *out)
{
	buffer_init(out, 1 << 20);
	for (;;) {
		const size_t end = text_find(wire, TEXT("\r\n"));
		struct text line = text_part(wire, 0, end);

		assert_true(end < wire.length);
		wire = text_from(wire, end + 2);
		assert_int_equal(text_find_byte(line, '\n'), line.length);
		assert_int_equal(text_find_byte(line, '\r'), line.length);
		if (text_equal(line, TEXT(".")))
			break;
		if (line.length > 0 && line.bytes[0] == '.')
			line = text_from(line, 1);
		assert_true(buffer_append(out, line) && buffer_append(out, TEXT("\r\n")));
	}
	assert_int_equal(wire.length, 0);
}

/* B1 to B3 over random bodies of the bytes that matter. */
static void a_receiver_gets_the_body_back(void **state)
{
	static const char alphabet[] = "\r\n..ab";
	char body[10000];

	(void)state;
	srand(2821);
	for (unsigned round = 0; round < 20000; round++) {
		const size_t length = (size_t)rand() % (round % 100 == 0 ? sizeof body : 40);
		struct buffer dotted, plain, received;

		for (size_t i = 0; i < length; i++)
			body[i] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
		write_body((struct text){ body, length }, 0, true, &dotted);
		write_body((struct text){ body, length }, sizeof body, false, &plain);
		receive(buffer_text(&dotted), &received);
		assert_true(text_equal(buffer_text(&received), buffer_text(&plain)));
		buffer_done(&dotted);
		buffer_done(&plain);
		buffer_done(&received);
	}
}

/* A body that is right already goes out as it is. */
static void right_bodies_are_not_changed(void **state)
{
	char body[9000];
	struct buffer out;

	(void)state;
	for (size_t i = 0; i < sizeof body; i++)
		body[i] = i % 90 == 88 ? '\r' : i % 90 == 89 ? '\n' : 'x';
	write_body((struct text){ body, sizeof body }, 0, false, &out);
	assert_true(text_equal(buffer_text(&out), (struct text){ body, sizeof body }));
	buffer_done(&out);
}

static void respects_the_limit(void **state)
{
	struct body_writer writer;
	struct buffer out;

	(void)state;
	buffer_init(&out, 16);
	body_writer_init(&writer, true);
	assert_false(body_write(&writer, TEXT("longer than the buffer may become"), &out));
	buffer_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_what_is_expected),
		cmocka_unit_test(a_receiver_gets_the_body_back),
		cmocka_unit_test(right_bodies_are_not_changed),
		cmocka_unit_test(respects_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
