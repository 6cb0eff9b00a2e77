/* Where flow code reports what happened: one call per fact, once it is a fact
 * (durable, answered). The receiver writes the log and counts; it never blocks. */
#ifndef EVENTS_SINK_H
#define EVENTS_SINK_H

#include "events/event.h"

struct event_sink {
	void (*report)(void *context, const struct event *event); /* Borrows the event. */
	void *context;
};

#endif
