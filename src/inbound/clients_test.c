#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/must.h"
#include "inbound/clients.h"

enum { MINUTE_MS = 60000 };

static const struct client_limits limits = { .connection_count_max = 2,
	.rates = { [CLIENT_UNKNOWN] = { 3, MINUTE_MS }, [CLIENT_LOGINS] = { 1, MINUTE_MS } } };

static struct client_key key(const char *ip)
{
	struct endpoint endpoint;

	must(endpoint_parse_ip(text_of(ip), &endpoint));
	return client_key_of(&endpoint);
}

static bool same(const char *a, const char *b)
{
	const struct client_key one = key(a), other = key(b);

	return one.length == other.length && memcmp(one.bytes, other.bytes, one.length) == 0;
}

static void who_is_one_client(void **state)
{
	(void)state;
	assert_true(same("192.0.2.1", "192.0.2.1"));
	assert_false(same("192.0.2.1", "192.0.2.2"));
	assert_true(same("192.0.2.1", "::ffff:192.0.2.1"));
	assert_true(same("2001:db8:1:2::3", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
	assert_false(same("2001:db8:1:2::3", "2001:db8:1:3::3"));
}

static void deeds_have_their_own_limits(void **state)
{
	struct clients *clients = clients_new(100, 42);

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(clients_may(clients, &limits, CLIENT_UNKNOWN, key("192.0.2.1"), 1000));
		assert_true(clients_do(clients, &limits, CLIENT_UNKNOWN, key("192.0.2.1"), 1000));
	}
	assert_false(clients_may(clients, &limits, CLIENT_UNKNOWN, key("192.0.2.1"), 1000));
	assert_false(clients_do(clients, &limits, CLIENT_UNKNOWN, key("192.0.2.1"), 1000));
	assert_true(clients_may(clients, &limits, CLIENT_UNKNOWN, key("192.0.2.2"), 1000));
	assert_true(clients_may(clients, &limits, CLIENT_LOGINS, key("192.0.2.1"), 1000));
	assert_true(clients_may(clients, &limits, CLIENT_UNKNOWN, key("192.0.2.1"), 1000 + MINUTE_MS / 3));
	for (int i = 0; i < 1000; i++) /* No limit. */
		assert_true(clients_do(clients, &limits, CLIENT_MESSAGES, key("192.0.2.1"), 1000));
	clients_free(clients);
}

static void connections_at_one_time(void **state)
{
	const struct client_limits none = { 0 };
	struct clients *clients = clients_new(100, 42);

	(void)state;
	assert_true(clients_enter(clients, &limits, key("2001:db8::1")));
	assert_true(clients_enter(clients, &limits, key("2001:db8::2")));
	assert_false(clients_enter(clients, &limits, key("2001:db8::3")));
	assert_true(clients_enter(clients, &none, key("2001:db8::3")));
	clients_leave(clients, key("2001:db8::4"));
	clients_leave(clients, key("2001:db8::4"));
	assert_true(clients_enter(clients, &limits, key("2001:db8::5")));
	clients_free(clients);
}

/* Somebody with a whole /32 tries once from each of a million networks: who guessed most stays remembered. */
static void a_stranger_with_many_networks(void **state)
{
	struct clients *clients = clients_new(100, 42);
	const struct client_limits narrow = { .rates = { [CLIENT_LOGINS] = { 10, 10 * MINUTE_MS } } };
	const struct client_key guesser = key("192.0.2.1");

	(void)state;
	while (clients_do(clients, &narrow, CLIENT_LOGINS, guesser, 1000))
		;
	for (uint32_t i = 0; i < 1000000; i++) {
		const struct client_key one = { .length = 8,
			.bytes = { 0x20, 1, 0xd, 0xb8, (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };

		(void)!clients_do(clients, &narrow, CLIENT_LOGINS, one, 1000);
	}
	assert_false(clients_may(clients, &narrow, CLIENT_LOGINS, guesser, 1000));
	clients_free(clients);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_one_client),
		cmocka_unit_test(deeds_have_their_own_limits),
		cmocka_unit_test(connections_at_one_time),
		cmocka_unit_test(a_stranger_with_many_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
