/* The inside of the courier.
 *
 * courier.c     jobs: one delivery each, from `deliver` to `done`; which connection, which host
 * connection.c  a stream, a session and a timer; the pool of idle ones */
#ifndef OUTBOUND_COURIER_PRIVATE_H
#define OUTBOUND_COURIER_PRIVATE_H

#include "io/stream.h"
#include "outbound/courier.h"

struct connection;

struct job {
	struct outbound *outbound;
	struct job *next, *prev;          /* utlist */
	struct delivery *delivery;
	struct connection *connection;    /* NULL only between two of them. */
	size_t host_index;                /* In delivery->hosts: the one to dial next, or being used. */
	uint32_t failure_count, split_count;
	int64_t started_ms;
	bool fresh;                       /* No kept connection any more. */
	bool only_521;                    /* Every failure so far was a 521 greeting. */
	bool clear;                       /* TLS failed with this host and was not demanded: on without (U5). */
	struct verdict trouble;           /* The last failure, in the delivery's arena. */
};

struct outbound {
	struct outbound_world world;
	struct outbound_settings settings;
	struct client_settings smtp, lmtp;
	struct tls_client *tls;           /* NULL: none. */
	struct job *jobs;
	struct connection *connections;   /* All; the idle ones also in `idle`, newest first. */
	struct connection *idle;
	struct outbound_counts counts;
	struct delivery *done_first, *done_last; /* Linked by delivery->courier. */
	struct loop_timer *done_timer;
	char chunk[SPOOL_CHUNK_SIZE];     /* For the moment between spool and session. */
};

/* How a connection left its job. */
enum connection_end {
	CONNECTION_USED,   /* It did what it could; outcomes without code are for another one. */
	CONNECTION_STALE,
	CONNECTION_FAILED,
	CONNECTION_TLS_FAILED /* And was not demanded. */
};

/* -- connection.c ----------------------------------------------------------- */

/* Dial a host for this job. False: no memory, descriptor or address of ours. */
[[nodiscard]] bool outbound_dial(struct job *job, const struct host *host);

/* An idle connection to one of the delivery's hosts, that is as secure as it demands; NULL if there is none. */
struct connection *outbound_take_idle(struct outbound *outbound, const struct delivery *delivery);

/* Deliver over a connection that was taken. */
void outbound_serve(struct connection *connection, struct job *job);

void outbound_hang_up(struct connection *connection);

/* -- courier.c -------------------------------------------------------------- */

/* The job has lost its connection. `trouble` (FAILED, TLS_FAILED): why; borrowed. */
void outbound_job_left(struct job *job, enum connection_end end, const struct verdict *trouble);

#endif
