/* The shell over socket pairs, with the in-memory spool: what reaches the client, the spool and the log. */
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "inbound/inbound.h"
#include "tls/test_certificate.h"

struct world {
	struct loop *loop;
	struct spool *spool;
	struct spool_port *port;
	struct loop_wake *wake;
	struct router *router;
	struct arena *arena;
	struct queue_id_source ids;
	struct inbound *inbound;
	struct inbound_settings settings;
	struct stream *client;
	struct buffer heard;
	struct buffer log;
	struct counters counters;
	enum session_tls tls;
	bool proxied;                  /* The server expects a PROXY header. */
	struct tls_client *tls_client; /* The client starts TLS when it hears `secure_at`; empty: at once. */
	struct text secure_at;
	const char *inside;            /* What the client says then. */
	bool secured;
	struct text hang_up_at; /* When the client hears this it hangs up. */
	struct text more;       /* What it says as there is room. */
	bool drained;
};

static void report(void *context, const struct event *event)
{
	struct world *world = context;

	must(event_print_text(event, &world->log) && buffer_append(&world->log, TEXT("\n")));
}

static void poll_spool(void *context)
{
	struct world *world = context;

	(void)spool_port_poll(world->port);
}

static void wake_loop(void *context)
{
	loop_wake_send(context);
}

static void have_drained(void *context)
{
	struct world *world = context;

	world->drained = true;
	loop_stop(world->loop);
}

static void set_up_with(struct world *world, const struct spool_lmdb_settings *lmdb)
{
	static const struct text domains[] = { { "here.test", 9 } };
	static const struct text users[] = { { "alice", 5 } };
	const struct router_settings settings = { .hostname = TEXT("mx.here.test"), .domains = domains,
		.domain_count = 1, .users_known = true, .users = users, .user_count = 1 };
	struct text complaint;

	*world = (struct world){ .settings = { .hostname = TEXT("mx.here.test"), .message_size_max = 10 << 20 } };
	world->loop = loop_new();
	world->arena = arena_new(1 << 20);
	must(world->loop != NULL && world->arena != NULL);
	assert_int_equal(router_new(&settings, world->arena, &world->router, &complaint), OK);
	world->wake = loop_wake_new(world->loop, poll_spool, world);
	assert_int_equal(lmdb ? spool_lmdb_open(lmdb, &world->spool) : spool_memory_open(&world->spool), OK);
	assert_int_equal(spool_port_open(world->spool, 0xffff, wake_loop, world->wake, &world->port), OK);
	queue_id_source_init(&world->ids, 0, 0);
	buffer_init(&world->heard, 1 << 20);
	buffer_init(&world->log, 1 << 20);
}

static void set_up(struct world *world)
{
	set_up_with(world, NULL);
}

static void start(struct world *world)
{
	const struct inbound_wiring wiring = { world->loop, world->port, &world->ids, { report, world }, &world->counters, .asker = NULL };

	world->inbound = inbound_new(&wiring, &world->settings, world->router);
	assert_non_null(world->inbound);
}

static void tear_down(struct world *world)
{
	stream_free(world->client);
	spool_port_close(world->port);
	inbound_free(world->inbound);
	spool_close(world->spool);
	loop_wake_free(world->wake);
	router_unref(world->router);
	loop_free(world->loop);
	arena_free(world->arena);
	tls_client_unref(world->tls_client);
	buffer_done(&world->heard);
	buffer_done(&world->log);
}

/* -- The client ----------------------------------------------------------------------- */

static void secure(struct world *world)
{
	world->secured = true;
	stream_set_filter(world->client,
	    tls_client_filter(world->tls_client, &(struct tls_expectation){ .host = TEXT("mx.here.test"), .verified = true }));
}

static void opened(void *context)
{
	struct world *world = context;

	must(stream_write(world->client, text_of(world->inside)));
}

static void drained_stream(void *context)
{
	struct world *world = context;
	const struct text part = text_part(world->more, 0, 256 << 10);

	world->more = text_from(world->more, part.length);
	must(part.length == 0 || stream_write(world->client, part));
}

