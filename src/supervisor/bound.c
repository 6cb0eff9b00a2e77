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

void bound_take_given(struct supervisor *supervisor)
{
	for (unsigned i = 0; i < supervisor->service.socket_count; i++) {
		const int fd = SERVICE_FIRST_FD + (int)i;
		struct endpoint endpoint;

		if (!endpoint_of(fd, &endpoint) || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
			continue;
		if (endpoint.family == ENDPOINT_UNIX && strcmp(endpoint.path, supervisor->conf->control) == 0)
			adopt_control(supervisor, fd);
		else
			adopt(supervisor, fd);
	}
}

/* Of those that we were given; our own go with the configuration that named them. */
static void complain_of_strays(const struct supervisor *supervisor, const struct conf *conf)
{
	char room[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < supervisor->bound_count && !supervisor->ready; i++) {
		bool named = false;

		for (size_t k = 0; k < conf->listener_count; k++)
			named |= endpoint_equal(&supervisor->bound[i].endpoint, &conf->listeners[k].endpoint);
		if (!named)
			supervisor_report("the socket at %s is closed: no listen section names it",
			    endpoint_print(&supervisor->bound[i].endpoint, room).bytes);
	}
}

void bound_close(struct bound *bound, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bound[i].fd >= 0)
			close(bound[i].fd);
	free(bound);
}

/* What is to be bound: the listeners of mail, and that of web behind them. */
static struct bound wanted_bound(const struct conf *conf, size_t i)
{
	if (i == conf->listener_count)
		return (struct bound){ .web = true, .endpoint = conf->web.endpoint };

	const struct conf_listener *listener = &conf->listeners[i];

	return (struct bound){
		.role = listener->role, .tls = listener->tls, .proxied = listener->proxied, .endpoint = listener->endpoint
	};
}

bool bound_listen(struct supervisor *supervisor, const struct conf *conf)
{
	const size_t count = conf->listener_count + (conf->web.enabled ? 1 : 0);
	struct bound *fresh = calloc(count, sizeof *fresh);
	char room[ENDPOINT_TEXT_MAX];

	must(fresh != NULL);
	for (size_t i = 0; i < count; i++) {
		fresh[i] = wanted_bound(conf, i);
		const struct endpoint *endpoint = &fresh[i].endpoint;
		const int *old = find_bound(supervisor, endpoint);
		enum error error = OK;

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
	complain_of_strays(supervisor, conf);
	bound_close(supervisor->bound, supervisor->bound_count);
	supervisor->bound = fresh;
	supervisor->bound_count = count;
	return true;
}
