#include "ctl/server.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/must.h"

struct ctl_server {
	struct loop *loop;
	struct listener *listener;
	struct admin *admin;
	ctl_submission *submission;
	void *context;
	struct client *clients;
	unsigned client_count;
};

/* One connection. It ends when both sides are done with it: the stream (freed)
 * and admin (no answer outstanding). */
struct client {
	struct ctl_server *server; /* NULL once the server is gone. */
	struct client *next, **link;
	struct stream *stream;     /* NULL once it ended. */
	struct buffer input;
	uint32_t uid;
	bool asking;
};

static void client_release(struct client *client)
{
	if (client->stream != NULL || client->asking)
		return;
	if (client->server != NULL) {
		*client->link = client->next;
		if (client->next != NULL)
			client->next->link = client->link;
		client->server->client_count--;
	}
	buffer_done(&client->input);
	free(client);
}

static void client_close(struct client *client)
{
	stream_free(take(client->stream));
	client_release(client);
}

static void client_answer(struct client *client, json_t *answer)
{
	char *line = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

	json_decref(answer);
	if (client->stream == NULL) {
		free(line);
		return;
	}
	const bool sent = line != NULL && stream_write(client->stream, text_of(line)) &&
	    stream_write(client->stream, TEXT("\n"));

	free(line);
	if (!sent)
		stream_free(take(client->stream));
}

static void client_next(struct client *client);

static void admin_answers(void *context, json_t *answer)
{
	struct client *client = context;

	must(client->asking);
	client->asking = false;
	client_answer(client, answer);
	if (client->stream == NULL || client->server == NULL)
		client_close(client);
	else
		client_next(client);
}

static bool may_administer(const struct client *client)
{
	return client->uid == 0 || client->uid == (uint32_t)geteuid();
}

/* The request line; true when the connection goes on as a control connection. */
static bool client_request(struct client *client, struct text line)
{
	struct ctl_server *server = client->server;
	json_t *request = json_loadb(line.bytes, line.length, 0, NULL);
	const char *verb = json_string_value(json_object_get(request, "do"));

	if (verb != NULL && strcmp(verb, "smtp") == 0) {
		struct stream *stream = take(client->stream);

		json_decref(request);
		if (stream_write(stream, TEXT("{\"ok\":true}\n"))) {
			stream_pause(stream);
			server->submission(server->context, stream);
		} else {
			stream_free(stream);
		}
		client_release(client);
		return false;
	}
	client->asking = true;
	stream_pause(client->stream);
	if (verb == NULL)
		admin_answers(client, admin_failure(EX_PROTOCOL, "a request is one JSON object a line, with \"do\""));
	else if (!may_administer(client))
		admin_answers(client, admin_failure(EX_NOPERM, "only root and the server's own user may ask that"));
	else
		admin_request(server->admin, request, client->uid, admin_answers, client);
	json_decref(request);
	return false;
}

/* Take the next line of the input, or go on reading. */
static void client_next(struct client *client)
{
	const struct text input = buffer_text(&client->input);
	const size_t end = text_find_byte(input, '\n');

	if (end == input.length) {
		stream_resume(client->stream);
		return;
	}

	/* The line is copied out: answering may run the next one in here. */
	struct buffer line;

	buffer_init(&line, CTL_REQUEST_MAX);
	const bool copied = buffer_append(&line, text_part(input, 0, end));

	buffer_consume(&client->input, end + 1);
	if (!copied)
		client_close(client);
	else
		client_request(client, buffer_text(&line));
	buffer_done(&line);
}

static void client_bytes(void *context, struct text bytes)
{
	struct client *client = context;

	if (!buffer_append(&client->input, bytes)) {
		client_answer(client, admin_failure(EX_PROTOCOL, "request too long"));
		client_close(client);
		return;
	}
	client_next(client);
}

static void client_ended(void *context, enum error reason)
{
	(void)reason;
	client_close(context);
}

static void client_drained(void *context)
{
	(void)context;
}

static const struct stream_handler client_handler = {
	.bytes = client_bytes,
	.drained = client_drained,
	.ended = client_ended,
};

static void accepted(void *context, struct stream *stream)
{
	struct ctl_server *server = context;
	struct client *client = server->client_count < CTL_CLIENTS_MAX ? calloc(1, sizeof *client) : NULL;

	if (client == NULL || !stream_peer_uid(stream, &client->uid)) {
		free(client);
		stream_free(stream);
		return;
	}
	client->server = server;
	client->stream = stream;
	buffer_init(&client->input, CTL_REQUEST_MAX);
	client->next = server->clients;
	client->link = &server->clients;
	if (client->next != NULL)
		client->next->link = &client->next;
	server->clients = client;
	server->client_count++;
	stream_set_handler(stream, &client_handler, client);
	stream_resume(stream);
}

struct ctl_server *ctl_server_new(
    struct loop *loop, int fd, struct admin *admin, ctl_submission *submission, void *context)
{
	struct ctl_server *server = calloc(1, sizeof *server);

	if (server == NULL)
		return NULL;
	*server = (struct ctl_server){ .loop = loop, .admin = admin, .submission = submission, .context = context };
	server->listener = listener_new(loop, fd, accepted, server);
	if (server->listener == NULL) {
		free(server);
		return NULL;
	}
	return server;
}

void ctl_server_free(struct ctl_server *server)
{
	if (server == NULL)
		return;
	listener_free(server->listener);
	while (server->clients != NULL) {
		struct client *client = server->clients;

		server->clients = client->next;
		client->server = NULL;
		if (client->stream != NULL && !client->asking)
			stream_finish(take(client->stream), 1000);
		client_release(client);
	}
	free(server);
}
