/* The listening sockets: they outlive roles and reloads. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "supervisor/sockets.h"
#include "supervisor/supervisor_private.h"

static int *find_bound(struct supervisor *supervisor, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < supervisor->bound_count; i++)
		if (endpoint_equal(&supervisor->bound[i].endpoint, endpoint))
			return &supervisor->bound[i].fd;
	return NULL;
}

void bound_close(struct bound *bound, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bound[i].fd >= 0)
			close(bound[i].fd);
	free(bound);
}

bool bound_listen(struct supervisor *supervisor, const struct conf *conf)
{
	struct bound *fresh = calloc(conf->listener_count, sizeof *fresh);
	char room[ENDPOINT_TEXT_MAX];

	must(fresh != NULL);
	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct endpoint *endpoint = &conf->listeners[i].endpoint;
		const int *old = find_bound(supervisor, endpoint);
		enum error error = OK;

		fresh[i].endpoint = *endpoint;
		fresh[i].role = conf->listeners[i].role;
		fresh[i].tls = conf->listeners[i].tls;
		fresh[i].proxied = conf->listeners[i].proxied;
		if (old == NULL)
			error = sockets_listen(endpoint, &fresh[i].fd);
		else if ((fresh[i].fd = fcntl(*old, F_DUPFD_CLOEXEC, 0)) < 0)
			error = error_from_errno(errno);
		if (error != OK) {
			supervisor_report("cannot listen on %s: %s%s", endpoint_print(endpoint, room).bytes, error_text(error),
			    error == ERR_BUSY ? " (another server has it)"
			        : error == ERR_DENIED ? " (a port below 1024 needs root)" : "");
			bound_close(fresh, i);
			return false;
		}
	}
	bound_close(supervisor->bound, supervisor->bound_count);
	supervisor->bound = fresh;
	supervisor->bound_count = conf->listener_count;
	return true;
}
