/* A pool whose proxy opens connections, or does not. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "io/stream.h"
#include "outbound/courier_private.h"
#include "outbound/courier_world.h"

#define OPENED "\5\0\0\1\0\0\0\0\0\0"

enum { TUNNELS_MAX = 8, SILENT = -1 };

/* To the hosts 192.0.2.1 and 192.0.2.2, which are the world's peers. */
struct tunnel {
	struct proxy *proxy;
	struct stream *client, *host;
	unsigned turn;
	bool open;
};

struct proxy {
	struct world *world;
	struct endpoint endpoint;
	struct listener *listener;
	int replies[PEERS]; /* For each host: a code of RFC 1928, or SILENT. */
	bool mute;          /* Says nothing at all. */
	struct tunnel tunnels[TUNNELS_MAX];
	unsigned tunnel_count;
};

static void no_matter(void *context)
{
	(void)context;
}

static void gone(void *context, enum error reason)
{
	(void)context;
	(void)reason;
}

/* The host's greeting comes in one piece with the proxy's last word. */
static void host_says(void *context, struct text bytes)
{
	struct tunnel *tunnel = context;
	char room[512] = OPENED;
	const size_t head = tunnel->open ? 0 : sizeof OPENED - 1;

	assert_true(head + bytes.length <= sizeof room);
	memcpy(room + head, bytes.bytes, bytes.length);
	tunnel->open = true;
	assert_true(stream_write(tunnel->client, (struct text){ room, head + bytes.length }));
}

static const struct stream_handler host_handler = { no_matter, host_says, no_matter, gone };

static void open_tunnel(struct tunnel *tunnel, struct text request)
{
	struct world *world = tunnel->proxy->world;
	const unsigned host = (unsigned char)request.bytes[7] - 1u;

	assert_int_equal(request.length, 10);
	assert_true(host < PEERS);
	const int reply = tunnel->proxy->replies[host];

	if (reply > 0)
		assert_true(stream_write(tunnel->client, (struct text){ (const char[]){ 5, (char)reply }, 2 }));
	else if (reply == 0)
		tunnel->host = stream_dial(world->loop, &world->peers[host].endpoint, NULL, &host_handler, tunnel);
}

static void client_says(void *context, struct text bytes)
{
	struct tunnel *tunnel = context;

	if (tunnel->proxy->mute)
		return;
	if (tunnel->turn++ == 0)
		assert_true(stream_write(tunnel->client, TEXT("\5\0")));
	else if (tunnel->host == NULL)
		open_tunnel(tunnel, bytes);
	else
		assert_true(stream_write(tunnel->host, bytes));
}

static const struct stream_handler client_handler = { no_matter, client_says, no_matter, gone };

static void accepted(void *context, struct stream *stream)
{
	struct proxy *proxy = context;
	struct tunnel *tunnel = &proxy->tunnels[proxy->tunnel_count++];

	assert_true(proxy->tunnel_count <= TUNNELS_MAX);
	*tunnel = (struct tunnel){ .proxy = proxy, .client = stream };
	stream_set_handler(stream, &client_handler, tunnel);
	stream_resume(stream);
}

static void proxy_open(struct proxy *proxy, struct world *world)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*proxy = (struct proxy){ .world = world };
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	assert_true(endpoint_parse(TEXT("127.0.0.1"), ntohs(address.sin_port), &proxy->endpoint));
	proxy->listener = listener_new(world->loop, fd, accepted, proxy);
	for (unsigned i = 0; i < PEERS; i++) {
		world->hosts[i].endpoint = (struct endpoint){ .family = ENDPOINT_IP4, .port = 25, .ip = { 192, 0, 2, (uint8_t)(i + 1) } };
		world->hosts[i].preference = (uint16_t)i;
	}
	world->route.next_hop.pool = TEXT("far");
	world->settings.pool_count = 1;
}

static void proxy_close(struct proxy *proxy)
{
	outbound_free(take(proxy->world->outbound));
	listener_free(proxy->listener);
	for (unsigned i = 0; i < proxy->tunnel_count; i++) {
		stream_free(proxy->tunnels[i].client);
		stream_free(proxy->tunnels[i].host);
	}
}

static struct outbound_pool pool_of(const struct endpoint *proxy)
{
	return (struct outbound_pool){ .name = TEXT("far"), .hostname = TEXT("far.test"), .proxy = *proxy };
}

static void expect_ours(const struct world *world, bool ours)
{
	assert_int_equal(world->outcomes[0].ours, ours);
	assert_int_equal(world->outcomes[0].pressure, !ours);
}

