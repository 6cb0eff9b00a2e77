/* What the queue is fair between: a flow is the mail of one sender with one priority. */
#ifndef MAIL_FLOW_H
#define MAIL_FLOW_H

#include <stdint.h>

struct flow { /* A value. */
	uint32_t sender; /* A hash; two that meet share their turns. */
	int8_t priority; /* PRIORITY_MIN to PRIORITY_MAX */
};

static inline bool flow_equal(struct flow a, struct flow b)
{
	return a.sender == b.sender && a.priority == b.priority;
}

#endif
