/* The control socket, client side: blocking, for the command line. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <jansson.h>

#include "base/error.h"

struct ctl_client;

/* ERR_REFUSED or ERR_NOT_FOUND: no server runs; ERR_DENIED: its socket is not for this user. */
[[nodiscard]] enum error ctl_client_open(const char *path, struct ctl_client **out_client);
void ctl_client_close(struct ctl_client *client);

/* One request, one answer (gives). NULL: the connection was lost. */
[[nodiscard]] json_t *ctl_client_ask(struct ctl_client *client, const json_t *request);

/* Turn the connection into an SMTP session and give its descriptor, or -1. The client is used up. */
[[nodiscard]] int ctl_client_into_smtp(struct ctl_client *client);

#endif
