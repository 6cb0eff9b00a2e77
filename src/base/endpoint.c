#include "base/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/must.h"

enum { MAPPED_PREFIX_BITS = 96 };
static const uint8_t mapped_prefix[MAPPED_PREFIX_BITS / 8] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool copy_string(struct text text, char *room, size_t size)
{
	if (text.length >= size || (text.length > 0 && memchr(text.bytes, '\0', text.length)))
		return false;
	if (text.length > 0)
		memcpy(room, text.bytes, text.length);
	room[text.length] = '\0';
	return true;
}

bool endpoint_parse_ip(struct text text, struct endpoint *out_endpoint)
{
	struct endpoint endpoint = { 0 };
	char string[INET6_ADDRSTRLEN];

	if (text.length >= 2 && text.bytes[0] == '[' && text.bytes[text.length - 1] == ']')
		text = text_part(text, 1, text.length - 2);
	const bool tagged = text_starts_nocase(text, TEXT("IPv6:"));

	if (tagged)
		text = text_from(text, 5);
	if (!copy_string(text, string, sizeof string))
		return false;
	if (!tagged && inet_pton(AF_INET, string, endpoint.ip) == 1) {
		endpoint.family = ENDPOINT_IP4;
	} else if (inet_pton(AF_INET6, string, endpoint.ip) == 1) {
		endpoint.family = ENDPOINT_IP6;
	} else {
		return false;
	}
	*out_endpoint = endpoint;
	return true;
}

static bool parse_port(struct text text, uint16_t *out_port)
{
	uint64_t port;

	if (!text_to_u64(text, &port) || port == 0 || port > UINT16_MAX)
		return false;
	*out_port = (uint16_t)port;
	return true;
}

bool endpoint_parse(struct text text, uint16_t default_port, struct endpoint *out_endpoint)
{
	struct endpoint endpoint = { 0 };

	if (text_starts(text, TEXT("unix:"))) {
		endpoint.family = ENDPOINT_UNIX;
		if (text.length == 5 || !copy_string(text_from(text, 5), endpoint.path, sizeof endpoint.path))
			return false;
		*out_endpoint = endpoint;
		return true;
	}
	if (endpoint_parse_ip(text, &endpoint)) {
		endpoint.port = default_port;
		*out_endpoint = endpoint;
		return true;
	}

	const size_t colon = text_find_byte_last(text, ':');
	uint16_t port;

	if (colon == text.length || !parse_port(text_from(text, colon + 1), &port))
		return false;
	const struct text host = text_part(text, 0, colon);

	/* An IPv6 address with a port needs its brackets. */
	if (!endpoint_parse_ip(host, &endpoint) || (endpoint.family == ENDPOINT_IP6 && host.bytes[0] != '['))
		return false;
	endpoint.port = port;
	*out_endpoint = endpoint;
	return true;
}

struct text endpoint_print_ip(const struct endpoint *endpoint, char room[ENDPOINT_TEXT_MAX])
{
	room[0] = '\0';
	if (endpoint->family == ENDPOINT_IP4)
		inet_ntop(AF_INET, endpoint->ip, room, ENDPOINT_TEXT_MAX);
	else if (endpoint->family == ENDPOINT_IP6)
		inet_ntop(AF_INET6, endpoint->ip, room, ENDPOINT_TEXT_MAX);
	else if (endpoint->family == ENDPOINT_UNIX)
		snprintf(room, ENDPOINT_TEXT_MAX, "unix:%s", endpoint->path);
	return text_of(room);
}

struct text endpoint_print(const struct endpoint *endpoint, char room[ENDPOINT_TEXT_MAX])
{
	char ip[ENDPOINT_TEXT_MAX];

	endpoint_print_ip(endpoint, ip);
	if (endpoint->family == ENDPOINT_IP4)
		snprintf(room, ENDPOINT_TEXT_MAX, "%.64s:%u", ip, endpoint->port);
	else if (endpoint->family == ENDPOINT_IP6)
		snprintf(room, ENDPOINT_TEXT_MAX, "[%.64s]:%u", ip, endpoint->port);
	else
		snprintf(room, ENDPOINT_TEXT_MAX, "%s", ip);
	return text_of(room);
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0 &&
	    strcmp(a->path, b->path) == 0;
}

struct endpoint endpoint_unmapped(const struct endpoint *endpoint)
{
	struct endpoint plain = *endpoint;

	if (endpoint->family == ENDPOINT_IP6 &&
	    memcmp(endpoint->ip, mapped_prefix, sizeof mapped_prefix) == 0) {
		plain.family = ENDPOINT_IP4;
		memset(plain.ip, 0, sizeof plain.ip);
		memcpy(plain.ip, endpoint->ip + sizeof mapped_prefix, 4);
	}
	return plain;
}

bool endpoint_is_loopback(const struct endpoint *endpoint)
{
	static const uint8_t loopback6[16] = { [15] = 1 };
	const struct endpoint plain = endpoint_unmapped(endpoint);

	switch (plain.family) {
	case ENDPOINT_IP4:
		return plain.ip[0] == 127;
	case ENDPOINT_IP6:
		return memcmp(plain.ip, loopback6, sizeof loopback6) == 0;
	case ENDPOINT_UNIX:
		return true;
	case ENDPOINT_NONE:
		break;
	}
	return false;
}

bool network_parse(struct text text, struct network *out_network)
{
	const size_t slash = text_find_byte(text, '/');
	struct network network;
	uint64_t bits;

	if (!endpoint_parse_ip(text_part(text, 0, slash), &network.base))
		return false;
	const uint64_t most = network.base.family == ENDPOINT_IP4 ? 32 : 128;

	if (slash == text.length)
		bits = most;
	else if (!text_to_u64(text_from(text, slash + 1), &bits) || bits > most)
		return false;
	/* "::ffff:192.0.2.0/120" is 192.0.2.0/24: clients are compared unmapped. */
	const struct endpoint plain = endpoint_unmapped(&network.base);

	if (plain.family != network.base.family && bits >= MAPPED_PREFIX_BITS) {
		network.base = plain;
		bits -= MAPPED_PREFIX_BITS;
	}
	network.prefix_bits = (uint8_t)bits;
	*out_network = network;
	return true;
}

bool network_holds(const struct network *network, const struct endpoint *endpoint)
{
	const struct endpoint plain = endpoint_unmapped(endpoint);
	const size_t whole = network->prefix_bits / 8;
	const unsigned rest = network->prefix_bits % 8;

	if (plain.family != network->base.family || whole > sizeof plain.ip)
		return false;
	if (memcmp(plain.ip, network->base.ip, whole) != 0)
		return false;
	if (rest == 0)
		return true;
	const uint8_t mask = (uint8_t)(0xff << (8 - rest));

	must(whole < sizeof plain.ip);
	return ((plain.ip[whole] ^ network->base.ip[whole]) & mask) == 0;
}

bool network_any_holds(const struct network *networks, size_t count, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < count; i++)
		if (network_holds(&networks[i], endpoint))
			return true;
	return false;
}
