#include "auth/signature.h"

#include "auth/domain.h"
#include "auth/tags.h"
#include "base/hex.h"
#include "base/must.h"
#include "base/base64.h"
#include "mail/address.h"

/* -- reading the field ------------------------------------------------------- */

struct reading {
	struct signature *signature;
	struct tag_list tags;
	struct arena *arena;
	int64_t now_s;
};

/* Each step returns what is wrong, or NULL. */
typedef const char *reading_step(struct reading *reading);

static struct text find(const struct reading *reading, const char *name)
{
	struct text value = TEXT_EMPTY;

	(void)!tags_find(&reading->tags, text_of(name), &value);
	return value;
}

static bool has(const struct reading *reading, const char *name)
{
	struct text value;

	return tags_find(&reading->tags, text_of(name), &value);
}

static const char *read_required(struct reading *reading)
{
	static const char *const required[][8] = {
		[SIGNATURE_DKIM] = { "v", "a", "b", "bh", "d", "h", "s" },
		[SIGNATURE_ARC_MESSAGE] = { "i", "a", "b", "bh", "d", "h", "s" },
		[SIGNATURE_ARC_SEAL] = { "i", "a", "b", "cv", "d", "s" },
	};
	const enum signature_kind kind = reading->signature->kind;

	for (size_t i = 0; required[kind][i] != NULL; i++)
		if (!has(reading, required[kind][i]))
			return "a required tag is missing";
	if (kind == SIGNATURE_DKIM && !text_equal(find(reading, "v"), TEXT("1")))
		return "v= is not 1";
	if (kind == SIGNATURE_ARC_SEAL && has(reading, "h"))
		return "a seal with h=";
	if (kind != SIGNATURE_DKIM && !text_to_u64(find(reading, "i"), &reading->signature->instance))
		return "i= is no number";
	return NULL;
}

static const char *read_algorithm(struct reading *reading)
{
	const struct text algorithm = reading->signature->algorithm;

	reading->signature->key_kind = KEY_RSA;
	if (text_equal_nocase(algorithm, TEXT("rsa-sha256")))
		return NULL;
	reading->signature->key_kind = KEY_ED25519;
	if (text_equal_nocase(algorithm, TEXT("ed25519-sha256")))
		return NULL;
	return text_equal_nocase(algorithm, TEXT("rsa-sha1")) ? "rsa-sha1 is not accepted any more"
							      : "the algorithm is not known";
}

static bool canon_of(struct text word, enum canon *out_canon)
{
	*out_canon = text_equal_nocase(word, TEXT("relaxed")) ? CANON_RELAXED : CANON_SIMPLE;
	return *out_canon == CANON_RELAXED || text_equal_nocase(word, TEXT("simple"));
}

static const char *read_canon(struct reading *reading)
{
	struct signature *signature = reading->signature;
	const struct text both = find(reading, "c");
	const size_t slash = text_find_byte(both, '/');

	if (signature->kind == SIGNATURE_ARC_SEAL) {
		signature->header_canon = CANON_RELAXED;
		return NULL;
	}
	/* Where a signature for ARC says nothing, its test suite means relaxed; DKIM means simple. */
	signature->header_canon = signature->body_canon =
	    signature->kind == SIGNATURE_DKIM || has(reading, "c") ? CANON_SIMPLE : CANON_RELAXED;
	if (has(reading, "c") &&
	    (!canon_of(text_trim(text_part(both, 0, slash)), &signature->header_canon) ||
		(slash < both.length &&
		    !canon_of(text_trim(text_from(both, slash + 1)), &signature->body_canon))))
		return "the canonicalisation is not known";
	if (has(reading, "q") && !tags_list_holds(find(reading, "q"), TEXT("dns/txt")))
		return "q= names no way to the key that is known";
	return NULL;
}

