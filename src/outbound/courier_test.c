/* The courier over real sockets on loopback, with bodies from the memory spool. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "outbound/courier.h"
#include "outbound/courier_peer.h"
#include "tls/test_certificate.h"

enum { RECIPIENTS = 3, PEERS = 2, WATCHDOG_MS = 20000 };

struct world {
	struct loop *loop;
	struct loop_timer *watchdog;
	struct spool *spool;
	struct spool_port *port;
	struct in_doubt *in_doubt;
	char doubt_path[64], socket_path[64];
	struct counters counters;
	struct tls_server *tls_server;   /* mx1.test */
	struct tls_client *tls_client;
	struct outbound_settings settings;
	struct outbound *outbound;
	struct peer peers[PEERS];
	bool stored;
	unsigned waiting;

	/* The delivery. */
	struct arena *arena;
	struct recipient recipients[RECIPIENTS];
	struct message message;
	struct host hosts[PEERS];
	struct host_list list;
	struct route_decision route;
	struct delivery_outcome outcomes[RECIPIENTS];
	struct delivery delivery;
};

static void too_long(void *context)
{
	(void)context;
	fail_msg("nothing happened for too long");
}

static void wake(void *context)
{
	(void)context;
}

static void on_stored(void *context, enum error result)
{
	assert_int_equal(result, OK);
	((struct world *)context)->stored = true;
}

static void fill_message(struct world *world)
{
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		world->recipients[i] = (struct recipient){ .index = i + 10, .address = { TEXT("r"), TEXT("dest.test") } };
	world->message = (struct message){
		.envelope = { .id = 4711, .arrived_ms = 1, .expires_ms = 2, .reverse_path = { TEXT("s"), TEXT("here.test") } },
		.recipients = world->recipients,
		.recipient_count = 1,
	};
}

/* Put a body into the spool: numbered lines up to about `size` bytes. */
static void store(struct world *world, size_t size, struct buffer *out_body)
{
	struct spool_change *change = spool_change_new();
	struct envelope *envelope = &world->message.envelope;

	buffer_init(out_body, size + 100);
	for (unsigned i = 0; out_body->length < size; i++)
		assert_true(buffer_print(out_body, "this is line %u of the message\r\n", i));
	envelope->body_size = out_body->length;
	envelope->chunk_count = 0;
	for (size_t at = 0; at < out_body->length; at += SPOOL_CHUNK_SIZE)
		spool_change_put_chunk(change, envelope->id, envelope->chunk_count++,
		    text_part(buffer_text(out_body), at, SPOOL_CHUNK_SIZE));
	spool_change_put_message(change, &world->message);
	world->stored = false;
	spool_submit(world->port, change, on_stored, world);
	while (!world->stored)
		spool_port_poll(world->port);
}

