#include "auth/key_record.h"

#include "auth/tags.h"
#include "base/base64.h"

bool key_record_print(const struct private_key *key, struct arena *arena, struct text *out_record)
{
	struct text der, base64;

	return private_key_public(key, arena, &der) && base64_encode(der, arena, &base64) &&
	    arena_print(arena, out_record, "v=DKIM1; k=%s; p=%.*s",
		private_key_kind(key) == KEY_RSA ? "rsa" : "ed25519", TEXT_FORMAT(base64));
}

bool key_check_question(const struct key_check *check, struct question *out_question)
{
	if (check->heard)
		return false;
	*out_question = (struct question){ QUESTION_TXT, check->name };
	return true;
}

/* The next byte that is no blank; false at the end. */
static bool next_byte(struct text *rest, char *out_byte)
{
	while (rest->length > 0) {
		*out_byte = rest->bytes[0];
		*rest = text_from(*rest, 1);
		if (*out_byte != ' ' && *out_byte != '\t' && *out_byte != '\r' && *out_byte != '\n')
			return true;
	}
	return false;
}

/* Blanks may stand anywhere in base64 (RFC 6376 §3.2). */
static bool is_same_key(struct text a, struct text b)
{
	char of_a, of_b;

	while (next_byte(&a, &of_a))
		if (!next_byte(&b, &of_b) || of_a != of_b)
			return false;
	return !next_byte(&b, &of_b);
}

/* The record may say more than ours (t=s, n=, h=), if the key is ours. */
static bool holds_key(struct text record, struct text wanted)
{
	struct tag_list there, ours;
	struct text kind, key, our_kind, our_key;

	if (tags_parse(record, &there) != OK || tags_parse(wanted, &ours) != OK ||
	    !tags_find(&there, TEXT("p"), &key) || !tags_find(&ours, TEXT("p"), &our_key) ||
	    !tags_find(&ours, TEXT("k"), &our_kind))
		return false;
	if (!tags_find(&there, TEXT("k"), &kind))
		kind = TEXT("rsa");
	return text_equal_nocase(kind, our_kind) && is_same_key(key, our_key);
}

void key_check_answer(struct key_check *check, const struct answer *answer)
{
	check->heard = true;
	check->published = answer->status == ANSWER_FAILED ? KEY_UNKNOWN
	    : answer->status == ANSWER_FOUND               ? KEY_DIFFERS
							   : KEY_ABSENT;
	for (size_t i = 0; answer->status == ANSWER_FOUND && i < answer->count; i++)
		if (holds_key(answer->records[i].text, check->record))
			check->published = KEY_PUBLISHED;
}
