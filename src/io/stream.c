#include "io/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/must.h"
#include "io/socket_address.h"
#include "io/stream_private.h"

static void read_start(struct stream *stream);
static void write_backlog(struct stream *stream);
static void finish_sent(struct stream *stream);

static enum error error_from_uv(int status)
{
	return status == UV_EOF ? ERR_CLOSED : error_from_errno(-status);
}

static void stream_closed(uv_handle_t *handle)
{
	struct stream *stream = handle->data;

	buffer_done(&stream->backlog);
	if (stream->filter != NULL)
		stream->filter->calls->free(stream->filter);
	free(stream->writing_bytes);
	free(stream->local);
	free(stream->peer);
	free(stream);
}

static void unread_free(struct unread *unread)
{
	if (unread != NULL)
		loop_timer_free(unread->timer);
	free(unread);
}

static void stream_close(struct stream *stream)
{
	must(!stream->closing);
	stream->closing = true;
	stream->handler = NULL;
	loop_timer_free(take(stream->defer));
	unread_free(take(stream->unread));
	uv_close(&stream->uv.handle, stream_closed);
}

void stream_end(struct stream *stream, enum error reason)
{
	if (stream->ended || stream->closing)
		return;
	stream->ended = true;
	uv_read_stop(&stream->uv.stream);
	stream->reading = false;
	/* After an end of file the other side may still read (a half-closed connection). */
	if (stream->failure == OK && reason != ERR_CLOSED)
		stream->failure = reason;
	if (stream->finishing)
		stream_close(stream);
	else if (stream->handler != NULL)
		stream->handler->ended(stream->context, stream->failure != OK ? stream->failure : reason);
}

/* Timer: the end that could not be told inside a call of the owner (L2), or the end of lingering. */
static void deferred(void *context)
{
	struct stream *stream = context;

	stream_end(stream, stream->failure != OK ? stream->failure : ERR_TIMEOUT);
}

void stream_fail_later(struct stream *stream, enum error failure)
{
	if (stream->failure == OK)
		stream->failure = failure;
	loop_timer_set(stream->defer, 0);
}

struct stream *stream_new(struct loop *loop, enum endpoint_family family)
{
	struct stream *stream = calloc(1, sizeof *stream);

	if (stream == NULL)
		return NULL;
	stream->defer = loop_timer_new(loop, deferred, stream);
	if (stream->defer == NULL) {
		free(stream);
		return NULL;
	}
	stream->loop = loop;
	buffer_init(&stream->backlog, STREAM_BACKLOG_MAX);
	if (family == ENDPOINT_UNIX)
		must(uv_pipe_init(&loop->uv, &stream->uv.pipe, 0) == 0);
	else
		must(uv_tcp_init(&loop->uv, &stream->uv.tcp) == 0);
	stream->uv.handle.data = stream;
	return stream;
}

/* -- opening ----------------------------------------------------------------- */

static struct endpoint *endpoint_of(const union socket_address *address)
{
	struct endpoint *endpoint = malloc(sizeof *endpoint);

	if (endpoint != NULL)
		*endpoint = socket_address_endpoint(address);
	return endpoint;
}

static int socket_of(const struct stream *stream)
{
	uv_os_fd_t fd = -1;

	return uv_fileno(&stream->uv.handle, &fd) == 0 ? fd : -1;
}

void stream_opened(struct stream *stream)
{
	stream->open = true;
	if (stream->uv.handle.type == UV_TCP)
		uv_tcp_nodelay(&stream->uv.tcp, 1);
}

static void connected(uv_connect_t *request, int status)
{
	struct stream *stream = request->data;

	if (stream->closing || stream->ended)
		return;
	if (status != 0) {
		stream_end(stream, error_from_uv(status));
		return;
	}
	stream_opened(stream);
	if (stream->wanted)
		read_start(stream);
	if (stream->backlog.length > 0)
		write_backlog(stream);
	stream->handler->opened(stream->context);
}

struct stream *stream_dial(struct loop *loop, const struct endpoint *to, const struct endpoint *source,
    const struct stream_handler *handler, void *context)
{
	struct stream *stream = stream_new(loop, to->family);
	union socket_address address;
	int status = 0;

	if (stream == NULL)
		return NULL;
	stream_set_handler(stream, handler, context);
	stream->connect.data = stream;
	stream->wanted = true;
	if (to->family == ENDPOINT_UNIX) {
		uv_pipe_connect(&stream->connect, &stream->uv.pipe, to->path, connected);
		return stream;
	}
	if (source != NULL) {
		socket_address_of(source, &address);
		status = uv_tcp_bind(&stream->uv.tcp, &address.any, 0);
	}
	if (status == 0) {
		socket_address_of(to, &address);
		status = uv_tcp_connect(
		    &stream->connect, &stream->uv.tcp, &address.any, connected);
	}
	if (status != 0)
		stream_fail_later(stream, error_from_uv(status));
	return stream;
}