static void fill_hosts(struct world *world)
{
	static const char *const names[PEERS] = { "mx1.test", "mx2.test" };

	for (unsigned i = 0; i < PEERS; i++)
		world->hosts[i] = (struct host){ .name = text_of(names[i]), .endpoint = world->peers[i].endpoint };
	world->list = (struct host_list){ .hosts = world->hosts, .host_count = PEERS };
	world->route = (struct route_decision){
		.kind = ROUTE_HOSTS, .next_hop = { .destination = TEXT("dest.test"), .domain = TEXT("dest.test") } };
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	world->loop = loop_new();
	world->watchdog = loop_timer_new(world->loop, too_long, NULL);
	loop_timer_set(world->watchdog, WATCHDOG_MS);
	assert_int_equal(spool_memory_open(&world->spool), OK);
	assert_int_equal(spool_port_open(world->spool, 0, wake, NULL, &world->port), OK);
	snprintf(world->doubt_path, sizeof world->doubt_path, "/tmp/courier_test.%d.doubt", (int)getpid());
	snprintf(world->socket_path, sizeof world->socket_path, "/tmp/courier_test.%d.socket", (int)getpid());
	unlink(world->doubt_path);
	unlink(world->socket_path);
	assert_int_equal(in_doubt_open(world->doubt_path, &world->in_doubt), OK);
	world->settings = outbound_settings_default;
	world->settings.hostname = TEXT("client.test");
	for (unsigned i = 0; i < PEERS; i++)
		peer_open(&world->peers[i], world->loop, NULL);
	world->arena = arena_new(1 << 20);
	fill_message(world);
	fill_hosts(world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	outbound_free(world->outbound);
	for (unsigned i = 0; i < PEERS; i++)
		peer_close(&world->peers[i]);
	in_doubt_close(world->in_doubt);
	unlink(world->doubt_path);
	unlink(world->socket_path);
	spool_port_close(world->port);
	spool_close(world->spool);
	tls_server_unref(world->tls_server);
	tls_client_unref(world->tls_client);
	arena_free(world->arena);
	loop_timer_free(world->watchdog);
	loop_free(world->loop);
	free(world);
	return 0;
}

static void on_done(struct delivery *delivery)
{
	struct world *world = delivery->context;

	assert_int_equal(world->waiting, 1);
	world->waiting--;
	loop_stop(world->loop);
}

static void deliver(struct world *world)
{
	struct outbound_world outside = { world->loop, world->spool, world->in_doubt, 3, &world->counters };

	if (world->outbound == NULL)
		world->outbound = outbound_new(&outside, &world->settings);
	outbound_set_tls(world->outbound, world->tls_client);
	memset(world->outcomes, 0, sizeof world->outcomes);
	world->delivery = (struct delivery){
		.message = &world->message,
		.route = &world->route,
		.hosts = &world->list,
		.arena = world->arena,
		.outcomes = world->outcomes,
		.done = on_done,
		.context = world,
	};
	const struct courier courier = outbound_courier(world->outbound);

	world->waiting = 1;
	courier.deliver(courier.context, &world->delivery);
	assert_int_equal(world->waiting, 1); /* U6 */
	loop_run(world->loop);
	assert_int_equal(world->waiting, 0);
}

static void expect(const struct world *world, unsigned position, unsigned code, const char *host, const char *text)
{
	const struct verdict *verdict = &world->outcomes[position].verdict;

	if (verdict->code != code || !text_equal(verdict->host, text_of(host)) ||
	    text_find(verdict->text, text_of(text)) == verdict->text.length)
		fail_msg("outcome %u %.*s (%.*s)", verdict->code, TEXT_FORMAT(verdict->text), TEXT_FORMAT(verdict->host));
}

/* Marks that the next process would find: exactly these indexes. */
static void expect_doubt(struct world *world, unsigned count)
{
	queue_id id = 0;
	uint32_t index = 0;
	unsigned found = 0;

	outbound_free(take(world->outbound));
	in_doubt_close(world->in_doubt);
	assert_int_equal(in_doubt_open(world->doubt_path, &world->in_doubt), OK);
	while (in_doubt_take_left(world->in_doubt, &id, &index)) {
		assert_int_equal(id, 4711);
		assert_in_range(index, 10, 12);
		found++;
	}
	assert_int_equal(found, count);
}

static void delivers(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	deliver(world);
	expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	assert_false(world->outcomes[0].pressure);
	assert_true(world->outcomes[0].relayed_without_dsn);
	assert_true(text_starts(buffer_text(&world->peers[0].bodies), buffer_text(&body)));
	expect_doubt(world, 1); /* Until the queue has settled. */
	buffer_done(&body);
}

static void uses_a_connection_again(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	for (unsigned i = 0; i < 5; i++) {
		deliver(world);
		expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	}
	assert_int_equal(world->peers[0].connection_count, 1);
	assert_int_equal(world->peers[0].message_count, 5);
	assert_int_equal(outbound_counts(world->outbound).reused, 4);
	assert_int_equal(outbound_counts(world->outbound).idle, 1);

	/* Not for another destination. */
	world->route.next_hop.destination = TEXT("other.test");
	deliver(world);
	assert_int_equal(world->peers[0].connection_count, 2);
	buffer_done(&body);
}

static void leaves_after_its_share_of_messages(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world->settings.messages_max = 2;
	store(world, 100, &body);
	for (unsigned i = 0; i < 4; i++)
		deliver(world);
	assert_int_equal(world->peers[0].connection_count, 2);
	assert_int_equal(world->peers[0].message_count, 4);
	buffer_done(&body);
}

static void says_goodbye_when_idle(void **state)
{
	struct world *world = *state;
	struct buffer body;
	struct loop_timer *poll = loop_timer_new(world->loop, (loop_callback *)loop_stop, world->loop);

	world->settings.idle_ms = 1;
	store(world, 100, &body);
	deliver(world);
	while (world->peers[0].quit_count == 0 || outbound_counts(world->outbound).open > 0) {
		loop_timer_set(poll, 1);
		loop_run(world->loop);
	}
	assert_int_equal(outbound_counts(world->outbound).idle, 0);
	loop_timer_free(poll);
	buffer_done(&body);
}

static void goes_on_to_the_next_host(void **state)
{
	static const char *const greetings[] = { "554 5.7.1 no", "421 4.3.2 busy", "450 later", "what is this" };
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	for (unsigned i = 0; i < sizeof greetings / sizeof *greetings; i++) {
		world->peers[0].manners.greeting = greetings[i];
		deliver(world);
		expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
		outbound_free(take(world->outbound));
	}
	world->peers[0].manners = (struct peer_manners){ .hang_up_at_mail = 1 };
	deliver(world);
	expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
	outbound_free(take(world->outbound));

	/* Silent. */
	world->peers[0].manners = (struct peer_manners){ .greeting = "" };
	world->settings.timeouts.greeting_ms = 5;
	deliver(world);
	expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
	outbound_free(take(world->outbound));

	/* Not there: the port of a listener that is gone. */
	listener_free(take(world->peers[0].listener));
	deliver(world);
	expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
	buffer_done(&body);
}

static void answers_of_recipients_are_final(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	world->peers[0].manners.rcpt = "450 4.2.0 grey";
	deliver(world);
	expect(world, 0, 450, "mx1.test[127.0.0.1]", "grey");
	assert_false(world->outcomes[0].pressure);
	world->peers[0].manners = (struct peer_manners){ .mail = "550 5.7.1 never" };
	deliver(world);
	expect(world, 0, 550, "mx1.test[127.0.0.1]", "never");
	assert_int_equal(world->peers[1].connection_count, 0);
	expect_doubt(world, 0);
	buffer_done(&body);
}

static void gives_up_after_the_last_host(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	world->peers[0].manners.greeting = "521 5.3.2 never";
	world->peers[1].manners.greeting = "554 5.7.1 not you";
	deliver(world);
	expect(world, 0, 451, "mx2.test[127.0.0.1]", "does not take mail: 554 not you");
	assert_true(world->outcomes[0].pressure);

	world->peers[1].manners.greeting = "521 5.3.2 never";
	deliver(world);
	expect(world, 0, 521, "mx2.test[127.0.0.1]", "never");

	world->peers[0].manners.greeting = "421 4.7.0 slow down";
	world->list.host_count = 1;
	deliver(world);
	expect(world, 0, 421, "mx1.test[127.0.0.1]", "slow down");

	listener_free(take(world->peers[0].listener));
	deliver(world);
	expect(world, 0, 451, "mx1.test[127.0.0.1]", "connection refused while connecting");
	assert_int_equal(world->outcomes[0].verdict.enhanced.subject, 4);
	assert_int_equal(world->outcomes[0].verdict.enhanced.detail, 1);
	assert_true(world->outcomes[0].pressure);
	buffer_done(&body);
}

static void tries_no_more_hosts_than_allowed(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	world->settings.hosts_max = 1;
	world->peers[0].manners.greeting = "421 4.7.0 slow down";
	deliver(world);
	expect(world, 0, 421, "mx1.test[127.0.0.1]", "slow down");
	buffer_done(&body);
}

static void a_stale_connection_costs_nothing(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	world->peers[0].manners.hang_up_at_mail = 2;
	for (unsigned i = 0; i < 3; i++) {
		deliver(world);
		expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	}
	assert_int_equal(world->peers[0].connection_count, 3);
	assert_int_equal(world->peers[1].connection_count, 0);
	buffer_done(&body);
}

static void a_break_after_the_dot_leaves_doubt(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	world->message.recipient_count = 2;
	world->peers[0].manners.hang_up_after_body = true;
	deliver(world);
	expect(world, 0, 451, "mx1.test[127.0.0.1]", "final dot");
	assert_true(world->outcomes[1].pressure);
	assert_int_equal(world->outcomes[1].verdict.enhanced.detail, 2);
	assert_int_equal(world->peers[1].connection_count, 0); /* It may be there: nobody else gets it now. */
	expect_doubt(world, 2);
	buffer_done(&body);
}

static void a_break_in_the_body_leaves_none(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 4 << 20, &body);
	world->peers[0].manners.hang_up_at_body = true;
	deliver(world);
	expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
	expect_doubt(world, 1);
	buffer_done(&body);
}

