/* The files that the supervisor reads for the mail role: so they need not be readable by its user, and it opens no path
 * but those of its spool and its log.
 *
 * Each is copied into a sealed memory file, in the order of conf_move_paths; what cannot be read is left out by -1. In the
 * mail role the paths of its configuration then lead to these (/proc/self/fd/N).
 *
 *   H1  The files are one moment's: a reading of them never mixes what was checked with what came later.
 *   H2  They are there as long as somebody who may still open them holds a reference. */
#ifndef PROGRAMS_HANDED_H
#define PROGRAMS_HANDED_H

#include "conf/conf.h"

/* -- In the supervisor -- */

/* A memory file of these bytes, never to be changed; -1: it cannot be made. */
[[nodiscard]] int handed_text(const char *name, struct text bytes);

/* Gives the files of this configuration and their count. */
size_t handed_open(const struct conf *conf, int out_fds[CONF_FILES_MAX]);

/* Certificate, key and tokens of the web interface; -1 for what it does not need or what cannot be read. */
void handed_web_files(const struct conf *conf, int out_fds[3]);

/* What the files of TLS look like from outside: another number when one of them changed. */
uint64_t handed_look(const struct conf *conf);

/* -- In the mail role -- */

struct handed;

/* Takes the descriptors; NULL: no memory. References are counted atomically. */
[[nodiscard]] struct handed *handed_new(const int *fds, size_t count);
struct handed *handed_ref(struct handed *handed);
void handed_unref(struct handed *handed); /* NULL is fine. */

/* The configuration in a memory file, as if it stood at `path`, with the paths of its files leading to these; NULL:
 * complaints on stderr. Without `handed` they lead where they led. */
[[nodiscard]] struct conf *handed_conf(int fd, const char *path, const struct handed *handed);

#endif
