/* The passwords of routes, and of pools at their proxies, from the files that the configuration names to the couriers.
 *
 * The supervisor looks at the files and hands them on (handed.h); the mail role reads the copies, and nobody else has them. */
#ifndef PROGRAMS_HOST_LOGINS_H
#define PROGRAMS_HOST_LOGINS_H

#include "conf/conf.h"
#include "outbound/logins.h"

/* Is there a password in each, and is it kept from others? Else complaints tell, with the line of the route or pool. */
[[nodiscard]] bool host_logins_are_right(const struct conf *conf, struct buffer *complaints);

/* Gives the logins of this configuration, without those whose password cannot be read; stderr tells of them. `before` (may be
 * NULL): those in force. NULL: no memory. */
[[nodiscard]] struct logins *host_logins_read(const struct conf *conf, const struct logins *before);

#endif
