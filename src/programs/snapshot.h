/* From configuration files to what the server works with. */
#ifndef PROGRAMS_SNAPSHOT_H
#define PROGRAMS_SNAPSHOT_H

#include "conf/conf.h"
#include "route/router.h"
#include "tls/tls.h"

enum { COMPLAINTS_BYTES_MAX = 256 << 10 };

/* The configuration and all files that it names, checked. NULL: complaints, a line each, tell why. */
[[nodiscard]] struct conf *snapshot_conf(const char *path, struct buffer *complaints);

/* Domains, users, aliases and routes of a configuration. NULL: complaints tell. */
[[nodiscard]] struct router *snapshot_router(const struct conf *conf, struct buffer *complaints);

/* snapshot_conf with complaints on stderr. */
[[nodiscard]] struct conf *snapshot_load(const char *path);

/* Certificates, keys and authorities of a configuration, as they are now. */
struct snapshot_tls {
	struct tls_server *server; /* NULL: there is no certificate. */
	struct tls_client *client;
};
[[nodiscard]] bool snapshot_tls(const struct conf *conf, struct snapshot_tls *out_tls, struct buffer *complaints);
void snapshot_tls_done(struct snapshot_tls *tls);

#endif