static void bytes_heard(void *context, struct text bytes)
{
	struct world *world = context;
	const struct text all = world->hang_up_at;

	must(buffer_append(&world->heard, bytes));
	if (!world->secured && world->secure_at.length > 0 &&
	    text_find(buffer_text(&world->heard), world->secure_at) < world->heard.length)
		secure(world);
	if (all.length > 0 && text_find(buffer_text(&world->heard), all) < world->heard.length) {
		stream_free(world->client);
		world->client = NULL;
		inbound_drain(world->inbound, have_drained, world);
	}
}

static void client_ended(void *context, enum error reason)
{
	struct world *world = context;

	(void)reason;
	loop_stop(world->loop);
}

static const struct stream_handler client_handler = { opened, bytes_heard, drained_stream, client_ended };

static void connect_as(struct world *world, enum session_role role)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	struct stream *server = stream_from_fd(world->loop, pair[0], &client_handler, world);

	stream_pause(server);
	stream_free(world->client);
	world->client = stream_from_fd(world->loop, pair[1], &client_handler, world);
	(world->proxied ? inbound_accept_proxied : inbound_accept)(world->inbound, server, role, world->tls);
}

static void say(struct world *world, const char *words)
{
	assert_true(stream_write(world->client, text_of(words)));
}

static void assert_holds(const struct buffer *buffer, const char *part)
{
	const struct text all = buffer_text(buffer);

	if (text_find(all, text_of(part)) >= all.length)
		fail_msg("'%s' is not in:\n%.*s", part, TEXT_FORMAT(all));
}

static struct spool_totals totals(struct world *world)
{
	struct spool_totals result;

	assert_int_equal(spool_totals(world->spool, &result), OK);
	return result;
}

/* -- The cases ------------------------------------------------------------------------------ */

static void small_message(void **state)
{
	struct world world;
	char room[SPOOL_CHUNK_SIZE];
	struct message message;
	queue_id *ids;
	size_t count, length;

	(void)state;
	set_up(&world);
	start(&world);
	connect_as(&world, SESSION_MX);
	say(&world, "EHLO c.test\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<bob@here.test>\r\nRCPT TO:<alice@here.test>\r\n"
		    "DATA\r\nMessage-ID: <m@far.test>\r\n\r\nhello\r\n.\r\nQUIT\r\n");
	loop_run(world.loop);
	assert_holds(&world.heard, "\r\n550 5.1.1 ");
	assert_holds(&world.heard, "\r\n250 2.0.0 Ok: queued as ");
	assert_holds(&world.heard, "\r\n221 2.0.0 ");
	assert_holds(&world.log, "received from=");
	assert_holds(&world.log, "<m@far.test>");
	assert_holds(&world.log, "rejected ");
	assert_int_equal(spool_list(world.spool, 0, 10, world.arena, &ids, &count), OK);
	assert_int_equal(count, 1);
	assert_int_equal(spool_read_message(world.spool, ids[0], world.arena, &message), OK);
	assert_int_equal(message.recipient_count, 1);
	assert_true(message.recipients[0].due_ms > 0 && message.envelope.expires_ms > message.envelope.arrived_ms);
	assert_int_equal(spool_read_chunk(world.spool, ids[0], 0, room, &length), OK);
	assert_int_equal(length, message.envelope.body_size);
	assert_true(text_starts((struct text){ room, length }, TEXT("Received: ")));
	assert_true(text_ends((struct text){ room, length }, TEXT("\r\n\r\nhello\r\n")));
	assert_int_equal(totals(&world).history_messages, 1);
	tear_down(&world);
}

static void large_message_in_chunks(void **state)
{
	enum { LINES = 8000 };
	struct world world;
	struct message message;
	queue_id *ids;
	size_t count, size = 0;

	(void)state;
	set_up(&world);
	start(&world);
	connect_as(&world, SESSION_MX);
	say(&world, "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\n\r\n");
	for (unsigned i = 0; i < LINES; i++)
		say(&world, "0123456789012345678901234567890123456789012345678901234567890123456789\r\n");
	say(&world, ".\r\nQUIT\r\n");
	loop_run(world.loop);
	assert_holds(&world.heard, "\r\n250 2.0.0 Ok: queued as ");
	assert_int_equal(spool_list(world.spool, 0, 10, world.arena, &ids, &count), OK);
	assert_int_equal(count, 1);
	assert_int_equal(spool_read_message(world.spool, ids[0], world.arena, &message), OK);
	assert_true(message.envelope.body_size > LINES * 72 && message.envelope.chunk_count == 19);
	for (uint32_t i = 0; i < message.envelope.chunk_count; i++) {
		char room[SPOOL_CHUNK_SIZE];
		size_t length;

		assert_int_equal(spool_read_chunk(world.spool, ids[0], i, room, &length), OK);
		assert_int_equal(text_starts((struct text){ room, length }, TEXT("Received: ")), i == 0);
		assert_true(length == SPOOL_CHUNK_SIZE || i == 0 || i + 1 == message.envelope.chunk_count);
		size += length;
	}
	assert_int_equal(size, message.envelope.body_size);
	tear_down(&world);
}

