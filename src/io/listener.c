#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/must.h"
#include "io/stream_private.h"

/* A second without accepting; ten with it, until the trouble counts as over: at a limit that is met again
 * and again it is one trouble, not one a connection. */
enum { PAUSE_MS = 1000, CALM_MS = 10000 };

struct listener {
	struct loop *loop;
	listener_accepted *accepted;
	listener_trouble *trouble; /* May be NULL. */
	void *context;
	struct loop_watch *watch;
	struct loop_timer *pause;
	bool in_trouble;
	int fd;
	bool local;
	bool accepting, freed; /* It may be freed inside `accepted`. */
};

/* accept(2) on our own, not uv_listen: libuv answers a lack of descriptors by closing
 * clients, while here they wait in the backlog until there are some again. */
static void readable(void *context);

static void tell(struct listener *listener, enum error error)
{
	if (listener->in_trouble == (error != OK))
		return;
	listener->in_trouble = error != OK;
	if (listener->trouble != NULL)
		listener->trouble(listener->context, error);
}

static void pause_accepting(struct listener *listener, enum error why)
{
	loop_watch_free(take(listener->watch));
	loop_timer_set(listener->pause, PAUSE_MS);
	tell(listener, why);
}

static void resume(void *context)
{
	struct listener *listener = context;

	if (listener->watch != NULL) {
		tell(listener, OK);
		return;
	}
	listener->watch = loop_watch_new(listener->loop, listener->fd, readable, listener);
	loop_timer_set(listener->pause, listener->watch != NULL ? CALM_MS : PAUSE_MS);
}

/* Loops may share the socket: that there is nothing left to accept is no error. */
static void accept_some(struct listener *listener)
{
	enum { BATCH = 16 }; /* Then the others of the loop have their turn. */

	for (int i = 0; i < BATCH && !listener->freed; i++) {
		const int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) {
			const enum error error = error_from_errno(errno);

			if (error == ERR_DESCRIPTORS || error == ERR_NO_MEMORY)
				pause_accepting(listener, error);
			return;
		}
		struct stream *stream = stream_new(listener->loop, listener->local ? ENDPOINT_UNIX : ENDPOINT_IP4);

		if (stream == NULL || (listener->local ? uv_pipe_open(&stream->uv.pipe, fd)
		                                       : uv_tcp_open(&stream->uv.tcp, fd)) != 0) {
			close(fd);
			stream_free(stream);
			continue;
		}
		stream_opened(stream);
		listener->accepted(listener->context, stream);
	}
}

static void readable(void *context)
{
	struct listener *listener = context;

	listener->accepting = true;
	accept_some(listener);
	listener->accepting = false;
	if (listener->freed)
		free(listener);
}

struct listener *listener_new(struct loop *loop, int fd, listener_accepted *accepted, void *context)
{
	struct listener *listener = calloc(1, sizeof *listener);
	struct sockaddr_storage address = { 0 };
	socklen_t length = sizeof address;

	if (listener == NULL) {
		close(fd);
		return NULL;
	}
	getsockname(fd, (struct sockaddr *)&address, &length);
	*listener = (struct listener){ .loop = loop,
		.accepted = accepted,
		.context = context,
		.fd = fd,
		.local = address.ss_family == AF_UNIX };
	listener->pause = loop_timer_new(loop, resume, listener);
	listener->watch = loop_watch_new(loop, fd, readable, listener);
	if (listener->pause == NULL || listener->watch == NULL) {
		listener_free(listener);
		return NULL;
	}
	return listener;
}

void listener_set_trouble(struct listener *listener, listener_trouble *trouble)
{
	listener->trouble = trouble;
}

void listener_free(struct listener *listener)
{
	if (listener == NULL)
		return;
	loop_watch_free(listener->watch);
	loop_timer_free(listener->pause);
	close(listener->fd);
	listener->freed = true;
	if (!listener->accepting)
		free(listener);
}