/* Domain names in a signature may be of Unicode (RFC 8616); DNS is asked in ASCII. */
static const char *read_key_name(struct reading *reading)
{
	struct signature *signature = reading->signature;
	struct text domain, selector;

	if (address_domain_to_ascii(signature->domain, reading->arena, &domain) != OK ||
	    !domain_is_name(domain))
		return "d= is no domain";
	if (address_domain_to_ascii(signature->selector, reading->arena, &selector) != OK ||
	    !domain_is_name(selector))
		return "s= is no selector";
	if (!arena_print(reading->arena, &signature->key_name, "%.*s._domainkey.%.*s", TEXT_FORMAT(selector),
		TEXT_FORMAT(domain)))
		return "out of memory";
	return domain_is_name(signature->key_name) ? NULL : "the name of the key is too long";
}

/* A digit in upper case. */
static int quoted_digit(char c)
{
	return byte_upper(c) == c ? hex_value(c) : -1;
}

/* dkim-quoted-printable (RFC 6376 §2.11). */
static bool unquote(struct text quoted, struct arena *arena, struct text *out_plain)
{
	char *room = arena_alloc(arena, quoted.length + 1);
	size_t length = 0;

	for (size_t i = 0; room != NULL && i < quoted.length; i++) {
		const char c = quoted.bytes[i];

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		room[length++] = c;
		if (c == '=' && i + 2 < quoted.length && quoted_digit(quoted.bytes[i + 1]) >= 0 &&
		    quoted_digit(quoted.bytes[i + 2]) >= 0) {
			room[length - 1] =
			    (char)(quoted_digit(quoted.bytes[i + 1]) * 16 + quoted_digit(quoted.bytes[i + 2]));
			i += 2;
		}
	}
	*out_plain = (struct text){ room, length };
	return room != NULL;
}

static const char *read_identity(struct reading *reading)
{
	struct signature *signature = reading->signature;
	struct text identity;

	if (signature->kind != SIGNATURE_DKIM || !has(reading, "i"))
		return NULL;
	if (!unquote(find(reading, "i"), reading->arena, &identity))
		return "out of memory";
	const size_t at = text_find_byte_last(identity, '@');

	if (at == identity.length || !domain_is_within(text_from(identity, at + 1), signature->domain))
		return "i= is not within d=";
	signature->identity = identity;
	return NULL;
}

/* Digits; more than 64 bits can hold is as good as the most. */
static bool read_number(struct text digits, uint64_t *out_number)
{
	for (size_t i = 0; i < digits.length; i++)
		if (!byte_is_digit(digits.bytes[i]))
			return false;
	if (!text_to_u64(digits, out_number))
		*out_number = UINT64_MAX;
	return digits.length > 0;
}

static const char *read_numbers(struct reading *reading)
{
	struct signature *signature = reading->signature;
	uint64_t signed_s = 0, expires_s = UINT64_MAX;

	signature->body_limit = BODY_WHOLE;
	if (has(reading, "t") && !read_number(find(reading, "t"), &signed_s))
		return "t= is no time";
	if (signature->kind == SIGNATURE_ARC_SEAL)
		return NULL;
	if (has(reading, "x") && !read_number(find(reading, "x"), &expires_s))
		return "x= is no time";
	if (has(reading, "x") && has(reading, "t") && expires_s <= signed_s)
		return "it expires before it was made";
	if (reading->now_s > 0 && expires_s < (uint64_t)reading->now_s)
		return "the signature has expired";
	if (has(reading, "l") && !read_number(find(reading, "l"), &signature->body_limit))
		return "l= is no number";
	return NULL;
}

static const char *read_names(struct reading *reading)
{
	struct signature *signature = reading->signature;
	struct text rest = find(reading, "h"), name;
	size_t count = 0;

	if (signature->kind == SIGNATURE_ARC_SEAL)
		return NULL;
	signature->names = rest;
	while (text_cut(&rest, ':', &name))
		if (++count > SIGNATURE_NAMES_MAX)
			return "it signs too many fields";
	/* What ARC signs is the chain; whose message it is, is DMARC's question. */
	if (signature->kind == SIGNATURE_ARC_MESSAGE)
		return tags_list_holds(signature->names, TEXT("ARC-Seal")) ? "it signs a seal" : NULL;
	return tags_list_holds(signature->names, TEXT("From")) ? NULL : "it does not sign From";
}

