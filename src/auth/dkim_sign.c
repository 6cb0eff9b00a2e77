#include "auth/dkim_sign.h"

#include "auth/signature_make.h"
#include "base/base64.h"

struct dkim_signer {
	struct arena *arena;
	const struct header_index *index;
	const struct body_hashes *hashes;
	size_t body_id;
	struct text times; /* t= and perhaps x=. */
	struct text names; /* What h= will say. */
};

static bool print_times(const struct dkim_manner *manner, struct arena *arena, struct text *out_times)
{
	if (manner->lifetime_s == 0)
		return arena_print(arena, out_times, "t=%lld", (long long)manner->now_s);
	const int64_t expires_s = manner->now_s + manner->lifetime_s;

	return arena_print(arena, out_times, "t=%lld; x=%lld", (long long)manner->now_s, (long long)expires_s);
}

enum error dkim_signer_new(const struct header_index *index, struct body_hashes *hashes,
    const struct dkim_manner *manner, struct arena *arena, struct dkim_signer **out_signer)
{
	struct dkim_signer *signer = arena_alloc(arena, sizeof *signer);

	if (header_index_count(index, TEXT("From")) != 1)
		return ERR_SYNTAX;
	if (signer == NULL)
		return ERR_NO_MEMORY;
	*signer = (struct dkim_signer){ .arena = arena, .index = index, .hashes = hashes };
	const enum error error = signature_names_make(index, manner, NULL, arena, &signer->names);

	if (error != OK)
		return error;
	if (!print_times(manner, arena, &signer->times) ||
	    !body_hashes_want(hashes, CANON_RELAXED, BODY_WHOLE, &signer->body_id))
		return ERR_NO_MEMORY;
	*out_signer = signer;
	return OK;
}

/* The field up to "b=". */
static bool compose(
    const struct dkim_signer *signer, const struct dkim_signing *signing, struct text *out_field)
{
	const uint8_t *hash = body_hashes_hash(signer->hashes, signer->body_id);
	struct text body_hash;

	return base64_encode((struct text){ (const char *)hash, DIGEST_BYTES }, signer->arena, &body_hash) &&
	    arena_print(signer->arena, out_field,
		"DKIM-Signature: v=1; a=%s; c=relaxed/relaxed;\r\n\td=%.*s; s=%.*s;\r\n\t%.*s;\r\n"
		"\th=%.*s;\r\n\tbh=%.*s;\r\n\tb=",
		signature_algorithm(signing->key), TEXT_FORMAT(signing->domain), TEXT_FORMAT(signing->selector),
		TEXT_FORMAT(signer->times), TEXT_FORMAT(signer->names), TEXT_FORMAT(body_hash));
}

enum error dkim_signer_sign(
    const struct dkim_signer *signer, const struct dkim_signing *signing, struct buffer *out)
{
	uint8_t hash[DIGEST_BYTES];
	struct text field;

	if (!compose(signer, signing, &field) ||
	    !signature_make_hash(SIGNATURE_DKIM, field, signer->names, signer->index, signer->arena, hash))
		return ERR_NO_MEMORY;
	return signature_make(field, hash, signing->key, signer->arena, out);
}
