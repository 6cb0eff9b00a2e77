/* The commands that need neither a server nor its spool.
 *
 * Each takes what stands behind its name and returns an exit code of sysexits(3): EX_OK when it could be found out, whatever was
 * found. `conf` may be NULL: then there is no configuration, and the system's resolver is asked. */
#ifndef CTL_OFFLINE_H
#define CTL_OFFLINE_H

#include "conf/conf.h"

/* postroad verify, postroad sign. */
int ctl_verify(const struct conf *conf, int count, char **words);
int ctl_sign(int count, char **words);

/* postroad dkim. Needs a configuration; a running server is told of changes. */
int ctl_dkim(const struct conf *conf, int count, char **words);

#endif
