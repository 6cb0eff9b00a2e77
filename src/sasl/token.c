#include "sasl/token.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/must.h"
#include "crypto/key.h"
#include "sasl/exchange.h"

_Static_assert((int)TOKEN_BYTES_MAX <= (int)SASL_BYTES_MAX, "a token comes in one response");

enum { RULES_BYTES_MAX = 1 << 20, RSA_BITS_MIN = 2048 /* RFC 7518 §3.3 */ };

struct token_key {
	struct text id;           /* Empty: it has none. */
	enum key_kind kind;
	struct public_key *key;
};

struct token_rules {
	atomic_uint references;
	struct arena *arena;
	struct token_settings settings; /* Without the text of the keys. */
	struct token_key keys[TOKEN_KEYS_MAX];
	size_t key_count;
};

const char *token_verdict_text(enum token_verdict verdict)
{
	static const char *const texts[] = {
#define FINDING(name, why) [TOKEN_##name] = why,
		TOKEN_VERDICTS(FINDING)
#undef FINDING
	};

	return texts[verdict];
}

/* -- JSON ----------------------------------------------------------------------------------- */

/* NULL: no object, or one that says a thing twice (RFC 7519 §4). */
static json_t *read_object(struct text json)
{
	json_t *value = json_loadb(json.length > 0 ? json.bytes : "", json.length, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(value))
		return value;
	json_decref(value);
	return NULL;
}

/* Empty: no such text. Borrows. */
static struct text member_text(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_string(value) ? (struct text){ json_string_value(value), json_string_length(value) } : TEXT_EMPTY;
}

/* -- Keys ---------------------------------------------------------------------------------------- */

static enum error read_rsa(const json_t *jwk, struct arena *arena, struct public_key **out_key)
{
	struct text modulus, exponent;
	enum error error = base64url_decode(member_text(jwk, "n"), arena, &modulus);

	if (error == OK)
		error = base64url_decode(member_text(jwk, "e"), arena, &exponent);
	return error == OK ? public_key_from_numbers(modulus, exponent, out_key) : error;
}

/* RFC 7518 §6.2.1.2: a coordinate has all its octets. */
static enum error read_curve(const json_t *jwk, struct arena *arena, struct public_key **out_key)
{
	struct text x, y;
	enum error error = base64url_decode(member_text(jwk, "x"), arena, &x);

	if (error == OK)
		error = base64url_decode(member_text(jwk, "y"), arena, &y);
	if (error != OK)
		return error;
	if (x.length != 32 || y.length != 32)
		return ERR_SYNTAX;
	char *both = arena_alloc(arena, x.length + y.length);

	if (both == NULL)
		return ERR_NO_MEMORY;
	memcpy(both, x.bytes, x.length);
	memcpy(both + x.length, y.bytes, y.length);
	return public_key_read(KEY_P256, (struct text){ both, x.length + y.length }, out_key);
}

/* Is it one that could sign tokens for us? Sets of keys hold others, too, and those are passed over. */
static bool is_for_us(const json_t *jwk, enum key_kind *out_kind)
{
	const struct text use = member_text(jwk, "use"), algorithm = member_text(jwk, "alg");
	const struct text type = member_text(jwk, "kty");
	const bool rsa = text_equal(type, TEXT("RSA"));
	const bool curve = text_equal(type, TEXT("EC")) && text_equal(member_text(jwk, "crv"), TEXT("P-256"));

	*out_kind = rsa ? KEY_RSA : KEY_P256;
	return (rsa || curve) && (use.length == 0 || text_equal(use, TEXT("sig"))) &&
	    (algorithm.length == 0 || text_equal(algorithm, rsa ? TEXT("RS256") : TEXT("ES256")));
}

/* NULL: fine. */
static const char *take_key(struct token_rules *rules, const json_t *jwk)
{
	struct token_key *slot = &rules->keys[rules->key_count];
	enum key_kind kind;

	if (!json_is_object(jwk))
		return "a key is no object";
	if (!is_for_us(jwk, &kind))
		return NULL;
	if (rules->key_count == TOKEN_KEYS_MAX)
		return "there are too many keys";
	const enum error error =
	    kind == KEY_RSA ? read_rsa(jwk, rules->arena, &slot->key) : read_curve(jwk, rules->arena, &slot->key);

	if (error != OK)
		return error == ERR_NO_MEMORY ? "out of memory" : "a key is malformed";
	slot->kind = kind;
	rules->key_count++;
	if (kind == KEY_RSA && public_key_bits(slot->key) < RSA_BITS_MIN)
		return "an RSA key has less than 2048 bits";
	return arena_copy(rules->arena, member_text(jwk, "kid"), &slot->id) ? NULL : "out of memory";
}

static const char *take_keys(struct token_rules *rules, struct text json)
{
	json_t *set = read_object(json);
	const json_t *keys = json_object_get(set, "keys");
	const char *complaint = json_is_array(keys) ? NULL : "this is no JWK set";

	for (size_t i = 0; complaint == NULL && i < json_array_size(keys); i++)
		complaint = take_key(rules, json_array_get(keys, i));
	if (complaint == NULL && rules->key_count == 0)
		complaint = "there is no key for RS256 or ES256";
	json_decref(set);
	return complaint;
}

