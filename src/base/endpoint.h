/* Where a socket is or goes: an IPv4 or IPv6 address with a port, or a path.
 *
 * Values. Pure: nothing here resolves a name or opens a socket. */
#ifndef BASE_ENDPOINT_H
#define BASE_ENDPOINT_H

#include <stdint.h>

#include "base/text.h"

enum endpoint_family { ENDPOINT_NONE, ENDPOINT_IP4, ENDPOINT_IP6, ENDPOINT_UNIX };

enum { ENDPOINT_PATH_MAX = 107, ENDPOINT_TEXT_MAX = 128 };

struct endpoint {
	enum endpoint_family family;
	uint16_t port;                    /* 0 for UNIX, or when not known. */
	uint8_t ip[16];                   /* Network order; the first 4 for IPv4. */
	char path[ENDPOINT_PATH_MAX + 1]; /* NUL-terminated; for UNIX only. */
};

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]" or "IPv6:2001:db8::1", no port. */
[[nodiscard]] bool endpoint_parse_ip(struct text text, struct endpoint *out_endpoint);

/* "192.0.2.1:25", "[::1]:25", "unix:/path"; a missing port becomes default_port. */
[[nodiscard]] bool endpoint_parse(struct text text, uint16_t default_port, struct endpoint *out_endpoint);

/* The address alone ("192.0.2.1", "2001:db8::1", "unix:/path"), and with the
 * port ("[2001:db8::1]:25"). NUL-terminated in `room`; returns its text. */
struct text endpoint_print_ip(const struct endpoint *endpoint, char room[ENDPOINT_TEXT_MAX]);
struct text endpoint_print(const struct endpoint *endpoint, char room[ENDPOINT_TEXT_MAX]);

/* Family, address, port and path. An IPv4-mapped address is not its IPv4 address here. */
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

/* An IPv4-mapped IPv6 address as the IPv4 address that it means; others as they are. */
struct endpoint endpoint_unmapped(const struct endpoint *endpoint);

/* 127.0.0.0/8, ::1, and UNIX sockets. */
bool endpoint_is_loopback(const struct endpoint *endpoint);

/* A network: "192.0.2.0/24", "2001:db8::/32", or one address. IPv4-mapped IPv6
 * addresses are treated as IPv4. */
struct network {
	struct endpoint base;
	uint8_t prefix_bits;
};

/* False on a prefix longer than the address. Bits behind the prefix do not count. */
[[nodiscard]] bool network_parse(struct text text, struct network *out_network);

/* False for UNIX endpoints, and across families. */
bool network_holds(const struct network *network, const struct endpoint *endpoint);
bool network_any_holds(const struct network *networks, size_t count, const struct endpoint *endpoint);

#endif