static void hosts_are_reached_by_the_proxy(void **state)
{
	struct world *world = *state;
	struct outbound_pool pool;
	struct proxy proxy;
	struct buffer body;
	char room[ENDPOINT_TEXT_MAX + 8];

	world_store(world, 100, &body);
	proxy_open(&proxy, world);
	pool = pool_of(&proxy.endpoint);
	world->settings.pools = &pool;
	proxy.replies[0] = 1; /* The next host, then. */
	world_deliver(world);
	world_expect(world, 0, 250, "mx2.test[192.0.2.2]", "stored");
	assert_int_equal(world_said(&world->peers[1], "EHLO far.test"), 1);
	snprintf(room, sizeof room, "socks5 127.0.0.1:%u", proxy.endpoint.port);
	assert_true(text_equal(world->delivery.source, text_of(room)));
	world_deliver(world);
	assert_int_equal(outbound_counts(world->outbound).reused, 1);

	/* By another proxy what is open was not opened. */
	struct outbound_settings settings = world->settings;
	struct outbound_pool other = pool;

	other.proxy.port++;
	settings.pools = &other;
	outbound_reload(world->outbound, &settings);
	world_deliver(world);
	assert_int_equal(outbound_counts(world->outbound).reused, 1);
	proxy_close(&proxy);
	buffer_done(&body);
}

static void addresses_race_behind_the_proxy(void **state)
{
	struct world *world = *state;
	struct outbound_pool pool;
	struct proxy proxy;
	struct buffer body;

	world_store(world, 100, &body);
	proxy_open(&proxy, world);
	pool = pool_of(&proxy.endpoint);
	world->settings.pools = &pool;
	world->settings.race_ms = 5;
	world->hosts[1].name = world->hosts[0].name;
	world->hosts[1].preference = world->hosts[0].preference;
	world->hosts[1].endpoint.port = world->hosts[0].endpoint.port;
	proxy.replies[0] = SILENT;
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[192.0.2.2]", "stored");
	assert_int_equal(outbound_counts(world->outbound).open, 1);
	assert_int_equal(outbound_counts(world->outbound).dialled, 2);
	proxy_close(&proxy);
	buffer_done(&body);
}

static void it_is_told_whose_fault_it_is(void **state)
{
	static const struct {
		int replies[PEERS];
		bool mute;
		const char *host, *words;
		bool ours;
		unsigned dialled;
	} rows[] = {
		{ { 1, 2 }, false, "", "does not get to mx2.test[192.0.2.2]: it does not allow", true, 2 },
		{ { 5, 4 }, false, "mx2.test[192.0.2.2]", "it cannot reach the host", false, 2 },
		{ { 5, 3 }, false, "", "does not get to mx2.test[192.0.2.2]: it cannot reach the network", false, 2 },
		{ { 0, 0 }, true, "", "cannot be used: it does not answer in time", true, 1 },
	};
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct proxy proxy;

		proxy_open(&proxy, world);
		const struct outbound_pool pool = pool_of(&proxy.endpoint);

		world->settings.pools = &pool;
		memcpy(proxy.replies, rows[i].replies, sizeof proxy.replies);
		proxy.mute = rows[i].mute;
		world->settings.dial_ms = rows[i].mute ? 40 : outbound_settings_default.dial_ms;
		world_deliver(world);
		world_expect(world, 0, 451, rows[i].host, rows[i].words);
		expect_ours(world, rows[i].ours);
		assert_int_equal(outbound_counts(world->outbound).dialled, rows[i].dialled);
		proxy_close(&proxy);
	}
	buffer_done(&body);
}

/* An SMTP server is none; and one whose password we do not have is not even spoken to. */
static void what_is_no_proxy_for_us(void **state)
{
	struct world *world = *state;
	struct outbound_pool pool = pool_of(&world->peers[0].endpoint);
	struct proxy proxy;
	struct buffer body;

	world_store(world, 100, &body);
	proxy_open(&proxy, world);
	world->settings.pools = &pool;
	world_deliver(world);
	world_expect(world, 0, 451, "", "what it says is no SOCKS5");
	expect_ours(world, true);
	world_deliver(world); /* Nobody else tries it: this one does. */
	assert_int_equal(outbound_counts(world->outbound).dialled, 2);
	outbound_free(take(world->outbound));

	pool = pool_of(&proxy.endpoint);
	pool.user = TEXT("mail");
	pool.login_place = TEXT("the proxy of pool far");
	world_deliver(world);
	world_expect(world, 0, 451, "", "have no password for it");
	expect_ours(world, true);
	proxy_close(&proxy);
	buffer_done(&body);
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		WITH_WORLD(hosts_are_reached_by_the_proxy),
		WITH_WORLD(addresses_race_behind_the_proxy),
		WITH_WORLD(it_is_told_whose_fault_it_is),
		WITH_WORLD(what_is_no_proxy_for_us),
	};
#undef WITH_WORLD

	return cmocka_run_group_tests_name("outbound/courier_proxy", tests, NULL, NULL);
}