/* -- Rules ----------------------------------------------------------------------------------------- */

static bool copy_settings(struct token_rules *rules, const struct token_settings *settings)
{
	struct text *audiences = arena_array(rules->arena, settings->audience_count + 1, sizeof *audiences);
	bool copied = audiences != NULL;

	for (size_t i = 0; copied && i < settings->audience_count; i++)
		copied = arena_copy(rules->arena, settings->audiences[i], &audiences[i]);
	rules->settings = (struct token_settings){ .audiences = audiences, .audience_count = settings->audience_count };
	return copied && arena_copy(rules->arena, settings->issuer, &rules->settings.issuer) &&
	    arena_copy(rules->arena, settings->claim, &rules->settings.claim) &&
	    arena_copy(rules->arena, settings->scope, &rules->settings.scope);
}

enum error token_rules_new(
    const struct token_settings *settings, struct token_rules **out_rules, const char **out_complaint)
{
	struct arena *arena = arena_new(RULES_BYTES_MAX);
	struct token_rules *rules = arena ? calloc(1, sizeof *rules) : NULL;

	must(settings->issuer.length > 0 && settings->audience_count > 0 && settings->claim.length > 0);
	if (rules == NULL) {
		arena_free(arena);
		return ERR_NO_MEMORY;
	}
	rules->references = 1;
	rules->arena = arena;
	const bool copied = copy_settings(rules, settings);
	const char *complaint = copied ? take_keys(rules, settings->keys) : NULL;

	if (copied && complaint == NULL) {
		*out_rules = rules;
		return OK;
	}
	token_rules_unref(rules);
	if (complaint == NULL)
		return ERR_NO_MEMORY;
	*out_complaint = complaint;
	return ERR_SYNTAX;
}

struct token_rules *token_rules_ref(struct token_rules *rules)
{
	rules->references++;
	return rules;
}

void token_rules_unref(struct token_rules *rules)
{
	if (rules == NULL || --rules->references > 0)
		return;
	for (size_t i = 0; i < rules->key_count; i++)
		public_key_free(rules->keys[i].key);
	arena_free(rules->arena);
	free(rules);
}

/* -- Signatures --------------------------------------------------------------------------------------- */

/* A token in its parts, still as they were written (RFC 7515 §3.1). */
struct parts {
	struct text header, claims, signature;
	struct text signed_words; /* The first two with the dot between them. */
};

static bool split(struct text token, struct parts *parts)
{
	struct text rest = token;

	if (token.length > TOKEN_BYTES_MAX || !text_cut(&rest, '.', &parts->header) || !text_cut(&rest, '.', &parts->claims) ||
	    !text_cut(&rest, '.', &parts->signature) || rest.bytes != NULL)
		return false;
	parts->signed_words = text_part(token, 0, parts->header.length + 1 + parts->claims.length);
	return true;
}

/* NULL: no JSON object. */
static json_t *read_part(struct text part, struct arena *arena)
{
	struct text json;

	return base64url_decode(part, arena, &json) == OK ? read_object(json) : NULL;
}

static bool hash_of(struct text words, uint8_t out_hash[DIGEST_BYTES])
{
	struct digest *digest = digest_new();

	if (digest == NULL)
		return false;
	digest_add(digest, words);
	digest_end(digest, out_hash);
	digest_free(digest);
	return true;
}

/* One of the keys with this kind, and with this ID where the token tells one, must have made the signature. */
static enum token_verdict try_keys(
    const struct token_rules *rules, enum key_kind kind, struct text id, const uint8_t *hash, struct text signature)
{
	enum token_verdict verdict = TOKEN_UNKNOWN_KEY;

	for (size_t i = 0; i < rules->key_count; i++) {
		const struct token_key *key = &rules->keys[i];

		if (key->kind != kind || (id.length > 0 && key->id.length > 0 && !text_equal(key->id, id)))
			continue;
		if (public_key_verify(key->key, hash, signature))
			return TOKEN_GOOD;
		verdict = TOKEN_SIGNATURE;
	}
	return verdict;
}

static enum token_verdict check_signature(
    const struct token_rules *rules, const struct parts *parts, const json_t *header, struct arena *arena)
{
	const struct text algorithm = member_text(header, "alg");
	const bool rsa = text_equal(algorithm, TEXT("RS256"));
	struct text signature;
	uint8_t hash[DIGEST_BYTES];

	if (!rsa && !text_equal(algorithm, TEXT("ES256"))) /* T1 */
		return TOKEN_ALGORITHM;
	/* RFC 7515 §4.1.11: who does not understand what is critical does not take the token. We understand nothing. */
	if (json_object_get(header, "crit") != NULL || base64url_decode(parts->signature, arena, &signature) != OK)
		return TOKEN_MALFORMED;
	if (!hash_of(parts->signed_words, hash))
		return TOKEN_TROUBLE;
	return try_keys(rules, rsa ? KEY_RSA : KEY_P256, member_text(header, "kid"), hash, signature);
}

