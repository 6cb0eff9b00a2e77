/* A delivery: what the queue hands to a courier, and the answer that comes back.
 *
 * Couriers (outbound SMTP and LMTP, mailbox, a simulated one) write nothing: the queue
 * settles their outcomes.
 *
 *   C1  `done` is called once per delivery, later, never inside `deliver`.
 *   C2  After `done` every recipient has an outcome (code != 0). 2yz: delivered.
 *   C3  The queue keeps all borrowed parts alive until `done`. */
#ifndef ROUTE_DELIVERY_H
#define ROUTE_DELIVERY_H

#include "route/hosts.h"
#include "route/router.h"
#include "route/tls_notes.h"
#include "spool/spool.h"

struct delivery_outcome {
	struct verdict verdict;   /* Its text and host live in the delivery's arena. */
	bool pressure;            /* The host, not this recipient, is the trouble (refused, timed out, 421). */
	bool ours;                /* Nothing was heard of any host: the way to them, which is ours, is the trouble. */
	bool unsafe;              /* With pressure: it is not what this destination demands; it may be good enough for others. */
	bool relayed_without_dsn; /* Delivered to a host that does not know DSN (RFC 3461 §5.2.2), */
	bool relayed_without_deliverby; /* or DELIVERBY (RFC 2852 §4.1.4). */
};

struct delivery_limits {             /* Each 0: none. */
	uint64_t site;               /* Connections of deliveries with the same number count together: */
	uint32_t connections_max;    /* at most so many are open. */
	uint32_t messages_max;       /* Over each of them. */
};

struct delivery {
	const struct message *message;      /* Envelope and the recipients of this delivery only. */
	const struct address *sent_as;      /* The reverse-path on the wire; NULL: the envelope's. */
	const struct route_decision *route; /* ROUTE_MAILBOX (one recipient's, or the same user), ROUTE_HOSTS */
	const struct host_list *hosts;      /* ROUTE_HOSTS */
	struct delivery_limits limits;      /* ROUTE_HOSTS; what the configuration fixes. */
	struct arena *arena;                /* For outcome text; lives as long as the delivery. */
	struct delivery_outcome *outcomes;  /* recipient_count of them, zeroed. */
	int64_t now_ms;                     /* Unix time at which a transaction begins; set by the courier. */
	struct text tls;                    /* Set by the courier: TLS used, or empty. */
	struct text fallback;               /* Set by the courier: why it went to a fallback relay; empty: it did not. */
	struct text source;                 /* Set by the courier: the address of ours that was dialled from; empty: any. */
	struct tls_notes tls_notes;         /* Filled by the courier, if they are wanted. */
	void (*done)(struct delivery *delivery);
	void *context;                      /* The queue's. */
	void *courier;                      /* The courier's own, between `deliver` and `done`. */
};

struct courier {
	void (*deliver)(void *context, struct delivery *delivery);
	void *context;
};

#endif
