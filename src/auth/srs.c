#include "auth/srs.h"

#include "crypto/hmac.h"

enum { DAY_MS = 86400000, DAY_COUNT = 1024, STAMP_LENGTH = 2, TAG_LENGTH = 5 /* "SRS0=" */, BITS = 5 };

/* RFC 4648 §6: digits that nobody takes for letters, and one case. */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static int digit_value(char c)
{
	const char *at = c != '\0' ? strchr(alphabet, byte_upper(c)) : NULL;

	return at != NULL ? (int)(at - alphabet) : -1;
}

/* -- Secrets ------------------------------------------------------------------ */

static const char *wrong_with_secret(struct text secret, size_t count)
{
	if (count == SRS_SECRETS_MAX)
		return "more than 8 secrets";
	if (secret.length < SRS_SECRET_LENGTH_MIN)
		return "a secret of fewer than 16 characters";
	return secret.length > SRS_SECRET_LENGTH_MAX ? "a secret of more than 256 characters" : NULL;
}

enum error srs_secrets_parse(
    struct text content, struct srs_secrets *out_secrets, size_t *out_line, const char **out_why)
{
	struct srs_secrets secrets = { .count = 0 };
	struct text rest = content, piece;
	size_t line = 0;

	while (text_cut(&rest, '\n', &piece)) {
		const struct text secret = text_trim(piece);

		line++;
		if (secret.length == 0 || secret.bytes[0] == '#')
			continue;
		*out_why = wrong_with_secret(secret, secrets.count);
		if (*out_why != NULL) {
			*out_line = line;
			return ERR_SYNTAX;
		}
		secrets.texts[secrets.count++] = secret;
	}
	if (secrets.count == 0) {
		*out_line = 1;
		*out_why = "no secret";
		return ERR_SYNTAX;
	}
	*out_secrets = secrets;
	return OK;
}

/* -- Parts of an address -------------------------------------------------------- */

/* The tag of one made by anybody: other software has - and + for its first separator. */
static bool has_tag(struct text local, char number)
{
	return local.length > TAG_LENGTH && text_starts_nocase(local, TEXT("SRS")) &&
	    local.bytes[3] == number &&
	    (local.bytes[4] == '=' || local.bytes[4] == '-' || local.bytes[4] == '+');
}

bool srs_looks_like(struct text local)
{
	return text_starts_nocase(local, TEXT("SRS0=")) || text_starts_nocase(local, TEXT("SRS1="));
}

/* Cut what stands before the next "=" off *rest. False: there is none, or nothing before it. */
static bool cut_part(struct text *rest, struct text *out_part)
{
	const size_t at = text_find_byte(*rest, '=');

	if (at == 0 || at == rest->length)
		return false;
	*out_part = text_part(*rest, 0, at);
	*rest = text_from(*rest, at + 1);
	return true;
}

/* The hash of an address: tag and text without the hash itself, in lower case (S2). */
static enum error make_hash(struct text secret, char number, struct text signed_part, struct arena *arena,
    char out_hash[SRS_HASH_LENGTH])
{
	char *bytes = arena_alloc(arena, TAG_LENGTH + signed_part.length);
	uint8_t code[HMAC_BYTES];
	uint64_t bits = 0;

	if (bytes == NULL)
		return ERR_NO_MEMORY;
	memcpy(bytes, "srs?=", TAG_LENGTH);
	bytes[3] = number;
	for (size_t i = 0; i < signed_part.length; i++)
		bytes[TAG_LENGTH + i] = byte_lower(signed_part.bytes[i]);
	if (!hmac(secret, (struct text){ bytes, TAG_LENGTH + signed_part.length }, code))
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < sizeof bits; i++)
		bits = bits << 8 | code[i];
	for (size_t i = 0; i < SRS_HASH_LENGTH; i++, bits <<= BITS)
		out_hash[i] = alphabet[bits >> (64 - BITS)];
	return OK;
}

/* Takes as long for a hash that is nearly right as for any other. */
static bool same_hash(struct text hash, const char expected[SRS_HASH_LENGTH])
{
	int difference = hash.length != SRS_HASH_LENGTH;

	for (size_t i = 0; i < SRS_HASH_LENGTH && i < hash.length; i++)
		difference |= byte_upper(hash.bytes[i]) ^ expected[i];
	return difference == 0;
}

static enum error verify(const struct srs_secrets *secrets, char number, struct text signed_part,
    struct text hash, struct arena *arena)
{
	for (size_t i = 0; i < secrets->count; i++) {
		char expected[SRS_HASH_LENGTH];
		const enum error error = make_hash(secrets->texts[i], number, signed_part, arena, expected);

		if (error != OK)
			return error;
		if (same_hash(hash, expected))
			return OK;
	}
	return ERR_DENIED;
}

/* An address is one only if it can be said in a dialogue, limits included. */
static enum error check(struct address made, struct arena *arena, struct address *out_address)
{
	struct text printed;

