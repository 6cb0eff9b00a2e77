#include "web/claim.h"

#include <stdio.h>

#include "base/hex.h"
#include "crypto/digest.h"

bool web_claim_key_is_right(struct text shown)
{
	bool right = shown.length > 0 && shown.length <= WEB_KEY_MAX;

	for (size_t i = 0; right && i < shown.length; i++)
		right = shown.bytes[i] >= ' ' && shown.bytes[i] <= '~';
	return right;
}

/* Each part with its length before it: what stands in one is nothing of the next. */
static void add(struct digest *digest, struct text part)
{
	char room[24];
	const int length = snprintf(room, sizeof room, "%zu:", part.length);

	digest_add(digest, (struct text){ room, (size_t)length });
	digest_add(digest, part);
}

static void print(struct digest *digest, size_t size, char *out_hex)
{
	uint8_t hash[DIGEST_BYTES];

	digest_end(digest, hash);
	hex_print(hash, (size - 1) / 2, out_hex);
}

bool web_claim_make(struct text name, struct text shown, const struct text *content, size_t content_count,
    struct web_claim *out_claim)
{
	struct digest *digest = digest_new();

	if (digest == NULL)
		return false;
	add(digest, name);
	add(digest, shown);
	print(digest, sizeof out_claim->key, out_claim->key);
	for (size_t i = 0; i < content_count; i++)
		add(digest, content[i]);
	print(digest, sizeof out_claim->mark, out_claim->mark);
	digest_free(digest);
	return true;
}
