/* Whose a message is, for the turns of the queue.
 *
 * Who logged in is one sender, whatever he writes in MAIL. Of all others it is the reverse-path, without what
 * mailing programs make anew for each message (VERP, "bounces-4711-ann=example.org@"), which would make a sender of
 * each: from the first digit, + or = on, back to the mark before it, the local part does not count. */
#ifndef SPOOL_FLOW_H
#define SPOOL_FLOW_H

#include "mail/envelope.h"

struct flow flow_of(const struct envelope *envelope);

/* Of the local part, what counts; borrows from it. */
struct text flow_local_part(struct text local);

#endif