/* -- Claims ------------------------------------------------------------------------------------------------ */

static bool is_audience(const struct token_settings *settings, const json_t *value)
{
	for (size_t i = 0; json_is_string(value) && i < settings->audience_count; i++)
		if (text_equal(settings->audiences[i], (struct text){ json_string_value(value), json_string_length(value) }))
			return true;
	return false;
}

/* RFC 7519 §4.1.3: one text, or a list of them. */
static bool is_for_our_audience(const struct token_settings *settings, const json_t *claims)
{
	const json_t *audience = json_object_get(claims, "aud");

	if (json_is_string(audience))
		return is_audience(settings, audience);
	for (size_t i = 0; i < json_array_size(audience); i++)
		if (is_audience(settings, json_array_get(audience, i)))
			return true;
	return false;
}

/* RFC 6749 §3.3: words with spaces between them. */
static bool has_scope(const struct token_settings *settings, const json_t *claims)
{
	struct text scopes = member_text(claims, "scope"), scope;

	while (text_cut(&scopes, ' ', &scope))
		if (text_equal(scope, settings->scope))
			return true;
	return settings->scope.length == 0;
}

/* RFC 7519 §4.1.4 and §4.1.5. What is no number compares with nothing. */
static enum token_verdict check_time(const json_t *claims, int64_t now_s)
{
	const json_t *end = json_object_get(claims, "exp"), *begin = json_object_get(claims, "nbf");
	const double now = (double)now_s;

	if (!json_is_number(end) || !(now < json_number_value(end) + TOKEN_LEEWAY_S))
		return TOKEN_EXPIRED;
	if (begin != NULL && !(json_is_number(begin) && now >= json_number_value(begin) - TOKEN_LEEWAY_S))
		return TOKEN_EARLY;
	return TOKEN_GOOD;
}

static bool is_name(struct text name)
{
	for (size_t i = 0; i < name.length; i++)
		if ((unsigned char)name.bytes[i] < ' ' || name.bytes[i] == 0x7f)
			return false;
	return name.length > 0 && name.length <= SASL_NAME_MAX;
}

/* Some providers let people claim an address before they have shown that it is theirs. */
static enum token_verdict take_name(
    const struct token_settings *settings, const json_t *claims, struct arena *arena, struct text *out_name)
{
	const struct text name = member_text(claims, settings->claim.bytes);

	if (!is_name(name) ||
	    (text_equal(settings->claim, TEXT("email")) && json_is_false(json_object_get(claims, "email_verified"))))
		return TOKEN_NAMELESS;
	return arena_copy(arena, name, out_name) ? TOKEN_GOOD : TOKEN_TROUBLE;
}

static enum token_verdict check_claims(const struct token_settings *settings, const json_t *claims, int64_t now_s,
    struct arena *arena, struct text *out_name)
{
	if (claims == NULL)
		return TOKEN_MALFORMED;
	if (!text_equal(member_text(claims, "iss"), settings->issuer))
		return TOKEN_ISSUER;
	if (!is_for_our_audience(settings, claims))
		return TOKEN_AUDIENCE;
	const enum token_verdict verdict = check_time(claims, now_s);

	if (verdict != TOKEN_GOOD)
		return verdict;
	return has_scope(settings, claims) ? take_name(settings, claims, arena, out_name) : TOKEN_SCOPE;
}

enum token_verdict token_check(const struct token_rules *rules, struct text token, int64_t now_s, struct arena *arena,
    struct text *out_name)
{
	struct parts parts;
	json_t *header = split(token, &parts) ? read_part(parts.header, arena) : NULL;
	enum token_verdict verdict = header ? check_signature(rules, &parts, header, arena) : TOKEN_MALFORMED;

	if (verdict == TOKEN_GOOD) { /* T2 */
		json_t *claims = read_part(parts.claims, arena);

		verdict = check_claims(&rules->settings, claims, now_s, arena, out_name);
		json_decref(claims);
	}
	json_decref(header);
	return verdict;
}

/* -- Refusing ------------------------------------------------------------------------------------------------ */

/* Where a client finds who gives tokens (OpenID Connect Discovery 1.0 §4). */
static json_t *discovery(struct text issuer)
{
	while (text_ends(issuer, TEXT("/")))
		issuer.length--;
	return json_sprintf("%.*s/.well-known/openid-configuration", TEXT_FORMAT(issuer));
}

bool token_refusal(
    const struct token_rules *rules, enum token_verdict verdict, struct arena *arena, struct text *out_json)
{
	const struct text scope = rules->settings.scope;
	json_t *answer = json_pack("{s:s, s:o*}", "status", verdict == TOKEN_SCOPE ? "insufficient_scope" : "invalid_token",
	    "openid-configuration", discovery(rules->settings.issuer));
	bool told = answer != NULL;

	if (told && scope.length > 0)
		told = json_object_set_new(answer, "scope", json_stringn(scope.bytes, scope.length)) == 0;
	char *json = told ? json_dumps(answer, JSON_COMPACT) : NULL;

	told = json != NULL && arena_copy(arena, text_of(json), out_json);
	free(json);
	json_decref(answer);
	return told;
}
