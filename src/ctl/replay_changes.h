/* What would change, grouped: of a thousand recipients that would go another way one wants to see the way, not a thousand lines.
 *
 * Private to this folder.
 *
 *   G1  At most CHANGE_GROUPS_MAX groups are kept, with CHANGE_EXAMPLES_MAX examples each; what belongs to none of them is counted. */
#ifndef CTL_REPLAY_CHANGES_H
#define CTL_REPLAY_CHANGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rate_table.h"

enum { CHANGE_GROUPS_MAX = 100, CHANGE_EXAMPLES_MAX = 3 };

enum change { CHANGE_REFUSED, CHANGE_RETURNED, CHANGE_LIMITED, CHANGE_ROUTED, CHANGE_SIGNED, CHANGE_ACCEPTED, CHANGE_FREED, CHANGE_COUNT };

struct change_group {
	enum change change;
	const char *from, *to;   /* Borrow from `examples`. */
	json_t *from_text, *to_text, *examples;
	uint64_t recipients, messages;
	uint64_t last;           /* The message that was counted last. */
};

struct changes {
	struct rate_table *before, *after; /* What was taken of the buckets of each configuration. */
	uint64_t messages, waiting, recipients; /* Looked at; `omitted` of them not. */
	uint64_t omitted;
	uint64_t others;         /* Changes without a group. */
	struct change_group groups[CHANGE_GROUPS_MAX];
	size_t group_count;
};

/* False: no memory. */
[[nodiscard]] bool changes_begin(struct changes *changes);
void changes_done(struct changes *changes);

/* One more message, as each of the two judges it (admin/replay.h). In the order of arrival. */
void changes_add(struct changes *changes, const json_t *facts, const json_t *before, const json_t *after);

static inline bool changes_none(const struct changes *changes)
{
	return changes->group_count == 0;
}

/* The graver changes first, and the larger groups of them. */
void changes_sort(struct changes *changes);

json_t *changes_json(const struct changes *changes);
void changes_print(struct changes *changes); /* For a terminal: afterwards its texts are fit for one. */

#endif
