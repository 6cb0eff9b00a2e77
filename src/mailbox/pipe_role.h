/* The pipe role: a process that gives messages to commands, each as its own user; it parses nothing.
 *
 * It speaks the language of the mailbox role (mailbox/request.h), where the name of the user is that of the command.
 *
 *   I1  A command comes from the configuration, whole: nothing that a message or an alias holds becomes a word of it.
 *   I2  At most PIPE_RUNS_MAX run at once. More requests wait in their channels, and the queue behind them.
 *   I3  Every request is answered once, when its command has ended or was ended; one that cannot be read ends its channel.
 *   I4  When the role ends, its commands end; they have not been answered for, and their mail is tried again. */
#ifndef MAILBOX_PIPE_ROLE_H
#define MAILBOX_PIPE_ROLE_H

#include "mailbox/program.h"

enum { PIPE_RUNS_MAX = 64, PIPE_CHANNEL_MAX = 64 };

struct pipe_role;

/* NULL: no memory. */
[[nodiscard]] struct pipe_role *pipe_role_new(void);
void pipe_role_free(struct pipe_role *role); /* Closes its channels. NULL is fine. */

/* The commands from the next request on (borrows them; those that run have what they need). */
void pipe_role_set_programs(struct pipe_role *role, const struct program *programs, size_t count);

/* As those of mailbox/role.h. */
[[nodiscard]] bool pipe_role_add_channel(struct pipe_role *role, int fd);
void pipe_role_watch(struct pipe_role *role, int fd, void (*readable)(void *context), void *context);
void pipe_role_run(struct pipe_role *role);
void pipe_role_stop(struct pipe_role *role);

#endif
