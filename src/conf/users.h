/* The users file: Dovecot's passwd-file format (NAME:PASSWORD:UID:GID:GECOS:HOME:SHELL:EXTRA), of which only the
 * names and, for mailboxes, UID and GID are read here.
 *
 *   U1  Pure, and nothing but names is kept: not the hash of a password, not in a complaint either. */
#ifndef CONF_USERS_H
#define CONF_USERS_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

enum { USERS_MAX = 1000000 };

/* The names in `text`, in the arena: "alice" or "alice@example.org", in the order of the file. Lines that are empty
 * or begin with # are skipped. False: complaints, "FILE:LINE: ..." each, tell why; the out-parameters are untouched. */
[[nodiscard]] bool users_read(struct text text, const char *file_name, struct arena *arena,
    const struct text **out_names, size_t *out_count, struct buffer *complaints);

/* Whose files the mailboxes of users are, where their lines say so: "NAME UID GID" lines into `out`. Root's they are never.
 * False: out is full. */
[[nodiscard]] bool users_print_owners(struct text text, struct buffer *out);

/* A local part or an address, as may stand at the front of a line. `scratch` is used up a little. */
[[nodiscard]] bool users_name_is_valid(struct text name, struct arena *scratch);

/* Changes to the file as an operator asks for them. All lines but the one of `name` stay as they are, byte for byte. */
enum users_edit { USERS_ADD, USERS_REMOVE, USERS_SET_PASSWORD };

/* The changed text into `out`. `stored`: the password with its scheme, where one is set. ERR_EXISTS: there is such a
 * user already; ERR_NOT_FOUND: there is none; ERR_NO_MEMORY. */
[[nodiscard]] enum error users_edit(
    struct text text, enum users_edit edit, struct text name, struct text stored, struct buffer *out);

#endif
