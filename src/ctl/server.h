/* The control socket, server side: one JSON object a line, request and answer.
 *
 * Who may ask: root and the user the server runs as, everything; anyone else on this machine only
 * {"do": "smtp"}, which turns the connection into an SMTP session for sendmail(1). */
#ifndef CTL_SERVER_H
#define CTL_SERVER_H

#include "admin/admin.h"
#include "io/stream.h"

enum {
	CTL_REQUEST_MAX = 64 << 10,
	CTL_ANSWER_MAX = 64 << 20,
	CTL_CLIENTS_MAX = 64,
	CTL_STRANGERS_MAX = 48 /* When this many are connected, only who may administer is let in. */
};

struct ctl_server;

/* Takes the stream, paused and without handler: a local client who wants to hand in mail. */
typedef void ctl_submission(void *context, struct stream *stream);

/* Listens on fd (takes it). Borrows admin. NULL: no memory or descriptors. */
[[nodiscard]] struct ctl_server *ctl_server_new(
    struct loop *loop, int fd, struct admin *admin, ctl_submission *submission, void *context);

/* Closes the connections. An answer that admin gives later is dropped. */
void ctl_server_free(struct ctl_server *server);

#endif
