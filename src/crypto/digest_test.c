#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/digest.h"

/* FIPS 180-4, the example "abc", and the hash of nothing. */
static const uint8_t of_abc[DIGEST_BYTES] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41,
	0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff,
	0x61, 0xf2, 0x00, 0x15, 0xad };
static const uint8_t of_nothing[DIGEST_BYTES] = { 0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb,
	0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99,
	0x1b, 0x78, 0x52, 0xb8, 0x55 };

static void pieces_make_the_whole(void **state)
{
	struct digest *digest = digest_new();
	uint8_t hash[DIGEST_BYTES];

	(void)state;
	digest_add(digest, TEXT("a"));
	digest_add(digest, TEXT_EMPTY);
	digest_add(digest, TEXT("bc"));
	digest_end(digest, hash);
	assert_memory_equal(hash, of_abc, sizeof hash);

	/* It begins anew. */
	digest_end(digest, hash);
	assert_memory_equal(hash, of_nothing, sizeof hash);
	digest_free(digest);
	digest_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(pieces_make_the_whole) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
