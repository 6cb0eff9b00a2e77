/* The users file: Dovecot's passwd-file format (NAME:PASSWORD:UID:GID:GECOS:HOME:SHELL:EXTRA), of which only the
 * names are read here.
 *
 *   U1  Pure, and nothing but names is kept: not the hash of a password, not in a complaint either. */
#ifndef CONF_USERS_H
#define CONF_USERS_H

#include "base/arena.h"
#include "base/buffer.h"

enum { USERS_MAX = 1000000 };

/* The names in `text`, in the arena: "alice" or "alice@example.org", in the order of the file. Lines that are empty
 * or begin with # are skipped. False: complaints, "FILE:LINE: ..." each, tell why; the out-parameters are untouched. */
[[nodiscard]] bool users_read(struct text text, const char *file_name, struct arena *arena,
    const struct text **out_names, size_t *out_count, struct buffer *complaints);

#endif
