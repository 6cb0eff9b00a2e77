#include "ctl/client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct ctl_client {
	int fd;
};

enum error ctl_client_open(const char *path, struct ctl_client **out_client)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ctl_client *client;

	if (strlen(path) >= sizeof address.sun_path)
		return ERR_TOO_LARGE;
	memcpy(address.sun_path, path, strlen(path) + 1);
	client = calloc(1, sizeof *client);
	if (client == NULL)
		return ERR_NO_MEMORY;
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 || connect(client->fd, (const struct sockaddr *)&address, sizeof address) != 0) {
		const enum error error = error_from_errno(errno);

		ctl_client_close(client);
		return error;
	}
	*out_client = client;
	return OK;
}

void ctl_client_close(struct ctl_client *client)
{
	if (client == NULL)
		return;
	if (client->fd >= 0)
		close(client->fd);
	free(client);
}

static bool send_line(int fd, const char *line)
{
	size_t left = strlen(line);

	while (left > 0) {
		const ssize_t sent = send(fd, line, left, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		line += sent;
		left -= (size_t)sent;
	}
	return true;
}

/* Read up to and with the newline, and no byte more: what follows may be SMTP. MSG_PEEK finds the end. */
static char *receive_line(int fd)
{
	char *line = NULL;
	size_t length = 0;

	for (;;) {
		char *grown = realloc(line, length + 4097);

		if (grown == NULL)
			break;
		line = grown;
		const ssize_t seen = recv(fd, line + length, 4096, MSG_PEEK);

		if (seen < 0 && errno == EINTR)
			continue;
		if (seen <= 0)
			break;
		const char *end = memchr(line + length, '\n', (size_t)seen);
		const size_t taken = end ? (size_t)(end - (line + length)) + 1 : (size_t)seen;

		if (recv(fd, line + length, taken, 0) != (ssize_t)taken)
			break;
		length += taken;
		if (end != NULL) {
			line[length] = '\0';
			return line;
		}
	}
	free(line);
	return NULL;
}

json_t *ctl_client_ask(struct ctl_client *client, const json_t *request)
{
	char *line = json_dumps(request, JSON_COMPACT);
	const bool sent = line != NULL && send_line(client->fd, line) && send_line(client->fd, "\n");

	free(line);
	if (!sent)
		return NULL;
	line = receive_line(client->fd);

	/* A header may hold a NUL. */
	json_t *answer = line ? json_loads(line, JSON_ALLOW_NUL, NULL) : NULL;

	free(line);
	return answer;
}

int ctl_client_into_smtp(struct ctl_client *client)
{
	json_t *request = json_pack("{s:s}", "do", "smtp");
	json_t *answer = request ? ctl_client_ask(client, request) : NULL;
	int fd = -1;

	if (json_is_true(json_object_get(answer, "ok"))) {
		fd = client->fd;
		client->fd = -1;
	}
	json_decref(request);
	json_decref(answer);
	ctl_client_close(client);
	return fd;
}
