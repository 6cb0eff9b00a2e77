/* Addresses and paths of the envelope (RFC 5321 §4.1.2, RFC 6531 §3.3).
 *
 * Pure. Parsed parts borrow from the input or live in the given arena.
 *
 *   A1  Neither part of a parsed address holds a control byte, nor the domain a slash, blank or quote.
 *   A2  What address_print makes of a parsed address is parsed to an equal one. */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/arena.h"
#include "base/error.h"

enum {
	ADDRESS_LOCAL_MAX = 64,   /* RFC 5321 §4.5.3.1.1 */
	ADDRESS_DOMAIN_MAX = 255, /* RFC 5321 §4.5.3.1.2 */
	ADDRESS_PATH_MAX = 256    /* RFC 5321 §4.5.3.1.3, brackets included */
};

/* A mailbox. `local` is unquoted: what the person is called, without syntax.
 * `domain` is lower case ASCII or UTF-8, or an address literal in brackets;
 * empty only in <postmaster> and in the null reverse-path (both parts empty). */
struct address {
	struct text local;
	struct text domain;
};

/* The text inside a path's angle brackets ("user@example.org", "" for the null
 * path, "postmaster", "@a,@b:user@c" whose route is dropped). Strict RFC 5321
 * grammar; UTF-8 only if allow_utf8. ERR_SYNTAX, ERR_TOO_LARGE (a part, or the whole, is over its limit)
 * or ERR_NO_MEMORY. */
[[nodiscard]] enum error address_parse(
    struct text text, bool allow_utf8, struct arena *arena, struct address *out_address);

/* A path with its brackets at the start of *rest, as in MAIL FROM:<...>. Takes
 * it off *rest (what follows, with its leading space, stays). */
[[nodiscard]] enum error address_parse_path(
    struct text *rest, bool allow_utf8, struct arena *arena, struct address *out_address);

/* A domain or address literal as in EHLO (RFC 5321 §4.1.3). */
[[nodiscard]] bool address_domain_valid(struct text domain, bool allow_utf8);

/* "local@domain", the local part quoted if it must be; empty for the null
 * path; "postmaster" alone when there is no domain. False: no memory. */
[[nodiscard]] bool address_print(const struct address *address, struct arena *arena, struct text *out_text);

/* The null reverse-path "<>" of bounces. */
bool address_is_null(const struct address *address);

/* Domain without case, local part with it, except for postmaster. */
bool address_equal(const struct address *a, const struct address *b);

/* The A-label form of a domain, in lower case (IDNA 2008 by libidn2). ASCII domains are only
 * lowered. ERR_SYNTAX when it has none. */
[[nodiscard]] enum error address_domain_to_ascii(
    struct text domain, struct arena *arena, struct text *out_ascii);

#endif
