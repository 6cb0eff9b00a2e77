#include "auth/dkim_sign.h"

#include "auth/signature.h"
#include "base/must.h"
#include "base/base64.h"

struct dkim_signer {
	struct arena *arena;
	const struct header_index *index;
	const struct body_hashes *hashes;
	size_t body_id;
	int64_t now_s;
	struct text names; /* What h= will say. */
};

/* RFC 6376 §5.4.1, and what has come since. */
static const char *const signed_names[] = { "From", "Reply-To", "Subject", "Date", "Message-ID", "To", "Cc",
	"Sender", "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition",
	"Content-ID", "Content-Description", "In-Reply-To", "References", "Resent-Date", "Resent-From",
	"Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Message-ID", "List-Id", "List-Help",
	"List-Unsubscribe", "List-Unsubscribe-Post", "List-Subscribe", "List-Post", "List-Owner",
	"List-Archive", "Auto-Submitted", "TLS-Required" };

/* Each name as often as it occurs, From once more (S1), a dozen to a line. */
static bool list_names(const struct header_index *index, struct arena *arena, struct text *out_names)
{
	struct buffer names;
	size_t listed = 0;
	bool ok = true;

	buffer_init(&names, DKIM_FIELD_BYTES_MAX / 2);
	for (size_t i = 0; ok && i < sizeof signed_names / sizeof signed_names[0]; i++) {
		const struct text name = text_of(signed_names[i]);
		const size_t count = header_index_count(index, name) + (i == 0);

		for (size_t k = 0; ok && k < count; k++, listed++)
			ok = listed < SIGNATURE_NAMES_MAX &&
			    buffer_print(&names, "%s%s",
				listed == 0           ? ""
				    : listed % 6 == 0 ? ":\r\n\t "
						      : ":",
				signed_names[i]);
	}
	ok = ok && arena_copy(arena, buffer_text(&names), out_names);
	buffer_done(&names);
	return ok;
}

enum error dkim_signer_new(const struct header_index *index, struct body_hashes *hashes, int64_t now_s,
    struct arena *arena, struct dkim_signer **out_signer)
{
	struct dkim_signer *signer = arena_alloc(arena, sizeof *signer);

	if (header_index_count(index, TEXT("From")) != 1)
		return ERR_SYNTAX;
	if (signer == NULL)
		return ERR_NO_MEMORY;
	*signer = (struct dkim_signer){ .arena = arena, .index = index, .hashes = hashes, .now_s = now_s };
	if (!list_names(index, arena, &signer->names))
		return ERR_TOO_LARGE;
	if (!body_hashes_want(hashes, CANON_RELAXED, BODY_WHOLE, &signer->body_id))
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
		"DKIM-Signature: v=1; a=%s; c=relaxed/relaxed;\r\n\td=%.*s; s=%.*s;\r\n\tt=%lld;\r\n"
		"\th=%.*s;\r\n\tbh=%.*s;\r\n\tb=",
		private_key_kind(signing->key) == KEY_RSA ? "rsa-sha256" : "ed25519-sha256",
		TEXT_FORMAT(signing->domain), TEXT_FORMAT(signing->selector), (long long)signer->now_s,
		TEXT_FORMAT(signer->names), TEXT_FORMAT(body_hash));
}

/* Base64 in lines that fit the 78 columns of a header. */
static bool append_folded(struct buffer *out, struct text base64)
{
	enum { COLUMNS = 70 };

	for (size_t at = 0; at < base64.length; at += COLUMNS)
		if (!buffer_print(
			out, "%s%.*s", at > 0 ? "\r\n\t " : "", TEXT_FORMAT(text_part(base64, at, COLUMNS))))
			return false;
	return buffer_append(out, TEXT("\r\n"));
}

/* The field without its signature, read back and hashed as a verifier will do it. */
static enum error hash_field(
    const struct dkim_signer *signer, struct text text, uint8_t out_hash[DIGEST_BYTES])
{
	struct text rest = text;
	struct header_field field;
	struct signature signature = {
		.kind = SIGNATURE_DKIM, .header_canon = CANON_RELAXED, .names = signer->names
	};

	must(header_next(&rest, &field) && rest.length == 0);
	signature.field = &field;
	signature.hole = text_from(field.value, field.value.length);
	return signature_hash(&signature, signer->index, signer->arena, out_hash) ? OK : ERR_NO_MEMORY;
}

enum error dkim_signer_sign(
    const struct dkim_signer *signer, const struct dkim_signing *signing, struct buffer *out)
{
	char room[KEY_SIGNATURE_MAX];
	uint8_t hash[DIGEST_BYTES];
	struct text field, value, base64;
	struct buffer whole;
	enum error error;

	if (!compose(signer, signing, &field))
		return ERR_NO_MEMORY;
	error = hash_field(signer, field, hash);
	if (error == OK)
		error = private_key_sign(signing->key, hash, room, &value);
	if (error == OK && !base64_encode(value, signer->arena, &base64))
		error = ERR_NO_MEMORY;
	if (error != OK)
		return error;
	buffer_init(&whole, DKIM_FIELD_BYTES_MAX);
	if (!buffer_append(&whole, field) || !append_folded(&whole, base64) ||
	    !buffer_append(out, buffer_text(&whole)))
		error = ERR_TOO_LARGE;
	buffer_done(&whole);
	return error;
}