static const char *read_values(struct reading *reading)
{
	struct signature *signature = reading->signature;

	if (base64_decode(find(reading, "b"), reading->arena, &signature->value) != OK ||
	    signature->value.length == 0)
		return "b= is no base64";
	if (signature->kind != SIGNATURE_ARC_SEAL &&
	    (base64_decode(find(reading, "bh"), reading->arena, &signature->body_hash) != OK ||
		signature->body_hash.length != DIGEST_BYTES))
		return "bh= is no hash";
	return NULL;
}

bool signature_read(enum signature_kind kind, const struct header_field *field, int64_t now_s,
    struct arena *arena, struct signature *out_signature, struct judgement *out_judgement)
{
	static reading_step *const steps[] = { read_required, read_algorithm, read_canon, read_key_name,
		read_identity, read_numbers, read_names, read_values };
	struct reading reading = { .signature = out_signature, .arena = arena, .now_s = now_s };
	const char *wrong = NULL;

	*out_signature = (struct signature){ .kind = kind, .field = field };
	if (tags_parse(field->value, &reading.tags) != OK)
		wrong = "it is no tag list";
	out_signature->algorithm = find(&reading, "a");
	out_signature->domain = domain_without_dot(find(&reading, "d"));
	out_signature->selector = find(&reading, "s");
	out_signature->chain = find(&reading, "cv");
	for (size_t i = 0; i < reading.tags.count; i++)
		if (text_equal(reading.tags.tags[i].name, TEXT("b")))
			out_signature->hole = reading.tags.tags[i].raw;
	for (size_t i = 0; wrong == NULL && i < sizeof steps / sizeof steps[0]; i++)
		wrong = steps[i](&reading);
	if (wrong != NULL)
		*out_judgement = (struct judgement){ AUTH_PERMERROR, wrong };
	return wrong == NULL;
}

/* -- the hash ---------------------------------------------------------------- */

/* The last field of that name that has not been signed yet; -1 when there is none (§5.4.2). */
static int64_t last_unsigned(const struct header_index *index, const bool *used, struct text name)
{
	for (size_t i = index->count; i > 0; i--)
		if (!used[i - 1] && text_equal_nocase(index->fields[i - 1].name, name))
			return (int64_t)i - 1;
	return -1;
}

bool signature_hash(const struct signature *signature, const struct header_index *index, struct arena *arena,
    uint8_t out_hash[DIGEST_BYTES])
{
	bool *used = arena_array(arena, index->count + 1, sizeof *used);
	struct digest *digest = digest_new();
	struct text rest = signature->names, name;

	if (used == NULL || digest == NULL) {
		digest_free(digest);
		return false;
	}
	/* The signature's own field is in the message, but signs itself at the end only. */
	for (size_t i = 0; i < index->count; i++)
		used[i] = &index->fields[i] == signature->field;
	while (text_cut(&rest, ':', &name)) {
		const int64_t found = last_unsigned(index, used, text_trim(name));

		if (found < 0)
			continue;
		used[found] = true;
		canon_field(signature->header_canon, &index->fields[found], digest);
	}
	canon_signature_field(signature->header_canon, signature->field, signature->hole, digest);
	digest_end(digest, out_hash);
	digest_free(digest);
	return true;
}

/* -- keys -------------------------------------------------------------------- */

void signature_keys_hear(struct signature_keys *keys, const struct answer *answer, struct arena *arena)
{
	keys->heard = true;
	keys->status = answer->status;
	keys->count = 0;
	for (size_t i = 0; i < answer->count && keys->count < SIGNATURE_KEYS_MAX; i++) {
		if (answer->records[i].text.length > SIGNATURE_KEY_BYTES_MAX)
			continue;
		if (!arena_copy(arena, answer->records[i].text, &keys->records[keys->count])) {
			keys->status = ANSWER_FAILED;
			return;
		}
		keys->count++;
	}
}

struct key_record {
	const struct public_key *key;
	struct public_key *own; /* The same, where no ring keeps it. */
	bool testing;
};

static enum error find_key(struct key_ring *ring, enum key_kind kind, struct text der, struct key_record *out_key)
{
	if (ring != NULL)
		return key_ring_find(ring, kind, der, &out_key->key);
	const enum error error = public_key_read(kind, der, &out_key->own);

