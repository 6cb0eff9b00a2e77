#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "inbound/body_scan.h"

struct result {
	char bytes[1024];
	size_t length, used;
	uint8_t found;
	bool ended;
};

static struct result scan_in_pieces(struct text wire, bool dots, size_t piece_size)
{
	struct body_scan scan = { .dots = dots };
	struct result result = { 0 };

	for (size_t at = 0; at < wire.length && !result.ended; at += piece_size) {
		struct text input = text_part(wire, at, piece_size), piece;
		const size_t offered = input.length;
		enum body_event event;

		while ((event = body_scan_next(&scan, &input, &piece)) == BODY_PIECE) {
			must(piece.length > 0 && result.length + piece.length <= sizeof result.bytes);
			memcpy(result.bytes + result.length, piece.bytes, piece.length);
			result.length += piece.length;
		}
		result.ended = event == BODY_END;
		result.used = at + offered - input.length;
	}
	if (!dots)
		body_scan_finish(&scan);
	result.found = scan.found;
	return result;
}

static const struct {
	struct text wire, text;
	bool dots, ended;
	uint8_t found;
} cases[] = {
#define CASE(dots, wire, text, ended, found) { { wire, sizeof wire - 1 }, { text, sizeof text - 1 }, dots, ended, found }
	CASE(true, ".\r\n", "", true, 0),
	CASE(true, "a\r\n.\r\n", "a\r\n", true, 0),
	CASE(true, "a\r\n\r\n.\r\n", "a\r\n\r\n", true, 0),
	CASE(true, "..\r\n..a\r\n.b\r\n.\r\n", ".\r\n.a\r\nb\r\n", true, 0),
	CASE(true, "a.\r\n.", "a.\r\n", false, 0),
	CASE(true, "a\r\n.\r", "a\r\n", false, 0),
	CASE(true, "a\n.\n", "a\r\n.\r\n", false, BODY_BARE_LF),
	CASE(true, "a\n.\r\n.\r\n", "a\r\n.\r\n", true, BODY_BARE_LF),
	CASE(true, "a\r.\r\n.\r\n", "a.\r\n", true, BODY_BARE_CR),
	CASE(true, "a\r\n.\n.\r\n", "a\r\n\r\n.\r\n", false, BODY_BARE_LF),
	CASE(true, "a\r\n.\r.\r\n", "a\r\n.\r\n", false, BODY_BARE_CR),
	CASE(true, "a\r\n.\r\r\n", "a\r\n\r\n", false, BODY_BARE_CR),
	CASE(true, "a\r\r\n.\r\n", "a\r\n", true, BODY_BARE_CR),
	CASE(true, "a\r\n\0.\r\n.\r\n", "a\r\n\0.\r\n", true, 0),
	CASE(true, "\xc3\xbc\r\n.\r\n", "\xc3\xbc\r\n", true, BODY_8BIT),
	CASE(false, ".\r\n..a", ".\r\n..a", false, 0),
	CASE(false, "a\nb", "a\r\nb", false, BODY_BARE_LF),
	CASE(false, "a\r", "a", false, BODY_BARE_CR),
	CASE(false, "", "", false, 0),
#undef CASE
};

/* B1 to B4: also when the input is cut up at every place. */
static void pieces_are_the_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t piece = 1; piece <= cases[i].wire.length; piece++) {
			const struct result result = scan_in_pieces(cases[i].wire, cases[i].dots, piece);

			if (!text_equal((struct text){ result.bytes, result.length }, cases[i].text) ||
			    result.ended != cases[i].ended || result.found != cases[i].found)
				fail_msg("case %zu in pieces of %zu: %.*s (found %u)", i, piece, (int)result.length,
				    result.bytes, result.found);
			assert_int_equal(result.used, cases[i].wire.length);
		}
}

/* All strings of up to eight of the bytes that matter: it ends where a search for CRLF . CRLF, counted from a CRLF
 * before the first byte, says so. */
static void ends_only_at_crlf_dot_crlf(void **state)
{
	static const char alphabet[] = { '\r', '\n', '.', 'a' };
	char bytes[2 + 8] = "\r\n";

	(void)state;
	for (unsigned number = 0; number < 1U << 16; number++) {
		for (unsigned i = 0; i < 8; i++)
			bytes[2 + i] = alphabet[number >> (2 * i) & 3];
		const struct text all = { bytes, sizeof bytes };
		const size_t end = text_find(all, TEXT("\r\n.\r\n"));
		const struct result result = scan_in_pieces(text_from(all, 2), true, 1 + number % 8);

		assert_int_equal(result.ended, end < all.length);
		if (result.ended)
			assert_int_equal(result.used, end + 5 - 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_the_message),
		cmocka_unit_test(ends_only_at_crlf_dot_crlf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
