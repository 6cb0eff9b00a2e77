#include "auth/arc.h"

#include "auth/tags.h"
#include "base/must.h"

enum part { RESULTS, MESSAGE, SEAL, PART_COUNT };

struct set {
	const struct header_field *fields[PART_COUNT];
	struct signature seal;
	struct signature_keys keys; /* Of the seal. */
};

struct arc {
	struct arena *arena;
	const struct body_hashes *hashes;
	struct set *sets; /* Instance 1 first. */
	size_t count;
	struct signature message; /* The newest ARC-Message-Signature. */
	struct signature_keys message_keys;
	uint8_t message_hash[DIGEST_BYTES];
	size_t body_id;
	bool open; /* Nothing has decided yet. */
	struct arc_verdict verdict;
};

static void settle(struct arc *arc, enum auth_result result, const char *reason, size_t at)
{
	arc->open = false;
	arc->verdict.result = result;
	arc->verdict.reason = reason;
	arc->verdict.at = (unsigned)at;
}

/* -- collecting -------------------------------------------------------------- */

static enum part part_of(struct text name)
{
	static const char *const names[PART_COUNT] = { "ARC-Authentication-Results", "ARC-Message-Signature",
		"ARC-Seal" };
	enum part part = RESULTS;

	while (part < PART_COUNT && !text_equal_nocase(name, text_of(names[part])))
		part++;
	return part;
}

/* The i= of a field; 0 when it has none. In the results it is the first tag, and what follows is no tag list. */
static uint64_t instance_of(const struct header_field *field, enum part part)
{
	struct text rest = field->value;
	struct tag tag;
	uint64_t instance;

	while (tags_next(&rest, &tag)) {
		if (text_equal(tag.name, TEXT("i")))
			return text_to_u64(tag.value, &instance) ? instance : 0;
		if (part == RESULTS)
			break;
	}
	return 0;
}

/* Put the fields into their sets. False: it is settled. */
static bool collect(struct arc *arc, const struct header_index *index)
{
	for (size_t i = 0; i < index->count; i++) {
		const struct header_field *field = &index->fields[i];
		const enum part part = part_of(field->name);

		if (part == PART_COUNT)
			continue;
		const uint64_t instance = instance_of(field, part);

		if (instance < 1 || instance > ARC_SETS_MAX || arc->sets[instance - 1].fields[part] != NULL) {
			settle(arc, AUTH_FAIL,
			    instance < 1                  ? "a field without an instance"
				: instance > ARC_SETS_MAX ? "too many instances"
							  : "a field comes twice",
			    instance <= ARC_SETS_MAX ? instance : 0);
			return false;
		}
		arc->sets[instance - 1].fields[part] = field;
		if (instance > arc->count)
			arc->count = instance;
	}
	if (arc->count == 0)
		settle(arc, AUTH_NONE, NULL, 0);
	return arc->count > 0;
}

/* Read the seals, and whether they tell of an unbroken chain (§5.2, step 3). */
static bool read_seals(struct arc *arc, int64_t now_s)
{
	struct judgement judgement;

	for (size_t i = arc->count; i > 0; i--) {
		struct set *set = &arc->sets[i - 1];

		if (set->fields[RESULTS] == NULL || set->fields[MESSAGE] == NULL ||
		    set->fields[SEAL] == NULL) {
			settle(arc, AUTH_FAIL, "a set is not complete", i);
			return false;
		}
		if (!signature_read(
			SIGNATURE_ARC_SEAL, set->fields[SEAL], now_s, arc->arena, &set->seal, &judgement)) {
			settle(arc, AUTH_FAIL, judgement.reason, i);
			return false;
		}
		if (!text_equal_nocase(set->seal.chain, i == 1 ? TEXT("none") : TEXT("pass"))) {
			settle(arc, AUTH_FAIL, "a seal says that the chain was broken", i);
			return false;
		}
	}
	return true;
}

static bool read_message(
    struct arc *arc, const struct header_index *index, struct body_hashes *hashes, int64_t now_s)
{
	struct judgement judgement = { AUTH_FAIL, "out of memory" };

	if (signature_read(SIGNATURE_ARC_MESSAGE, arc->sets[arc->count - 1].fields[MESSAGE], now_s,
		arc->arena, &arc->message, &judgement) &&
	    signature_hash(&arc->message, index, arc->arena, arc->message_hash) &&
	    body_hashes_want(hashes, arc->message.body_canon, arc->message.body_limit, &arc->body_id))
		return true;
	settle(arc, AUTH_FAIL, judgement.reason, arc->count);
	return false;
}