struct stream *stream_from_fd(struct loop *loop, int fd, const struct stream_handler *handler, void *context)
{
	union socket_address address = { 0 };
	socklen_t length = sizeof address;
	struct stream *stream;

	getsockname(fd, &address.any, &length);
	const bool local = address.any.sa_family == AF_UNIX;

	stream = stream_new(loop, local ? ENDPOINT_UNIX : ENDPOINT_IP4);
	if (stream == NULL ||
	    (local ? uv_pipe_open(&stream->uv.pipe, fd) : uv_tcp_open(&stream->uv.tcp, fd)) != 0) {
		close(fd);
		stream_free(stream);
		return NULL;
	}
	stream_opened(stream);
	stream_set_handler(stream, handler, context);
	stream_resume(stream);
	return stream;
}

void stream_set_handler(struct stream *stream, const struct stream_handler *handler, void *context)
{
	stream->handler = handler;
	stream->context = context;
}

/* -- reading ----------------------------------------------------------------- */

/* Pausing is lazy: most pauses end before anything arrives, and then cost no system call. A paused
 * stream lends no room, which libuv takes as UV_ENOBUFS before it reads. */
static void lend_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out_room)
{
	const struct stream *stream = handle->data;

	(void)suggested;
	*out_room = stream->wanted ? uv_buf_init(stream->loop->read_room, LOOP_READ_ROOM) : uv_buf_init(NULL, 0);
}

static void read_stop(struct stream *stream)
{
	uv_read_stop(&stream->uv.stream);
	stream->reading = false;
}

static void give_bytes(struct stream *stream, struct text bytes)
{
	if (stream->filter != NULL)
		stream_filter_received(stream, bytes);
	else
		stream->handler->bytes(stream->context, bytes);
}

static void bytes_read(uv_stream_t *handle, ssize_t length, const uv_buf_t *room)
{
	struct stream *stream = handle->data;

	if (stream->closing || length == 0)
		return;
	if (length == UV_ENOBUFS && !stream->wanted)
		read_stop(stream);
	else if (length < 0)
		stream_end(stream, error_from_uv((int)length));
	else if (stream->handler == NULL || stream->finishing)
		return;
	else
		give_bytes(stream, (struct text){ room->base, (size_t)length });
}

static void read_start(struct stream *stream)
{
	const int status = uv_read_start(&stream->uv.stream, lend_room, bytes_read);

	stream->reading = status == 0;
	if (status != 0)
		stream_fail_later(stream, error_from_uv(status));
}

void stream_pause(struct stream *stream)
{
	stream->wanted = false;
}

void stream_resume(struct stream *stream)
{
	stream->wanted = true;
	if (stream->unread != NULL)
		loop_timer_set(stream->unread->timer, 0);
	else if (stream->open && !stream->reading && !stream->ended && !stream->closing)
		read_start(stream);
}

/* Goes on with reading itself when they were taken: who takes them may pause, or free the stream. */
static void give_unread(void *context)
{
	struct stream *stream = context;

	if (!stream->wanted || stream->ended || stream->handler == NULL)
		return;
	struct unread *unread = take(stream->unread);

	read_start(stream);
	give_bytes(stream, (struct text){ unread->bytes, unread->length });
	unread_free(unread);
}

bool stream_unread(struct stream *stream, struct text bytes)
{
	must(!stream->wanted && stream->unread == NULL);
	struct unread *unread = bytes.length > 0 ? malloc(sizeof *unread + bytes.length) : NULL;

	if (unread == NULL)
		return bytes.length == 0;
	*unread = (struct unread){ .timer = loop_timer_new(stream->loop, give_unread, stream), .length = bytes.length };
	memcpy(unread->bytes, bytes.bytes, bytes.length);
	if (unread->timer == NULL) {
		free(unread);
		return false;
	}
	if (stream->reading)
		read_stop(stream);
	stream->unread = unread;
	return true;
}

/* -- writing ----------------------------------------------------------------- */

/* What the other side said before it went (a 421, a 552) still counts: reading goes on to the end, which
 * tells the owner. Only a paused stream would never get there. */
static void writing_failed(struct stream *stream, enum error error)
{
	if (stream->failure == OK)
		stream->failure = error;
	buffer_release(&stream->backlog);
	if (stream->finishing)
		stream_close(stream);
	else if (stream->reading && stream->wanted)
		shutdown(socket_of(stream), SHUT_RDWR);
	else if (!stream->ended)
		stream_fail_later(stream, error);
}

static void written(uv_write_t *request, int status)
{
	struct stream *stream = request->data;

	free(take(stream->writing_bytes));
	stream->writing = TEXT_EMPTY;
	if (stream->closing)
		return;
	if (status != 0)
		writing_failed(stream, error_from_uv(status));
	else if (stream->backlog.length > 0)
		write_backlog(stream);
	else if (stream->finishing)
		finish_sent(stream);
	else if (stream->handler != NULL && !stream->ended)
		stream->handler->drained(stream->context);
}

