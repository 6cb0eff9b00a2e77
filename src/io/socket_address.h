/* Between an endpoint and what the kernel calls an address. */
#ifndef IO_SOCKET_ADDRESS_H
#define IO_SOCKET_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/endpoint.h"

union socket_address { /* A value. */
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
	struct sockaddr_un local;
};

/* Returns its length; 0 for ENDPOINT_NONE. */
socklen_t socket_address_of(const struct endpoint *endpoint, union socket_address *out_address);

/* A local one comes without its path. */
struct endpoint socket_address_endpoint(const union socket_address *address);

#endif
