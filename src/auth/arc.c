#include "auth/arc.h"

#include "auth/arc_private.h"
#include "auth/tags.h"
#include "base/must.h"

struct set {
	const struct header_field *fields[ARC_PART_COUNT];
	struct signature seal;
	struct signature_keys keys; /* Of the seal. */
};

struct arc {
	struct arena *arena;
	const struct body_hashes *hashes;
	struct set *sets; /* Instance 1 first. */
	size_t count;
	unsigned newest; /* The highest instance that any field names, ARC_SETS_MAX + 1 for all above. */
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

static enum arc_part part_of(struct text name)
{
	static const char *const names[ARC_PART_COUNT] = { "ARC-Authentication-Results", "ARC-Message-Signature",
		"ARC-Seal" };
	enum arc_part part = ARC_RESULTS;

	while (part < ARC_PART_COUNT && !text_equal_nocase(name, text_of(names[part])))
		part++;
	return part;
}

/* The i= of a field; 0 when it has none. In the results it is the first tag, and what follows is no tag list. */
static uint64_t instance_of(const struct header_field *field, enum arc_part part)
{
	struct text rest = field->value;
	struct tag tag;
	uint64_t instance;

	while (tags_next(&rest, &tag)) {
		if (text_equal(tag.name, TEXT("i")))
			return text_to_u64(tag.value, &instance) ? instance : 0;
		if (part == ARC_RESULTS)
			break;
	}
	return 0;
}

/* Put a field into its set. False: it is settled. */
static bool collect_field(struct arc *arc, const struct header_field *field, enum arc_part part)
{
	const uint64_t instance = instance_of(field, part);
	const bool counts = instance >= 1 && instance <= ARC_SETS_MAX;

	if (instance > arc->newest)
		arc->newest = counts ? (unsigned)instance : ARC_SETS_MAX + 1;
	if (counts && arc->sets[instance - 1].fields[part] == NULL) {
		arc->sets[instance - 1].fields[part] = field;
		return true;
	}
	if (arc->open)
		settle(arc, AUTH_FAIL,
		    instance < 1                  ? "a field without an instance"
			: instance > ARC_SETS_MAX ? "too many instances"
						  : "a field comes twice",
		    counts ? instance : 0);
	return false;
}

/* Put the fields into their sets; all of them, for whoever adds one must know the newest. False: it is settled. */
static bool collect(struct arc *arc, const struct header_index *index)
{
	bool right = true;

	for (size_t i = 0; i < index->count; i++) {
		const enum arc_part part = part_of(index->fields[i].name);

		if (part < ARC_PART_COUNT && !collect_field(arc, &index->fields[i], part))
			right = false;
	}
	arc->count = arc->newest > ARC_SETS_MAX ? ARC_SETS_MAX : arc->newest;
	if (right && arc->count == 0)
		settle(arc, AUTH_NONE, NULL, 0);
	return right && arc->count > 0;
}

/* Read the seals, and whether they tell of an unbroken chain (§5.2, step 3). */
static bool read_seals(struct arc *arc, int64_t now_s)
{
	struct judgement judgement;

	for (size_t i = arc->count; i > 0; i--) {
		struct set *set = &arc->sets[i - 1];

		if (set->fields[ARC_RESULTS] == NULL || set->fields[ARC_MESSAGE] == NULL ||
		    set->fields[ARC_SEAL] == NULL) {
			settle(arc, AUTH_FAIL, "a set is not complete", i);
			return false;
		}
		if (!signature_read(
			SIGNATURE_ARC_SEAL, set->fields[ARC_SEAL], now_s, arc->arena, &set->seal, &judgement)) {
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

	if (signature_read(SIGNATURE_ARC_MESSAGE, arc->sets[arc->count - 1].fields[ARC_MESSAGE], now_s,
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
		if (newest->fields[ARC_RESULTS] != NULL)
			arc->verdict.results = text_trim(text_from(newest->fields[ARC_RESULTS]->value,
			    text_find_byte(newest->fields[ARC_RESULTS]->value, ';') + 1));
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

void arc_add_sets(const struct arc *arc, size_t count, struct digest *digest)
{
	for (size_t i = 0; i < count; i++)
		for (enum arc_part part = ARC_RESULTS; part < ARC_PART_COUNT; part++)
			canon_field(CANON_RELAXED, arc->sets[i].fields[part], digest);
}

unsigned arc_newest(const struct arc *arc)
{
	return arc->newest;
}

bool arc_is_closed(const struct arc *arc)
{
	const struct header_field *seal =
	    arc->newest >= 1 && arc->newest <= ARC_SETS_MAX ? arc->sets[arc->newest - 1].fields[ARC_SEAL] : NULL;
	struct tag_list tags;
	struct text chain;

	return seal != NULL && tags_parse(seal->value, &tags) == OK && tags_find(&tags, TEXT("cv"), &chain) &&
	    text_equal_nocase(chain, TEXT("fail"));
}

/* A seal signs all sets up to its own, in the order results, signature, seal (§5.1.1). */
static bool seal_hash(const struct arc *arc, size_t instance, uint8_t out_hash[DIGEST_BYTES])
{
	const struct set *set = &arc->sets[instance - 1];
	struct digest *digest = digest_new();

	if (digest == NULL)
		return false;
	arc_add_sets(arc, instance - 1, digest);
	canon_field(CANON_RELAXED, set->fields[ARC_RESULTS], digest);
	canon_field(CANON_RELAXED, set->fields[ARC_MESSAGE], digest);
	canon_signature_field(CANON_RELAXED, set->fields[ARC_SEAL], set->seal.hole, digest);
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

static bool judge_message(struct arc *arc, struct key_ring *ring)
{
	const uint8_t *hash = body_hashes_hash(arc->hashes, arc->body_id);
	const uint64_t limit = arc->message.body_limit;

	if ((limit != BODY_WHOLE && limit > body_hashes_length(arc->hashes, arc->body_id)) ||
	    memcmp(hash, arc->message.body_hash.bytes, DIGEST_BYTES) != 0) {
		settle(arc, AUTH_FAIL, "the body was changed", arc->count);
		return false;
	}
	return take_judgement(arc,
	    signature_judge(&arc->message, arc->message_hash, &arc->message_keys, ring, arc->arena), arc->count);
}

static bool judge_seal(struct arc *arc, struct key_ring *ring, size_t instance)
{
	const struct set *set = &arc->sets[instance - 1];
	uint8_t hash[DIGEST_BYTES];

	if (!seal_hash(arc, instance, hash))
		return take_judgement(arc, (struct judgement){ AUTH_TEMPERROR, "out of memory" }, instance);
	return take_judgement(arc, signature_judge(&set->seal, hash, &set->keys, ring, arc->arena), instance);
}

const struct arc_verdict *arc_judge(struct arc *arc, struct key_ring *ring)
{
	if (arc->open && judge_message(arc, ring)) {
		size_t instance = arc->count;

		while (instance > 0 && judge_seal(arc, ring, instance))
			instance--;
		if (instance == 0)
			settle(arc, AUTH_PASS, NULL, 0);
	}
	return &arc->verdict;
}