static void a_missing_body_is_never_ended(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100000, &body);
	world->message.envelope.chunk_count++;
	deliver(world);
	expect(world, 0, 451, "", "stored message cannot be read");
	assert_int_equal(world->peers[0].message_count, 0);
	assert_int_equal(world->peers[1].connection_count, 0);
	expect_doubt(world, 0);
	buffer_done(&body);
}

/* More than any buffer on the way holds. */
static void large_bodies_arrive(void **state)
{
	static const char *const offers[] = { "250-x\r\n250 PIPELINING", "250-x\r\n250-PIPELINING\r\n250 CHUNKING",
		"250-x\r\n250 CHUNKING", "250 x" };
	struct world *world = *state;
	struct buffer body;

	store(world, 6 << 20, &body);
	for (unsigned i = 0; i < sizeof offers / sizeof *offers; i++) {
		world->peers[0].manners.ehlo = offers[i];
		buffer_clear(&world->peers[0].bodies);
		deliver(world);
		expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
		assert_true(text_starts(buffer_text(&world->peers[0].bodies), buffer_text(&body)));
		assert_true(world->peers[0].bodies.length <= body.length + 3); /* The dot. */
		outbound_free(take(world->outbound));
	}
	buffer_done(&body);
}

static void limits_of_the_server_are_kept(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	world->message.recipient_count = 3;
	world->peers[0].manners.ehlo = "250-x\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=1 MAILMAX=2";
	deliver(world);
	for (unsigned i = 0; i < 3; i++)
		expect(world, i, 250, "mx1.test[127.0.0.1]", "stored");
	assert_int_equal(world->peers[0].message_count, 3);
	assert_int_equal(world->peers[0].connection_count, 2);
	buffer_done(&body);
}

