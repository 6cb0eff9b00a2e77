#include "io/channel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "io/loop_private.h"
#include "io/packet.h"

/* A message that waits for the socket, with duplicates of its descriptors. */
struct waiting {
	struct waiting *next;
	int fds[CHANNEL_FDS_MAX];
	size_t fd_count;
	size_t length;
	char bytes[];
};

struct channel {
	uv_poll_t poll;
	const struct channel_handler *handler;
	void *context;
	struct waiting *first, **end;
	size_t queued;
	enum error failure; /* Of sending; reading brings the end to light. */
	int fd;
	int interest;       /* uv_poll_event bits; 0: not polled. */
	bool reset, ended, freed;
};

static void on_poll(uv_poll_t *poll, int status, int events);

static void poll_for_what_is_due(struct channel *channel)
{
	const int wanted = channel->ended ? 0 : UV_READABLE | (channel->first != NULL ? UV_WRITABLE : 0);

	if (channel->freed || wanted == channel->interest)
		return;
	channel->interest = wanted;
	if (wanted == 0)
		uv_poll_stop(&channel->poll);
	else
		must(uv_poll_start(&channel->poll, wanted, on_poll) == 0);
}

struct channel *channel_new(struct loop *loop, int fd, const struct channel_handler *handler, void *context)
{
	struct channel *channel = calloc(1, sizeof *channel);

	if (channel == NULL || uv_poll_init(&loop->uv, &channel->poll, fd) != 0) {
		free(channel);
		close(fd);
		return NULL;
	}
	channel->poll.data = channel;
	channel->handler = handler;
	channel->context = context;
	channel->fd = fd;
	channel->end = &channel->first;
	poll_for_what_is_due(channel);
	return channel;
}

static void waiting_free(struct waiting *waiting)
{
	for (size_t i = 0; i < waiting->fd_count; i++)
		close(waiting->fds[i]);
	explicit_bzero(waiting->bytes, waiting->length); /* There are passwords among what roles tell each other. */
	free(waiting);
}

static void drop_first(struct channel *channel)
{
	struct waiting *waiting = channel->first;

	must(channel->queued > 0);
	channel->first = waiting->next;
	if (channel->first == NULL)
		channel->end = &channel->first;
	channel->queued--;
	waiting_free(waiting);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void channel_free(struct channel *channel)
{
	if (channel == NULL)
		return;
	must(!channel->freed);
	channel->freed = true;
	while (channel->first != NULL)
		drop_first(channel);
	uv_close((uv_handle_t *)&channel->poll, on_closed);
	close(channel->fd);
}

/* -- sending ------------------------------------------------------------------ */

static struct waiting *waiting_new(struct text bytes, const int *fds, size_t fd_count)
{
	struct waiting *waiting = malloc(sizeof *waiting + bytes.length);

	if (waiting == NULL)
		return NULL;
	waiting->next = NULL;
	waiting->fd_count = 0;
	waiting->length = bytes.length;
	memcpy(waiting->bytes, bytes.bytes, bytes.length);
	for (size_t i = 0; i < fd_count; i++) {
		const int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);

		if (copy < 0) {
			waiting_free(waiting);
			return NULL;
		}
		waiting->fds[waiting->fd_count++] = copy;
	}
	return waiting;
}

/* The queue is lost. The end is told when reading finds it: what the other side said before it went
 * still counts. */
static void fail_sending(struct channel *channel, enum error error)
{
	channel->failure = error;
	while (channel->first != NULL)
		drop_first(channel);
	shutdown(channel->fd, SHUT_RDWR);
}

bool channel_send(struct channel *channel, struct text bytes, const int *fds, size_t fd_count)
{
	must(bytes.length > 0 && bytes.length <= CHANNEL_MESSAGE_MAX && fd_count <= CHANNEL_FDS_MAX);
	must(!channel->freed);
	if (channel->failure != OK || channel->ended)
		return true;
	if (channel->first == NULL) {
		const enum error error = packet_send(channel->fd, bytes, fds, fd_count);

		if (error != OK && error != ERR_BUSY)
			fail_sending(channel, error);
		if (error != ERR_BUSY)
			return true;
	}
	if (channel->queued >= CHANNEL_QUEUE_MAX)
		return false;

	struct waiting *waiting = waiting_new(bytes, fds, fd_count);

	if (waiting == NULL)
		return false;
	*channel->end = waiting;
	channel->end = &waiting->next;
	channel->queued++;
	poll_for_what_is_due(channel);
	return true;
}

size_t channel_queued(const struct channel *channel)
{
	return channel->queued;
}

static void send_what_waits(struct channel *channel)
{
	const bool any = channel->first != NULL;

	while (channel->first != NULL) {
		const struct waiting *waiting = channel->first;
		const enum error error = packet_send(channel->fd,
		    (struct text){ waiting->bytes, waiting->length }, waiting->fds, waiting->fd_count);

		if (error == ERR_BUSY)
			return;
		if (error != OK) {
			fail_sending(channel, error);
			return;
		}
		drop_first(channel);
	}
	if (any)
		channel->handler->drained(channel->context);
}

/* -- receiving ---------------------------------------------------------------- */

static void receive_what_came(struct channel *channel)
{
	enum { BATCH = 64 }; /* Then the others of the loop have their turn. */
	struct channel_message message;

	for (int i = 0; i < BATCH && !channel->freed; i++) {
		const enum error error = packet_receive(channel->fd, &message);

		if (error == ERR_BUSY)
			return;
		if (error == ERR_RESET && !channel->reset) {
			/* The other side went with messages unread, which Linux tells before what it
			 * had sent; that comes with the next try. */
			channel->reset = true;
			continue;
		}
		if (error != OK) {
			channel->ended = true;
			channel->handler->ended(channel->context, channel->failure != OK ? channel->failure : error);
			return;
		}
		channel->handler->message(channel->context, (struct text){ message.bytes, message.length },
		    message.fds, message.fd_count);
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct channel *channel = poll->data;

	if (status < 0) { /* An error on the socket; libuv stopped polling. Reading tells which. */
		channel->interest = 0;
		events = UV_READABLE;
	}
	if (events & UV_WRITABLE)
		send_what_waits(channel);
	if (!channel->freed && !channel->ended && events & UV_READABLE)
		receive_what_came(channel);
	poll_for_what_is_due(channel);
}
