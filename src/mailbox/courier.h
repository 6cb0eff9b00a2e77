/* The courier to the mailbox role, and to the pipe role: one of each per lane of `mail`.
 *
 * Each recipient is one request. A small body is part of it; a larger one is copied from the spool into a memory
 * file once. Requests go out as the channel takes them, so that the bodies held in memory are those under way,
 * not those that wait. The contract of couriers is C1 to C3 of route/delivery.h; here is added:
 *
 *   C4  250 2.0.0 means durable in the mailbox; its host is the mailbox's path.
 *   C5  When the channel dies, and while there is none, recipients without an answer get 451 4.3.0:
 *       the role is started again and the queue tries again.
 *   C6  A recipient is marked in doubt (spool/in_doubt.h) before its request goes out: after a crash it may be
 *       delivered again, and the log names it. The mark stays until the queue has settled the outcome. */
#ifndef MAILBOX_COURIER_H
#define MAILBOX_COURIER_H

#include "route/delivery.h"
#include "spool/in_doubt.h"

struct mailbox_courier;

struct mailbox_world {             /* Borrows all; must outlive the courier. */
	struct loop *loop;
	struct spool *spool;
	struct in_doubt *in_doubt; /* NULL: no marks. */
	unsigned lane;
};

/* Without a channel at first. NULL: no memory. */
[[nodiscard]] struct mailbox_courier *mailbox_courier_new(const struct mailbox_world *world);

/* No `done` is called any more. Not inside a `done`. NULL is fine. */
void mailbox_courier_free(struct mailbox_courier *courier);

/* The channel to a (new) role; takes fd. What was open with an older one is settled by C5. False: no memory,
 * and there is no channel. */
[[nodiscard]] bool mailbox_courier_set_channel(struct mailbox_courier *courier, int fd);

/* Its face for the queue. Borrows. */
struct courier mailbox_courier_face(struct mailbox_courier *courier);

#endif
