#include "spool/record.h"

#include "base/must.h"
#include "spool/change.h"

enum { STORED_MAX = 64 * 1024 };

void spool_record_event(struct spool_change *change, const struct event *event,
    const struct text *addresses, size_t address_count)
{
	struct buffer stored;

	must(event->id != 0);
	buffer_init(&stored, STORED_MAX);
	if (event_encode(event, &stored))
		spool_change_record(change, event->id, buffer_text(&stored), addresses, address_count);
	else
		change->failed = true;
	buffer_done(&stored);
}
