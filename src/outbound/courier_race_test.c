/* Two addresses of one host. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "outbound/courier_world.h"

/* The second peer becomes 127.0.0.2 of the first host, at the same port. */
static void second_address(struct world *world)
{
	struct host *host = &world->hosts[1];

	*host = world->hosts[0];
	assert_true(endpoint_parse_ip(TEXT("127.0.0.2"), &host->endpoint));
	host->endpoint.port = world->hosts[0].endpoint.port;
	peer_close(&world->peers[1]);
	peer_open_at(&world->peers[1], world->loop, &host->endpoint);
}

/* A listener that takes no connection and refuses none: its queue is full. */
static int open_black_hole(struct endpoint *out_endpoint, int fillers[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	for (unsigned i = 0; i < 2; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fillers[i], (struct sockaddr *)&address, sizeof address);
	}
	out_endpoint->port = ntohs(address.sin_port);
	return fd;
}

/* RFC 8305: an address that does not answer costs a quarter of a second, and who loses is closed and hears nothing. */
static void addresses_of_a_host_race(void **state)
{
	struct world *world = *state;
	struct buffer body;
	int fillers[2];

	world_store(world, 100, &body);
	const int hole = open_black_hole(&world->hosts[0].endpoint, fillers);

	second_address(world);
	world->settings.race_ms = 5;
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[127.0.0.2]", "stored");
	assert_int_equal(outbound_counts(world->outbound).open, 1);
	assert_int_equal(outbound_counts(world->outbound).dialled, 2);
	outbound_free(take(world->outbound));

	/* Its greeting turns us away: back to the one that lost, which has not failed, and is a hole now. */
	world->peers[1].manners.greeting = "421 4.3.2 busy";
	world->settings.dial_ms = 50;
	world_deliver(world);
	world_expect(world, 0, 451, "mx1.test[127.0.0.1]", "");
	assert_int_equal(outbound_counts(world->outbound).dialled, 3);
	outbound_free(take(world->outbound));

	/* Other hosts do not race. */
	world->peers[1].manners.greeting = NULL;
	world->hosts[1].name = TEXT("mx2.test");
	world_deliver(world);
	world_expect(world, 0, 250, "mx2.test[127.0.0.2]", "stored");
	close(hole), close(fillers[0]), close(fillers[1]);
	buffer_done(&body);
}

/* However close it is, one of two hears us, and the other one only that we were there. */
static void a_race_has_one_winner(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	second_address(world);
	world->settings.race_ms = 0;
	for (unsigned i = 0; i < 20; i++) {
		world_deliver(world);
		assert_int_equal(world->outcomes[0].verdict.code, 250);
		assert_int_equal(outbound_counts(world->outbound).open, 1);
		outbound_free(take(world->outbound));
	}
	assert_int_equal(world->peers[0].message_count + world->peers[1].message_count, 20);
	assert_int_equal(world_said(&world->peers[0], "EHLO") + world_said(&world->peers[1], "EHLO"), 20);

	/* One that refuses has its rival at once. */
	world->settings.race_ms = 3'600'000;
	listener_free(take(world->peers[0].listener));
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[127.0.0.2]", "stored");
	buffer_done(&body);
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		WITH_WORLD(addresses_of_a_host_race),
		WITH_WORLD(a_race_has_one_winner),
	};
#undef WITH_WORLD

	return cmocka_run_group_tests_name("outbound/courier_race", tests, NULL, NULL);
}
