/* The world itself: its time, its processes, its connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "io/sim/net.h"

static struct sim_world *the_world;

struct sim_world *sim_world_here(void) { return the_world; }

/* A server that keeps what it hears and a client that talks, each in a process. */
struct pair {
	struct sim_process *server, *client;
	struct loop *server_loop, *client_loop;
	struct listener *listener;
	struct stream *accepted, *dialled;
	struct buffer heard;
	unsigned opened, server_ends, client_ends;
	enum error client_reason;
};

static void opened(void *context) { ((struct pair *)context)->opened++; }
static void ignore(void *context) { (void)context; }

static void server_hears(void *context, struct text bytes)
{
	assert_true(buffer_append(&((struct pair *)context)->heard, bytes));
}

static void client_hears(void *context, struct text bytes) { (void)context, (void)bytes; }

static void server_ends(void *context, enum error reason)
{
	struct pair *pair = context;

	(void)reason;
	pair->server_ends++;
	stream_free(pair->accepted);
	pair->accepted = NULL;
}

static void client_ends(void *context, enum error reason)
{
	struct pair *pair = context;

	pair->client_ends++;
	pair->client_reason = reason;
	stream_free(pair->dialled);
	pair->dialled = NULL;
}

static const struct stream_handler server_handler = { ignore, server_hears, ignore, server_ends };
static const struct stream_handler client_handler = { opened, client_hears, ignore, client_ends };

static void accepted(void *context, struct stream *stream)
{
	struct pair *pair = context;

	pair->accepted = stream;
	stream_set_handler(stream, &server_handler, pair);
	stream_resume(stream);
}

static void pair_open(struct pair *pair, uint64_t seed, unsigned reset_permille)
{
	const struct endpoint to = { .family = ENDPOINT_IP4, .ip = { 10, 0, 0, 1 }, .port = 25 };

	the_world = sim_world_new(seed);
	struct sim_host *host = sim_host_new(the_world, "server", "10.0.0.1");

	*pair = (struct pair){ .server = sim_process_new(the_world, "server"), .client = sim_process_new(the_world, "client") };
	buffer_init(&pair->heard, 1 << 20);
	sim_process_live_on(pair->server, host);
	sim_process_live_on(pair->client, sim_host_new(the_world, "client", "10.0.0.2"));
	sim_weather(the_world)->latency_us_max = 50000;
	sim_weather(the_world)->shred_permille = 300;
	sim_weather(the_world)->reset_permille = reset_permille;
	sim_weather(the_world)->byte_max = 5000;
	sim_run_as(the_world, pair->server);
	pair->server_loop = loop_new();
	pair->listener = listener_new(pair->server_loop, sim_socket_new(host, 25), accepted, pair);
	sim_run_as(the_world, pair->client);
	pair->client_loop = loop_new();
	pair->dialled = stream_dial(pair->client_loop, &to, NULL, &client_handler, pair);
	sim_run_as(the_world, NULL);
}

static void pair_close(struct pair *pair)
{
	buffer_done(&pair->heard);
	if (pair->client != NULL)
		sim_process_kill(pair->client, false);
	if (pair->server != NULL)
		sim_process_kill(pair->server, false);
	sim_world_free(the_world);
	the_world = NULL;
}

static void live(void)
{
	for (unsigned steps = 0; steps < 100000 && sim_world_step(the_world); steps++)
		continue;
	assert_false(sim_world_step(the_world)); /* Nothing is left to happen. */
}

/* `count` lines with numbers. */
static void talk(struct pair *pair, unsigned count, struct buffer *out_said)
{
	sim_run_as(the_world, pair->client);
	for (unsigned i = 0; i < count; i++) {
		char line[32];

		snprintf(line, sizeof line, "line %u\r\n", i);
		assert_true(stream_write(pair->dialled, text_of(line)));
		sim_run_as(the_world, NULL);
		assert_true(buffer_append(out_said, text_of(line)));
		sim_run_as(the_world, pair->client);
	}
	sim_run_as(the_world, NULL);
}

static void what_is_said_arrives_in_order(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct pair pair;
		struct buffer said;

		pair_open(&pair, seed, 0);
		buffer_init(&said, 1 << 20);
		talk(&pair, 2000, &said);
		live();
		assert_int_equal(pair.opened, 1);
		assert_true(text_equal(buffer_text(&pair.heard), buffer_text(&said)));
		assert_int_equal(pair.server_ends, 0);
		buffer_done(&said);
		pair_close(&pair);
	}
}

static void a_reset_leaves_a_prefix_and_is_told_to_both(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct pair pair;
		struct buffer said;

		pair_open(&pair, seed, 1000);
		buffer_init(&said, 1 << 20);
		talk(&pair, 2000, &said);
		live();
		assert_true(pair.heard.length <= 5000);
		assert_true(text_starts(buffer_text(&said), buffer_text(&pair.heard)));
		assert_int_equal(pair.server_ends, 1);
		assert_int_equal(pair.client_ends, 1);
		assert_int_equal(pair.client_reason, ERR_RESET);
		buffer_done(&said);
		pair_close(&pair);
	}
}

static void must_not_ring(void *context)
{
	(void)context;
	fail_msg("a timer of a process that is gone");
}

static void of_a_process_that_is_gone_nothing_runs(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		const bool power_cut = seed % 2;
		struct pair pair;

		pair_open(&pair, seed, 0);
		while (pair.opened == 0)
			assert_true(sim_world_step(the_world));
		sim_run_as(the_world, pair.client);
		loop_timer_set(loop_timer_new(pair.client_loop, must_not_ring, NULL), 1);
		assert_non_null(malloc(1000)); /* Goes with its process. */
		sim_run_as(the_world, NULL);
		sim_process_kill(pair.client, power_cut);
		pair.client = NULL;
		live();
		assert_int_equal(pair.client_ends, 0);
		if (!power_cut)
			assert_int_equal(pair.server_ends, 1);
		pair_close(&pair);
	}
}

static void an_orderly_end_shows_what_was_left(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair, 1, 0);
	sim_run_as(the_world, pair.client);
	stream_free(pair.dialled);
	loop_free(pair.client_loop);
	char *left = malloc(1000), *freed = malloc(500);

	free(freed);
	assert_non_null(left);
	sim_run_as(the_world, NULL);
	assert_int_equal(sim_process_end(pair.client), 1000);
	pair.client = NULL;
	pair_close(&pair);
}

static uint64_t hash_of(uint64_t seed)
{
	struct pair pair;
	struct buffer said;

	pair_open(&pair, seed, 500);
	buffer_init(&said, 1 << 20);
	talk(&pair, 500, &said);
	live();
	const uint64_t hash = sim_trace_hash(the_world);

	buffer_done(&said);
	pair_close(&pair);
	return hash;
}

static void a_seed_is_a_world(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		assert_true(hash_of(seed) == hash_of(seed));
		assert_true(hash_of(seed) != hash_of(seed + 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_arrives_in_order),
		cmocka_unit_test(a_reset_leaves_a_prefix_and_is_told_to_both),
		cmocka_unit_test(of_a_process_that_is_gone_nothing_runs),
		cmocka_unit_test(an_orderly_end_shows_what_was_left),
		cmocka_unit_test(a_seed_is_a_world),
	};

	return cmocka_run_group_tests_name("io/sim", tests, NULL, NULL);
}
