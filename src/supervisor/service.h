/* What a service manager (systemd) is told of us, and gives us: sd_notify(3), sd_listen_fds(3).
 *
 * Without one, that is without its variables in the environment, nothing is told and nothing is taken. */
#ifndef SUPERVISOR_SERVICE_H
#define SUPERVISOR_SERVICE_H

#include "base/endpoint.h"
#include "base/text.h"

enum { SERVICE_PATH_MAX = ENDPOINT_PATH_MAX + 1, SERVICE_FIRST_FD = 3 };

struct service {
	char manager[SERVICE_PATH_MAX + 1]; /* Its socket, "@" before an abstract name; empty: there is none. */
	int64_t watch_ms;                   /* It wants to hear at least so often that we are well; 0: it does not. */
	unsigned socket_count;              /* Listening sockets that it opened for us, from SERVICE_FIRST_FD on. */
};

/* From the environment of this process. What it says for another one is not for us. */
void service_read(struct service *service);

/* Take the variables out of the environment, or put them in again for the program that takes our place. */
void service_hide(void);
void service_hand_down(const struct service *service);

/* Lines of assignments, like "READY=1". A manager that does not listen is not waited for. */
void service_tell(const struct service *service, const char *state);

#endif
