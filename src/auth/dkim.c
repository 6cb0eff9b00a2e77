#include "auth/dkim.h"

#include "base/must.h"

struct slot {
	struct signature signature;
	bool open;                  /* Nothing has decided about it yet. */
	uint8_t hash[DIGEST_BYTES]; /* Of the header. */
	size_t body_id;
	struct signature_keys keys;
};

struct dkim {
	struct arena *arena;
	const struct body_hashes *hashes;
	struct slot slots[DKIM_SIGNATURES_MAX];
	struct dkim_finding findings[DKIM_SIGNATURES_MAX];
	size_t count, ignored;
};

static void settle(struct dkim *dkim, size_t i, struct judgement judgement)
{
	dkim->slots[i].open = false;
	dkim->findings[i].result = judgement.result;
	dkim->findings[i].reason = judgement.reason;
}

static void add_signature(struct dkim *dkim, const struct header_index *index,
    const struct header_field *field, struct body_hashes *hashes, int64_t now_s)
{
	const size_t i = dkim->count++;
	struct slot *slot = &dkim->slots[i];
	struct judgement judgement;

	dkim->findings[i].signature = &slot->signature;
	slot->open = true;
	if (!signature_read(SIGNATURE_DKIM, field, now_s, dkim->arena, &slot->signature, &judgement))
		settle(dkim, i, judgement);
	else if (!signature_hash(&slot->signature, index, dkim->arena, slot->hash) ||
	    !body_hashes_want(hashes, slot->signature.body_canon, slot->signature.body_limit, &slot->body_id))
		settle(dkim, i, (struct judgement){ AUTH_TEMPERROR, "out of memory" });
}

struct dkim *dkim_new(
    const struct header_index *index, struct body_hashes *hashes, int64_t now_s, struct arena *arena)
{
	struct dkim *dkim = arena_alloc(arena, sizeof *dkim);

	if (dkim == NULL)
		return NULL;
	dkim->arena = arena;
	dkim->hashes = hashes;
	for (size_t i = 0; i < index->count; i++) {
		if (!text_equal_nocase(index->fields[i].name, TEXT("DKIM-Signature")))
			continue;
		if (dkim->count < DKIM_SIGNATURES_MAX)
			add_signature(dkim, index, &index->fields[i], hashes, now_s);
		else
			dkim->ignored++;
	}
	return dkim;
}

/* The first signature that waits for its key; NULL: none. */
static struct slot *waiting(struct dkim *dkim)
{
	for (size_t i = 0; i < dkim->count; i++)
		if (dkim->slots[i].open && !dkim->slots[i].keys.heard)
			return &dkim->slots[i];
	return NULL;
}

bool dkim_question(const struct dkim *dkim, struct question *out_question)
{
	const struct slot *slot = waiting((struct dkim *)dkim);

	if (slot != NULL)
		*out_question = (struct question){ QUESTION_TXT, slot->signature.key_name };
	return slot != NULL;
}

void dkim_answer(struct dkim *dkim, const struct answer *answer)
{
	struct slot *slot = waiting(dkim);

	must(slot != NULL);
	signature_keys_hear(&slot->keys, answer, dkim->arena);
}

/* The body first: it costs nothing any more, a signature does. */
static void judge(struct dkim *dkim, struct key_ring *ring, size_t i)
{
	const struct slot *slot = &dkim->slots[i];
	const uint64_t length = body_hashes_length(dkim->hashes, slot->body_id);
	const uint64_t limit = slot->signature.body_limit;
	const uint8_t *hash = body_hashes_hash(dkim->hashes, slot->body_id);
	struct judgement judgement;

	if (limit != BODY_WHOLE && limit > length)
		judgement = (struct judgement){ AUTH_PERMERROR, "l= is longer than the body" };
	else if (memcmp(hash, slot->signature.body_hash.bytes, DIGEST_BYTES) != 0)
		judgement = (struct judgement){ AUTH_FAIL, "the body was changed" };
	else
		judgement = signature_judge(&slot->signature, slot->hash, &slot->keys, ring, dkim->arena);
	settle(dkim, i, judgement);
	if (judgement.result == AUTH_PASS && limit < length) {
		dkim->findings[i].unsigned_bytes = length - limit;
		dkim->findings[i].reason =
		    judgement.reason ? judgement.reason : "part of the body is not signed";
	}
}

const struct dkim_finding *dkim_judge(struct dkim *dkim, struct key_ring *ring, size_t *out_count)
{
	must(waiting(dkim) == NULL);
	for (size_t i = 0; i < dkim->count; i++)
		if (dkim->slots[i].open)
			judge(dkim, ring, i);
	*out_count = dkim->count;
	return dkim->findings;
}

size_t dkim_ignored(const struct dkim *dkim)
{
	return dkim->ignored;
}