static void speaks_lmtp_over_a_unix_socket(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	peer_close(&world->peers[0]);
	peer_open(&world->peers[0], world->loop, world->socket_path);
	world->peers[0].lmtp = true;
	world->hosts[0] = (struct host){ .name = TEXT("unix"), .endpoint = world->peers[0].endpoint };
	world->route.next_hop.lmtp = true;
	world->message.recipient_count = 2;
	deliver(world);
	assert_int_equal(world->outcomes[0].verdict.code, 250);
	assert_int_equal(world->outcomes[1].verdict.code, 250);
	assert_true(text_starts(buffer_text(&world->peers[0].commands), TEXT("LHLO client.test\n")));
	buffer_done(&body);
}

/* -- TLS ------------------------------------------------------------------------- */

/* Both hosts offer TLS with a certificate for the first. `trusted`: we believe who signed it. */
static void offer_tls(struct world *world, enum tls_level level, bool trusted)
{
	char folder[64], certificate[128], key[128];
	const struct test_certificate wanted = { .names = "DNS:mx1.test", .common = "mx1" };
	struct text certificates[1], keys[1], complaint;

	test_folder_make(folder);
	test_certificate_write(folder, "ec", NULL, &wanted, certificate, key);
	certificates[0] = text_of(certificate);
	keys[0] = text_of(key);
	const struct tls_server_settings settings = { certificates, keys, 1, "" };

	assert_int_equal(tls_server_new(&settings, world->arena, &world->tls_server, &complaint), OK);
	assert_int_equal(tls_client_new(trusted ? certificate : "", world->arena, &world->tls_client, &complaint), OK);
	test_folder_remove(folder);
	for (unsigned i = 0; i < PEERS; i++)
		world->peers[i].manners.tls = world->tls_server;
	world->route.next_hop.tls.level = level;
}

static void expect_tls(const struct world *world, const char *words)
{
	if (!text_starts(world->delivery.tls, text_of(words)))
		fail_msg("tls: %.*s", TEXT_FORMAT(world->delivery.tls));
}

static void delivers_under_tls(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100000, &body);
	offer_tls(world, TLS_OPPORTUNISTIC, false);
	deliver(world);
	expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	expect_tls(world, "TLSv1.3 ");
	assert_int_equal(world->peers[0].connection_count, 1);
	assert_int_equal(counters_get(&world->counters, COUNTER_TLS_OUT), 1);
	buffer_done(&body);
}

