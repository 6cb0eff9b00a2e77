#include "target.h"

#include "auth/signature.h"

/* The input is a key's record. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	const struct signature signature = {
		.key_kind = choice & 1 ? KEY_RSA : KEY_ED25519, .domain = TEXT("a.test"), .value = TEXT("x")
	};
	const struct answer_record record = { .text = input };
	const uint8_t hash[DIGEST_BYTES] = { 0 };
	struct signature_keys keys = { 0 };

	signature_keys_hear(&keys, &(struct answer){ ANSWER_FOUND, &record, 1 }, arena);
	must(signature_judge(&signature, hash, &keys, NULL, arena).result != AUTH_PASS);
}
