/* The mailbox role: a process that writes mailboxes and parses nothing.
 *
 * A plain loop: wait for a request, take up to MAILBOX_BATCH_MAX more that wait already, write all their
 * files, make them durable together, show them to readers, answer all. While one flush is under way
 * the next batch gathers in the sockets, so that a busy server pays one flush for many messages and an
 * idle one delivers a lone message at once.
 *
 *   M1  An answer of 250 means durable: it survives a power cut.
 *   M2  Every request is answered once; one that cannot be read ends its channel.
 *   M3  A failed flush fails every message that relied on it; it is not tried again for them.
 *
 * Truth of a crash: before its answer a message is in tmp/ (swept by readers of the Maildir), or in new/
 * and may be delivered once more, since the queue heard nothing. After its answer it is in new/. */
#ifndef MAILBOX_ROLE_H
#define MAILBOX_ROLE_H

#include "base/error.h"
#include "base/text.h"
#include "mailbox/owner.h"

enum { MAILBOX_BATCH_MAX = 128, MAILBOX_CHANNEL_MAX = 64 };

struct mailbox_role;

/* `path`: the template of mailboxes (see mailbox/path.h). `host`: for unique file names. Both are copied.
 * ERR_SYNTAX: the template is wrong; ERR_NO_MEMORY. */
[[nodiscard]] enum error mailbox_role_new(struct text path, struct text host, struct mailbox_role **out_role);
void mailbox_role_free(struct mailbox_role *role); /* Closes its channels. NULL is fine. */

/* A lane's end of a channel (takes fd). False, and fd is closed: MAILBOX_CHANNEL_MAX are open. */
[[nodiscard]] bool mailbox_role_add_channel(struct mailbox_role *role, int fd);

/* One more descriptor to wait for (borrowed): where the role hears of new channels, reload and stop. The
 * callback runs between batches when it is readable, and may call every function here but _free. */
void mailbox_role_watch(struct mailbox_role *role, int fd, void (*readable)(void *context), void *context);

/* Another template from the next request on. ERR_SYNTAX: it is wrong, the old one stays. */
[[nodiscard]] enum error mailbox_role_set_path(struct mailbox_role *role, struct text path);

/* To whom mailboxes belong, from the next request on (takes); without it they are ours. */
void mailbox_role_set_owners(struct mailbox_role *role, struct owners *owners);

/* Until mailbox_role_stop, or until there is neither a channel nor a watched descriptor. */
void mailbox_role_run(struct mailbox_role *role);
void mailbox_role_stop(struct mailbox_role *role);

#endif