static void believes_a_certificate_for_the_host(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	offer_tls(world, TLS_VERIFIED, true);
	deliver(world);
	expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	expect_tls(world, "TLSv1.3 ");
	buffer_done(&body);
}

static void waits_where_tls_is_demanded_in_vain(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	offer_tls(world, TLS_VERIFIED, true);
	world->peers[0].manners.tls = NULL; /* The first offers none, the second has another's name. */
	deliver(world);
	expect(world, 0, 451, "mx2.test[127.0.0.1]", "TLS cannot be had: hostname mismatch");
	assert_int_equal(world->outcomes[0].verdict.enhanced.subject, 7);
	assert_true(world->outcomes[0].pressure);
	assert_int_equal(world->peers[0].message_count + world->peers[1].message_count, 0);
	assert_int_equal(counters_get(&world->counters, COUNTER_TLS_OUT_FAILED), 1);
	buffer_done(&body);
}

static void goes_on_in_clear_text_where_it_may(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	offer_tls(world, TLS_OPPORTUNISTIC, false);
	world->peers[0].manners = (struct peer_manners){ .noise = true };
	deliver(world);
	expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	expect_tls(world, "none (TLS cannot be had: ");
	assert_int_equal(world->peers[0].connection_count, 2);
	assert_int_equal(world->peers[1].connection_count, 0);
	buffer_done(&body);
}

static void goes_on_in_clear_text_after_a_handshake_without_end(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	world->settings.timeouts.handshake_ms = 5;
	offer_tls(world, TLS_OPPORTUNISTIC, false);
	world->peers[0].manners = (struct peer_manners){ .mute = true };
	deliver(world);
	expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	expect_tls(world, "none (TLS cannot be had: timed out");
	assert_int_equal(counters_get(&world->counters, COUNTER_TLS_OUT_FAILED), 1);
	buffer_done(&body);
}

static void does_not_where_it_may_not(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	offer_tls(world, TLS_ENCRYPTED, false);
	world->peers[0].manners = (struct peer_manners){ .noise = true };
	deliver(world);
	expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored"); /* Whose name is not asked for. */
	assert_int_equal(world->peers[0].connection_count, 1);
	expect_tls(world, "TLSv1.3 ");
	buffer_done(&body);
}

static void keeps_what_is_demanded_apart(void **state)
{
	struct world *world = *state;
	struct buffer body;

	store(world, 100, &body);
	offer_tls(world, TLS_OPPORTUNISTIC, true);
	deliver(world);
	deliver(world);
	assert_int_equal(world->peers[0].connection_count, 1); /* Kept, and used again. */
	expect_tls(world, "TLSv1.3 ");
	world->route.next_hop.tls.level = TLS_VERIFIED;
	deliver(world);
	assert_int_equal(world->peers[0].connection_count, 2);
	expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	buffer_done(&body);
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_WORLD(delivers),
		WITH_WORLD(uses_a_connection_again),
		WITH_WORLD(leaves_after_its_share_of_messages),
		WITH_WORLD(says_goodbye_when_idle),
		WITH_WORLD(goes_on_to_the_next_host),
		WITH_WORLD(answers_of_recipients_are_final),
		WITH_WORLD(gives_up_after_the_last_host),
		WITH_WORLD(tries_no_more_hosts_than_allowed),
		WITH_WORLD(a_stale_connection_costs_nothing),
		WITH_WORLD(a_break_after_the_dot_leaves_doubt),
		WITH_WORLD(a_break_in_the_body_leaves_none),
		WITH_WORLD(a_missing_body_is_never_ended),
		WITH_WORLD(large_bodies_arrive),
		WITH_WORLD(limits_of_the_server_are_kept),
		WITH_WORLD(speaks_lmtp_over_a_unix_socket),
		WITH_WORLD(delivers_under_tls),
		WITH_WORLD(believes_a_certificate_for_the_host),
		WITH_WORLD(waits_where_tls_is_demanded_in_vain),
		WITH_WORLD(goes_on_in_clear_text_where_it_may),
		WITH_WORLD(goes_on_in_clear_text_after_a_handshake_without_end),
		WITH_WORLD(does_not_where_it_may_not),
		WITH_WORLD(keeps_what_is_demanded_apart),
	};

	signal(SIGPIPE, SIG_IGN); /* As the program does. */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