struct arc *arc_new(
    const struct header_index *index, struct body_hashes *hashes, int64_t now_s, struct arena *arena)
{
	struct arc *arc = arena_alloc(arena, sizeof *arc);

	if (arc == NULL)
		return NULL;
	arc->arena = arena;
	arc->hashes = hashes;
	arc->sets = arena_array(arena, ARC_SETS_MAX, sizeof *arc->sets);
	if (arc->sets == NULL)
		return NULL;
	arc->open = true;
	if (collect(arc, index) && read_seals(arc, now_s))
		(void)!read_message(arc, index, hashes, now_s);
	arc->verdict.set_count = (unsigned)arc->count;
	if (arc->count > 0) {
		const struct set *newest = &arc->sets[arc->count - 1];

		arc->verdict.domain = newest->seal.domain;
		if (newest->fields[RESULTS] != NULL)
			arc->verdict.results = text_trim(text_from(newest->fields[RESULTS]->value,
			    text_find_byte(newest->fields[RESULTS]->value, ';') + 1));
	}
	return arc;
}

/* -- keys: the newest signature's, then the seals' from the newest on ---------- */

static struct signature_keys *waiting(struct arc *arc, const struct signature **out_signature)
{
	if (!arc->open)
		return NULL;
	*out_signature = &arc->message;
	if (!arc->message_keys.heard)
		return &arc->message_keys;
	for (size_t i = arc->count; i > 0; i--) {
		*out_signature = &arc->sets[i - 1].seal;
		if (!arc->sets[i - 1].keys.heard)
			return &arc->sets[i - 1].keys;
	}
	return NULL;
}

bool arc_question(const struct arc *arc, struct question *out_question)
{
	const struct signature *signature;

	if (waiting((struct arc *)arc, &signature) == NULL)
		return false;
	*out_question = (struct question){ QUESTION_TXT, signature->key_name };
	return true;
}

void arc_answer(struct arc *arc, const struct answer *answer)
{
	const struct signature *signature;
	struct signature_keys *keys = waiting(arc, &signature);

	must(keys != NULL);
	signature_keys_hear(keys, answer, arc->arena);
	/* Those who sealed twice did it with one key. */
	for (size_t i = 0; i < arc->count; i++)
		if (!arc->sets[i].keys.heard && text_equal(arc->sets[i].seal.key_name, signature->key_name))
			arc->sets[i].keys = *keys;
}

/* -- judging ----------------------------------------------------------------- */

/* A seal signs all sets up to its own, in the order results, signature, seal (§5.1.1). */
static bool seal_hash(const struct arc *arc, size_t instance, uint8_t out_hash[DIGEST_BYTES])
{
	struct digest *digest = digest_new();

	if (digest == NULL)
		return false;
	for (size_t i = 1; i <= instance; i++) {
		const struct set *set = &arc->sets[i - 1];

		canon_field(CANON_RELAXED, set->fields[RESULTS], digest);
		canon_field(CANON_RELAXED, set->fields[MESSAGE], digest);
		if (i < instance)
			canon_field(CANON_RELAXED, set->fields[SEAL], digest);
		else
			canon_signature_field(CANON_RELAXED, set->fields[SEAL], set->seal.hole, digest);
	}
	digest_end(digest, out_hash);
	digest_free(digest);
	return true;
}

/* False: it is settled. */
static bool take_judgement(struct arc *arc, struct judgement judgement, size_t instance)
{
	if (judgement.result == AUTH_PASS)
		return true;
	arc->verdict.is_temporary = judgement.result == AUTH_TEMPERROR;
	settle(arc, AUTH_FAIL, judgement.reason, instance);
	return false;
}

static bool judge_message(struct arc *arc)
{
	const uint8_t *hash = body_hashes_hash(arc->hashes, arc->body_id);
	const uint64_t limit = arc->message.body_limit;

	if ((limit != BODY_WHOLE && limit > body_hashes_length(arc->hashes, arc->body_id)) ||
	    memcmp(hash, arc->message.body_hash.bytes, DIGEST_BYTES) != 0) {
		settle(arc, AUTH_FAIL, "the body was changed", arc->count);
		return false;
	}
	return take_judgement(arc,
	    signature_judge(&arc->message, arc->message_hash, &arc->message_keys, arc->arena), arc->count);
}

static bool judge_seal(struct arc *arc, size_t instance)
{
	const struct set *set = &arc->sets[instance - 1];
	uint8_t hash[DIGEST_BYTES];

	if (!seal_hash(arc, instance, hash))
		return take_judgement(arc, (struct judgement){ AUTH_TEMPERROR, "out of memory" }, instance);
	return take_judgement(arc, signature_judge(&set->seal, hash, &set->keys, arc->arena), instance);
}

const struct arc_verdict *arc_judge(struct arc *arc)
{
	if (arc->open && judge_message(arc)) {
		size_t instance = arc->count;

		while (instance > 0 && judge_seal(arc, instance))
			instance--;
		if (instance == 0)
			settle(arc, AUTH_PASS, NULL, 0);
	}
	return &arc->verdict;
}