	return address_print(&made, arena, &printed) ? address_parse(printed, true, arena, out_address)
						     : ERR_NO_MEMORY;
}

/* -- There ---------------------------------------------------------------------- */

static unsigned day_of(int64_t now_ms)
{
	return (unsigned)(now_ms / DAY_MS) % DAY_COUNT;
}

/* What the hash is over: "TT=domain=local", or "first==rest" where another forwarder came before. */
static bool print_signed_part(const struct address *sender, int64_t now_ms, struct arena *arena,
    char *out_number, struct text *out_part)
{
	const unsigned day = day_of(now_ms);
	struct text rest = text_from(sender->local, TAG_LENGTH), hash, first;

	*out_number = '1';
	if (has_tag(sender->local, '0'))
		return arena_print(arena, out_part, "%.*s=%.*s", TEXT_FORMAT(sender->domain),
		    TEXT_FORMAT(text_from(sender->local, 4)));
	if (has_tag(sender->local, '1') && cut_part(&rest, &hash) && cut_part(&rest, &first) &&
	    address_domain_valid(first, true) && rest.length > 0)
		return arena_print(arena, out_part, "%.*s=%.*s", TEXT_FORMAT(first), TEXT_FORMAT(rest));
	*out_number = '0';
	return arena_print(arena, out_part, "%c%c=%.*s=%.*s", alphabet[day >> BITS], alphabet[day & 31],
	    TEXT_FORMAT(sender->domain), TEXT_FORMAT(sender->local));
}

enum error srs_forward(const struct srs_secrets *secrets, struct text domain, const struct address *sender,
    int64_t now_ms, struct arena *arena, struct address *out_address)
{
	struct address address = { .domain = domain };
	char number, hash[SRS_HASH_LENGTH];
	struct text part;

	if (!print_signed_part(sender, now_ms, arena, &number, &part))
		return ERR_NO_MEMORY;

	enum error error = make_hash(secrets->texts[0], number, part, arena, hash);

	if (error == OK &&
	    !arena_print(
		arena, &address.local, "SRS%c=%.*s=%.*s", number, SRS_HASH_LENGTH, hash, TEXT_FORMAT(part)))
		error = ERR_NO_MEMORY;
	return error == OK ? check(address, arena, out_address) : error;
}

/* -- And back --------------------------------------------------------------------- */

/* A stamp of tomorrow is one of a server whose clock is ahead. */
static bool is_over(struct text stamp, int64_t now_ms)
{
	const unsigned day = (unsigned)(digit_value(stamp.bytes[0]) << BITS | digit_value(stamp.bytes[1]));
	const unsigned age = (day_of(now_ms) + DAY_COUNT - day) % DAY_COUNT;

	return age > SRS_DAYS_MAX && age != DAY_COUNT - 1;
}

static enum error reverse_to_sender(const struct srs_secrets *secrets, struct text hash, struct text part,
    int64_t now_ms, struct arena *arena, struct address *out)
{
	struct text rest = part, stamp, domain;

	if (!cut_part(&rest, &stamp) || !cut_part(&rest, &domain) || rest.length == 0 ||
	    stamp.length != STAMP_LENGTH || digit_value(stamp.bytes[0]) < 0 ||
	    digit_value(stamp.bytes[1]) < 0)
		return ERR_SYNTAX;

	const enum error error = verify(secrets, '0', part, hash, arena);

	if (error != OK)
		return error;
	*out = (struct address){ .local = rest, .domain = domain };
	return now_ms >= 0 && is_over(stamp, now_ms) ? ERR_GONE : OK;
}

static enum error reverse_to_first(const struct srs_secrets *secrets, struct text hash, struct text part,
    struct arena *arena, struct address *out)
{
	struct text rest = part, first;

	if (!cut_part(&rest, &first) || rest.length == 0)
		return ERR_SYNTAX;

	const enum error error = verify(secrets, '1', part, hash, arena);

	out->domain = first;
	if (error == OK && !arena_print(arena, &out->local, "SRS0%.*s", TEXT_FORMAT(rest)))
		return ERR_NO_MEMORY;
	return error;
}

enum error srs_reverse(const struct srs_secrets *secrets, struct text local, int64_t now_ms,
    struct arena *arena, struct address *out_address)
{
	struct text part = text_from(local, TAG_LENGTH), hash;
	struct address address = { .local = TEXT_EMPTY };

	if (local.length > ADDRESS_LOCAL_MAX || !srs_looks_like(local) || !cut_part(&part, &hash))
		return ERR_SYNTAX;

	enum error error = local.bytes[3] == '0'
	    ? reverse_to_sender(secrets, hash, part, now_ms, arena, &address)
	    : reverse_to_first(secrets, hash, part, arena, &address);

	if (error == OK)
		error = check(address, arena, out_address);
	return error == ERR_TOO_LARGE ? ERR_SYNTAX : error;
}
