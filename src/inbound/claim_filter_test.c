#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/must.h"
#include "inbound/claim_filter.h"

#define AR "Authentication-Results"
#define OURS "mx.here.test"

static const struct {
	const char *message, *kept;
} cases[] = {
	{ "Subject: x\r\n\r\nbody", "Subject: x\r\n\r\nbody" },
	{ AR ": " OURS "; spf=pass\r\n\r\nbody", "\r\nbody" },
	{ "To: a\r\n" AR ": " OURS ";\r\n\tspf=pass\r\n dkim=pass\r\nSubject: x\r\n y\r\n\r\n", "To: a\r\nSubject: x\r\n y\r\n\r\n" },
	{ "AUTHENTICATION-results \t: " OURS " 1; none\r\n\r\n", "\r\n" },
	{ AR ":\r\n (hm; \\) hm)\r\n\t\"mx.\\here.test\"; spf=pass\r\nA: b\r\n\r\n", "A: b\r\n\r\n" },
	{ AR ": MX.here.TEST.; none\r\n" AR ": other.test; none\r\n\r\n", AR ": other.test; none\r\n\r\n" },
	{ AR ": mx.here.testament; none\r\n\r\n", AR ": mx.here.testament; none\r\n\r\n" },
	{ AR ": other.test; none\r\n " OURS "\r\n\r\n", AR ": other.test; none\r\n " OURS "\r\n\r\n" },
	{ AR ":\r\n\r\n", "\r\n" },                   /* Nobody can say whose. */
	{ AR ": (mx; none\r\n\r\n", "\r\n" },
	{ AR "-x: " OURS "\r\nAuthentic: x\r\n\r\n", AR "-x: " OURS "\r\nAuthentic: x\r\n\r\n" },
	{ "X: y\r\n " AR ": " OURS "\r\n\r\n", "X: y\r\n " AR ": " OURS "\r\n\r\n" },
	{ "A\r\n" AR ": " OURS "\r\n\r\n", "A\r\n\r\n" }, /* Some would still read what follows a strange line. */
	{ "A: b\r\n\rx\r\n" AR ": " OURS "\r\n\r\n", "A: b\r\n\rx\r\n\r\n" }, /* A CR alone ends no header. */
	{ "\r\r\n" AR ": " OURS "\r\n\r\n", "\r\r\n\r\n" },
	{ "\r\n" AR ": " OURS "\r\n", "\r\n" AR ": " OURS "\r\n" },
	{ " " AR ": x\r\n", " " AR ": x\r\n" },
	{ AR ": " OURS, "" },
	{ "Authentication-Res", "Authentication-Res" },
	{ "ARC-" AR ": i=1; " OURS "; none\r\n\r\n", "ARC-" AR ": i=1; " OURS "; none\r\n\r\n" },
};

static void expect(const char *message, const char *kept)
{
	const struct text whole = text_of(message);
	struct buffer out;

	buffer_init(&out, 1 << 20);
	for (size_t piece_size = 1; piece_size <= whole.length + 1; piece_size++) {
		struct claim_filter filter = { .ours = TEXT(OURS) };

		buffer_clear(&out);
		for (size_t at = 0; at < whole.length; at += piece_size) {
			struct text input = text_part(whole, at, piece_size);

			while (input.length > 0)
				must(buffer_append(&out, claim_filter_next(&filter, &input)));
		}
		must(buffer_append(&out, claim_filter_end(&filter)));
		if (!text_equal(buffer_text(&out), text_of(kept)))
			fail_msg("of \"%s\" was kept \"%.*s\"", message, TEXT_FORMAT(buffer_text(&out)));
	}
	buffer_done(&out);
}

/* C1 to C4, however the input is cut up. */
static void claims_are_taken_away(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect(cases[i].message, cases[i].kept);
}

/* Wherever our name stands behind blanks and comments, also where the room for what is held ends. */
static void nobody_hides_behind_comments(void **state)
{
	char message[2 * CLAIM_HELD_MAX];

	(void)state;
	for (int length = 400; length < CLAIM_HELD_MAX; length += 13)
		for (int commented = 0; commented < 2; commented++) {
			snprintf(message, sizeof message, AR ":%s%*s%s" OURS "; spf=pass\r\nA: b\r\n", commented ? "(" : "",
			    length, "", commented ? ")" : "");
			expect(message, "A: b\r\n");
		}
}

static void a_long_field_of_another_stays(void **state)
{
	char message[2 * CLAIM_HELD_MAX];

	(void)state;
	for (int length = CLAIM_HELD_MAX - 60; length < CLAIM_HELD_MAX + 10; length++) {
		snprintf(message, sizeof message, AR ": other.test;%*s\r\n " OURS "\r\nA: b\r\n", length, "");
		expect(message, message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(claims_are_taken_away),
		cmocka_unit_test(nobody_hides_behind_comments), cmocka_unit_test(a_long_field_of_another_stays) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
