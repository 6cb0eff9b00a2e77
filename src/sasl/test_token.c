#include "sasl/test_token.h"

#include "base/base64.h"
#include "base/must.h"
#include "crypto/key.h"

/* It signs nothing but tests. */
static const char provider_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCzM/pGDYjJcizs\n"
    "Rm5VfvV9TnMfZkwbwgg7Lbnwx/UKQ3tw4e0UnpXRds4apaKXqPGLxhpvrEdgAr1p\n"
    "VUtbdTnDDCIK/41Shsk3yEPfq3ehDm0WwvBig5GO3gcHtLmOti+KBCij62JfwguI\n"
    "hYGGuJbUD9CggH90Lh2SvG5t9IWRqXW2i9ZG9QRRDm3EYJxjsQl9D+u1+uaKhhlL\n"
    "lpOLvlvJobRn50WfvpcXxZuN0oLRK5IVsY59MCaoa62hNZSLl8lZNhRnx1LOpCbr\n"
    "Qb9sZjIpiY3JXkiN4qzGzQQCE3QyI0xuMcTbIdM7gH7YyCA2BuVMkebT/0GT8MiC\n"
    "QixH5uvLAgMBAAECggEAGlSpUfC8KAlIM4FXxeUtMfe8b6EqzqtQZU2fNBNVXGg0\n"
    "842mtbBliA0CVKUAwnL25tg5Wy4/oIpWhWsccvhC//dA60fIXpdianlZC7zYi4gg\n"
    "nEcRZhA563mRI984opD/ZDKfPBKidjp/UlR3hzGJK+iU+XhYAdyiyMQ6H5rdo1y4\n"
    "/RccOYapvCmZPqRIHQb38jxmwYRXItJehdME7SWve9IUBsZpSXkxIEGkz7kRIIby\n"
    "rArlMQwJXieEjTFQI/3szCvqjZR5JdkdLrs3voOkEEI1PFtoU6/WiR/5F0uXsdcQ\n"
    "BNy9XSWLkBsYQCxo5TLverTKjuu6VQLNxPTHuU/9xQKBgQDyOtWCi8HDrZvRz8zk\n"
    "iCdWuM0bvFrSGEqyRGoZNOaZyRcx4F7750uSYPeXiPwwF+c2gI8g8nYYAj5tVge9\n"
    "nPRNQE4gDLzsiKNFqSASrZbi/igh960VMMvwCSOeCT9vf75/HzELdagT3poidaMq\n"
    "SKnlkYs7QnzFzwzG/LlKHYEpdQKBgQC9Y+qBR+5FVdm/gaLdZo/TrGRIeUHYabzt\n"
    "tzR8kWSrAYXmxZ+MVQxzcR5M7oW4s37/t+tMOBugV86rbO6qMeIw5i0fZZSzp10r\n"
    "OMohkR0AdDq9fIX+w0OG66qx/A2rCnMbw0q7EwLrn3N9tFSjk82Repp9KJ/XAJw0\n"
    "rW/7WjfYPwKBgCZX1dBSWxukcZPmtuI+AywhGKaZTC8RlVFerwTKcO5K/Jbyk1aA\n"
    "qF/FZavhDTp3rivcccufVb47LLKV+ae0Hp/T3AoKuiUfA+lU+jS6sbXA0Y1+7TD7\n"
    "hmy6pZ6wjBAUQo1Q3KyZtT9f7zohMPDSi8JBJa79uU5+leExxArNXNK5AoGBALkR\n"
    "7FTNH6+thw029xn3YVDtw0l3BLsgCLkbMDUSNxdMc7bhI1oUuggNYBi5dP7amJ32\n"
    "8f4XThfP9mtaFZdHC8vRAgMOVtOAFvFnm05V6ctJySTljGM6GMC9hp5KumiL25Qj\n"
    "sOFCYLYzqL4L/DGk+1rQPitUCW4mcH6hhS5QKQYtAoGBAKNw6FJqX58JenPUqpC8\n"
    "hHVoPzbMeJE+B4JttBWo1Dd6KFfFRb62srMSFoPDejueyBQQ/jDZ7FOpfjTPeoGx\n"
    "lYLGZzncvDjs5QNBUkflnhh377NGGnRJQRNedT5CYEfBrLrILErpd/dTAkgjdRn8\n"
    "xZpWRSqEd+RNB7PobL1gJy2d\n"
    "-----END PRIVATE KEY-----\n";

