/* The users file: Dovecot's passwd-file format, of which only the names are read here.
 *
 * Pure. Passwords are another process's matter: nothing of them is kept. */
#ifndef CONF_USERS_H
#define CONF_USERS_H

#include "base/arena.h"
#include "base/buffer.h"

enum { USERS_MAX = 1000000 };

/* The names in `text`, in the arena: "alice" or "alice@example.org". Lines that are empty or begin with # are
 * skipped. False: complaints, a line each, tell why. */
[[nodiscard]] bool users_read(struct text text, const char *file_name, struct arena *arena,
    const struct text **out_names, size_t *out_count, struct buffer *complaints);

#endif
