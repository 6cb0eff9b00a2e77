/* The courier for ROUTE_HOSTS: finds a host that answers, speaks SMTP or LMTP with it, reports
 * what became of each recipient. One for each lane.
 *
 *   U1  Writes nothing but marks of doubt: every recipient whose body is about to be ended on the wire is
 *       marked (spool/in_doubt.h) before its last bytes are handed to the kernel. The mark stays until the queue
 *       has made the outcome durable: the queue clears it, whatever the outcome is.
 *   U2  Trouble with a connection (refused, silent, lost, 421, a greeting or EHLO that is not 2yz) moves what is
 *       not answered yet to the next host, within hosts_max and search_ms_max. A recipient's own 4yz or
 *       5yz is an answer and moves nowhere (RFC 5321 §5.1 lets us try on; servers that grey-list count it
 *       against us).
 *   U3  After the last host: 451 4.4.1, or the last host's own words if it spoke; never permanent,
 *       except when every host said 521 (RFC 7504 §3).
 *   U4  An idle connection is used again for the same destination, and for another one that it is good enough for (reuse.c); if
 *       it turns out to be stale the delivery goes on over a fresh one at once.
 *   U5  Where TLS is offered and not demanded, a handshake that fails is followed, once for each host, by a connection in clear
 *       text. Where it is demanded nothing is: that is trouble with a connection (U2).
 *   U6  Where the route has a login it is the first thing that a host hears. One that refuses it is the last host that is tried: what
 *       is wrong is wrong with all of them, and servers count such attempts against us.
 *   U7  `done` is called from the loop, never inside `deliver` or another `done`.
 *   U8  Fallback relays (host.fallback) are tried when none of the hosts before them could be reached, with a count and a time of their
 *       own. A host that answers 5yz has been reached; so has one whose TLS is not what is demanded, and one that will not have us for
 *       reasons of security (x.7.z): then no relay is a way round it, and the mail waits. No login is for them. While all hosts rest
 *       (host_memory.h) the relays have their turn at once.
 *   U9  Where the next hop names a pool, mail leaves from an address of that pool, or by its proxy, or not at all; but for hosts on
 *       this machine.
 *   U10 While a pool's proxy is in trouble its mail waits, and no host is blamed for it (outbound/proxied.c).
 *
 * A crash between the final dot and the settled outcome repeats exactly the marked recipients. A
 * connection that breaks there leaves 451 4.4.2: they are tried again and may arrive twice. */
#ifndef OUTBOUND_COURIER_H
#define OUTBOUND_COURIER_H

#include "events/counters.h"
#include "events/sink.h"
#include "outbound/logins.h"
#include "spool/in_doubt.h"
#include "tls/tls.h"

struct outbound;

struct outbound_world {               /* Borrows all; must outlive the courier. */
	struct loop *loop;
	struct spool *spool;
	struct in_doubt *in_doubt;    /* NULL: no marks. */
	unsigned lane;
	struct counters *counters;    /* Of this lane; NULL: nobody counts. */
	struct event_sink sink;       /* Without a function: nobody listens. */
};

struct outbound_pool {                /* Borrows. */
	struct text name, hostname;
	const struct endpoint *addresses;
	size_t address_count;         /* >= 1, without a proxy. */
	struct endpoint proxy;        /* SOCKS5; without family: none. */
	struct text user;             /* Log in there as; empty: do not. The password is found by it and */
	struct text login_place;      /* this (outbound/logins.h). */
};

struct outbound_settings {            /* Borrows; what it points to must outlive the courier. */
	struct text hostname;
	struct client_timeouts timeouts;
	int64_t dial_ms;              /* For one host to take the connection. */
	int64_t race_ms;              /* After this a host's next address is dialled beside the first (RFC 8305 §5). */
	int64_t search_ms_max;        /* No further host is tried after this. */
	int64_t idle_ms;              /* An unused connection is kept this long. */
	uint32_t hosts_max;           /* Addresses that may fail in one delivery. */
	uint32_t messages_max;        /* Transactions a connection. */
	uint32_t idle_max;            /* Unused connections kept. */
	const struct endpoint *sources; /* Addresses to dial from; one of the host's family is drawn. */
	size_t source_count;          /* 0: the system chooses. */
	const struct outbound_pool *pools; /* For next hops that name one. */
	size_t pool_count;
};

/* Everything but hostname, sources and pools. */
extern const struct outbound_settings outbound_settings_default;

/* Copies both structs. NULL: no memory. */
[[nodiscard]] struct outbound *outbound_new(
    const struct outbound_world *world, const struct outbound_settings *settings);

/* From now on these settings, also for the connections that are open. */
void outbound_reload(struct outbound *outbound, const struct outbound_settings *settings);

/* Closes all connections. Deliveries in hand are dropped: their `done` is not called. */
void outbound_free(struct outbound *outbound);

/* From now on handshakes are made by this client (shares it). Without one there is no TLS, and what demands it waits. */
void outbound_set_tls(struct outbound *outbound, struct tls_client *client);

/* From now on hosts that want a login get one of these (shares them; NULL: none). */
void outbound_set_logins(struct outbound *outbound, struct logins *logins);

/* What the queue calls. Borrows outbound. */
struct courier outbound_courier(struct outbound *outbound);

/* What is remembered of a host that is met by way of this pool (empty: none). False: nothing. *out_now_ms: its clock. Borrows; until the
 * loop's next turn. */
struct host_known;
[[nodiscard]] bool outbound_known(const struct outbound *outbound, const struct endpoint *host, struct text pool,
    const struct host_known **out_known, int64_t *out_now_ms);

struct outbound_counts {
	uint64_t dialled, reused;     /* Since the start: connections begun; deliveries over a kept one. */
	uint32_t open, idle;          /* Now; idle ones are among the open. */
};
struct outbound_counts outbound_counts(const struct outbound *outbound);

#endif
