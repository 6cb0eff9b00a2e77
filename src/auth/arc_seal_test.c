#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "auth/arc_seal.h"
#include "auth/test_facts.h"

#define RECORD "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
static const char seed[] = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
static const char letter[] = "DKIM-Signature: v=1; d=first.test\r\nFrom: a@example.org\r\nSubject: hello\r\n\r\n";
static const char body[] = "A line.\r\n";

static const struct fact known[] = { { QUESTION_TXT, "s._domainkey.hop.test", RECORD } };
static const struct fact unknown[] = { { QUESTION_TXT, "s._domainkey.hop.test", NULL } };

struct hop {
	struct text header; /* As the next one gets it. */
	const char *cv;     /* What was found of the chain before. */
	enum error error;
};

/* A server that verifies the chain, and then seals. Each hop has its own arena, the header is copied into `arena`. */
static struct hop pass_on(struct arena *arena, struct text header, const char *text, const struct fact *world)
{
	const struct dkim_manner manner = { .now_s = 1000 };
	struct arena *own = arena_new(4 << 20);
	struct facts facts = { .all = world, .count = 1 };
	struct body_hashes *hashes = body_hashes_new();
	struct header_index index;
	struct arc_sealer *sealer;
	struct private_key *key;
	struct buffer out;
	struct hop hop = { .header = header };

	buffer_init(&out, 4 << 20);
	assert_int_equal(private_key_read(text_of(seed), &key), OK);
	assert_int_equal(header_index_make(header, own, &index), OK);
	struct arc *arc = arc_new(&index, hashes, 1000, own);

	assert_int_equal(arc_sealer_new(arc, &index, hashes, &manner, own, &sealer), OK);
	facts_satisfy(&facts, arc, arc);
	body_hashes_add(hashes, text_of(text));
	body_hashes_end(hashes);
	const struct arc_verdict *verdict = arc_judge(arc, NULL);
	const struct dkim_signing signing = { key, TEXT("hop.test"), TEXT("s") };

	hop.cv = auth_result_word(verdict->result);
	hop.error = arc_sealer_seal(sealer, verdict, &signing, TEXT(" hop.test;\r\n\tspf=pass\r\n"), &out);
	assert_int_equal(hop.error == OK, out.length > 0);
	assert_true(buffer_append(&out, header) && arena_copy(arena, buffer_text(&out), &hop.header));
	buffer_done(&out);
	body_hashes_free(hashes);
	private_key_free(key);
	arena_free(own);
	return hop;
}

static bool holds(struct text whole, const char *part)
{
	return text_find(whole, text_of(part)) < whole.length;
}

static void chains_grow_to_their_limit(void **state)
{
	struct arena *arena = arena_new(64 << 20);
	struct text header = text_of(letter);

	(void)state;
	for (unsigned i = 1; i <= ARC_SETS_MAX; i++) {
		const struct hop hop = pass_on(arena, header, body, known);
		char tag[64];

		assert_string_equal(hop.cv, i == 1 ? "none" : "pass");
		assert_int_equal(hop.error, OK);
		snprintf(tag, sizeof tag, "ARC-Seal: i=%u; a=ed25519-sha256; t=1000; cv=%s;", i, hop.cv);
		assert_true(text_starts(hop.header, text_of(tag)));
		snprintf(tag, sizeof tag, "ARC-Authentication-Results: i=%u; hop.test;\r\n\tspf=pass\r\n", i);
		assert_true(holds(hop.header, tag));
		header = hop.header;
	}
	assert_true(holds(header, ":DKIM-Signature;"));
	const struct hop hop = pass_on(arena, header, body, known);

	assert_string_equal(hop.cv, "pass");
	assert_int_equal(hop.error, ERR_UNSUPPORTED);
	arena_free(arena);
}

static void a_broken_chain_is_sealed_once_more(void **state)
{
	struct arena *arena = arena_new(16 << 20);
	struct hop hop = pass_on(arena, text_of(letter), body, known);

	(void)state;
	/* Somebody changes the body, and seals nothing. */
	hop = pass_on(arena, hop.header, "Another line.\r\n", known);
	assert_string_equal(hop.cv, "fail");
	assert_int_equal(hop.error, OK);
	assert_true(text_starts(hop.header, TEXT("ARC-Seal: i=2; a=ed25519-sha256; t=1000; cv=fail;")));
	hop = pass_on(arena, hop.header, "Another line.\r\n", known);
	assert_string_equal(hop.cv, "fail");
	assert_int_equal(hop.error, ERR_UNSUPPORTED);
	arena_free(arena);
}

static void what_cannot_be_read_counts_for_the_instance(void **state)
{
	static const struct {
		const char *header, *start;
	} rows[] = {
		{ "ARC-Seal: i=7; cv=none\r\nFrom: a@b.test\r\n\r\n", "ARC-Seal: i=8; a=ed25519-sha256; t=1000; cv=fail;" },
		{ "ARC-Seal: nonsense\r\nARC-Message-Signature: i=2\r\nFrom: a@b.test\r\n\r\n",
		    "ARC-Seal: i=3; a=ed25519-sha256; t=1000; cv=fail;" },
		{ "ARC-Seal: i=51; cv=pass\r\nFrom: a@b.test\r\n\r\n", "ARC-Seal: i=51; cv=pass" },
		{ "ARC-Seal: i=3; CV=x; cv = FAIL; d=x\r\nFrom: a@b.test\r\n\r\n", "ARC-Seal: i=3; CV=x;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena *arena = arena_new(16 << 20);
		const struct hop hop = pass_on(arena, text_of(rows[i].header), body, known);

		assert_string_equal(hop.cv, "fail");
		assert_true(text_starts(hop.header, text_of(rows[i].start)));
		arena_free(arena);
	}
}

static void a_silent_dns_breaks_no_chain(void **state)
{
	struct arena *arena = arena_new(16 << 20);
	struct hop hop = pass_on(arena, text_of(letter), body, known);

	(void)state;
	hop = pass_on(arena, hop.header, body, unknown);
	assert_string_equal(hop.cv, "fail");
	assert_int_equal(hop.error, ERR_UNSUPPORTED);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(chains_grow_to_their_limit),
		cmocka_unit_test(a_broken_chain_is_sealed_once_more),
		cmocka_unit_test(what_cannot_be_read_counts_for_the_instance), cmocka_unit_test(a_silent_dns_breaks_no_chain) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