/* Hand the whole backlog to libuv; what comes meanwhile gathers in a new one. */
static void write_backlog(struct stream *stream)
{
	stream->writing = buffer_text(&stream->backlog);
	stream->writing_bytes = stream->backlog.bytes;
	buffer_init(&stream->backlog, STREAM_BACKLOG_MAX);
	stream->write.data = stream;

	const uv_buf_t part =
	    uv_buf_init((char *)(uintptr_t)stream->writing.bytes, (unsigned)stream->writing.length);
	const int status = uv_write(&stream->write, &stream->uv.stream, &part, 1, written);

	if (status != 0) {
		free(take(stream->writing_bytes));
		stream->writing = TEXT_EMPTY;
		writing_failed(stream, error_from_uv(status));
	}
}

bool stream_write(struct stream *stream, struct text bytes)
{
	must(!stream->finishing);
	if (stream->failure == OK && stream->filter != NULL && bytes.length > 0)
		return stream_filter_write(stream, bytes);
	return stream_write_wire(stream, bytes);
}

bool stream_write_wire(struct stream *stream, struct text bytes)
{
	if (stream->failure != OK || bytes.length == 0)
		return true; /* The owner hears of the end, or has. */
	if (stream->open && stream->writing_bytes == NULL && stream->backlog.length == 0) {
		const uv_buf_t part = uv_buf_init((char *)(uintptr_t)bytes.bytes, (unsigned)bytes.length);
		const int taken = uv_try_write(&stream->uv.stream, &part, 1);

		if (taken < 0 && taken != UV_EAGAIN) {
			writing_failed(stream, error_from_uv(taken));
			return true;
		}
		if (taken > 0)
			bytes = text_from(bytes, (size_t)taken);
		if (bytes.length == 0)
			return true;
	}
	if (bytes.length > STREAM_BACKLOG_MAX - stream_backlog(stream) || !buffer_append(&stream->backlog, bytes))
		return false;
	if (stream->open && stream->writing_bytes == NULL)
		write_backlog(stream);
	return true;
}

size_t stream_backlog(const struct stream *stream)
{
	const size_t all = stream->backlog.length + stream->writing.length;

	return all < STREAM_BACKLOG_MAX ? all : STREAM_BACKLOG_MAX;
}

/* -- the end ----------------------------------------------------------------- */

void stream_free(struct stream *stream)
{
	if (stream == NULL)
		return;
	stream_filter_finish(stream);
	stream_close(stream);
}

/* Closing a socket with unread bytes resets the connection, and the reset may overtake our last
 * reply. So while the other side still talks, listen to it, without interest, until it stops. */
static void finish_sent(struct stream *stream)
{
	char room[4096];

	if (stream->ended || recv(socket_of(stream), room, sizeof room, MSG_DONTWAIT) <= 0) {
		stream_close(stream);
		return;
	}
	shutdown(socket_of(stream), SHUT_WR);
	stream_resume(stream);
}

void stream_finish(struct stream *stream, int64_t linger_ms)
{
	stream_filter_finish(stream);
	if (!stream->open || stream->failure != OK) {
		stream_close(stream);
		return;
	}
	stream->handler = NULL;
	stream->finishing = true;
	stream_pause(stream);
	unread_free(take(stream->unread));
	loop_timer_set(stream->defer, linger_ms);
	if (stream_backlog(stream) == 0)
		finish_sent(stream);
}

static const struct endpoint nowhere = { .family = ENDPOINT_NONE };

const struct endpoint *stream_local(const struct stream *stream)
{
	struct stream *cache = (struct stream *)(uintptr_t)stream;
	union socket_address address = { 0 };
	socklen_t length = sizeof address;

	if (stream->local == NULL && getsockname(socket_of(stream), &address.any, &length) == 0)
		cache->local = endpoint_of(&address);
	return stream->local ? stream->local : &nowhere;
}

const struct endpoint *stream_peer(const struct stream *stream)
{
	struct stream *cache = (struct stream *)(uintptr_t)stream;
	union socket_address address = { 0 };
	socklen_t length = sizeof address;

	if (stream->peer == NULL && getpeername(socket_of(stream), &address.any, &length) == 0)
		cache->peer = endpoint_of(&address);
	return stream->peer ? stream->peer : &nowhere;
}

bool stream_peer_uid(const struct stream *stream, uint32_t *out_uid)
{
	struct ucred who;
	socklen_t length = sizeof who;

	if (stream->uv.handle.type != UV_NAMED_PIPE ||
	    getsockopt(socket_of(stream), SOL_SOCKET, SO_PEERCRED, &who, &length) != 0)
		return false;
	*out_uid = who.uid;
	return true;
}
