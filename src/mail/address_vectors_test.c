/* All addresses of the is_email test set against address_parse.
 *
 * The set asks what an address of a header may look like; an SMTP path is less. Its categories mean here:
 *
 *   VALID_CATEGORY, DNSWARN    accepted: the parser asks no DNS
 *   RFC5321                    accepted: odd (quoted, a literal, a top-level domain), but a Mailbox of RFC 5321
 *   CFWS, RFC5322, DEPREC      refused: comments, folding, obsolete forms and general domain literals belong in
 *                              a header only; RFC5322_*TOOLONG are those over a limit of RFC 5321 §4.5.3.1
 *   ERR                        refused, but for the empty address: it is the null path of RFC 5321 §4.1.2
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mail/address.h"

enum { FILE_MAX = 256 << 10, ADDRESS_ROOM = 2048, TEST_COUNT = 164 };

static const char vectors_path[] = VECTORS "/isemail/tests.xml"; /* VECTORS: by meson.build. */

struct vector {
	char address[ADDRESS_ROOM];
	size_t length;
	struct text category;
};

static struct text read_file(struct arena *arena)
{
	char *bytes = arena_alloc(arena, FILE_MAX);
	FILE *file = fopen(vectors_path, "rb");

	assert_non_null(bytes);
	assert_non_null(file);
	const size_t length = fread(bytes, 1, FILE_MAX, file);

	fclose(file);
	assert_true(length > 0 && length < FILE_MAX);
	return (struct text){ bytes, length };
}

/* The text of an element; empty when it is written as <name/>. */
static struct text element(struct text test, const char *open, const char *close)
{
	const size_t start = text_find(test, text_of(open));
	const struct text inside = text_from(test, start + strlen(open));

	return text_part(inside, 0, start == test.length ? 0 : text_find(inside, text_of(close)));
}

static void put_code_point(struct vector *vector, unsigned long code)
{
	/* U+2400 to U+2420 stand for what XML cannot hold: the control characters and the space. */
	if (code >= 0x2400 && code <= 0x2420)
		code -= 0x2400;
	assert_true(code < 0x800 && vector->length + 2 < ADDRESS_ROOM);
	if (code < 0x80) {
		vector->address[vector->length++] = (char)code;
	} else {
		vector->address[vector->length++] = (char)(0xc0 | code >> 6);
		vector->address[vector->length++] = (char)(0x80 | (code & 0x3f));
	}
}

/* "&amp;", "&quot;" and "&#x2407;": the only forms the file uses. Gives their length. */
static size_t put_entity(struct vector *vector, struct text rest)
{
	const size_t length = text_find_byte(rest, ';') + 1;

	if (text_starts(rest, TEXT("&#x")))
		put_code_point(vector, strtoul(rest.bytes + 3, NULL, 16));
	else if (text_starts(rest, TEXT("&amp;")))
		put_code_point(vector, '&');
	else if (text_starts(rest, TEXT("&quot;")))
		put_code_point(vector, '"');
	else
		fail_msg("unknown entity %.*s", (int)length, rest.bytes);
	return length;
}

static void read_vector(struct text test, struct vector *out_vector)
{
	struct text written = element(test, "<address>", "</address>");

	out_vector->length = 0;
	out_vector->category = element(test, "<category>ISEMAIL_", "</category>");
	while (written.length > 0) {
		size_t length = 1;

		if (written.bytes[0] == '&')
			length = put_entity(out_vector, written);
		else
			put_code_point(out_vector, (unsigned char)written.bytes[0]);
		written = text_from(written, length);
	}
}

static bool expected_valid(const struct vector *vector)
{
	return vector->length == 0 || text_equal(vector->category, TEXT("VALID_CATEGORY")) ||
	    text_equal(vector->category, TEXT("DNSWARN")) || text_equal(vector->category, TEXT("RFC5321"));
}

/* False, and a line that says so, when the parser thinks otherwise. */
static bool agrees(const struct vector *vector, bool allow_utf8, struct arena *arena)
{
	const struct text text = { vector->address, vector->length };
	struct address address, again;
	struct text printed;
	const enum error error = address_parse(text, allow_utf8, arena, &address);

	if ((error == OK) != expected_valid(vector)) {
		print_error(
		    "%.*s: %.*s: %s\n", TEXT_FORMAT(vector->category), TEXT_FORMAT(text), error_text(error));
		return false;
	}
	if (error != OK)
		return true;
	return address_print(&address, arena, &printed) &&
	    address_parse(printed, allow_utf8, arena, &again) == OK && address_equal(&address, &again);
}

static void every_address_of_the_set_is_judged_as_mapped(void **state)
{
	struct arena *file_arena = arena_new(FILE_MAX + 4096), *arena = arena_new(64 << 10);
	struct text rest = read_file(file_arena);
	unsigned count = 0;
	bool all_agree = true;
	struct vector vector;

	(void)state;
	for (;; count++) {
		rest = text_from(rest, text_find(rest, TEXT("<test id=")));
		if (rest.length == 0)
			break;
		const size_t length = text_find(rest, TEXT("</test>"));

		read_vector(text_part(rest, 0, length), &vector);
		all_agree = agrees(&vector, false, arena) && agrees(&vector, true, arena) && all_agree;
		arena_reset(arena);
		rest = text_from(rest, length);
	}
	assert_true(all_agree);
	assert_int_equal(count, TEST_COUNT);
	arena_free(arena);
	arena_free(file_arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address_of_the_set_is_judged_as_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
