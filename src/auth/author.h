/* Whom a message claims to be from, as DMARC asks: the one domain of its one From field.
 *
 * Pure. */
#ifndef AUTH_AUTHOR_H
#define AUTH_AUTHOR_H

#include "auth/header_index.h"

enum { AUTHORS_MAX = 100 };

/* The author domain in A-label form, in `arena`. ERR_SYNTAX with a static *out_reason: no From field or several, none
 * that can be read, no address in it, or addresses of different domains: nobody shall pick the harmless one.
 * ERR_NO_MEMORY. */
[[nodiscard]] enum error author_domain(
    const struct header_index *index, struct arena *arena, struct text *out_domain, const char **out_reason);

#endif
