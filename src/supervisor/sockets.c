#include "supervisor/sockets.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/socket_address.h"

enum { BACKLOG = 1024 };

/* Without waiting: who is too busy to accept (EAGAIN) is alive, too. */
static bool answers(const union socket_address *address, socklen_t length)
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
	union socket_address address;
	const socklen_t length = socket_address_of(endpoint, &address);
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
	int fd = -1;

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
