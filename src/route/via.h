/* One item of a route's `via`: where to go without asking for MX.
 *
 * Pure. Also checks configuration: what via_parse takes, hosts_find understands. */
#ifndef ROUTE_VIA_H
#define ROUTE_VIA_H

#include <stdint.h>

#include "base/endpoint.h"

enum { VIA_LENGTH_MAX = 300 };

struct via {                      /* A value; `name` borrows from the item. */
	bool is_endpoint;
	struct endpoint endpoint; /* An address, or a UNIX socket: no look-up. */
	struct text name;         /* Else a host, to be looked up, */
	uint16_t port;            /* and its port. */
};

/* "192.0.2.1", "192.0.2.1:2525", "[::1]:2525", "unix:/path", "host", "host:2525". */
[[nodiscard]] bool via_parse(struct text item, uint16_t default_port, struct via *out_via);

#endif
