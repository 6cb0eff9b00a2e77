/* Events into the spool: the history that `trace` reads, in the same change as the fact. */
#ifndef SPOOL_RECORD_H
#define SPOOL_RECORD_H

#include "events/event.h"
#include "spool/spool.h"

/* Record `event` (its id must not be 0), findable by `addresses`. Out of memory marks the change. */
void spool_record_event(struct spool_change *change, const struct event *event,
    const struct text *addresses, size_t address_count);

#endif
