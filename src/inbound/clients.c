#include "inbound/clients.h"

#include <stdlib.h>

#include "base/census.h"
#include "base/must.h"

/* 64,000 buckets are 1 MiB. Seven deeds of 9,000 clients have room. */
enum { BUCKETS = 1 << 16, CONNECTIONS_MAX = 1 << 24 };

struct clients {
	struct rate_table *deeds;
	struct census *present;
};

static const uint8_t ip4_mapped[12] = { [10] = 0xff, [11] = 0xff };

struct client_key client_key_of(const struct endpoint *client)
{
	struct client_key key = { .length = 4 };

	must(client->family == ENDPOINT_IP4 || client->family == ENDPOINT_IP6);
	if (client->family == ENDPOINT_IP4) {
		memcpy(key.bytes, client->ip, 4);
	} else if (memcmp(client->ip, ip4_mapped, sizeof ip4_mapped) == 0) {
		memcpy(key.bytes, client->ip + sizeof ip4_mapped, 4);
	} else {
		key.length = 8; /* N1 */
		memcpy(key.bytes, client->ip, 8);
	}
	return key;
}

static struct text text_of_key(const struct client_key *client)
{
	return (struct text){ (const char *)client->bytes, client->length };
}

struct clients *clients_new(uint32_t connection_count, uint64_t seed)
{
	struct clients *clients = calloc(1, sizeof *clients);

	must(connection_count > 0);
	if (clients == NULL)
		return NULL;
	clients->deeds = rate_table_new(BUCKETS, seed);
	clients->present = census_new(connection_count < CONNECTIONS_MAX ? connection_count : CONNECTIONS_MAX, seed);
	if (clients->deeds != NULL && clients->present != NULL)
		return clients;
	clients_free(clients);
	return NULL;
}

void clients_free(struct clients *clients)
{
	if (clients == NULL)
		return;
	rate_table_free(clients->deeds);
	census_free(clients->present);
	free(clients);
}

bool clients_do(struct clients *clients, const struct client_limits *limits, enum client_deed deed,
    struct client_key client, int64_t now_ms)
{
	return rate_table_take(clients->deeds, deed, text_of_key(&client), &limits->rates[deed], 1, now_ms) == 0;
}

bool clients_may(struct clients *clients, const struct client_limits *limits, enum client_deed deed,
    struct client_key client, int64_t now_ms)
{
	return rate_table_look(clients->deeds, deed, text_of_key(&client), &limits->rates[deed], 1, now_ms) == 0;
}

bool clients_enter(struct clients *clients, const struct client_limits *limits, struct client_key client)
{
	const uint32_t count_max = limits->connection_count_max > 0 ? limits->connection_count_max : UINT32_MAX;

	return census_enter(clients->present, text_of_key(&client), count_max);
}

void clients_leave(struct clients *clients, struct client_key client)
{
	census_leave(clients->present, text_of_key(&client));
}
