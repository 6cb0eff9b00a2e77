/* What the sealer (auth/arc_seal.h) needs of the chain that arc.c has collected. For auth only. */
#ifndef AUTH_ARC_PRIVATE_H
#define AUTH_ARC_PRIVATE_H

#include "auth/arc.h"

/* The fields of a set, in the order in which seals sign them (RFC 8617 §5.1.1). */
enum arc_part { ARC_RESULTS, ARC_MESSAGE, ARC_SEAL, ARC_PART_COUNT };

/* The highest instance that any field names; ARC_SETS_MAX + 1 when it is above the limit. */
unsigned arc_newest(const struct arc *arc);

/* The newest seal says that the chain is broken: there is nothing to add to it (§5.1.2). */
bool arc_is_closed(const struct arc *arc);

/* The first `count` sets, which are complete, into a digest. */
void arc_add_sets(const struct arc *arc, size_t count, struct digest *digest);

#endif
