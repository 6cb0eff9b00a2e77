/* Which TLSA records say whom to believe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "route/tlsa.h"

#define DIGEST "0123456789abcdef0123456789ABCDEF"
#define RECORD(bytes) { bytes, sizeof bytes - 1 }

static void usable_and_not(void **state)
{
	static const struct {
		struct text rdata;
		bool usable;
	} rows[] = {
		{ RECORD("\3\1\1" DIGEST), true },
		{ RECORD("\3\0\1" DIGEST), true },
		{ RECORD("\2\0\1" DIGEST), true },
		{ RECORD("\2\1\2" DIGEST DIGEST), true },
		{ RECORD("\3\1\0\x30\2xy"), true },
		{ RECORD("\2\0\0\x30\x81\1x"), true },
		{ RECORD("\2\0\0\x30\x82\0\1x"), true },
		/* RFC 7672 §3.1.3 */
		{ RECORD("\0\0\1" DIGEST), false },
		{ RECORD("\1\1\1" DIGEST), false },
		{ RECORD("\4\1\1" DIGEST), false },
		{ RECORD("\xff\1\1" DIGEST), false },
		/* A selector, a matching type that nobody knows. */
		{ RECORD("\3\2\1" DIGEST), false },
		{ RECORD("\3\1\3" DIGEST), false },
		/* Data that cannot match. */
		{ RECORD("\3\1\1" DIGEST "x"), false },
		{ RECORD("\3\1\1abc"), false },
		{ RECORD("\3\1\2" DIGEST), false },
		{ RECORD("\3\1\0" DIGEST), false },
		{ RECORD("\3\1\0\x30\2x"), false },
		{ RECORD("\3\1\0\x30\2xyz"), false },
		{ RECORD("\3\1\0\x30"), false },
		{ RECORD("\3\1\0\x30\x80xx"), false },
		{ RECORD("\3\1\0\x30\x82\1"), false },
		{ RECORD("\3\1\0\x30\x83\0\0\1x"), false },
		{ RECORD("\3\1\1"), false },
		{ RECORD("\3\1\0"), false },
		{ RECORD("\3"), false },
		{ RECORD(""), false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (tlsa_is_usable(rows[i].rdata) != rows[i].usable)
			fail_msg("row %zu", i);
}

static void sets_that_mean_the_same_look_the_same(void **state)
{
	static const struct dns_record one[] = { { .data = RECORD("\3\1\0\x30\2xy") }, { .data = RECORD("\3\1\1" DIGEST) },
		{ .data = RECORD("\1\1\1" DIGEST) }, { .data = RECORD("\2\1\1" DIGEST) } };
	static const struct dns_record other[] = { { .data = RECORD("\2\1\1" DIGEST) }, { .data = RECORD("\3\1\0\x30\2xy") },
		{ .data = RECORD("\3\1\1" DIGEST) }, { .data = RECORD("\2\1\1" DIGEST) } };
	struct arena *arena = arena_new(4096);
	struct tlsa_set a, b;

	(void)state;
	assert_true(tlsa_choose(one, 4, arena, &a) && tlsa_choose(other, 4, arena, &b));
	assert_int_equal(a.count, 3);
	assert_true(tlsa_equal(&a, &b));
	assert_int_equal(a.records[0].bytes[0], 2);
	assert_int_equal(a.records[2].bytes[2], 0); /* The digests first. */
	assert_true(tlsa_choose(other, 1, arena, &b));
	assert_false(tlsa_equal(&a, &b));
	assert_true(tlsa_choose(one + 1, 1, arena, &a));
	assert_false(tlsa_equal(&a, &b));
	assert_true(tlsa_choose(one + 2, 1, arena, &a));
	assert_int_equal(a.count, 0);
	arena_free(arena);
}

static void what_is_kept_is_bounded(void **state)
{
	struct arena *arena = arena_new(64 * 1024), *narrow = arena_new(16);
	struct dns_record records[DNS_RECORD_MAX];
	static char data[DNS_RECORD_MAX][35], large[3 + 4 + 5000] = "\3\1\0\x30\x82\x13\x88";
	struct tlsa_set set;

	(void)state;
	for (unsigned i = 0; i < DNS_RECORD_MAX; i++) {
		data[i][0] = 3;
		data[i][2] = 1;
		data[i][3] = (char)i;
		records[i] = (struct dns_record){ .data = { data[i], 35 } };
	}
	assert_true(tlsa_choose(records, DNS_RECORD_MAX, arena, &set));
	assert_int_equal(set.count, TLSA_USABLE_MAX);
	assert_false(tlsa_choose(records, 1, narrow, &set));
	arena_reset(arena);

	/* Of two of 5000 bytes the first is kept. */
	char *twin = arena_alloc(arena, sizeof large);

	memcpy(twin, large, sizeof large);
	twin[sizeof large - 1] = 'x';
	records[0].data = (struct text){ twin, sizeof large };
	records[1].data = (struct text){ large, sizeof large };
	assert_true(tlsa_choose(records, 3, arena, &set));
	assert_int_equal(set.count, 2);
	assert_int_equal(set.records[0].length, 35);
	assert_true(text_equal(set.records[1], (struct text){ large, sizeof large }));
	arena_free(arena);
	arena_free(narrow);
}

static void names_and_words(void **state)
{
	char room[TLSA_NAME_SIZE], printed[TLSA_PRINTED_SIZE], label[260];
	struct text name;
	static char large[300] = "\2\0\0";

	(void)state;
	assert_true(tlsa_name(TEXT("mx.example.net"), 25, room, &name));
	assert_true(text_equal(name, TEXT("_25._tcp.mx.example.net")));
	memset(label, 'a', sizeof label);
	assert_true(tlsa_name((struct text){ label, 253 - 9 }, 25, room, &name));
	assert_false(tlsa_name((struct text){ label, 253 - 8 }, 25, room, &name));
	assert_false(tlsa_name((struct text){ label, sizeof label }, 25, room, &name));
	assert_false(tlsa_name(TEXT_EMPTY, 25, room, &name));

	assert_true(text_equal(tlsa_print(TEXT("\3\1\1\x01\xab"), printed), TEXT("3 1 1 01ab")));
	const struct text cut = tlsa_print((struct text){ large, sizeof large }, printed);

	assert_true(cut.length < TLSA_PRINTED_SIZE && text_ends(cut, TEXT("00...")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usable_and_not),
		cmocka_unit_test(sets_that_mean_the_same_look_the_same),
		cmocka_unit_test(what_is_kept_is_bounded),
		cmocka_unit_test(names_and_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
