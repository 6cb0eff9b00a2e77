#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/arc.h"
#include "auth/test_facts.h"

#define RESULTS(i) "ARC-Authentication-Results: i=" i "; mx.test; spf=pass\r\n"
/* Of an empty body. */
#define MESSAGE(i)                                                                                    \
	"ARC-Message-Signature: i=" i "; a=rsa-sha256; c=relaxed/relaxed; d=a.test; s=m; h=from;\r\n" \
	" bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n"
#define SEAL(i, cv) "ARC-Seal: i=" i "; a=rsa-sha256; cv=" cv "; d=a.test; s=s; b=AAAA\r\n"
#define SET(i, cv) SEAL(i, cv) MESSAGE(i) RESULTS(i)

static const struct fact world[] = {
	{ QUESTION_TXT, "m._domainkey.a.test", NULL },
	{ QUESTION_TXT, "s._domainkey.a.test", "v=DKIM1; p=" },
};

static const struct row {
	const char *header, *result;
	unsigned at;
	size_t asked;
	bool is_temporary;
} rows[] = {
	{ "", "none", 0, 0, false },
	{ SET("1", "none"), "fail", 1, 2, true },
	{ SET("2", "pass") SET("1", "none"), "fail", 2, 2, true }, /* One key for both seals. */
	{ RESULTS("1") SEAL("1", "none"), "fail", 1, 0, false },
	{ SET("1", "none") MESSAGE("1"), "fail", 1, 0, false },
	{ SET("2", "pass"), "fail", 1, 0, false },
	{ SET("1", "pass"), "fail", 1, 0, false },
	{ SET("2", "none") SET("1", "none"), "fail", 2, 0, false },
	{ SET("2", "fail") SET("1", "none"), "fail", 2, 0, false },
	{ SET("0", "none"), "fail", 0, 0, false },
	{ SET("51", "pass") SET("1", "none"), "fail", 0, 0, false },
	{ SET("99999999999999999999", "pass"), "fail", 0, 0, false },
	{ "ARC-Seal: nonsense\r\n", "fail", 0, 0, false },
};

static void check_row(const struct row *row)
{
	struct arena *arena = arena_new(1 << 20);
	struct body_hashes *hashes = body_hashes_new();
	struct facts facts = FACTS(world);
	struct header_index index;

	assert_int_equal(header_index_make(text_of(row->header), arena, &index), OK);
	struct arc *arc = arc_new(&index, hashes, 1, arena);

	facts_satisfy(&facts, arc, arc);
	body_hashes_end(hashes);
	const struct arc_verdict *verdict = arc_judge(arc, NULL);

	assert_string_equal(auth_result_word(verdict->result), row->result);
	assert_int_equal(verdict->at, row->at);
	assert_int_equal(verdict->is_temporary, row->is_temporary);
	assert_int_equal(facts.asked, row->asked);
	assert_int_equal(verdict->reason == NULL, verdict->result == AUTH_NONE);
	body_hashes_free(hashes);
	arena_free(arena);
}

static void a_chain_is_complete_or_broken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("row %zu\n", i);
		check_row(&rows[i]);
	}
}

/* Chains that are right come from others: tests/interop/test_arc_vectors.py. */
int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_chain_is_complete_or_broken) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
