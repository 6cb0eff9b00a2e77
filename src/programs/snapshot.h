/* From configuration files to what the server works with. */
#ifndef PROGRAMS_SNAPSHOT_H
#define PROGRAMS_SNAPSHOT_H

#include "conf/conf.h"
#include "route/router.h"

enum { COMPLAINTS_BYTES_MAX = 256 << 10 };

/* The configuration and all files that it names, checked. NULL: complaints, a line each, tell why. */
[[nodiscard]] struct conf *snapshot_conf(const char *path, struct buffer *complaints);

/* Domains, users, aliases and routes of a configuration. NULL: complaints tell. */
[[nodiscard]] struct router *snapshot_router(const struct conf *conf, struct buffer *complaints);

/* The same, with complaints on stderr. */
[[nodiscard]] struct conf *snapshot_load(const char *path);

#endif
