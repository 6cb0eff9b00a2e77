#include "supervisor/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

union any_address {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
	struct sockaddr_un local;
};

static socklen_t address_of(const struct endpoint *endpoint, union any_address *out_address)
{
	*out_address = (union any_address){ 0 };
	switch (endpoint->family) {
	case ENDPOINT_IP4:
		out_address->ip4.sin_family = AF_INET;
		out_address->ip4.sin_port = htons(endpoint->port);
		memcpy(&out_address->ip4.sin_addr, endpoint->ip, 4);
		return sizeof out_address->ip4;
	case ENDPOINT_IP6:
		out_address->ip6.sin6_family = AF_INET6;
		out_address->ip6.sin6_port = htons(endpoint->port);
		memcpy(&out_address->ip6.sin6_addr, endpoint->ip, 16);
		return sizeof out_address->ip6;
	case ENDPOINT_UNIX:
		out_address->local.sun_family = AF_UNIX;
		memcpy(out_address->local.sun_path, endpoint->path, strlen(endpoint->path) + 1);
		return sizeof out_address->local;
	case ENDPOINT_NONE:
		break;
	}
	return 0;
}

/* Without waiting: who is too busy to accept (EAGAIN) is alive, too. */
static bool answers(const union any_address *address, socklen_t length)
{
	const int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const bool alive = fd >= 0 && (connect(fd, &address->any, length) == 0 || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return alive;
}

static enum error fail(int fd)
{
	const enum error error = errno == EADDRINUSE ? ERR_BUSY : error_from_errno(errno);

	if (fd >= 0)
		close(fd);
	return error;
}

/* Only a socket: a path that names something else by mistake keeps it, and bind fails. */
static void remove_dead(const char *path)
{
	struct stat about;

	if (lstat(path, &about) == 0 && S_ISSOCK(about.st_mode))
		unlink(path);
}

enum error sockets_listen(const struct endpoint *endpoint, int *out_fd)
{
	union any_address address;
	const socklen_t length = address_of(endpoint, &address);
	const int on = 1;
	const int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return fail(fd);
	if (endpoint->family == ENDPOINT_UNIX) {
		if (answers(&address, length)) {
			close(fd);
			return ERR_BUSY;
		}
		remove_dead(endpoint->path);
	}
	if (endpoint->family != ENDPOINT_UNIX && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
		return fail(fd);
	if (endpoint->family == ENDPOINT_IP6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
		return fail(fd);
	if (bind(fd, &address.any, length) != 0 || listen(fd, BACKLOG) != 0)
		return fail(fd);
	*out_fd = fd;
	return OK;
}

enum error sockets_control(const char *path, int *out_fd)
{
	struct endpoint endpoint = { .family = ENDPOINT_UNIX };
	int fd;

	if (strlen(path) > ENDPOINT_PATH_MAX)
		return ERR_TOO_LARGE;
	memcpy(endpoint.path, path, strlen(path) + 1);

	const enum error error = sockets_listen(&endpoint, &fd);

	if (error != OK)
		return error;
	if (chmod(path, 0666) != 0)
		return fail(fd);
	*out_fd = fd;
	return OK;
}
