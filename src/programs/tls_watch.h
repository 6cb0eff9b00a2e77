/* Tells when what TLS stands on should be read again: its files have changed, or the keys of its session tickets,
 * which are made anew with each reading, have grown old (a stolen one opens the sessions of its whole time).
 *
 * Looks at the files every few seconds: a change by rename, a link that leads elsewhere and a file system without
 * notices are all seen alike. */
#ifndef PROGRAMS_TLS_WATCH_H
#define PROGRAMS_TLS_WATCH_H

#include "conf/conf.h"
#include "io/loop.h"

struct tls_watch;

/* The files of this configuration, as they are now, are taken for known. NULL: no memory. */
[[nodiscard]] struct tls_watch *tls_watch_new(
    struct loop *loop, const struct conf *conf, loop_callback *changed, void *context);
void tls_watch_free(struct tls_watch *watch);

/* They were read again, by another configuration perhaps. */
void tls_watch_reset(struct tls_watch *watch, const struct conf *conf);

#endif