static void a_front_end_names_its_client(void **state)
{
	static const struct {
		const char *header, *heard, *log;
	} cases[] = {
		{ "PROXY TCP4 192.0.2.7 192.0.2.1 4000 25\r\n", "\r\n550 5.7.1 ", "client=c.test[192.0.2.7] " },
		/* Its own rights are not its clients'. */
		{ "PROXY TCP4 10.0.0.7 192.0.2.1 4000 25\r\n", "\r\n250 2.1.5 ", "client=c.test[10.0.0.7] " },
		{ "PROXY UNKNOWN\r\n", "\r\n550 5.7.1 ", "client=c.test[local] " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world world;
		struct network trusted;

		set_up(&world);
		assert_true(network_parse(TEXT("10.0.0.0/8"), &trusted));
		world.settings.relay_from = &trusted;
		world.settings.relay_from_count = 1;
		world.proxied = true;
		start(&world);
		connect_as(&world, SESSION_MX);
		say(&world, cases[i].header);
		say(&world, "EHLO c.test\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<b@far.test>\r\nRCPT TO:<nobody@here.test>\r\nQUIT\r\n");
		loop_run(world.loop);
		assert_true(text_starts(buffer_text(&world.heard), TEXT("220 ")));
		assert_holds(&world.heard, cases[i].heard);
		assert_holds(&world.log, cases[i].log);
		tear_down(&world);
	}
}

static void what_is_no_front_end_is_sent_away(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.proxied = true;
	start(&world);
	connect_as(&world, SESSION_MX);
	say(&world, "EHLO c.test\r\n");
	loop_run(world.loop);
	assert_int_equal(world.heard.length, 0);
	assert_holds(&world.log, "proxy-refused client=");
	tear_down(&world);
}

/* More addresses than the memory of a transaction holds: some are put off (RFC 5321 §4.5.3.1.10), the others are
 * served, and so is the next message. */
static void an_envelope_that_fills_its_memory(void **state)
{
	enum { RECIPIENTS = 9000 };
	struct world world;
	struct message message;
	struct buffer words;
	queue_id *ids;
	size_t count;

	(void)state;
	set_up(&world);
	world.settings.recipient_count_max = 10000;
	start(&world);
	connect_as(&world, SESSION_LOCAL);
	buffer_init(&words, 8 << 20);
	must(buffer_print(&words, "MAIL FROM:<>\r\n"));
	for (unsigned i = 0; i < RECIPIENTS; i++)
		must(buffer_print(&words, "RCPT TO:<%064u@%060u.%060u.%060u.test>\r\n", i, i, i, i));
	must(buffer_print(&words, "DATA\r\n\r\nhello\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\n\r\nbye\r\n.\r\nQUIT\r\n"));
	world.more = buffer_text(&words);
	say(&world, "EHLO c.test\r\n");
	drained_stream(&world);
	loop_run(world.loop);
	assert_holds(&world.heard, "\r\n452 4.3.1 ");
	assert_holds(&world.heard, "\r\n452 4.");
	assert_holds(&world.heard, "\r\n221 2.0.0 ");
	arena_free(world.arena);
	world.arena = arena_new(64 << 20);
	assert_int_equal(spool_list(world.spool, 0, 10, world.arena, &ids, &count), OK);
	assert_int_equal(count, 2);
	assert_int_equal(spool_read_message(world.spool, ids[0], world.arena, &message), OK);
	assert_true(message.recipient_count > 1000 && message.recipient_count < RECIPIENTS);
	buffer_done(&words);
	tear_down(&world);
}

static void client_gone_in_the_middle(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	start(&world);
	connect_as(&world, SESSION_MX);
	say(&world, "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\n\r\n");
	for (unsigned i = 0; i < 2000; i++)
		say(&world, "0123456789012345678901234567890123456789012345678901234567890123456789\r\n");
	world.hang_up_at = TEXT("354 ");
	loop_run(world.loop);
	assert_true(world.drained);
	assert_int_equal(inbound_connection_count(world.inbound), 0);
	assert_int_equal(totals(&world).messages, 0);
	assert_int_equal(world.log.length, 0);
	tear_down(&world);
}

static void handed_in_locally(void **state)
{
	struct world world;
	char user[32];

	(void)state;
	set_up(&world);
	start(&world);
	connect_as(&world, SESSION_LOCAL);
	say(&world, "EHLO localhost\r\nMAIL FROM:<alice@here.test>\r\nRCPT TO:<b@far.test>\r\nDATA\r\nTo: b\r\n.\r\nQUIT\r\n");
	loop_run(world.loop);
	assert_holds(&world.heard, "\r\n250 2.0.0 Ok: queued as ");
	snprintf(user, sizeof user, "uid %u", (unsigned)getuid());
	assert_holds(&world.log, user);
	assert_holds(&world.log, "localhost[local]");
	assert_holds(&world.log, "@mx.here.test>");
	tear_down(&world);
}

/* The last recipient is named in the log, though the transaction went with the complaint about it. */
static void too_many_unknown_recipients(void **state)
{
	struct world world;
	struct buffer words;

	(void)state;
	set_up(&world);
	start(&world);
	connect_as(&world, SESSION_MX);
	buffer_init(&words, 4096);
	must(buffer_print(&words, "EHLO c.test\r\nMAIL FROM:<>\r\n"));
	for (unsigned i = 1; i <= 20; i++)
		must(buffer_print(&words, "RCPT TO:<x%u@here.test>\r\n", i));
	must(stream_write(world.client, buffer_text(&words)));
	loop_run(world.loop);
	assert_holds(&world.heard, "\r\n421 4.7.0 Too many errors\r\n");
	assert_holds(&world.log, "to=x20@here.test");
	buffer_done(&words);
	tear_down(&world);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

/* A spool of one MiB: the client hears 452, nothing stays of its message, and a smaller one goes through. */
static void spool_is_full(void **state)
{
	char path[] = "/tmp/postroad-inbound-XXXXXX", spool_path[64];
	struct world world;

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(spool_path, sizeof spool_path, "%s/spool", path);
	set_up_with(&world, &(struct spool_lmdb_settings){ .path = spool_path, .size_bytes_max = 1 << 20, .history_max = 10 });
	start(&world);
	connect_as(&world, SESSION_MX);
	say(&world, "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\n\r\n");
	for (unsigned i = 0; i < 12000; i++)
		say(&world, "0123456789012345678901234567890123456789012345678901234567890123456789012345678\r\n");
	say(&world, ".\r\nQUIT\r\n");
	loop_run(world.loop);
	assert_holds(&world.heard, "\r\n452 4.3.1 ");
	/* The room comes back when the discard is through, which may fail with a batch that was too large. */
	for (unsigned i = 0; i < 20000 && totals(&world).messages == 0; i++) {
		buffer_clear(&world.heard);
		connect_as(&world, SESSION_MX);
		say(&world, "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\nsmall\r\n.\r\nQUIT\r\n");
		loop_run(world.loop);
	}
	assert_holds(&world.heard, "\r\n250 2.0.0 Ok: queued as ");
	assert_int_equal(totals(&world).messages, 1);
	tear_down(&world);
	assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* The end of file is there before the first message is durable: both are answered. */
static void client_says_all_and_closes_its_side(void **state)
{
	static const char session[] = "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\none\r\n.\r\n"
				      "MAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\ntwo\r\n.\r\nNOO";
	struct world world;
	int pair[2];

	(void)state;
	set_up(&world);
	start(&world);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	struct stream *server = stream_from_fd(world.loop, pair[0], &client_handler, &world);

	stream_pause(server);
	assert_int_equal(write(pair[1], session, sizeof session - 1), sizeof session - 1);
	assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
	world.client = stream_from_fd(world.loop, pair[1], &client_handler, &world);
	inbound_accept(world.inbound, server, SESSION_MX, SESSION_TLS_NONE);
	loop_run(world.loop);
	assert_holds(&world.heard, "\r\n250 2.0.0 Ok: queued as ");
	assert_int_equal(totals(&world).messages, 2);
	assert_int_equal(inbound_connection_count(world.inbound), 0);
	tear_down(&world);
}

static void listen_again(void *context)
{
	struct world *world = context;

	stream_resume(world->client);
}

/* Replies that nobody reads are bounded: the client is not heard any more until it reads, and nothing is lost. */
static void a_client_that_does_not_read(void **state)
{
	enum { MESSAGES = 40, RECIPIENTS = 1000 };
	struct world world;
	struct buffer words;

	(void)state;
	set_up(&world);
	start(&world);
	connect_as(&world, SESSION_LMTP);
	buffer_done(&world.heard);
	buffer_init(&world.heard, 16 << 20);
	buffer_init(&words, 8 << 20);
	for (unsigned i = 0; i < MESSAGES; i++) {
		must(buffer_print(&words, "MAIL FROM:<>\r\n"));
		for (unsigned k = 0; k < RECIPIENTS; k++)
			must(buffer_print(&words, "RCPT TO:<alice@here.test>\r\n"));
		must(buffer_print(&words, "BDAT 4 LAST\r\nhi\r\n"));
	}
	must(buffer_print(&words, "QUIT\r\n"));
	world.more = buffer_text(&words);
	say(&world, "LHLO c.test\r\n");
	drained_stream(&world);
	stream_pause(world.client);
	struct loop_timer *timer = loop_timer_new(world.loop, listen_again, &world);

	loop_timer_set(timer, 200);
	loop_run(world.loop);
	loop_timer_free(timer);
	assert_int_equal(totals(&world).messages, MESSAGES);
	assert_holds(&world.heard, "\r\n221 2.0.0 ");
	buffer_done(&words);
	tear_down(&world);
}

static void too_many_connections(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.settings.connection_count_max = 1;
	start(&world);
	connect_as(&world, SESSION_MX);
	connect_as(&world, SESSION_MX);
	loop_run(world.loop);
	assert_holds(&world.heard, "421 4.3.2 mx.here.test Too many connections");
	assert_int_equal(counters_get(&world.counters, COUNTER_CONNECTIONS_REFUSED), 1);
	tear_down(&world);
}

static void drain_says_goodbye(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	start(&world);
	connect_as(&world, SESSION_MX);
	inbound_drain(world.inbound, have_drained, &world);
	assert_false(world.drained);
	loop_run(world.loop);
	if (!world.drained)
		loop_run(world.loop);
	assert_true(world.drained);
	connect_as(&world, SESSION_MX);
	loop_run(world.loop);
	assert_holds(&world.heard, "421 4.3.2 mx.here.test The service is shutting down");
	tear_down(&world);
}

static void reload_changes_what_new_sessions_see(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	start(&world);
	connect_as(&world, SESSION_MX);
	world.settings.hostname = TEXT("new.here.test");
	assert_int_equal(inbound_reload(world.inbound, &world.settings, world.router), OK);
	say(&world, "QUIT\r\n");
	loop_run(world.loop);
	assert_holds(&world.heard, "220 mx.here.test ");
	connect_as(&world, SESSION_MX);
	say(&world, "QUIT\r\n");
	loop_run(world.loop);
	assert_holds(&world.heard, "220 new.here.test ");
	tear_down(&world);
}

/* -- TLS --------------------------------------------------------------------------------------- */

static void set_up_tls(struct world *world, enum session_tls tls, int64_t proof_ms)
{
	char folder[64], certificate[128], key[128];
	const struct test_certificate wanted = { .names = "DNS:mx.here.test", .common = "mx" };
	struct text certificates[1], keys[1], complaint;
	struct tls_server *server = NULL;

	set_up(world);
	world->tls = tls;
	world->settings.pace.proof_ms = proof_ms;
	start(world);
	test_folder_make(folder);
	test_certificate_write(folder, "ec", NULL, &wanted, certificate, key);
	certificates[0] = text_of(certificate);
	keys[0] = text_of(key);
	const struct tls_server_settings settings = { certificates, keys, 1, "" };

	assert_int_equal(tls_server_new(&settings, world->arena, &server, &complaint), OK);
	assert_int_equal(tls_client_new(certificate, world->arena, &world->tls_client, &complaint), OK);
	test_folder_remove(folder);
	inbound_set_tls(world->inbound, server);
	tls_server_unref(server);
}

static void mail_comes_under_tls(void **state)
{
	struct world world;

	(void)state;
	set_up_tls(&world, SESSION_TLS_OFFERED, 0);
	world.secure_at = TEXT("220 2.0.0 Go ahead");
	world.inside = "EHLO c.test\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<alice@here.test>\r\nRCPT TO:<x@here.test>\r\n"
		       "DATA\r\n\r\nhi\r\n.\r\nQUIT\r\n";
	connect_as(&world, SESSION_MX);
	say(&world, "EHLO c.test\r\nSTARTTLS\r\n");
	loop_run(world.loop);
	assert_true(world.secured);
	assert_holds(&world.heard, "\r\n250 2.0.0 Ok: queued as ");
	assert_holds(&world.heard, "\r\n221 2.0.0 ");
	assert_holds(&world.log, "protocol=ESMTPS");
	assert_holds(&world.log, "tls=\"TLSv1.3 TLS_AES_256_GCM_SHA384\"");
	assert_int_equal(counters_get(&world.counters, COUNTER_TLS_IN), 1);
	tear_down(&world);
}

static void tls_from_the_first_byte(void **state)
{
	struct world world;

	(void)state;
	set_up_tls(&world, SESSION_TLS_IMPLICIT, 0);
	world.inside = "QUIT\r\n";
	connect_as(&world, SESSION_SUBMISSION);
	secure(&world);
	loop_run(world.loop);
	assert_true(text_starts(buffer_text(&world.heard), TEXT("220 mx.here.test ESMTP")));
	assert_holds(&world.heard, "\r\n221 ");
	tear_down(&world);
}

static void noise_instead_of_a_handshake(void **state)
{
	struct world world;

	(void)state;
	set_up_tls(&world, SESSION_TLS_IMPLICIT, 0);
	connect_as(&world, SESSION_SUBMISSION);
	say(&world, "EHLO c.test\r\n");
	loop_run(world.loop);
	assert_true(text_find(buffer_text(&world.heard), TEXT("220")) == world.heard.length);
	assert_holds(&world.log, "handshake-failed client=");
	assert_holds(&world.log, "reason=");
	assert_int_equal(inbound_connection_count(world.inbound), 0);
	tear_down(&world);
}

static void a_handshake_that_stalls(void **state)
{
	struct world world;

	(void)state;
	set_up_tls(&world, SESSION_TLS_IMPLICIT, 1);
	connect_as(&world, SESSION_SUBMISSION);
	loop_run(world.loop);
	assert_int_equal(world.heard.length, 0);
	assert_holds(&world.log, "reason=\"timed out\"");
	assert_int_equal(inbound_connection_count(world.inbound), 0);
	tear_down(&world);
}

static void clear_text_behind_starttls(void **state)
{
	struct world world;

	(void)state;
	set_up_tls(&world, SESSION_TLS_OFFERED, 0);
	connect_as(&world, SESSION_MX);
	say(&world, "EHLO c.test\r\nSTARTTLS\r\nRSET\r\n");
	loop_run(world.loop);
	assert_holds(&world.heard, "\r\n554 5.5.1 Nothing may stand behind STARTTLS");
	assert_true(text_ends(buffer_text(&world.heard), TEXT("closing the connection\r\n")));
	tear_down(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_message),
		cmocka_unit_test(a_front_end_names_its_client),
		cmocka_unit_test(what_is_no_front_end_is_sent_away),
		cmocka_unit_test(large_message_in_chunks),
		cmocka_unit_test(an_envelope_that_fills_its_memory),
		cmocka_unit_test(client_gone_in_the_middle),
		cmocka_unit_test(handed_in_locally),
		cmocka_unit_test(too_many_unknown_recipients),
		cmocka_unit_test(spool_is_full),
		cmocka_unit_test(client_says_all_and_closes_its_side),
		cmocka_unit_test(a_client_that_does_not_read),
		cmocka_unit_test(too_many_connections),
		cmocka_unit_test(drain_says_goodbye),
		cmocka_unit_test(reload_changes_what_new_sessions_see),
		cmocka_unit_test(mail_comes_under_tls),
		cmocka_unit_test(tls_from_the_first_byte),
		cmocka_unit_test(noise_instead_of_a_handshake),
		cmocka_unit_test(a_handshake_that_stalls),
		cmocka_unit_test(clear_text_behind_starttls),
	};

	signal(SIGPIPE, SIG_IGN); /* As the program does. */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
