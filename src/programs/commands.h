/* The commands of pipes, from the configuration to the role that runs them. */
#ifndef PROGRAMS_COMMANDS_H
#define PROGRAMS_COMMANDS_H

#include "conf/conf.h"
#include "mailbox/program.h"

/* Is each there to be executed, by a user there is, and is he not root? Else complaints tell, with the line of the pipe. */
[[nodiscard]] bool commands_are_right(const struct conf *conf, struct buffer *complaints);

/* What the pipe role runs, in the arena; those whose user is gone are left out, and stderr tells. NULL: no memory. */
[[nodiscard]] struct program *commands_make(const struct conf *conf, struct arena *arena, size_t *out_count);

#endif
