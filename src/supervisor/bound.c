/* The listening sockets: they outlive roles and reloads. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "io/socket_address.h"
#include "supervisor/sockets.h"
#include "supervisor/supervisor_private.h"

static int *find_bound(struct supervisor *supervisor, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < supervisor->bound_count; i++)
		if (endpoint_equal(&supervisor->bound[i].endpoint, endpoint))
			return &supervisor->bound[i].fd;
	return NULL;
}

static bool endpoint_of(int fd, struct endpoint *out_endpoint)
{
	union socket_address address = { 0 };
	socklen_t length = sizeof address;

	if (getsockname(fd, &address.any, &length) != 0)
		return false;
	*out_endpoint = socket_address_endpoint(&address);
	if (address.any.sa_family == AF_UNIX) {
		out_endpoint->family = ENDPOINT_UNIX;
		snprintf(out_endpoint->path, sizeof out_endpoint->path, "%s", address.local.sun_path);
	}
	return out_endpoint->family != ENDPOINT_NONE;
}

/* One that is no socket after all is left alone: it may be anything. */
static void adopt(struct supervisor *supervisor, int fd)
{
	struct bound *grown = realloc(supervisor->bound, (supervisor->bound_count + 1) * sizeof *grown);
	struct bound *bound = grown ? &grown[supervisor->bound_count] : NULL;

	must(grown != NULL);
	supervisor->bound = grown;
	*bound = (struct bound){ .fd = fd };
	if (endpoint_of(fd, &bound->endpoint) && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		supervisor->bound_count++;
}

/* At the path of now; one elsewhere is of no use to anybody. */
static void adopt_control(struct supervisor *supervisor, int fd)
{
	struct endpoint endpoint;

	if (!endpoint_of(fd, &endpoint) || endpoint.family != ENDPOINT_UNIX)
		return;
	if (strcmp(endpoint.path, supervisor->conf->control) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) {
		supervisor->control = fd;
		return;
	}
	unlink(endpoint.path);
	close(fd);
}

void bound_adopt(struct supervisor *supervisor, const char *descriptors)
{
	struct text rest = text_of(descriptors), word;
	uint64_t fd;

	for (bool first = true; rest.length > 0 && text_cut(&rest, ',', &word); first = false) {
		if (!text_to_u64(word, &fd) || fd > INT_MAX)
			return;
		if (!first)
			adopt(supervisor, (int)fd);
		else
			adopt_control(supervisor, (int)fd);
	}
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
