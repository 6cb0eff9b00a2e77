/* What came of attempts, by destination, for the few that most attempts go to.
 *
 * Everybody who looks on needs a bounded number of names, and counts that never go back. A table has BUSIEST_MAX places; who
 * finds none is counted among the others. Which names have one is decided as Misra and Gries do it: each attempt of one without
 * a place takes a little from the weight of all who have one, and a place without weight is given away. So a
 * destination of more than one attempt in BUSIEST_MAX + 1 gets a place, and keeps it.
 *
 *   B1  No count shrinks while its name has a place; what it counted is added to the others when the name loses it.
 *
 * A value: pure, one thread. */
#ifndef QUEUE_BUSIEST_H
#define QUEUE_BUSIEST_H

#include <stdint.h>

#include "base/text.h"

enum { BUSIEST_MAX = 16, BUSIEST_NAME_MAX = 255 };
enum busiest_outcome { BUSIEST_DELIVERED, BUSIEST_DEFERRED, BUSIEST_FAILED, BUSIEST_OUTCOME_COUNT };

struct busiest_place {
	char name[BUSIEST_NAME_MAX];
	unsigned char length;
	uint64_t weight;
	uint64_t counts[BUSIEST_OUTCOME_COUNT];
};

struct busiest {                       /* All zero: nothing was counted. */
	struct busiest_place places[BUSIEST_MAX];
	unsigned place_count;
	uint64_t others[BUSIEST_OUTCOME_COUNT];
};

/* One attempt for a recipient. Of a name that is longer than BUSIEST_NAME_MAX its beginning counts. */
void busiest_count(struct busiest *busiest, struct text name, enum busiest_outcome outcome);

struct text busiest_name(const struct busiest_place *place); /* Borrows. */

#endif
