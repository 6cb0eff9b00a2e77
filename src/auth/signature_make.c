#include "auth/signature_make.h"

#include "base/base64.h"
#include "base/must.h"

/* RFC 6376 §5.4.1, and what has come since. */
static const char *const signed_names[] = { "From", "Reply-To", "Subject", "Date", "Message-ID", "To", "Cc",
	"Sender", "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition",
	"Content-ID", "Content-Description", "In-Reply-To", "References", "Resent-Date", "Resent-From",
	"Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Message-ID", "List-Id", "List-Help",
	"List-Unsubscribe", "List-Unsubscribe-Post", "List-Subscribe", "List-Post", "List-Owner",
	"List-Archive", "Auto-Submitted", "TLS-Required" };
enum { SIGNED_NAMES = sizeof signed_names / sizeof signed_names[0], NAMES_A_LINE = 6 };

/* -- h= ---------------------------------------------------------------------- */

struct name_list {
	const struct header_index *index;
	struct buffer text;
	size_t count;
	bool failed; /* Too long. */
};

static void list_name(struct name_list *list, struct text name, size_t times)
{
	for (size_t i = 0; i < times && !list->failed; i++, list->count++)
		list->failed = list->count == SIGNATURE_NAMES_MAX ||
		    !buffer_print(&list->text, "%s%.*s",
			list->count == 0                      ? ""
			    : list->count % NAMES_A_LINE == 0 ? ":\r\n\t "
							      : ":",
			TEXT_FORMAT(name));
}

static bool is_oversigned(const struct dkim_manner *manner, struct text name)
{
	bool found = text_equal_nocase(name, TEXT("From")); /* S1 */

	for (size_t i = 0; i < manner->oversigned_count && !found; i++)
		found = text_equal_nocase(name, manner->oversigned[i]);
	return found;
}

/* Is it one of ours, or did the manner name it before? */
static bool is_listed(const struct dkim_manner *manner, size_t position)
{
	const struct text name = manner->oversigned[position];
	bool found = false;

	for (size_t i = 0; i < SIGNED_NAMES && !found; i++)
		found = text_equal_nocase(name, text_of(signed_names[i]));
	for (size_t i = 0; i < position && !found; i++)
		found = text_equal_nocase(name, manner->oversigned[i]);
	return found;
}

enum error signature_names_make(const struct header_index *index, const struct dkim_manner *manner,
    const char *extra, struct arena *arena, struct text *out_names)
{
	struct name_list list = { .index = index };
	enum error error = OK;

	buffer_init(&list.text, DKIM_FIELD_BYTES_MAX / 2);
	for (size_t i = 0; i < SIGNED_NAMES; i++) {
		const struct text name = text_of(signed_names[i]);

		list_name(&list, name, header_index_count(index, name) + is_oversigned(manner, name));
	}
	for (size_t i = 0; i < manner->oversigned_count; i++)
		if (!is_listed(manner, i))
			list_name(&list, manner->oversigned[i],
			    header_index_count(index, manner->oversigned[i]) + 1);
	if (extra != NULL)
		list_name(&list, text_of(extra), header_index_count(index, text_of(extra)));
	if (list.failed)
		error = ERR_TOO_LARGE;
	else if (!arena_copy(arena, buffer_text(&list.text), out_names))
		error = ERR_NO_MEMORY;
	buffer_done(&list.text);
	return error;
}

/* -- the field --------------------------------------------------------------- */

const char *signature_algorithm(const struct private_key *key)
{
	return private_key_kind(key) == KEY_RSA ? "rsa-sha256" : "ed25519-sha256";
}

bool signature_make_hash(enum signature_kind kind, struct text text, struct text names,
    const struct header_index *index, struct arena *arena, uint8_t out_hash[DIGEST_BYTES])
{
	struct header_field field;
	struct signature signature = {
		.kind = kind, .field = &field, .header_canon = CANON_RELAXED, .names = names
	};

	must(header_next(&text, &field) && text.length == 0);
	signature.hole = text_from(field.value, field.value.length);
	return signature_hash(&signature, index, arena, out_hash);
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

enum error signature_make(struct text field, const uint8_t hash[DIGEST_BYTES], const struct private_key *key,
    struct arena *arena, struct buffer *out)
{
	char room[KEY_SIGNATURE_MAX];
	struct text value, base64;
	struct buffer whole;
	enum error error = private_key_sign(key, hash, room, &value);

	if (error == OK && !base64_encode(value, arena, &base64))
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
