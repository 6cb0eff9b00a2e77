/* The grammar of RFC 5321 §4.1.2 as a descent over one cursor.
 *
 * Strict: what does not follow the grammar is refused, so that no two servers on the road
 * can read one path in two ways. */
#include "mail/address.h"

#include <idn2.h>
#include <stdlib.h>

#include "base/endpoint.h"
#include "base/must.h"

enum { LABEL_MAX = 63, IP6_GROUPS = 8 };

/* A mailbox as long as this and the brackets around it fill the longest path. */
enum { MAILBOX_MAX = ADDRESS_PATH_MAX - 2 };
_Static_assert((int)ADDRESS_DOMAIN_MAX <= (int)ADDRESS_PATH_MAX, "a path can hold any domain");

static bool is_wide(char c, bool allow_utf8)
{
	return allow_utf8 && (unsigned char)c > 127;
}

/* RFC 5322 §3.2.3 atext, with RFC 6531 §3.3. */
static bool is_atext(char c, bool allow_utf8)
{
	return byte_is_alnum(c) || is_wide(c, allow_utf8) ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool next_is(struct text rest, char byte)
{
	return rest.length > 0 && rest.bytes[0] == byte;
}

static bool skip_byte(struct text *rest, char byte)
{
	if (!next_is(*rest, byte))
		return false;
	*rest = text_from(*rest, 1);
	return true;
}

/* Dot-string = Atom *("." Atom) */
static enum error take_dot_string(struct text *rest, bool allow_utf8, struct text *out_local)
{
	const struct text start = *rest;

	do {
		size_t length = 0;

		while (length < rest->length && is_atext(rest->bytes[length], allow_utf8))
			length++;
		if (length == 0)
			return ERR_SYNTAX;
		*rest = text_from(*rest, length);
	} while (skip_byte(rest, '.'));
	*out_local = text_part(start, 0, (size_t)(rest->bytes - start.bytes));
	return OK;
}

/* Quoted-string; gives what it means, without quotes and backslashes. */
static enum error take_quoted(struct text *rest, bool allow_utf8, struct arena *arena, struct text *out_local)
{
	char *bytes = arena_alloc(arena, rest->length);
	size_t length = 0;

	if (bytes == NULL)
		return ERR_NO_MEMORY;
	must(next_is(*rest, '"'));
	*rest = text_from(*rest, 1);
	while (!skip_byte(rest, '"')) {
		const bool pair = skip_byte(rest, '\\');

		if (rest->length == 0)
			return ERR_SYNTAX;
		const char c = rest->bytes[0];

		/* quoted-pairSMTP is any graphic or a space; qtextSMTP the same without " and \. */
		if ((c < ' ' || c > '~') && !(is_wide(c, allow_utf8) && !pair))
			return ERR_SYNTAX;
		bytes[length++] = c;
		*rest = text_from(*rest, 1);
	}
	*out_local = (struct text){ bytes, length };
	return OK;
}

static bool label_valid(struct text label, bool allow_utf8)
{
	if (label.length == 0 || (label.length > LABEL_MAX && text_is_ascii(label)))
		return false;
	if (label.bytes[0] == '-' || label.bytes[label.length - 1] == '-')
		return false;
	for (size_t i = 0; i < label.length; i++) {
		const char c = label.bytes[i];

		/* Underscore is no let-dig, but names with it carry mail. */
		if (!byte_is_alnum(c) && c != '-' && c != '_' && !is_wide(c, allow_utf8))
			return false;
	}
	return true;
}

/* "::" stands for two groups of zeros at least (§4.1.3), while inet_pton also takes it for one. */
static bool compression_valid(struct text ip6)
{
	size_t groups = 0;
	struct text group;

	if (text_find(ip6, TEXT("::")) == ip6.length)
		return true;
	while (text_cut(&ip6, ':', &group))
		groups += group.length == 0 ? 0 : text_find_byte(group, '.') < group.length ? 2 : 1;
	return groups <= IP6_GROUPS - 2;
}

/* IPv4, or IPv6 with its tag. No other tag has been standardized, so a general literal names nothing. */
static bool literal_valid(struct text domain)
{
	static const struct text tag = { "IPv6:", 5 };
	struct endpoint endpoint;
	const struct text inside = text_part(domain, 1, domain.length - 2);

	if (next_is(inside, '[') || !endpoint_parse_ip(inside, &endpoint))
		return false;
	if (endpoint.family == ENDPOINT_IP4)
		return true;
	return text_starts_nocase(inside, tag) && compression_valid(text_from(inside, tag.length));
}

bool address_domain_valid(struct text domain, bool allow_utf8)
{
	struct text rest = domain, label;

	if (domain.length == 0 || domain.length > ADDRESS_DOMAIN_MAX)
		return false;
	if (domain.bytes[0] == '[')
		return domain.bytes[domain.length - 1] == ']' && domain.length > 2 && literal_valid(domain);
	while (text_cut(&rest, '.', &label))
		if (!label_valid(label, allow_utf8))
			return false;
	return text_is_utf8(domain);
}

/* The domain's end is where a path or list can go on. */
static struct text take_domain(struct text *rest)
{
	size_t length = 0;

	if (next_is(*rest, '[')) {
		length = text_find_byte(*rest, ']');
		length += length < rest->length;
	} else {
		while (length < rest->length && memchr(">:, \t", rest->bytes[length], 5) == NULL)
			length++;
	}
	const struct text domain = text_part(*rest, 0, length);

	*rest = text_from(*rest, length);
	return domain;
}

static enum error lower_copy(struct arena *arena, struct text text, struct text *out_lower)
{
	char *bytes = arena_alloc(arena, text.length + 1);

	if (bytes == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < text.length; i++)
		bytes[i] = byte_lower(text.bytes[i]);
	*out_lower = (struct text){ bytes, text.length };
	return OK;
}

/* Mailbox = Local-part "@" ( Domain / address-literal ) */
static enum error take_mailbox(
    struct text *rest, bool allow_utf8, struct arena *arena, struct address *out_address)
{
	struct address address;
	const struct text start = *rest;
	enum error error = next_is(*rest, '"') ? take_quoted(rest, allow_utf8, arena, &address.local)
					       : take_dot_string(rest, allow_utf8, &address.local);

	if (error != OK)
		return error;

	const struct text written = text_part(start, 0, (size_t)(rest->bytes - start.bytes));

	if (!text_is_utf8(written))
		return ERR_SYNTAX;
	if (!skip_byte(rest, '@')) {
		/* <postmaster> alone needs no domain (§4.5.1). */
		if (!text_equal_nocase(address.local, TEXT("postmaster")) || next_is(start, '"'))
			return ERR_SYNTAX;
		*out_address = (struct address){ address.local, TEXT_EMPTY };
		return OK;
	}
	const struct text domain = take_domain(rest);

	if (written.length > ADDRESS_LOCAL_MAX || domain.length > ADDRESS_DOMAIN_MAX ||
	    written.length + 1 + domain.length > MAILBOX_MAX)
		return ERR_TOO_LARGE;
	if (!address_domain_valid(domain, allow_utf8))
		return ERR_SYNTAX;
	error = lower_copy(arena, domain, &address.domain);
	if (error != OK)
		return error;
	*out_address = address;
	return OK;
}

/* A-d-l ":" — accepted, checked and ignored (§4.1.1.3, appendix C). */
static enum error skip_source_route(struct text *rest, bool allow_utf8)
{
	if (!next_is(*rest, '@'))
		return OK;
	do {
		if (!skip_byte(rest, '@') || !address_domain_valid(take_domain(rest), allow_utf8))
			return ERR_SYNTAX;
	} while (skip_byte(rest, ','));
	return skip_byte(rest, ':') ? OK : ERR_SYNTAX;
}

/* What stands between the brackets; leaves *rest at what follows. */
static enum error take_inside(
    struct text *rest, bool allow_utf8, struct arena *arena, struct address *out_address)
{
	const enum error error = skip_source_route(rest, allow_utf8);

	return error != OK ? error : take_mailbox(rest, allow_utf8, arena, out_address);
}

enum error address_parse(struct text text, bool allow_utf8, struct arena *arena, struct address *out_address)
{
	struct address address = { 0 };

	if (text.length > ADDRESS_LOCAL_MAX + 1 + ADDRESS_DOMAIN_MAX && !next_is(text, '@'))
		return ERR_TOO_LARGE;
	if (text.length > 0) {
		struct text rest = text;
		const enum error error = take_inside(&rest, allow_utf8, arena, &address);

		if (error != OK)
			return error;
		if (rest.length > 0)
			return ERR_SYNTAX;
	}
	*out_address = address;
	return OK;
}

enum error address_parse_path(
    struct text *rest, bool allow_utf8, struct arena *arena, struct address *out_address)
{
	struct text cursor = *rest;
	struct address address = { 0 };
	enum error error;

	if (!skip_byte(&cursor, '<'))
		return ERR_SYNTAX;
	if (!next_is(cursor, '>')) {
		error = take_inside(&cursor, allow_utf8, arena, &address);
		if (error != OK)
			return error;
	}
	if (!skip_byte(&cursor, '>'))
		return ERR_SYNTAX;
	*rest = cursor;
	*out_address = address;
	return OK;
}

static bool needs_quotes(struct text local)
{
	struct text rest = local, unused;

	return take_dot_string(&rest, true, &unused) != OK || rest.length > 0;
}

bool address_print(const struct address *address, struct arena *arena, struct text *out_text)
{
	/* Every byte may need a backslash; two quotes and the at-sign come on top. */
	char *bytes = arena_alloc(arena, 2 * address->local.length + address->domain.length + 4);
	const bool quotes = !address_is_null(address) && needs_quotes(address->local);
	size_t length = 0;

	if (bytes == NULL)
		return false;
	if (quotes)
		bytes[length++] = '"';
	for (size_t i = 0; i < address->local.length; i++) {
		if (quotes && (address->local.bytes[i] == '"' || address->local.bytes[i] == '\\'))
			bytes[length++] = '\\';
		bytes[length++] = address->local.bytes[i];
	}
	if (quotes)
		bytes[length++] = '"';
	if (address->domain.length > 0) {
		bytes[length++] = '@';
		memcpy(bytes + length, address->domain.bytes, address->domain.length);
		length += address->domain.length;
	}
	*out_text = (struct text){ bytes, length };
	return true;
}

bool address_is_null(const struct address *address)
{
	return address->local.length == 0 && address->domain.length == 0;
}

bool address_equal(const struct address *a, const struct address *b)
{
	if (!text_equal_nocase(a->domain, b->domain))
		return false;
	return text_equal(a->local, b->local) ||
	    (text_equal_nocase(a->local, TEXT("postmaster")) && text_equal_nocase(a->local, b->local));
}

enum error address_domain_to_ascii(struct text domain, struct arena *arena, struct text *out_ascii)
{
	if (text_is_ascii(domain))
		return lower_copy(arena, domain, out_ascii);

	struct text terminated;
	char *ascii = NULL;

	if (!arena_copy(arena, domain, &terminated))
		return ERR_NO_MEMORY;
	if (memchr(domain.bytes, '\0', domain.length) != NULL ||
	    idn2_to_ascii_8z(terminated.bytes, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return ERR_SYNTAX;

	/* The mapping turns wide look-alikes into slashes, dots and at-signs: what comes out is
	 * checked like anything a stranger says. */
	enum error error = ERR_SYNTAX;

	if (ascii[0] != '[' && address_domain_valid(text_of(ascii), false))
		error = lower_copy(arena, text_of(ascii), out_ascii);
	idn2_free(ascii);
	return error;
}
