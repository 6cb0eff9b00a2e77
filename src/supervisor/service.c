#include "supervisor/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/socket_address.h"

/* More than anybody listens on; and nobody makes us close descriptors without end. */
enum { SOCKETS_MAX = 256 };

static const char *const variables[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID",
	"LISTEN_FDNAMES" };

/* 0: not there, or no number. */
static uint64_t number(const char *variable)
{
	const char *value = getenv(variable);
	uint64_t out = 0;

	return value != NULL && text_to_u64(text_of(value), &out) ? out : 0;
}

static bool is_for_us(const char *variable)
{
	return getenv(variable) == NULL || number(variable) == (uint64_t)getpid();
}

void service_read(struct service *service)
{
	const char *manager = getenv("NOTIFY_SOCKET");
	const uint64_t sockets = is_for_us("LISTEN_PID") ? number("LISTEN_FDS") : 0;

	*service = (struct service){ .socket_count = sockets <= SOCKETS_MAX ? (unsigned)sockets : 0 };
	if (manager == NULL || (manager[0] != '/' && manager[0] != '@') || strlen(manager) > SERVICE_PATH_MAX)
		return;
	memcpy(service->manager, manager, strlen(manager) + 1);
	if (is_for_us("WATCHDOG_PID"))
		service->watch_ms = (int64_t)(number("WATCHDOG_USEC") / 1000);
}

void service_hide(void)
{
	for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
		unsetenv(variables[i]);
}

void service_hand_down(const struct service *service)
{
	char number_room[24];

	if (service->manager[0] == '\0')
		return;
	(void)!setenv("NOTIFY_SOCKET", service->manager, 1);
	snprintf(number_room, sizeof number_room, "%lld", (long long)service->watch_ms * 1000);
	if (service->watch_ms > 0)
		(void)!setenv("WATCHDOG_USEC", number_room, 1);
}

void service_tell(const struct service *service, const char *state)
{
	union socket_address address = { .local = { .sun_family = AF_UNIX } };
	const size_t length = strlen(service->manager);

	if (length == 0)
		return;
	memcpy(address.local.sun_path, service->manager, length);
	if (service->manager[0] == '@')
		address.local.sun_path[0] = '\0';
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, &address.any,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	close(fd);
}
