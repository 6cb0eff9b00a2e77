/* What one client does in all its connections, on all lanes, and what it may.
 *
 *   N1  A client is an IPv4 address, or the /64 of an IPv6 address: who has one of its addresses has all of them.
 *   N2  Memory is fixed: a stranger who owns a whole /32 of IPv6 pushes out who did least, never who did most.
 *   N3  What was refused for a limit is not counted against it.
 *
 * One for all lanes, made by the wiring; its two parts have locks of their own (base/rate_table.h, base/census.h). */
#ifndef INBOUND_CLIENTS_H
#define INBOUND_CLIENTS_H

#include "base/endpoint.h"
#include "base/rate_table.h"

/* What is counted, and remembered from one connection to the next. */
enum client_deed {
	CLIENT_CONNECTS,
	CLIENT_HANDSHAKES, /* Of TLS, begun. */
	CLIENT_MESSAGES,   /* MAIL */
	CLIENT_RECIPIENTS, /* RCPT */
	CLIENT_ERRORS,     /* Wrong commands, and what was refused for good. */
	CLIENT_UNKNOWN,    /* Recipients that do not exist. */
	CLIENT_LOGINS,     /* That failed. */
	CLIENT_DEED_COUNT
};

struct client_limits { /* A value; all 0: no limit. */
	uint32_t connection_count_max;        /* At one time; 0: any number. */
	struct rate rates[CLIENT_DEED_COUNT];
	int64_t greet_delay_ms;               /* Until the banner; who speaks earlier is refused. 0: none. */
	int64_t tarpit_ms;                    /* Until the reply to one mistake too many. 0: none. */
};

struct client_key { /* A value. */
	uint8_t length;
	uint8_t bytes[8];
};

/* Of IPv4 and IPv6 only; an IPv4-mapped address is its IPv4 address. */
struct client_key client_key_of(const struct endpoint *client);

struct clients;

/* For about so many connections at one time (> 0). NULL: no memory. */
[[nodiscard]] struct clients *clients_new(uint32_t connection_count, uint64_t seed);
void clients_free(struct clients *clients); /* NULL is fine. */

/* It does this once more. False: not yet again (N3). Any thread; `now_ms` monotonic. */
[[nodiscard]] bool clients_do(struct clients *clients, const struct client_limits *limits, enum client_deed deed,
    struct client_key client, int64_t now_ms);

/* Could it do so, and would it be let? Nothing is counted. */
[[nodiscard]] bool clients_may(struct clients *clients, const struct client_limits *limits, enum client_deed deed,
    struct client_key client, int64_t now_ms);

/* It has one connection more. False: as many as it may have already; else clients_leave is owed. Any thread. */
[[nodiscard]] bool clients_enter(struct clients *clients, const struct client_limits *limits, struct client_key client);
void clients_leave(struct clients *clients, struct client_key client); /* Any thread. */

#endif
