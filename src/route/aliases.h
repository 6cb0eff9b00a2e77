/* The aliases file: sendmail's format (aliases(5)), with full addresses and catch-alls.
 *
 *     # a comment, on a line of its own
 *     postmaster: alice
 *     staff: alice, bob,                 the bare name means it in every domain of ours
 *         "carol jones"@example.net      a line that starts with a blank goes on
 *     sales@example.org: \bob            \ : into bob's mailbox, whatever aliases bob has
 *     @example.net: catchall@example.org
 *
 * Programs (|command), files (/path) and :include: lists are refused: not supported.
 *
 * Pure: text in, table out.
 *
 *   L1  Local parts of names compare without the case of ASCII letters; domains in A-label form.
 *   L2  No name is given twice, every name has a target, none has more than ALIASES_TARGET_MAX. */
#ifndef ROUTE_ALIASES_H
#define ROUTE_ALIASES_H

#include "base/arena.h"
#include "base/error.h"
#include "mail/address.h"

enum { ALIASES_TARGET_MAX = 1000 };

struct alias_target {
	struct address address; /* Unquoted; domain "": that of the address being replaced. */
	bool final;             /* Written with a backslash: not looked up again. */
};

struct alias {
	struct text local;      /* Lower case; "": whatever has no better match (catch-all). */
	struct text domain;     /* "": every domain of ours. */
	const struct alias_target *targets;
	size_t target_count;
	uint32_t line;          /* Where it stands in its file. */
};

struct aliases {                /* A value; empty when zeroed. */
	const struct alias *entries; /* Sorted. */
	size_t count;
};

/* The table lives in `arena` and borrows nothing from `content`. ERR_SYNTAX: *out_complaint is
 * "file:line: what is wrong; what would be right" (static or in `arena`). */
[[nodiscard]] enum error aliases_parse(struct text content, struct text file_name, struct arena *arena,
    struct aliases *out_aliases, struct text *out_complaint);

/* The entry of exactly this name; `local` in any case, `domain` in A-label form or "" for bare
 * names, `local` "" for catch-alls. NULL: none. */
const struct alias *aliases_find(const struct aliases *aliases, struct text local, struct text domain);

#endif
