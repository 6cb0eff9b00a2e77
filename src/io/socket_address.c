#include "io/socket_address.h"

#include <string.h>

socklen_t socket_address_of(const struct endpoint *endpoint, union socket_address *out_address)
{
	memset(out_address, 0, sizeof *out_address);
	switch (endpoint->family) {
	case ENDPOINT_IP4:
		out_address->ip4.sin_family = AF_INET;
		out_address->ip4.sin_port = htons(endpoint->port);
		memcpy(&out_address->ip4.sin_addr, endpoint->ip, 4);
		return sizeof out_address->ip4;
	case ENDPOINT_IP6:
		out_address->ip6.sin6_family = AF_INET6;
		out_address->ip6.sin6_port = htons(endpoint->port);
		memcpy(&out_address->ip6.sin6_addr, endpoint->ip, 16);
		return sizeof out_address->ip6;
	case ENDPOINT_UNIX:
		out_address->local.sun_family = AF_UNIX;
		memcpy(out_address->local.sun_path, endpoint->path, strlen(endpoint->path) + 1);
		return sizeof out_address->local;
	case ENDPOINT_NONE:
		break;
	}
	return 0;
}

struct endpoint socket_address_endpoint(const union socket_address *address)
{
	struct endpoint endpoint = { .family = ENDPOINT_UNIX };

	if (address->any.sa_family == AF_INET) {
		endpoint.family = ENDPOINT_IP4;
		endpoint.port = ntohs(address->ip4.sin_port);
		memcpy(endpoint.ip, &address->ip4.sin_addr, 4);
	} else if (address->any.sa_family == AF_INET6) {
		endpoint.family = ENDPOINT_IP6;
		endpoint.port = ntohs(address->ip6.sin6_port);
		memcpy(endpoint.ip, &address->ip6.sin6_addr, 16);
	}
	return endpoint;
}
