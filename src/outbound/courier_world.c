#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "outbound/courier_world.h"

enum { WATCHDOG_MS = 20000 };

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

void world_store(struct world *world, size_t size, struct buffer *out_body)
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

int world_set_up(void **state)
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
	buffer_init(&world->told, 1 << 16);
	fill_message(world);
	fill_hosts(world);
	*state = world;
	return 0;
}

int world_tear_down(void **state)
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
	logins_unref(world->logins);
	buffer_done(&world->told);
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

static void on_event(void *context, const struct event *event)
{
	struct world *world = context;
	const struct text reason = event->fields[EVENT_FIELD_REASON];

	assert_true(buffer_print(&world->told, "%s %.*s %.*s %.*s\n", event_kind_word(event->kind),
	    TEXT_FORMAT(event->fields[EVENT_FIELD_USER]), TEXT_FORMAT(event->fields[EVENT_FIELD_HOST]), TEXT_FORMAT(reason)));
}

void world_deliver(struct world *world)
{
	struct outbound_world outside = { world->loop, world->spool, world->in_doubt, 3, &world->counters, { on_event, world } };

	if (world->outbound == NULL)
		world->outbound = outbound_new(&outside, &world->settings);
	outbound_set_tls(world->outbound, world->tls_client);
	outbound_set_logins(world->outbound, world->logins);
	memset(world->outcomes, 0, sizeof world->outcomes);
	world->delivery = (struct delivery){
		.message = &world->message,
		.route = &world->route,
		.hosts = &world->list,
		.arena = world->arena,
		.outcomes = world->outcomes,
		.tls_notes = { .wanted = true },
		.done = on_done,
		.context = world,
	};
	const struct courier courier = outbound_courier(world->outbound);

	world->waiting = 1;
	courier.deliver(courier.context, &world->delivery);
	assert_int_equal(world->waiting, 1); /* U7 */
	loop_run(world->loop);
	assert_int_equal(world->waiting, 0);
}

void world_expect(const struct world *world, unsigned position, unsigned code, const char *host, const char *text)
{
	const struct verdict *verdict = &world->outcomes[position].verdict;

	if (verdict->code != code || !text_equal(verdict->host, text_of(host)) ||
	    text_find(verdict->text, text_of(text)) == verdict->text.length)
		fail_msg("outcome %u %.*s (%.*s)", verdict->code, TEXT_FORMAT(verdict->text), TEXT_FORMAT(verdict->host));
}

void world_expect_doubt(struct world *world, unsigned count)
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

void world_offer_tls(struct world *world, enum tls_level level, bool trusted)
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
	world->tlsa = test_certificate_tlsa(certificate, world->tlsa_room);
	test_folder_remove(folder);
	for (unsigned i = 0; i < PEERS; i++)
		world->peers[i].manners.tls = world->tls_server;
	world->route.next_hop.tls.level = level;
}

unsigned world_said(const struct peer *peer, const char *words)
{
	struct text rest = buffer_text(&peer->commands), line;
	unsigned count = 0;

	while (text_cut(&rest, '\n', &line))
		count += text_starts(line, text_of(words));
	return count;
}
