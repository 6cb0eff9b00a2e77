#include "outbound/courier_peer.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static void hang_up(struct peer_connection *connection)
{
	stream_free(connection->stream);
	connection->stream = NULL;
}

static void say(struct peer_connection *connection, const char *reply)
{
	assert_true(stream_write(connection->stream, text_of(reply)) && stream_write(connection->stream, TEXT("\r\n")));
}

static const char *or_else(const char *wished, const char *usual)
{
	return wished != NULL ? wished : usual;
}

/* A whole body is here. */
static void body_arrived(struct peer_connection *connection)
{
	const struct peer_manners *manners = &connection->peer->manners;
	const unsigned replies = connection->peer->lmtp ? connection->accepted_count : 1;

	connection->peer->message_count++;
	if (manners->hang_up_after_body) {
		hang_up(connection);
		return;
	}
	for (unsigned i = 0; i < replies; i++)
		say(connection, or_else(manners->dot, "250 2.0.0 stored"));
}

static void on_mail(struct peer_connection *connection)
{
	const struct peer_manners *manners = &connection->peer->manners;

	connection->accepted_count = 0;
	if (++connection->mail_count == manners->hang_up_at_mail)
		hang_up(connection);
	else
		say(connection, or_else(manners->mail, "250 2.1.0 Ok"));
}

static void on_rcpt(struct peer_connection *connection)
{
	const char *reply = or_else(connection->peer->manners.rcpt, "250 2.1.5 Ok");

	connection->accepted_count += reply[0] == '2';
	say(connection, reply);
}

static void on_bdat(struct peer_connection *connection, struct text rest)
{
	struct text number;

	connection->last_chunk = text_find(rest, TEXT("LAST")) < rest.length;
	assert_true(text_cut(&rest, ' ', &number));
	assert_true(text_to_u64(number, &connection->body_left));
	if (connection->body_left == 0 && connection->last_chunk)
		body_arrived(connection);
}

static const char *usual_ehlo(const struct peer *peer)
{
	if (peer->manners.auth != NULL)
		return "250-peer.test\r\n250-STARTTLS\r\n250 AUTH PLAIN";
	return peer->manners.tls != NULL || peer->manners.noise || peer->manners.mute ? "250-peer.test\r\n250-PIPELINING\r\n250 STARTTLS"
								 : "250-peer.test\r\n250-PIPELINING\r\n250 8BITMIME";
}

static void on_starttls(struct peer_connection *connection)
{
	say(connection, "220 go");
	if (connection->peer->manners.noise)
		connection->noisy = true;
	else if (connection->peer->manners.mute)
		connection->silent = true;
	else
		stream_set_filter(connection->stream, tls_server_filter(connection->peer->manners.tls));
}

static void on_command(struct peer_connection *connection, struct text line)
{
	struct peer *peer = connection->peer;

	assert_true(buffer_append(&peer->commands, line) && buffer_append(&peer->commands, TEXT("\n")));
	if (text_starts(line, TEXT("EHLO ")) || text_starts(line, TEXT("LHLO ")))
		say(connection, or_else(peer->manners.ehlo, usual_ehlo(peer)));
	else if (text_equal(line, TEXT("STARTTLS")))
		on_starttls(connection);
	else if (text_starts(line, TEXT("AUTH PLAIN ")))
		say(connection, or_else(peer->manners.auth, "502 no"));
	else if (text_starts(line, TEXT("MAIL FROM:")))
		on_mail(connection);
	else if (text_starts(line, TEXT("RCPT TO:")))
		on_rcpt(connection);
	else if (text_starts(line, TEXT("BDAT ")))
		on_bdat(connection, text_from(line, 5));
	else if (text_equal(line, TEXT("DATA")) && connection->accepted_count == 0)
		say(connection, "554 5.5.1 nobody");
	else if (text_equal(line, TEXT("DATA")))
		connection->in_data = (say(connection, "354 Go"), true);
	else if (text_equal(line, TEXT("RSET")))
		say(connection, "250 Ok");
	else if (text_equal(line, TEXT("QUIT")))
		peer->quit_count++, say(connection, "221 Bye");
	else
		fail_msg("strange command: %.*s", TEXT_FORMAT(line));
}

