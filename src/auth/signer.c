#include "auth/signer.h"

#include "auth/author.h"
#include "base/must.h"
#include "mail/address.h"

struct signer {
	struct signing_keys *keys;
	struct dkim_signer *dkim;
	struct dkim_signing signings[DKIM_KEYS_MAX];
	size_t count;
};

static enum error find_keys(struct signer *signer, const struct header_index *index, struct text sender_domain,
    int64_t now_s, struct arena *arena)
{
	struct text domain;
	const char *reason;
	enum error error = author_domain(index, arena, &domain, &reason);

	if (error == OK)
		signer->count = signing_keys_find(signer->keys, domain, now_s, signer->signings);
	if (error == ERR_NO_MEMORY || signer->count > 0)
		return error;
	if (sender_domain.length > 0) {
		error = address_domain_to_ascii(sender_domain, arena, &domain);
		if (error == OK)
			signer->count = signing_keys_find(signer->keys, domain, now_s, signer->signings);
	}
	return error == ERR_NO_MEMORY ? error : signer->count > 0 ? OK : ERR_NOT_FOUND;
}

enum error signer_new(struct signing_keys *keys, const struct header_index *index, struct text sender_domain,
    const struct dkim_manner *manner, struct body_hashes *hashes, struct arena *arena, struct signer **out_signer)
{
	struct signer *signer = arena_alloc(arena, sizeof *signer);

	if (signer == NULL)
		return ERR_NO_MEMORY;
	*signer = (struct signer){ .keys = keys };
	enum error error = find_keys(signer, index, sender_domain, manner->now_s, arena);

	if (error == OK)
		error = dkim_signer_new(index, hashes, manner, arena, &signer->dkim);
	if (error != OK)
		return error;
	signing_keys_ref(keys);
	*out_signer = signer;
	return OK;
}

struct text signer_domain(const struct signer *signer)
{
	return signer->signings[0].domain;
}

enum error signer_sign(const struct signer *signer, struct buffer *out)
{
	struct buffer fields;
	enum error error = OK;

	must(signer->keys != NULL);
	buffer_init(&fields, DKIM_KEYS_MAX * DKIM_FIELD_BYTES_MAX);
	for (size_t i = 0; i < signer->count && error == OK; i++)
		error = dkim_signer_sign(signer->dkim, &signer->signings[i], &fields);
	if (error == OK && !buffer_append(out, buffer_text(&fields)))
		error = ERR_TOO_LARGE;
	buffer_done(&fields);
	return error;
}

void signer_done(struct signer *signer)
{
	if (signer == NULL)
		return;
	signing_keys_unref(signer->keys);
	signer->keys = NULL;
}