	out_key->key = out_key->own;
	return error;
}

/* The key in a record, if this signature may use it (§3.6.1). What is wrong, or NULL. */
static const char *read_key(const struct signature *signature, struct text record, struct key_ring *ring, struct arena *arena,
    struct key_record *out_key)
{
	struct tag_list tags;
	struct text value, der;

	if (tags_parse(record, &tags) != OK)
		return "the key's record is no tag list";
	if (tags_find(&tags, TEXT("v"), &value) &&
	    (!text_equal(value, TEXT("DKIM1")) || !text_equal(tags.tags[0].name, TEXT("v"))))
		return "the key's record is of another version";
	if (tags_find(&tags, TEXT("h"), &value) && !tags_list_holds(value, TEXT("sha256")))
		return "the key is not for SHA-256";
	if (!tags_find(&tags, TEXT("k"), &value))
		value = TEXT("rsa");
	if (!text_equal_nocase(value, signature->key_kind == KEY_RSA ? TEXT("rsa") : TEXT("ed25519")))
		return "the key is of another kind";
	if (tags_find(&tags, TEXT("s"), &value) && !tags_list_holds(value, TEXT("*")) &&
	    !tags_list_holds(value, TEXT("email")))
		return "the key is not for mail";
	if (!tags_find(&tags, TEXT("p"), &value))
		return "the key's record has no key";
	if (value.length == 0)
		return "the key is revoked";
	if (!tags_find(&tags, TEXT("t"), &der))
		der = TEXT_EMPTY;
	out_key->testing = tags_list_holds(der, TEXT("y"));
	if (tags_list_holds(der, TEXT("s")) && signature->identity.length > 0 &&
	    !text_equal_nocase(
		text_from(signature->identity, text_find_byte_last(signature->identity, '@') + 1),
		signature->domain))
		return "the key is not for subdomains";
	if (base64_decode(value, arena, &der) != OK ||
	    find_key(ring, signature->key_kind, der, out_key) != OK)
		return "the key cannot be read";
	return NULL;
}

static struct judgement try_key(const struct signature *signature, const uint8_t hash[DIGEST_BYTES],
    struct text record, struct key_ring *ring, struct arena *arena)
{
	struct key_record key = { 0 };
	const char *wrong = read_key(signature, record, ring, arena, &key);
	struct judgement judgement = { AUTH_PERMERROR, wrong };

	if (wrong == NULL && public_key_bits(key.key) < SIGNATURE_RSA_BITS_MIN &&
	    signature->key_kind == KEY_RSA)
		judgement.reason = "the key is weaker than 1024 bits";
	else if (wrong == NULL && public_key_verify(key.key, hash, signature->value))
		judgement = (struct judgement){ AUTH_PASS, key.testing ? "the key is for tests" : NULL };
	else if (wrong == NULL)
		judgement = (struct judgement){ AUTH_FAIL,
			key.testing ? "the signature is wrong, and its key for tests"
				    : "the signature is wrong" };
	public_key_free(key.own);
	return judgement;
}

struct judgement signature_judge(const struct signature *signature, const uint8_t hash[DIGEST_BYTES],
    const struct signature_keys *keys, struct key_ring *ring, struct arena *arena)
{
	struct judgement judgement = { AUTH_PERMERROR, "the key's record is too long" };

	must(keys->heard);
	if (keys->status == ANSWER_FAILED)
		return (struct judgement){ AUTH_TEMPERROR, "DNS has no answer for the key now" };
	if (keys->status != ANSWER_FOUND)
		return (struct judgement){ AUTH_PERMERROR, "there is no key" };
	/* More than one record is nobody's right (§3.6.2.2), but a change of keys by steps does it: one that fits is enough. */
	for (size_t i = 0; i < keys->count && judgement.result != AUTH_PASS; i++) {
		const struct judgement next = try_key(signature, hash, keys->records[i], ring, arena);

		if (i == 0 || next.result == AUTH_PASS || judgement.result == AUTH_PERMERROR)
			judgement = next;
	}
	return judgement;
}
