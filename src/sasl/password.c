#include "sasl/password.h"

#include <argon2.h>
#include <crypt.h>
#include <gsasl.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/error.h"
#include "base/must.h"

enum { SALT_SIZE = 16, SCRAM_ITERATIONS_MAX = 10'000'000 };

static const struct {
	struct text name;
	enum password_scheme scheme;
} schemes[] = {
	{ { "PLAIN", 5 }, PASSWORD_PLAIN },
	{ { "CLEARTEXT", 9 }, PASSWORD_PLAIN },
	{ { "CRYPT", 5 }, PASSWORD_CRYPT },
	{ { "SHA256-CRYPT", 12 }, PASSWORD_CRYPT },
	{ { "SHA512-CRYPT", 12 }, PASSWORD_CRYPT },
	{ { "BLF-CRYPT", 9 }, PASSWORD_CRYPT },
	{ { "ARGON2I", 7 }, PASSWORD_ARGON2 },
	{ { "ARGON2ID", 8 }, PASSWORD_ARGON2 },
	{ { "SCRAM-SHA-1", 11 }, PASSWORD_SCRAM_SHA1 },
	{ { "SCRAM-SHA-256", 13 }, PASSWORD_SCRAM_SHA256 },
};

/* -- Records --------------------------------------------------------------------------- */

static bool find_scheme(struct text name, enum password_scheme *out_scheme)
{
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		if (text_equal_nocase(schemes[i].name, name)) {
			*out_scheme = schemes[i].scheme;
			return true;
		}
	}
	return false;
}

static bool looks_right(enum password_scheme scheme, struct text rest)
{
	struct password_scram scram;

	switch (scheme) {
	case PASSWORD_PLAIN:
		return rest.length <= PASSWORD_LENGTH_MAX;
	case PASSWORD_CRYPT:
		/* The old DES hashes have no mark; what has none and is not as long as they are is a mistake. */
		return text_starts(rest, TEXT("$")) || rest.length == 13;
	case PASSWORD_ARGON2:
		return text_starts(rest, TEXT("$argon2"));
	case PASSWORD_SCRAM_SHA1:
	case PASSWORD_SCRAM_SHA256:
		return password_scram_split(rest, &scram);
	}
	return false;
}

bool password_split(struct text stored, enum password_scheme *out_scheme, struct text *out_rest)
{
	enum password_scheme scheme = PASSWORD_CRYPT;
	struct text rest = stored;

	if (stored.length > PASSWORD_STORED_MAX || text_find_byte(stored, '\0') < stored.length)
		return false;
	if (text_starts(stored, TEXT("{"))) {
		const size_t end = text_find_byte(stored, '}');

		if (end == stored.length || !find_scheme(text_part(stored, 1, end - 1), &scheme))
			return false;
		rest = text_from(stored, end + 1);
	} else if (text_starts(stored, TEXT("$argon2"))) {
		scheme = PASSWORD_ARGON2;
	} else if (!text_starts(stored, TEXT("$"))) {
		return false;
	}
	if (!looks_right(scheme, rest))
		return false;
	*out_scheme = scheme;
	*out_rest = rest;
	return true;
}

bool password_scram_split(struct text rest, struct password_scram *out_scram)
{
	struct text iterations, salt, stored_key, server_key;
	uint64_t count;

	if (!text_cut(&rest, ',', &iterations) || !text_cut(&rest, ',', &salt) || !text_cut(&rest, ',', &stored_key) ||
	    !text_cut(&rest, ',', &server_key) || rest.length > 0)
		return false;
	if (!text_to_u64(iterations, &count) || count < 1 || count > SCRAM_ITERATIONS_MAX)
		return false;
	if (salt.length == 0 || stored_key.length == 0 || server_key.length == 0)
		return false;
	*out_scram = (struct password_scram){ (uint32_t)count, salt, stored_key, server_key };
	return true;
}

/* -- Checking ---------------------------------------------------------------------------- */

/* P1. The lengths are no secret: they follow from the scheme, or are those of a plain password. */
static bool equal_in_constant_time(struct text a, struct text b)
{
	unsigned char different = 0;

	if (a.length != b.length)
		return false;
	for (size_t i = 0; i < a.length; i++)
		different |= (unsigned char)(a.bytes[i] ^ b.bytes[i]);
	return different == 0;
}

static bool check_crypt(const char *stored, const char *given)
{
	struct crypt_data *data = calloc(1, sizeof *data);
	/* The form that gives NULL for what cannot be hashed, not a text that might pass for a hash. */
	const char *hash = data ? crypt_rn(given, stored, data, (int)sizeof *data) : NULL;
	const bool right = hash != NULL && equal_in_constant_time(text_of(hash), text_of(stored));

	free(data);
	return right;
}

/* What SCRAM derives from a password; the library wants room for all of it. */
struct scram_secrets {
	char salted[GSASL_HASH_MAX_SIZE], client_key[GSASL_HASH_MAX_SIZE];
	char server_key[GSASL_HASH_MAX_SIZE], stored_key[GSASL_HASH_MAX_SIZE];
};