const char test_token_keys[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"one\",\"use\":\"sig\",\"alg\":\"RS256\",\"e\":\"AQAB\",\"n\":\""
    "szP6Rg2IyXIs7EZuVX71fU5zH2ZMG8IIOy258Mf1CkN7cOHtFJ6V0XbOGqWil6jxi8Yab6xHYAK9aVVLW3U5wwwiCv"
    "-NUobJN8hD36t3oQ5tFsLwYoORjt4HB7S5jrYvigQoo-tiX8ILiIWBhriW1A_QoIB_dC4dkrxubfSFkal1tovWRvUE"
    "UQ5txGCcY7EJfQ_rtfrmioYZS5aTi75byaG0Z-dFn76XF8WbjdKC0SuSFbGOfTAmqGutoTWUi5fJWTYUZ8dSzqQm60"
    "G_bGYyKYmNyV5IjeKsxs0EAhN0MiNMbjHE2yHTO4B-2MggNgblTJHm0_9Bk_DIgkIsR-bryw"
    "\"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"two\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"oct\",\"k\":\"AAAA\"},{\"kty\":\"RSA\",\"use\":\"enc\",\"n\":\"AA\",\"e\":\"AA\"}]}";

struct token_rules *test_token_rules(const char *scope)
{
	static const struct text audiences[] = { { "mail", 4 }, { "post", 4 } };
	const struct token_settings settings = { .keys = text_of(test_token_keys),
		.issuer = TEXT("https://idp.test/"),
		.audiences = audiences,
		.audience_count = 2,
		.claim = TEXT("email"),
		.scope = text_of(scope) };
	struct token_rules *rules;
	const char *complaint;

	must(token_rules_new(&settings, &rules, &complaint) == OK);
	return rules;
}

static struct text encode(struct text bytes, struct arena *arena)
{
	struct text base64;

	must(base64_encode(bytes, arena, &base64));
	while (text_ends(base64, TEXT("=")))
		base64.length--;
	for (size_t i = 0; i < base64.length; i++) {
		char *c = (char *)base64.bytes + i;

		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	}
	return base64;
}

struct text test_token_sign(const char *header, const char *claims, struct arena *arena)
{
	struct digest *digest = digest_new();
	struct private_key *key;
	char room[KEY_SIGNATURE_MAX];
	uint8_t hash[DIGEST_BYTES];
	struct text words, signature, token;

	must(digest != NULL && private_key_read(text_of(provider_key), &key) == OK);
	must(arena_print(arena, &words, "%.*s.%.*s", TEXT_FORMAT(encode(text_of(header), arena)),
	    TEXT_FORMAT(encode(text_of(claims), arena))));
	digest_add(digest, words);
	digest_end(digest, hash);
	digest_free(digest);
	must(private_key_sign(key, hash, room, &signature) == OK);
	private_key_free(key);
	must(arena_print(arena, &token, "%.*s.%.*s", TEXT_FORMAT(words), TEXT_FORMAT(encode(signature, arena))));
	return token;
}

struct text test_token_for(const char *email, struct arena *arena)
{
	struct text claims;

	must(arena_print(arena, &claims,
	    "{\"iss\":\"https://idp.test/\",\"aud\":\"mail\",\"exp\":2000,\"email\":\"%s\"}", email));
	return test_token_sign("{\"alg\":\"RS256\"}", claims.bytes, arena);
}
