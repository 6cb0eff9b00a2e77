#include "mailbox/role.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "io/channel.h"
#include "mailbox/batch.h"
#include "mailbox/request.h"

struct mailbox_role {
	char path[MAILBOX_PATH_MAX];
	size_t path_length;
	struct maildir_writer *writer;
	struct owners *owners; /* NULL: all is ours. */

	/* Channels first, the watched descriptor behind them; a dead channel's fd is -1 until swept. */
	struct pollfd channels[MAILBOX_CHANNEL_MAX + 1];
	size_t channel_count;
	int watch_fd; /* -1: none */
	void (*readable)(void *context);
	void *context;
	bool stopping;

	struct channel_message message;
	struct batch batch;
};

_Static_assert((int)MAILBOX_MESSAGE_MAX <= (int)CHANNEL_MESSAGE_MAX, "requests and answers fit their channel");

enum error mailbox_role_set_path(struct mailbox_role *role, struct text path)
{
	if (path.length > sizeof role->path || mailbox_template_complaint(path) != NULL)
		return ERR_SYNTAX;
	memcpy(role->path, path.bytes, path.length);
	role->path_length = path.length;
	return OK;
}

enum error mailbox_role_new(struct text path, struct text host, struct mailbox_role **out_role)
{
	struct mailbox_role *role = calloc(1, sizeof *role);

	if (role == NULL)
		return ERR_NO_MEMORY;
	role->watch_fd = -1;
	role->writer = maildir_writer_new(host);
	const enum error error = role->writer ? mailbox_role_set_path(role, path) : ERR_NO_MEMORY;

	if (error != OK) {
		mailbox_role_free(role);
		return error;
	}
	*out_role = role;
	return OK;
}

void mailbox_role_free(struct mailbox_role *role)
{
	if (role == NULL)
		return;
	for (size_t i = 0; i < role->channel_count; i++)
		if (role->channels[i].fd >= 0)
			close(role->channels[i].fd);
	maildir_writer_free(role->writer);
	owners_free(role->owners);
	free(role);
}

bool mailbox_role_add_channel(struct mailbox_role *role, int fd)
{
	if (role->channel_count == MAILBOX_CHANNEL_MAX) {
		close(fd);
		return false;
	}
	role->channels[role->channel_count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	return true;
}

void mailbox_role_set_owners(struct mailbox_role *role, struct owners *owners)
{
	owners_free(role->owners);
	role->owners = owners;
}

void mailbox_role_watch(struct mailbox_role *role, int fd, void (*readable)(void *context), void *context)
{
	role->watch_fd = fd;
	role->readable = readable;
	role->context = context;
}

void mailbox_role_stop(struct mailbox_role *role)
{
	role->stopping = true;
}

/* -- channels ----------------------------------------------------------------- */

static void drop_channel(struct mailbox_role *role, size_t index)
{
	struct pollfd *channel = &role->channels[index];

	if (channel->fd >= 0)
		close(channel->fd);
	channel->fd = -1;
	channel->revents = 0;
}

static void sweep_channels(struct mailbox_role *role)
{
	size_t kept = 0;

	for (size_t i = 0; i < role->channel_count; i++)
		if (role->channels[i].fd >= 0)
			role->channels[kept++] = role->channels[i];
	role->channel_count = kept;
}

/* -- requests ----------------------------------------------------------------- */

static void take_request(struct mailbox_role *role, size_t index)
{
	struct channel_message *message = &role->message;
	struct mailbox_request request;

	if (mailbox_request_decode((struct text){ message->bytes, message->length }, &request) != OK ||
	    message->fd_count != (request.body_size > MAILBOX_BODY_MAX ? 1 : 0)) {
		drop_channel(role, index); /* M2: no number to answer to. */
	} else {
		const struct maildir_mail mail = { .body = request.body,
			.body_fd = message->fd_count > 0 ? message->fds[0] : -1,
			.body_size = request.body_size,
			.return_path = request.return_path,
			.delivered_to = request.delivered_to };
		const struct owner owner = role->owners ? owners_find(role->owners, &request.parts) : (struct owner){ 0 };
		struct batch_item *item = batch_add(&role->batch, role->writer,
		    (struct text){ role->path, role->path_length }, &request.parts, &owner, &mail);

		item->number = request.number;
		item->channel = index;
	}
	channel_message_close(message);
}

/* One request of each readable channel in turn, so that a busy lane does not starve the others. */
static void take_requests(struct mailbox_role *role)
{
	bool any = true;

	while (any && role->batch.count < MAILBOX_BATCH_MAX) {
		any = false;
		for (size_t i = 0; i < role->channel_count && role->batch.count < MAILBOX_BATCH_MAX; i++) {
			struct pollfd *channel = &role->channels[i];

			if (channel->fd < 0 || channel->revents == 0)
				continue;
			const enum error error = channel_receive_now(channel->fd, &role->message);

			if (error == OK) {
				take_request(role, i);
				any = true;
			} else if (error == ERR_BUSY) {
				channel->revents = 0;
			} else {
				drop_channel(role, i);
			}
		}
	}
}

static void answer_all(struct mailbox_role *role)
{
	char room[MAILBOX_MESSAGE_MAX];

	for (size_t i = 0; i < role->batch.count; i++) {
		const struct batch_item *item = &role->batch.items[i];
		const int fd = role->channels[item->channel].fd;
		const struct mailbox_answer answer = { item->number, batch_verdict(item) };
		const size_t length = mailbox_answer_encode(&answer, room);

		must(length > 0); /* Our own texts, and a path below MAILBOX_TEXT_MAX. */
		if (fd >= 0 && channel_send_wait(fd, (struct text){ room, length }, NULL, 0) != OK)
			drop_channel(role, item->channel);
	}
}

static void serve_batch(struct mailbox_role *role)
{
	take_requests(role);
	if (role->batch.count == 0)
		return;
	batch_commit(&role->batch);
	answer_all(role); /* M1 */
	batch_clear(&role->batch);
}

void mailbox_role_run(struct mailbox_role *role)
{
	while (!role->stopping) {
		sweep_channels(role);
		if (role->channel_count == 0 && role->watch_fd < 0)
			return;

		const size_t watch = role->channel_count;

		role->channels[watch] = (struct pollfd){ .fd = role->watch_fd, .events = POLLIN };
		if (poll(role->channels, watch + 1, -1) < 0) {
			must(errno == EINTR || errno == ENOMEM);
			continue;
		}
		const bool readable = role->channels[watch].revents != 0;

		serve_batch(role);
		if (readable)
			role->readable(role->context);
	}
}
