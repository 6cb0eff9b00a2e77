#include "auth/arc_seal.h"

#include "auth/arc_private.h"
#include "auth/signature_make.h"
#include "base/base64.h"
#include "base/must.h"

struct arc_sealer {
	const struct arc *arc;
	const struct header_index *index;
	const struct body_hashes *hashes;
	struct arena *arena;
	size_t body_id;
	int64_t now_s;
	struct text names;
};

/* What goes into the fields of one set. */
struct set {
	unsigned instance;
	const char *chain; /* cv= */
	struct text results, message; /* Whole fields. */
};

enum error arc_sealer_new(const struct arc *arc, const struct header_index *index, struct body_hashes *hashes,
    const struct dkim_manner *manner, struct arena *arena, struct arc_sealer **out_sealer)
{
	struct arc_sealer *sealer = arena_alloc(arena, sizeof *sealer);

	if (sealer == NULL)
		return ERR_NO_MEMORY;
	*sealer = (struct arc_sealer){
		.arc = arc, .index = index, .hashes = hashes, .arena = arena, .now_s = manner->now_s
	};
	/* §4.1.2: signatures of others are to be signed, seals must not be. */
	const enum error error = signature_names_make(index, manner, "DKIM-Signature", arena, &sealer->names);

	if (error != OK)
		return error;
	if (!body_hashes_want(hashes, CANON_RELAXED, BODY_WHOLE, &sealer->body_id))
		return ERR_NO_MEMORY;
	*out_sealer = sealer;
	return OK;
}

static enum error make_results(
    const struct arc_sealer *sealer, struct text results, struct set *set)
{
	return arena_print(sealer->arena, &set->results, "ARC-Authentication-Results: i=%u; %.*s\r\n", set->instance,
		   TEXT_FORMAT(text_trim(results)))
	    ? OK
	    : ERR_NO_MEMORY;
}

/* Keep a field that was made into a buffer. */
static enum error make_field(const struct arc_sealer *sealer, struct text field, const uint8_t hash[DIGEST_BYTES],
    const struct dkim_signing *signing, struct text *out_field)
{
	struct buffer buffer;

	buffer_init(&buffer, DKIM_FIELD_BYTES_MAX);
	enum error error = signature_make(field, hash, signing->key, sealer->arena, &buffer);

	if (error == OK && !arena_copy(sealer->arena, buffer_text(&buffer), out_field))
		error = ERR_NO_MEMORY;
	buffer_done(&buffer);
	return error;
}

static enum error make_message(
    const struct arc_sealer *sealer, const struct dkim_signing *signing, struct set *set)
{
	const uint8_t *body = body_hashes_hash(sealer->hashes, sealer->body_id);
	uint8_t hash[DIGEST_BYTES];
	struct text body_hash, field;

	if (!base64_encode((struct text){ (const char *)body, DIGEST_BYTES }, sealer->arena, &body_hash) ||
	    !arena_print(sealer->arena, &field,
		"ARC-Message-Signature: i=%u; a=%s; c=relaxed/relaxed;\r\n\td=%.*s; s=%.*s;\r\n\tt=%lld;\r\n"
		"\th=%.*s;\r\n\tbh=%.*s;\r\n\tb=",
		set->instance, signature_algorithm(signing->key), TEXT_FORMAT(signing->domain),
		TEXT_FORMAT(signing->selector), (long long)sealer->now_s, TEXT_FORMAT(sealer->names),
		TEXT_FORMAT(body_hash)) ||
	    !signature_make_hash(
		SIGNATURE_ARC_MESSAGE, field, sealer->names, sealer->index, sealer->arena, hash))
		return ERR_NO_MEMORY;
	return make_field(sealer, field, hash, signing, &set->message);
}

static void add_field(struct text text, bool is_last, struct digest *digest)
{
	struct header_field field;

	must(header_next(&text, &field) && text.length == 0);
	if (is_last)
		canon_signature_field(
		    CANON_RELAXED, &field, text_from(field.value, field.value.length), digest);
	else
		canon_field(CANON_RELAXED, &field, digest);
}

static enum error make_seal(const struct arc_sealer *sealer, const struct dkim_signing *signing,
    const struct set *set, bool is_whole, struct text *out_field)
{
	struct digest *digest = digest_new();
	uint8_t hash[DIGEST_BYTES];
	struct text field;

	if (digest == NULL ||
	    !arena_print(sealer->arena, &field,
		"ARC-Seal: i=%u; a=%s; t=%lld; cv=%s;\r\n\td=%.*s; s=%.*s;\r\n\tb=", set->instance,
		signature_algorithm(signing->key), (long long)sealer->now_s, set->chain,
		TEXT_FORMAT(signing->domain), TEXT_FORMAT(signing->selector))) {
		digest_free(digest);
		return ERR_NO_MEMORY;
	}
	if (is_whole) /* S2 */
		arc_add_sets(sealer->arc, set->instance - 1, digest);
	add_field(set->results, false, digest);
	add_field(set->message, false, digest);
	add_field(field, true, digest);
	digest_end(digest, hash);
	digest_free(digest);
	return make_field(sealer, field, hash, signing, out_field);
}

enum error arc_sealer_seal(const struct arc_sealer *sealer, const struct arc_verdict *verdict,
    const struct dkim_signing *signing, struct text results, struct buffer *out)
{
	struct set set = { .instance = arc_newest(sealer->arc) + 1,
		.chain = verdict->result == AUTH_NONE ? "none" : verdict->result == AUTH_PASS ? "pass" : "fail" };
	struct text seal, whole;

	if (set.instance > ARC_SETS_MAX || arc_is_closed(sealer->arc) || verdict->is_temporary)
		return ERR_UNSUPPORTED;
	enum error error = make_results(sealer, results, &set);

	if (error == OK)
		error = make_message(sealer, signing, &set);
	if (error == OK)
		error = make_seal(sealer, signing, &set, verdict->result != AUTH_FAIL, &seal);
	if (error != OK)
		return error;
	if (!arena_print(sealer->arena, &whole, "%.*s%.*s%.*s", TEXT_FORMAT(seal), TEXT_FORMAT(set.message),
		TEXT_FORMAT(set.results)))
		return ERR_NO_MEMORY;
	return buffer_append(out, whole) ? OK : ERR_TOO_LARGE;
}
