/* To whom a mailbox belongs. A role that may do so writes each one as its owner, with the rights that the owner has: what
 * lies in the owner's folders, links too, can then lead nowhere that the owner could not go.
 *
 * Only names and new files are judged by this (setfsuid(2)); an open descriptor is as good as before. It is the thread's. */
#ifndef MAILBOX_OWNER_H
#define MAILBOX_OWNER_H

#include <sys/types.h>

#include "base/error.h"
#include "mailbox/path.h"

struct owner {        /* A value. Zeros: whoever we are. */
	bool differs; /* From us. */
	uid_t uid;
	gid_t gid;
};

/* From here on as the owner, until owner_leave. False: we may not; nothing has changed. */
[[nodiscard]] bool owner_enter(const struct owner *owner);
void owner_leave(const struct owner *owner);

/* -- Who owns what ---------------------------------------------------------- */

struct owners;

/* From lines "NAME UID GID", where a name is that of a user or an address. All others belong to `others`. ERR_SYNTAX: not
 * such lines; ERR_NO_MEMORY. */
[[nodiscard]] enum error owners_new(struct text lines, const struct owner *others, struct owners **out_owners);
void owners_free(struct owners *owners); /* NULL is fine. */

/* The address first, then the user alone. */
struct owner owners_find(const struct owners *owners, const struct mailbox_parts *parts);

#endif
