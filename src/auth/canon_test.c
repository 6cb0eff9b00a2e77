#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/canon.h"

static void hash_of(struct text text, uint8_t out_hash[DIGEST_BYTES])
{
	struct digest *digest = digest_new();

	digest_add(digest, text);
	digest_end(digest, out_hash);
	digest_free(digest);
}

/* The canonical body, told by its hash and length, whole and byte by byte. */
static void check_body(
    struct text body, enum canon canon, uint64_t limit, struct text canonical, uint64_t length)
{
	uint8_t expected[DIGEST_BYTES];
	size_t id;

	hash_of(canonical, expected);
	for (size_t piece = 1; piece <= body.length + 1; piece += body.length > 0 ? body.length : 1) {
		struct body_hashes *hashes = body_hashes_new();

		assert_true(body_hashes_want(hashes, canon, limit, &id));
		for (size_t at = 0; at < body.length; at += piece)
			body_hashes_add(hashes, text_part(body, at, piece));
		body_hashes_end(hashes);
		assert_memory_equal(body_hashes_hash(hashes, id), expected, DIGEST_BYTES);
		assert_int_equal(body_hashes_length(hashes, id), length);
		body_hashes_free(hashes);
	}
}

static void bodies(void **state)
{
	static const struct {
		const char *body, *simple, *relaxed;
	} rows[] = {
		{ " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n" }, /* RFC 6376 §3.4.5 */
		{ "", "\r\n", "" },
		{ "\r\n\r\n", "\r\n", "" },
		{ "a", "a\r\n", "a\r\n" },
		{ "a\r\n", "a\r\n", "a\r\n" },
		{ "a\r\n \t\r\n\r\n", "a\r\n \t\r\n", "a\r\n" },
		{ "a\r\n\r\n b", "a\r\n\r\n b\r\n", "a\r\n\r\n b\r\n" },
		{ "a\rb\r\r\nc\nd\r", "a\rb\r\r\nc\nd\r\r\n", "a\rb\r\r\nc\nd\r\r\n" },
		{ "\t\t\r\n", "\t\t\r\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		check_body(text_of(rows[i].body), CANON_SIMPLE, BODY_WHOLE, text_of(rows[i].simple),
		    strlen(rows[i].simple));
		check_body(text_of(rows[i].body), CANON_RELAXED, BODY_WHOLE, text_of(rows[i].relaxed),
		    strlen(rows[i].relaxed));
		check_body(text_of(rows[i].body), CANON_SIMPLE, 3, text_part(text_of(rows[i].simple), 0, 3),
		    strlen(rows[i].simple));
	}
}

static void who_wants_the_same_shares_it(void **state)
{
	struct body_hashes *hashes = body_hashes_new();
	size_t first, second;

	(void)state;
	assert_true(body_hashes_want(hashes, CANON_RELAXED, BODY_WHOLE, &first));
	assert_true(body_hashes_want(hashes, CANON_SIMPLE, BODY_WHOLE, &second));
	assert_int_not_equal(first, second);
	assert_true(body_hashes_want(hashes, CANON_RELAXED, BODY_WHOLE, &second));
	assert_int_equal(first, second);
	for (uint64_t limit = 0; limit < BODY_HASHES_MAX - 2; limit++)
		assert_true(body_hashes_want(hashes, CANON_RELAXED, limit, &second));
	assert_false(body_hashes_want(hashes, CANON_RELAXED, BODY_HASHES_MAX, &second));
	body_hashes_free(hashes);
	body_hashes_free(NULL);
}

static void fields(void **state)
{
	static const struct {
		const char *field, *simple, *relaxed;
	} rows[] = {
		{ "A: X\r\n", "A: X\r\n", "a:X\r\n" }, /* RFC 6376 §3.4.5 */
		{ "B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n" },
		{ "Empty:\r\n", "Empty:\r\n", "empty:\r\n" },
		{ "Last:  x", "Last:  x\r\n", "last:x\r\n" },
		{ "E: \xc3\xa9\xff \r\n", "E: \xc3\xa9\xff \r\n", "e:\xc3\xa9\xff\r\n" },
	};
	struct digest *digest = digest_new();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct text rest = text_of(rows[i].field);
		struct header_field field;
		uint8_t found[DIGEST_BYTES], expected[DIGEST_BYTES];

		assert_true(header_next(&rest, &field));
		canon_field(CANON_SIMPLE, &field, digest);
		digest_end(digest, found);
		hash_of(text_of(rows[i].simple), expected);
		assert_memory_equal(found, expected, DIGEST_BYTES);
		canon_field(CANON_RELAXED, &field, digest);
		digest_end(digest, found);
		hash_of(text_of(rows[i].relaxed), expected);
		assert_memory_equal(found, expected, DIGEST_BYTES);
	}
	digest_free(digest);
}

static void a_signature_does_not_sign_itself(void **state)
{
	struct text rest = TEXT("Sig:  a=1;  b = \r\n Zm9v \r\n ;\tc=2 \r\n");
	struct digest *digest = digest_new();
	uint8_t found[DIGEST_BYTES], expected[DIGEST_BYTES];
	struct header_field field;

	(void)state;
	assert_true(header_next(&rest, &field));
	const size_t start = text_find(field.value, TEXT("b =")) + 3;
	const struct text hole =
	    text_part(field.value, start, text_find_byte(text_from(field.value, start), ';'));

	canon_signature_field(CANON_RELAXED, &field, hole, digest);
	digest_end(digest, found);
	hash_of(TEXT("sig:a=1; b =; c=2"), expected);
	assert_memory_equal(found, expected, DIGEST_BYTES);
	canon_signature_field(CANON_SIMPLE, &field, hole, digest);
	digest_end(digest, found);
	hash_of(TEXT("Sig:  a=1;  b =;\tc=2 "), expected);
	assert_memory_equal(found, expected, DIGEST_BYTES);
	digest_free(digest);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(bodies),
		cmocka_unit_test(who_wants_the_same_shares_it), cmocka_unit_test(fields),
		cmocka_unit_test(a_signature_does_not_sign_itself) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
