/* The keys that sign our mail, from their folder to the mail role, which may not read it.
 *
 * The supervisor packs them into a memory file when it starts the role and at each reload; the moments at which keys
 * follow each other travel with them. */
#ifndef PROGRAMS_SIGNING_H
#define PROGRAMS_SIGNING_H

#include "auth/signing_keys.h"
#include "conf/conf.h"
#include "keys/plan.h"

/* Can all of them be used? Else complaints tell; warnings are added, too, where all is right. */
[[nodiscard]] bool signing_is_right(const struct conf *conf, struct buffer *complaints);

/* Gives a memory file; -1: nothing is to be signed. */
[[nodiscard]] int signing_fd(const struct conf *conf);

/* Gives what such a file holds; NULL: nothing, or it cannot be read. Takes fd, which may be -1. The plan as for keys_unpack. */
[[nodiscard]] struct signing_keys *signing_read(int fd, const struct conf *conf, struct key_plan *plan);

#endif
