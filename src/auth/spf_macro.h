/* Macros of SPF: %{d}, %{ir}, %{l1r-} (RFC 7208 §7).
 *
 * Pure. */
#ifndef AUTH_SPF_MACRO_H
#define AUTH_SPF_MACRO_H

#include "base/arena.h"
#include "base/endpoint.h"
#include "base/text.h"

enum { SPF_EXPANSION_MAX = 4096 };

struct spf_values { /* What the letters stand for. Borrows. */
	struct text sender, local, sender_domain, domain, helo, receiver;
	struct text validated; /* `p`: "unknown" when there is none. */
	const struct endpoint *client;
	int64_t now_s;
};

enum spf_place { SPF_IN_DOMAIN, SPF_IN_EXPLANATION /* Where c, r, t and spaces are allowed, too. */ };

/* Is it a macro-string? */
[[nodiscard]] bool spf_macro_check(struct text text, enum spf_place place);

/* Is it a domain-spec: a macro-string that ends in a macro or in a name's top label? */
[[nodiscard]] bool spf_domain_spec_check(struct text text);

/* Does expanding it need the validated name of the client? */
bool spf_macro_needs_name(struct text text);

/* Expand what was checked. False: no memory, or longer than SPF_EXPANSION_MAX. */
[[nodiscard]] bool spf_macro_expand(
    struct text text, const struct spf_values *values, struct arena *arena, struct text *out_expansion);

#endif
