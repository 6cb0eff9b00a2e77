/* Keys are found again, are the right ones, and give way to others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/must.h"
#include "crypto/key_ring.h"

static struct text new_key(struct arena *arena, enum key_kind kind, unsigned bits)
{
	struct private_key *key;
	struct text der;

	must(private_key_make(kind, bits, &key) == OK && private_key_public(key, arena, &der));
	private_key_free(key);
	return der;
}

static void a_key_is_read_once(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct key_ring *ring = key_ring_new();
	const struct text first = new_key(arena, KEY_RSA, 1024), second = new_key(arena, KEY_RSA, 2048);
	const struct public_key *a, *b, *again;

	(void)state;
	assert_int_equal(key_ring_find(ring, KEY_RSA, first, &a), OK);
	assert_int_equal(public_key_bits(a), 1024);
	assert_int_equal(key_ring_find(ring, KEY_RSA, second, &b), OK);
	assert_int_equal(public_key_bits(b), 2048);
	assert_int_equal(key_ring_find(ring, KEY_RSA, second, &again), OK);
	assert_ptr_equal(b, again);
	assert_int_equal(key_ring_find(ring, KEY_RSA, first, &again), OK);
	assert_int_equal(public_key_bits(again), 1024);
	key_ring_free(ring);
	arena_free(arena);
}

/* More keys than places: each is the right one, whoever had its place. */
static void keys_give_way(void **state)
{
	enum { KEYS = 3 * KEY_RING_PLACES };
	struct arena *arena = arena_new(1 << 20);
	struct key_ring *ring = key_ring_new();
	uint8_t hash[DIGEST_BYTES] = { 1 };
	struct private_key *keys[KEYS];
	struct text ders[KEYS];

	(void)state;
	for (size_t i = 0; i < KEYS; i++)
		must(private_key_make(KEY_ED25519, 0, &keys[i]) == OK && private_key_public(keys[i], arena, &ders[i]));
	for (size_t turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i < KEYS; i++) {
			char room[KEY_SIGNATURE_MAX];
			const struct public_key *key;
			struct text signature;

			assert_int_equal(key_ring_find(ring, KEY_ED25519, ders[i], &key), OK);
			assert_int_equal(private_key_sign(keys[i], hash, room, &signature), OK);
			assert_true(public_key_verify(key, hash, signature));
		}
	}
	for (size_t i = 0; i < KEYS; i++)
		private_key_free(keys[i]);
	key_ring_free(ring);
	arena_free(arena);
}

/* A public key of 8192 bits, with a modulus that nobody factored into anything: such keys take half a minute to make. */
static struct text large_key(struct arena *arena)
{
	enum { MODULUS = 8192 / 8 };
	const struct text head = TEXT("\x30\x82\x04\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"
	                              "\x03\x82\x04\x0f\x00\x30\x82\x04\x0a\x02\x82\x04\x01\x00");
	const struct text exponent = TEXT("\x02\x03\x01\x00\x01");
	char *bytes = arena_alloc(arena, head.length + MODULUS + exponent.length);

	must(bytes != NULL);
	memcpy(bytes, head.bytes, head.length);
	memset(bytes + head.length, 0xa5, MODULUS);
	memcpy(bytes + head.length + MODULUS, exponent.bytes, exponent.length);
	return (struct text){ bytes, head.length + MODULUS + exponent.length };
}

/* The same bytes of another kind are another key; what is no key is none, now and later. */
static void what_is_no_key_is_not_kept(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct key_ring *ring = key_ring_new();
	const struct text der = new_key(arena, KEY_ED25519, 0), large = large_key(arena);
	const struct public_key *key;

	(void)state;
	for (unsigned turn = 0; turn < 2; turn++) {
		assert_int_equal(key_ring_find(ring, KEY_ED25519, der, &key), OK);
		assert_int_equal(key_ring_find(ring, KEY_RSA, der, &key), ERR_SYNTAX);
		assert_int_equal(key_ring_find(ring, KEY_RSA, TEXT_EMPTY, &key), ERR_SYNTAX);
		/* Larger than a place. */
		assert_true(large.length > KEY_RING_DER_MAX);
		assert_int_equal(key_ring_find(ring, KEY_RSA, large, &key), OK);
		assert_int_equal(public_key_bits(key), 8192);
	}
	key_ring_free(ring);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_key_is_read_once), cmocka_unit_test(keys_give_way),
		cmocka_unit_test(what_is_no_key_is_not_kept) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
