/* The sockets that need privilege or outlive a role: listeners and the control socket. */
#ifndef SUPERVISOR_SOCKETS_H
#define SUPERVISOR_SOCKETS_H

#include "base/endpoint.h"
#include "base/error.h"

/* A bound and listening TCP or UNIX socket, close-on-exec and non-blocking. An IPv6 socket takes IPv6 only. */
[[nodiscard]] enum error sockets_listen(const struct endpoint *endpoint, int *out_fd);

/* The control socket at `path`: anyone may connect (the server asks the kernel who it is). A file left by a dead
 * server is replaced; ERR_BUSY when one still answers there. */
[[nodiscard]] enum error sockets_control(const char *path, int *out_fd);

#endif
