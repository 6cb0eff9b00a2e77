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

/* Of an answer, this much is given to the stream at a time: a long one waits here. */
enum { SLICE = 256 << 10, LINGER_MS = 1000 };

/* One connection. It is released when all are done with it: the stream (freed),
 * admin (no answer outstanding) and the loop over its requests. */
struct client {
	struct ctl_server *server; /* NULL once the server is gone. */
	struct client *next, **link;
	struct stream *stream;     /* NULL once it ended. */
	struct buffer input;
	struct buffer output;      /* Of the answer: what the stream did not take yet. */
	uint32_t uid;
	bool asking, working;
	bool heard_all;            /* The other side has said its last; it still gets its answers. */
};

static void client_release(struct client *client)
{
	if (client->stream != NULL || client->asking || client->working)
		return;
	if (client->server != NULL) {
		*client->link = client->next;
		if (client->next != NULL)
			client->next->link = client->link;
		client->server->client_count--;
	}
	buffer_done(&client->input);
	buffer_done(&client->output);
	free(client);
}

static void client_close(struct client *client)
{
	stream_free(take(client->stream));
	client_release(client);
}

/* Hand the stream what it may hold. False: the connection is lost. */
static bool client_send(struct client *client)
{
	while (client->output.length > 0 && stream_backlog(client->stream) < SLICE) {
		const struct text slice = text_part(buffer_text(&client->output), 0, SLICE);

		if (!stream_write(client->stream, slice))
			return false;
		buffer_consume(&client->output, slice.length);
	}
	if (client->output.length == 0)
		buffer_release(&client->output);
	return true;
}

static void client_answer(struct client *client, json_t *answer)
{
	char *line = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

	json_decref(answer);
	if (client->stream != NULL &&
	    (line == NULL || !buffer_append(&client->output, text_of(line)) ||
	        !buffer_append(&client->output, TEXT("\n")) || !client_send(client)))
		stream_free(take(client->stream));
	free(line);
}

static void client_work(struct client *client);

static void admin_answers(void *context, json_t *answer)
{
	struct client *client = context;

	must(client->asking);
	client->asking = false;
	client_answer(client, answer);
	client_work(client);
}

static bool may_administer(uint32_t uid)
{
	return uid == 0 || uid == (uint32_t)geteuid();
}

/* The connection becomes an SMTP session: from here on the stream is another's. */
static void client_submits(struct client *client)
{
	struct ctl_server *server = client->server;
	struct stream *stream = take(client->stream);

	if (stream_write(stream, TEXT("{\"ok\":true}\n"))) {
		stream_pause(stream);
		server->submission(server->context, stream);
	} else {
		stream_free(stream);
	}
}

static void client_request(struct client *client, struct text line)
{
	json_t *request = json_loadb(line.bytes, line.length, 0, NULL);
	const char *verb = json_string_value(json_object_get(request, "do"));
	const bool smtp = verb != NULL && strcmp(verb, "smtp") == 0;

	/* What came behind the request would be lost: a session begins with the server's greeting. */
	if (smtp && client->input.length == 0) {
		client_submits(client);
		json_decref(request);
		return;
	}
	client->asking = true;
	if (verb == NULL || smtp)
		admin_answers(client, admin_failure(EX_PROTOCOL, smtp ? "wait for the answer before speaking SMTP"
		                  : "a request is one JSON object a line, with \"do\""));
	else if (!may_administer(client->uid))
		admin_answers(client, admin_failure(EX_NOPERM, "only root and the server's own user may ask that"));
	else
		admin_request(client->server->admin, request, client->uid, admin_answers, client);
	json_decref(request);
}

/* Cut the next line off the input. It is copied out, since the input may move. False: there is none yet. */
static bool client_line(struct client *client, struct buffer *out_line)
{
	const struct text input = buffer_text(&client->input);
	const size_t end = text_find_byte(input, '\n');

	if (end == input.length)
		return false;
	buffer_clear(out_line);
	if (!buffer_append(out_line, text_part(input, 0, end)))
		stream_free(take(client->stream));
	buffer_consume(&client->input, end + 1);
	return client->stream != NULL;
}

static bool client_idle(const struct client *client)
{
	return client->stream != NULL && client->server != NULL && !client->asking && client->output.length == 0;
}

/* Answer line after line until one has to wait, for admin or for the socket. A loop, and only one of it: a client
 * who sends thousands of lines at once must not cost a stack frame for each. */
/* A stream that has ended calls no `drained` any more: what fits its backlog goes, and then it ends. */
static void client_say_last(struct client *client)
{
	if (stream_write(client->stream, buffer_text(&client->output)))
		stream_finish(take(client->stream), LINGER_MS);
	client_close(client);
}

static void client_work(struct client *client)
{
	struct buffer line;

	if (client->working)
		return;
	client->working = true;
	buffer_init(&line, CTL_REQUEST_MAX);
	while (client_idle(client) && client_line(client, &line))
		client_request(client, buffer_text(&line));
	buffer_done(&line);
	client->working = false;
	if (client->stream == NULL || (client->server == NULL && !client->asking))
		client_close(client);
	else if (client->heard_all && !client->asking)
		client_say_last(client);
	else if (client_idle(client))
		stream_resume(client->stream);
	else
		stream_pause(client->stream);
}

static void client_bytes(void *context, struct text bytes)
{
	struct client *client = context;

	if (buffer_append(&client->input, bytes)) {
		client_work(client);
		return;
	}
	client_answer(client, admin_failure(EX_PROTOCOL, "request too long"));
	if (client->stream != NULL)
		stream_finish(take(client->stream), LINGER_MS);
	client_release(client);
}

static void client_ended(void *context, enum error reason)
{
	struct client *client = context;

	if (reason != ERR_CLOSED) {
		client_close(client);
		return;
	}
	client->heard_all = true;
	client_work(client);
}

static void client_drained(void *context)
{
	struct client *client = context;

	if (!client_send(client))
		client_close(client);
	else
		client_work(client);
}

static const struct stream_handler client_handler = {
	.bytes = client_bytes,
	.drained = client_drained,
	.ended = client_ended,
};

/* Strangers cannot take the last places: an operator always gets in. */
static bool has_place(const struct ctl_server *server, uint32_t uid)
{
	return server->client_count < (may_administer(uid) ? CTL_CLIENTS_MAX : CTL_STRANGERS_MAX);
}

static void accepted(void *context, struct stream *stream)
{
	struct ctl_server *server = context;
	uint32_t uid;
	struct client *client =
	    stream_peer_uid(stream, &uid) && has_place(server, uid) ? calloc(1, sizeof *client) : NULL;

	if (client == NULL) {
		stream_free(stream);
		return;
	}
	client->server = server;
	client->stream = stream;
	client->uid = uid;
	buffer_init(&client->input, CTL_REQUEST_MAX);
	buffer_init(&client->output, CTL_ANSWER_MAX);
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
		if (client->stream != NULL)
			stream_finish(take(client->stream), LINGER_MS);
		client_release(client);
	}
	free(server);
}
