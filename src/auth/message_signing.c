#include "auth/message_signing.h"

#include <stdlib.h>

enum { ARENA_BYTES = 16 << 20 };

struct message_signing {
	struct signing_keys *keys;
	struct text sender_domain;
	struct dkim_manner manner;
	struct arena *arena;
	struct body_hashes *hashes;
	struct buffer header;
	struct header_index index;
	struct signer *signer;
	bool in_body;
	enum error error; /* Why it is not signed. */
};

struct message_signing *message_signing_new(
    struct signing_keys *keys, struct text sender_domain, int64_t now_s)
{
	struct message_signing *signing = calloc(1, sizeof *signing);

	if (signing == NULL)
		return NULL;
	buffer_init(&signing->header, MESSAGE_SIGNING_HEADER_MAX);
	signing->keys = signing_keys_ref(keys);
	signing->manner = signing_keys_manner(keys, now_s);
	signing->arena = arena_new(ARENA_BYTES);
	signing->hashes = body_hashes_new();
	if (signing->arena == NULL || signing->hashes == NULL ||
	    !arena_copy(signing->arena, sender_domain, &signing->sender_domain)) {
		message_signing_free(signing);
		return NULL;
	}
	return signing;
}

void message_signing_free(struct message_signing *signing)
{
	if (signing == NULL)
		return;
	signer_done(signing->signer);
	signing_keys_unref(signing->keys);
	body_hashes_free(signing->hashes);
	buffer_done(&signing->header);
	arena_free(signing->arena);
	free(signing);
}

/* How many bytes of the header end it, its empty line included; 0: it goes on. `looked` of them were looked at before. */
static size_t header_end(struct text header, size_t looked)
{
	const size_t from = looked > 3 ? looked - 3 : 0;
	const size_t found = text_find(text_from(header, from), TEXT("\r\n\r\n"));

	if (text_starts(header, TEXT("\r\n")))
		return 2;
	return from + found < header.length ? from + found + 4 : 0;
}

static void begin_body(struct message_signing *signing)
{
	signing->in_body = true;
	signing->error = header_index_make(buffer_text(&signing->header), signing->arena, &signing->index);
	if (signing->error == OK)
		signing->error = signer_new(signing->keys, &signing->index, signing->sender_domain, &signing->manner,
		    signing->hashes, signing->arena, &signing->signer);
}

void message_signing_add(struct message_signing *signing, struct text bytes)
{
	const size_t looked = signing->header.length;

	if (signing->error != OK)
		return;
	if (signing->in_body) {
		body_hashes_add(signing->hashes, bytes);
		return;
	}
	if (!buffer_append(&signing->header, bytes)) {
		signing->error = ERR_TOO_LARGE;
		return;
	}
	const size_t end = header_end(buffer_text(&signing->header), looked);

	if (end == 0)
		return;
	begin_body(signing);
	if (signing->error == OK)
		body_hashes_add(signing->hashes, text_from(buffer_text(&signing->header), end));
}

enum error message_signing_end(struct message_signing *signing, struct buffer *out, struct text *out_domain)
{
	if (signing->error == OK && !signing->in_body)
		begin_body(signing); /* A header alone. */
	if (signing->error != OK)
		return signing->error;
	body_hashes_end(signing->hashes);
	const enum error error = signer_sign(signing->signer, out);

	if (error == OK)
		*out_domain = signer_domain(signing->signer);
	return error;
}
