/* Sections that name users whom nobody has: of no effect, which is seldom what was meant.
 *
 * Pure. */
#ifndef CONF_STRAYS_H
#define CONF_STRAYS_H

#include "base/buffer.h"
#include "conf/conf.h"

/* Whoever can log in stands among these names, and nobody else. Users checked by Dovecot, and those of front ends (XCLIENT), do not. */
bool conf_knows_its_users(const struct conf *conf);

/* Is each user section that of one of `names`, as the users file has them? False: complaints, "FILE:LINE: ..." each, tell. */
[[nodiscard]] bool conf_users_exist(
    const struct conf *conf, const struct text *names, size_t name_count, struct buffer *complaints);

#endif
