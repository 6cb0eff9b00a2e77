/* From configuration files to what the server works with. */
#ifndef PROGRAMS_SNAPSHOT_H
#define PROGRAMS_SNAPSHOT_H

#include "conf/conf.h"
#include "route/router.h"
#include "sasl/token.h"
#include "tls/tls.h"

enum { COMPLAINTS_BYTES_MAX = 256 << 10 };

/* The configuration and all files that it names, checked. NULL: complaints, a line each, tell why. */
[[nodiscard]] struct conf *snapshot_conf(const char *path, struct buffer *complaints);

/* The same, with complaints on stderr. */
[[nodiscard]] struct conf *snapshot_load(const char *path);

/* Is each user section somebody's? Else complaints, a line each. No reason not to start: users come and go in another file. */
[[nodiscard]] bool snapshot_users_exist(const struct conf *conf, struct buffer *complaints);

/* Domains, aliases and routes of a configuration, and its users, whose names are in `names`, one a line.
 * NULL: complaints tell. */
[[nodiscard]] struct router *snapshot_router(const struct conf *conf, struct text names, struct buffer *complaints);

/* The same where no supervisor has read the names, which are put into `arena`. */
enum { SNAPSHOT_NAMES_BYTES_MAX = 64 << 20 };
[[nodiscard]] struct router *snapshot_router_alone(
    const struct conf *conf, struct arena *arena, struct text *out_names, struct buffer *complaints);

/* What the supervisor reads for the roles, since it may: the names of the users, one a line, in a memory file (the
 * mail role is to know who there is, but no password); the file with the passwords, open, for the auth role, and
 * that with the keys of tokens. Give a descriptor, or -1: there is none. */
[[nodiscard]] int snapshot_text_fd(const struct conf *conf); /* The configuration itself. */
[[nodiscard]] int snapshot_names_fd(const struct conf *conf);
[[nodiscard]] int snapshot_owners_fd(const struct conf *conf); /* To whom mailboxes belong: lines "NAME UID GID". */
[[nodiscard]] int snapshot_passwords_fd(const struct conf *conf);
[[nodiscard]] int snapshot_keys_fd(const struct conf *conf);

/* What makes a token good, by the text of its keys. False: complaints tell. */
[[nodiscard]] bool snapshot_tokens(
    const struct conf *conf, struct text keys, struct token_rules **out_rules, struct buffer *complaints);

/* All of such a descriptor, in the arena. */
[[nodiscard]] bool snapshot_read_fd(int fd, struct arena *arena, struct text *out_text);

/* Certificates, keys and authorities of a configuration, as they are now. */
struct snapshot_tls {
	struct tls_server *server; /* NULL: there is no certificate. */
	struct tls_client *client;
};
[[nodiscard]] bool snapshot_tls(const struct conf *conf, struct snapshot_tls *out_tls, struct buffer *complaints);
void snapshot_tls_done(struct snapshot_tls *tls);

/* Whether they can be used; else stderr says why those in use stay. */
[[nodiscard]] bool snapshot_tls_is_right(const struct conf *conf);

#endif