static bool derive(Gsasl_hash hash, const char *given, uint32_t iterations, struct text salt, struct scram_secrets *out)
{
	return gsasl_scram_secrets_from_password(hash, given, iterations, salt.bytes, salt.length, out->salted,
	           out->client_key, out->server_key, out->stored_key) == GSASL_OK;
}

/* The stored key that this password would have. */
static bool scram_stored_key(Gsasl_hash hash, const struct password_scram *scram, const char *given, char **out_base64)
{
	struct scram_secrets secrets;
	size_t salt_length, base64_length;
	char *salt = NULL;
	const bool made =
	    gsasl_base64_from(scram->salt.bytes, scram->salt.length, &salt, &salt_length) == GSASL_OK &&
	    derive(hash, given, scram->iterations, (struct text){ salt, salt_length }, &secrets) &&
	    gsasl_base64_to(secrets.stored_key, gsasl_hash_length(hash), out_base64, &base64_length) == GSASL_OK;

	explicit_bzero(&secrets, sizeof secrets);
	gsasl_free(salt);
	return made;
}

static bool check_scram(Gsasl_hash hash, struct text rest, const char *given)
{
	struct password_scram scram;
	char *stored_key = NULL;

	if (!password_scram_split(rest, &scram) || !scram_stored_key(hash, &scram, given, &stored_key))
		return false;
	const bool right = equal_in_constant_time(text_of(stored_key), scram.stored_key);

	gsasl_free(stored_key);
	return right;
}

static void copy_string(struct text text, char *room)
{
	memcpy(room, text.length > 0 ? text.bytes : "", text.length);
	room[text.length] = '\0';
}

bool password_check(struct text stored, struct text given)
{
	char stored_room[PASSWORD_STORED_MAX + 1], given_room[PASSWORD_LENGTH_MAX + 1];
	enum password_scheme scheme;
	struct text rest;
	bool right = false;

	if (given.length > PASSWORD_LENGTH_MAX || text_find_byte(given, '\0') < given.length ||
	    !password_split(stored, &scheme, &rest))
		return false;
	copy_string(rest, stored_room);
	copy_string(given, given_room);
	switch (scheme) {
	case PASSWORD_PLAIN:
		right = equal_in_constant_time(rest, given);
		break;
	case PASSWORD_CRYPT:
		right = check_crypt(stored_room, given_room);
		break;
	case PASSWORD_ARGON2:
		right = argon2_verify(stored_room, given_room, given.length,
		            text_starts(rest, TEXT("$argon2id")) ? Argon2_id : Argon2_i) == ARGON2_OK;
		break;
	case PASSWORD_SCRAM_SHA1:
		right = check_scram(GSASL_HASH_SHA1, rest, given_room);
		break;
	case PASSWORD_SCRAM_SHA256:
		right = check_scram(GSASL_HASH_SHA256, rest, given_room);
		break;
	}
	explicit_bzero(given_room, sizeof given_room);
	return right;
}

/* -- Storing -------------------------------------------------------------------------------- */

static char *base64_of(const char *bytes, size_t length)
{
	char *base64 = NULL;
	size_t base64_length;

	return gsasl_base64_to(bytes, length, &base64, &base64_length) == GSASL_OK ? base64 : NULL;
}

/* RFC 5802 §2.2 asks for SASLprep, so that the same password typed in another way is the same. */
static enum error prepare(struct text given, char **out_prepared)
{
	char room[PASSWORD_LENGTH_MAX + 1];

	if (given.length == 0 || given.length > PASSWORD_LENGTH_MAX || text_find_byte(given, '\0') < given.length)
		return ERR_SYNTAX;
	copy_string(given, room);
	const int code = gsasl_saslprep(room, 0, out_prepared, NULL);

	explicit_bzero(room, sizeof room);
	return code == GSASL_OK ? OK : code == GSASL_MALLOC_ERROR ? ERR_NO_MEMORY : ERR_SYNTAX;
}

enum error password_store(struct text given, struct arena *arena, struct text *out_stored)
{
	char salt[SALT_SIZE], *prepared = NULL;
	struct scram_secrets secrets;
	const enum error error = prepare(given, &prepared);

	if (error != OK)
		return error;
	must(getrandom(salt, sizeof salt, 0) == (ssize_t)sizeof salt);
	const bool derived = derive(GSASL_HASH_SHA256, prepared, PASSWORD_SCRAM_ITERATIONS,
	    (struct text){ salt, sizeof salt }, &secrets);
	char *parts[3] = { base64_of(salt, sizeof salt), base64_of(secrets.stored_key, GSASL_HASH_SHA256_SIZE),
		base64_of(secrets.server_key, GSASL_HASH_SHA256_SIZE) };
	const bool stored = derived && parts[0] && parts[1] && parts[2] &&
	    arena_print(arena, out_stored, "{SCRAM-SHA-256}%d,%s,%s,%s", PASSWORD_SCRAM_ITERATIONS, parts[0], parts[1], parts[2]);

	explicit_bzero(&secrets, sizeof secrets);
	explicit_bzero(prepared, strlen(prepared));
	gsasl_free(prepared);
	for (size_t i = 0; i < 3; i++)
		gsasl_free(parts[i]);
	return stored ? OK : ERR_NO_MEMORY;
}
