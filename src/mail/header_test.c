#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/header.h"

/* A message in both line ends; `\n` becomes CRLF in the second. */
static const char letter[] = "Received: one\n"
			     "Subject: a\n"
			     "\tfolded\n"
			     "  text\n"
			     "received : two\n"
			     "Empty:\n"
			     "\n"
			     "Received: not any more\n";

static size_t to_crlf(const char *from, char *to)
{
	size_t length = 0;

	for (; *from != '\0'; from++) {
		if (*from == '\n')
			to[length++] = '\r';
		to[length++] = *from;
	}
	return length;
}

static void check_letter(struct text message)
{
	struct arena *arena = arena_new(4096);
	struct text value, unfolded;

	assert_int_equal(header_count(message, TEXT("RECEIVED")), 2);
	assert_int_equal(header_count(message, TEXT("subject")), 1);
	assert_int_equal(header_count(message, TEXT("Rec")), 0);
	assert_int_equal(header_count(message, TEXT_EMPTY), 0);
	assert_true(header_find(message, TEXT("received"), &value));
	assert_true(text_equal(value, TEXT("one")));
	assert_true(header_find(message, TEXT("empty"), &value));
	assert_int_equal(value.length, 0);
	assert_false(header_find(message, TEXT("To"), &value));
	assert_true(header_find(message, TEXT("Subject"), &value));
	assert_true(header_unfold(value, arena, &unfolded));
	assert_true(text_equal(unfolded, TEXT("a\tfolded  text")));
	assert_true(text_starts(text_from(message, header_length(message)), TEXT("Received: not any more")));
	arena_free(arena);
}

static void both_line_ends_mean_the_same(void **state)
{
	char room[2 * sizeof letter];

	(void)state;
	check_letter(text_of(letter));
	check_letter((struct text){ room, to_crlf(letter, room) });
}

static void the_whole_parts_are_the_header(void **state)
{
	struct text rest = text_of(letter);
	struct header_field field;
	size_t sum = 0;

	(void)state;
	while (header_next(&rest, &field)) {
		assert_ptr_equal(field.whole.bytes, letter + sum);
		sum += field.whole.length;
	}
	assert_true(text_starts(rest, TEXT("\n")));
	assert_int_equal(sum + 1, header_length(text_of(letter)));
}

/* How many fields have a name, and the name of the last. */
static const struct {
	const char *message;
	size_t fields, named;
	const char *last;
} oddities[] = {
	{ "", 0, 0, "" },
	{ "\r\n", 0, 0, "" },
	{ "A: b", 1, 1, "A" },
	{ "A: b\r\n c", 1, 1, "A" },
	{ "no colon here\nA: b\n", 2, 1, "A" },
	{ "From me Tue Nov 24 04:28:01 2026\nA: b\n", 2, 1, "A" },
	{ " A: indented\nB: c\n", 2, 1, "B" },
	{ ": no name\nB: c\n", 2, 1, "B" },
	{ "A\x01: control\nB: c\n", 2, 1, "B" },
	{ "A\xc3\xa4: wide\nB: c\n", 2, 1, "B" },
	{ "A: b\n \nC: d\n\n", 2, 2, "C" }, /* A line of blanks folds; it does not end the header. */
	{ "A: b\rC: d\n", 1, 1, "A" },      /* A lone CR is no line end. */
	{ "A\t : b\n", 1, 1, "A" },
};

static void what_is_no_field_stops_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof oddities / sizeof oddities[0]; i++) {
		struct text rest = text_of(oddities[i].message), last = TEXT_EMPTY;
		struct header_field field;
		size_t fields = 0, named = 0;

		while (header_next(&rest, &field)) {
			fields++;
			named += field.name.length > 0;
			last = field.name.length > 0 ? field.name : last;
		}
		if (fields != oddities[i].fields || named != oddities[i].named ||
		    !text_equal(last, text_of(oddities[i].last)))
			fail_msg("%s: %zu fields, %zu named", oddities[i].message, fields, named);
	}
}

static void a_message_without_body_is_all_header(void **state)
{
	(void)state;
	assert_int_equal(header_length(TEXT("A: b\r\n")), 6);
	assert_int_equal(header_length(TEXT("A: b\r\n\r\n")), 8);
	assert_int_equal(header_length(TEXT("\r\nbody")), 2);
	assert_int_equal(header_length(TEXT_EMPTY), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_line_ends_mean_the_same),
		cmocka_unit_test(the_whole_parts_are_the_header),
		cmocka_unit_test(what_is_no_field_stops_nothing),
		cmocka_unit_test(a_message_without_body_is_all_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