static void on_body_line(struct peer_connection *connection, struct text line)
{
	struct buffer *bodies = &connection->peer->bodies;

	assert_true(buffer_append(bodies, line) && buffer_append(bodies, TEXT("\r\n")));
	if (connection->peer->manners.hang_up_at_body) {
		hang_up(connection);
	} else if (text_equal(line, TEXT("."))) {
		connection->in_data = false;
		body_arrived(connection);
	}
}

static void take_chunk_bytes(struct peer_connection *connection)
{
	struct buffer *input = &connection->input;
	const struct text part = text_part(buffer_text(input), 0, connection->body_left);

	assert_true(buffer_append(&connection->peer->bodies, part));
	connection->body_left -= part.length;
	buffer_consume(input, part.length);
	if (connection->body_left > 0)
		return;
	if (connection->last_chunk)
		body_arrived(connection);
	else
		say(connection, "250 chunk");
}

static void on_bytes(void *context, struct text bytes)
{
	struct peer_connection *connection = context;
	struct buffer *input = &connection->input;

	if (connection->noisy) {
		say(connection, "this is no handshake at all");
		return;
	}
	if (connection->silent)
		return;
	assert_true(buffer_append(input, bytes));
	while (connection->stream != NULL && input->length > 0) {
		if (connection->body_left > 0) {
			take_chunk_bytes(connection);
			continue;
		}
		const struct text line = text_part(buffer_text(input), 0, text_find(buffer_text(input), TEXT("\r\n")));

		if (line.length == input->length)
			break;
		(connection->in_data ? on_body_line : on_command)(connection, line);
		buffer_consume(input, line.length + 2);
	}
}

static void on_ended(void *context, enum error reason)
{
	(void)reason;
	hang_up(context);
}

static void no_matter(void *context) { (void)context; }

static const struct stream_handler handler = { no_matter, on_bytes, no_matter, on_ended };

static void on_accepted(void *context, struct stream *stream)
{
	struct peer *peer = context;
	struct peer_connection *connection = &peer->connections[peer->connection_count++];

	assert_true(peer->connection_count <= PEER_CONNECTIONS_MAX);
	connection->peer = peer;
	connection->stream = stream;
	buffer_init(&connection->input, 1 << 24);
	stream_set_handler(stream, &handler, connection);
	stream_resume(stream);
	if (peer->manners.greeting == NULL || peer->manners.greeting[0] != '\0')
		say(connection, or_else(peer->manners.greeting, "220 peer.test ESMTP"));
}

/* `port` 0: any. */
static int listen_tcp(uint32_t ip, uint16_t port, struct endpoint *out_endpoint)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(port) };
	socklen_t length = sizeof address;
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	assert_true(endpoint_parse(TEXT("127.0.0.1"), ntohs(address.sin_port), out_endpoint));
	return fd;
}

static int listen_unix(const char *path, struct endpoint *out_endpoint)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	*out_endpoint = (struct endpoint){ .family = ENDPOINT_UNIX };
	snprintf(out_endpoint->path, sizeof out_endpoint->path, "%s", path);
	return fd;
}

static void open_on(struct peer *peer, struct loop *loop, int fd)
{
	peer->loop = loop;
	assert_int_equal(listen(fd, 16), 0);
	buffer_init(&peer->bodies, 1 << 24);
	buffer_init(&peer->commands, 1 << 20);
	peer->listener = listener_new(loop, fd, on_accepted, peer);
	assert_non_null(peer->listener);
}

void peer_open(struct peer *peer, struct loop *loop, const char *path)
{
	*peer = (struct peer){ 0 };
	open_on(peer, loop, path != NULL ? listen_unix(path, &peer->endpoint) : listen_tcp(INADDR_LOOPBACK, 0, &peer->endpoint));
}

void peer_open_at(struct peer *peer, struct loop *loop, const struct endpoint *endpoint)
{
	uint32_t address;

	memcpy(&address, endpoint->ip, sizeof address);
	*peer = (struct peer){ 0 };
	open_on(peer, loop, listen_tcp(ntohl(address), endpoint->port, &peer->endpoint));
}

void peer_close(struct peer *peer)
{
	listener_free(peer->listener);
	for (unsigned i = 0; i < peer->connection_count; i++) {
		stream_free(peer->connections[i].stream);
		buffer_done(&peer->connections[i].input);
	}
	buffer_done(&peer->bodies);
	buffer_done(&peer->commands);
}
