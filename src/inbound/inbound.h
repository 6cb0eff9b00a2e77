/* The shell around the sessions of one lane: connects streams to them, asks the router, collects
 * messages into the spool, and tells what happened.
 *
 *   I1  The final 250 is said inside the `done` of the change that made the message durable, and
 *       nowhere else. Its RECEIVED record is in that same change.
 *   I2  A message whose chunks went ahead is committed only when all of them are durable.
 *   I3  A message that will not come is discarded from the spool, if anything of it is there.
 *   I4  No more than INBOUND_CHUNKS_PENDING_MAX chunks of a message wait to be durable, plus what one
 *       read brings; then its stream is paused.
 *   I5  A connection that waits for a command holds its session, a timer and no buffer.
 *   I6  A handshake of TLS has the session's patience, all of it together; what fails there ends the
 *       connection with one event.
 *
 *   I7  What connections hold has a ceiling that no load lifts (memory.c): above it new ones hear 421 and mail
 *       hears 452, until some of it is free again.
 *
 * All of it belongs to the lane's thread. The wiring polls the port; what it calls back runs in there. */
#ifndef INBOUND_INBOUND_H
#define INBOUND_INBOUND_H

#include "auth/signing_keys.h"
#include "dns/dns.h"
#include "dsn/failure_report.h"
#include "events/counters.h"
#include "events/sink.h"
#include "events/troubles.h"
#include "inbound/clients.h"
#include "inbound/policy.h"
#include "inbound/session.h"
#include "inbound/submitter.h"
#include "inbound/vetting.h"
#include "io/stream.h"
#include "route/router.h"
#include "sasl/asker.h"
#include "spool/spool.h"
#include "tls/tls.h"

enum {
	INBOUND_CHUNKS_PENDING_MAX = 4,
	INBOUND_INPUT_MAX = 256 << 10,   /* Bytes held of a client that talks while an answer is due. */
	INBOUND_PROXY_MS = 10000,        /* For the header of a front end. */
	INBOUND_LINGER_MS = 5000         /* To send the last words. */
};

struct inbound_settings {                 /* Borrows during the call; it is copied. */
	struct text hostname;
	struct text domain;               /* Of our users who say none; empty: the hostname. */
	uint64_t message_size_max;        /* 0: no limit. */
	uint32_t recipient_count_max;     /* 0: 1000 */
	int64_t hold_ms_max;              /* How long our users may have a message held; 0: not at all. */
	int8_t priority_max;              /* The highest that our users may ask for; >= 0. */
	uint32_t error_count_max;         /* 0: 20 */
	uint64_t memory_max;              /* Bytes that connections of all lanes may hold; 0: 1 GiB */
	uint32_t connection_count_max;    /* Of this lane; 0: 20000 */
	struct client_limits client;      /* Of each client that may not relay. */
	struct pace_limits pace;          /* A time of 0: 5 minutes of silence, 1 of a line or a proof, 30 of dialogue. */
	int64_t lifetime_ms;              /* Until an undelivered message is given up; 0: 5 days */
	struct submitter_rules submitters; /* Who has logged in. */
	const struct network *relay_from; /* Clients that are trusted. */
	size_t relay_from_count;
	const struct network *proxy_from; /* Front ends that may speak the PROXY protocol. */
	size_t proxy_from_count;
	const struct network *xclient_from; /* The same for XCLIENT. */
	size_t xclient_from_count;
	struct policy policy;             /* patience_ms 0: 20 s */
	struct vetting_settings vetting;  /* All 0: nothing is asked of strangers. */
};

/* Who hears of a message that failed DMARC, of which its author's domain asks to be told; the failure is valid during the call. */
struct failure_listener {
	void (*failed)(void *context, const struct auth_failure *failure); /* NULL: nobody. */
	void *context;
};

struct inbound_wiring {                   /* Borrows all; it must outlive the inbound. */
	struct loop *loop;
	struct spool_port *port;
	struct queue_id_source *ids;      /* Of this lane. */
	struct event_sink sink;
	struct counters *counters;        /* Of this lane; NULL: nobody counts. */
	struct rate_table *rates;         /* Of all lanes; NULL: nothing has a rate. */
	struct sasl_asker *asker;         /* Of this lane; NULL: nobody logs in. */
	_Atomic int64_t *held_bytes;      /* By the connections of all lanes; NULL: nobody counts them. */
	struct troubles *troubles;        /* Of all lanes; NULL: nobody is told. */
	struct clients *clients;          /* Of all lanes; NULL: no client has a limit of its own. */
	struct greylist *greylist;        /* Of all lanes; NULL: nobody is put off. */
	struct failure_listener failures;
};

struct inbound;

/* Shares the router. NULL: no memory. */
[[nodiscard]] struct inbound *inbound_new(const struct inbound_wiring *wiring,
    const struct inbound_settings *settings, struct router *router);

/* Ends every connection without a word. Call after spool_port_close, or when drained: no change of
 * ours may be under way. NULL is fine. */
void inbound_free(struct inbound *inbound);

/* Takes an accepted stream (without handler) and greets it in `role`. SESSION_LOCAL: a UNIX stream;
 * its peer's uid becomes the user, and it is trusted. Without inbound_set_tls there is no TLS, whatever `tls` says. */
void inbound_accept(struct inbound *inbound, struct stream *stream, enum session_role role, enum session_tls tls);

/* The same on a listener that front ends call: the stream tells first, by a header of the PROXY protocol, whose bytes
 * it carries. From somebody else, or without a header, it is closed. */
void inbound_accept_proxied(struct inbound *inbound, struct stream *stream, enum session_role role, enum session_tls tls);

/* From now on what our own people and programs send is signed with these keys (shares them; NULL: with none). */
void inbound_set_signing(struct inbound *inbound, struct signing_keys *keys);

/* From now on new handshakes are made with these certificates (shares them); those that were made stand. */
void inbound_set_tls(struct inbound *inbound, struct tls_server *server);

/* From now on questions about clients, and about whom mail is from, go there (borrows it; one that was set before must
 * be retired, not freed, while connections are open). NULL: nothing is asked. */
void inbound_set_dns(struct inbound *inbound, struct dns *dns);

/* From now on new connections get these settings, and every recipient is asked of this router.
 * ERR_NO_MEMORY: all stays as it was. */
[[nodiscard]] enum error inbound_reload(
    struct inbound *inbound, const struct inbound_settings *settings, struct router *router);

/* 421 between commands and to new connections; text that is coming and commits come to their end. `drained` is
 * called once, later, when the last connection and the last change are done. */
void inbound_drain(struct inbound *inbound, void (*drained)(void *context), void *context);

/* Connections that are open now. */
size_t inbound_connection_count(const struct inbound *inbound);

#endif
