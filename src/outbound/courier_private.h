/* The inside of the courier.
 *
 * courier.c     jobs: one delivery each, from `deliver` to `done`; which connection, which host
 * connection.c  a stream, a session and a timer; the pool of idle ones
 * reuse.c       which of them may serve a delivery
 * known.c       what is learned of hosts, and made of it
 * source.c      from which address of ours a host is dialled
 * proxied.c     what is said to a proxy in between
 * race.c        which address of a host, and when another one with it
 * tls_note.c    what a session tells of TLS, for reports */
#ifndef OUTBOUND_COURIER_PRIVATE_H
#define OUTBOUND_COURIER_PRIVATE_H

#include "base/cleanup.h"
#include "io/stream.h"
#include "outbound/courier.h"
#include "outbound/host_memory.h"

/* Domains that one connection is used for: each is told once what its TLS is worth. */
enum { CONNECTION_DOMAINS_MAX = 16 };

enum { NO_HOST = HOSTS_ADDRESS_MAX + HOSTS_FALLBACK_ADDRESS_MAX };

struct job {
	struct outbound *outbound;
	struct job *next, *prev;          /* utlist */
	struct delivery *delivery;
	struct connection *connection;    /* NULL only between two of them. */
	size_t host_index;                /* In delivery->hosts: the one being used, or used last; NO_HOST: none was dialled. */
	struct connection *rival;         /* Dialled beside `connection`, while neither is open; NULL: none. */
	size_t rival_index;
	uint64_t tried;                   /* A bit for each of delivery->hosts that failed. */
	struct loop_timer *race_timer;    /* When a rival is dialled. */
	uint32_t failure_count, split_count;
	int64_t started_ms;
	bool fresh;                       /* No kept connection any more. */
	bool only_final;                  /* Every failure so far was for good: see is_final(). */
	bool clear;                       /* TLS failed with this host and was not demanded: on without (U5). */
	bool blamed;                      /* A failure was not our proxy's. */
	bool unsafe;                      /* A host is not as safe as it must be. */
	bool refused;                     /* A host of the destination wants no mail of ours, or is not as safe as it must be. */
	bool at_relays;                   /* Past the destination's hosts (U8). */
	struct verdict trouble;           /* The last failure, in the delivery's arena. */
};

/* A proxy that could not be used when it was tried last. Beyond as many nothing is remembered. */
enum { FAILING_PROXIES_MAX = 16 };
struct failing_proxy {
	uint64_t key;                     /* Of the pool, and its proxy. */
	const char *reason;               /* Static. */
	unsigned trials;                  /* Connections under way that may find it well again. */
};

struct outbound {
	struct outbound_world world;
	struct outbound_settings settings;
	struct client_settings smtp, lmtp;
	struct tls_client *tls;           /* NULL: none. */
	struct logins *logins;            /* NULL: none. */
	struct host_memory *memory;
	struct failing_proxy failing[FAILING_PROXIES_MAX]; /* Those without a reason are free places. */
	struct job *jobs;
	struct connection *connections;   /* All; the idle ones also in `idle`, newest first. */
	struct connection *idle;
	struct outbound_counts counts;
	struct delivery *done_first, *done_last; /* Linked by delivery->courier. */
	struct loop_timer *done_timer;
	char chunk[SPOOL_CHUNK_SIZE];     /* For the moment between spool and session. */
};

struct connection {
	struct outbound *outbound;
	struct connection *next, *prev;           /* utlist: all */
	struct connection *idle_next, *idle_prev; /* utlist: idle */
	struct stream *stream;
	struct stream_filter *filter;             /* The stream's; NULL in clear text. */
	struct client_session *session;
	struct loop_timer *timer;
	struct job *job;                          /* Whom it serves. */
	struct text destination, peer;            /* In `names`. */
	struct text host;                         /* In `names`: whom a certificate must name. */
	struct text domain;                       /* In `names`: of the recipients it was opened for. */
	struct text hostname;                     /* In `names`: whom we are in its pool; empty: whom we are anyway. */
	struct endpoint endpoint;
	struct endpoint source;                   /* Without family: the system's choice. */
	struct endpoint proxy;                    /* By which it was opened; without family: none. */
	struct proxied *proxied;                  /* Until it is; NULL: no proxy has anything to say (any more). */
	struct logins *logins;                    /* NULL: no login is demanded; else that in */
	const struct client_login *login;         /* is of these. */
	struct tls_demand demand;                 /* Of the route, */
	struct tls_demand used;                   /* and what of it holds for this host. */
	struct host_tlsa tlsa;                    /* By which its certificate is believed, in `records`, */
	struct arena *records;                    /* which is NULL where there are none. */
	size_t host_index;                        /* Of the job that dialled it. */
	bool fallback;                            /* A relay in place of the destination's hosts. */
	bool by_domain;                           /* It is one of the hosts that the MX records of the domain name. */
	struct delivery_limits limits;            /* Of the site that it counts for. */
	bool lmtp, idle;
	bool known;                               /* What it offers was noted. */
	bool noted;                               /* What became of TLS was told: */
	uint64_t domains[CONNECTION_DOMAINS_MAX]; /* hashes of those who were told. */
	size_t domain_count;
	bool yields;                              /* The timer stands for its next turn. */
	char names[];
};

/* How a connection left its job. */
enum connection_end {
	CONNECTION_USED,   /* It did what it could; outcomes without code are for another one. */
	CONNECTION_STALE,
	CONNECTION_FAILED,
	CONNECTION_TLS_FAILED, /* And was not demanded; */
	CONNECTION_UNSAFE,     /* or it was. */
	CONNECTION_LOGIN_REFUSED,
	CONNECTION_PROXY_FAILED, /* Our proxy is no way to any host, */
	CONNECTION_WAY_FAILED    /* or none to this one. */
};

/* -- connection.c ----------------------------------------------------------- */

/* Dial a host for this job, as its connection, or as a rival of that. False: no memory, descriptor or address of ours. */
[[nodiscard]] bool outbound_dial(struct job *job, size_t host_index);

/* An idle connection that may serve the job; NULL if there is none. */
struct connection *outbound_take_idle(const struct job *job);

/* Deliver over a connection that was taken. */
void outbound_serve(struct connection *connection, struct job *job);

void outbound_hang_up(struct connection *connection);

/* -- reuse.c ---------------------------------------------------------------- */

/* The idle connection to be taken for this job; NULL: none. */
struct connection *reuse_find(const struct job *job);

/* The domain of the delivery is served by it from now on. True: for the first time. */
[[nodiscard]] bool reuse_note_domain(struct connection *connection, const struct delivery *delivery);

/* What the route and the domain's policy demand of the host, as far as it can be had. */
struct tls_demand reuse_demand(const struct job *job, const struct host *host);

/* Whom a certificate must name: an address stands there without port and brackets. */
struct text host_certified_name(const struct host *host, struct text ip);

/* -- known.c ---------------------------------------------------------------- */

/* A connection that was dialled for its job is ready, or is offered no TLS. */
void known_note_heard(const struct connection *connection);
void known_note_no_tls(const struct connection *connection);

/* A host of the job is dialled; could not be reached, or was and had its say. */
void known_note_dialled(const struct job *job, size_t index);
void known_note_failed(const struct job *job, size_t index, enum connection_end end, const struct verdict *trouble);

/* Has the host been reached, and wants no mail of ours? */
bool known_is_refusal(const struct verdict *trouble);

/* Should one host be tried before another that stands before it? */
bool known_is_better(const struct job *job, size_t index, size_t than);

/* None of the hosts that are not relays is worth a try now; *out_trouble is why, and borrowed from the memory. */
[[nodiscard]] bool known_all_rest(const struct job *job, struct verdict *out_trouble);

/* -- race.c ----------------------------------------------------------------- */

/* The host to dial now. False: all have been tried. */
[[nodiscard]] bool race_next(const struct job *job, size_t *out_index);
/* Is it its turn: of the hosts or of the relays, and not tried? */
bool race_may_take(const struct job *job, size_t index);
void race_note_tried(struct job *job, size_t index);

/* A host was dialled: its next address has its turn in delay_ms. */
void race_begin(struct job *job, int64_t delay_ms);
void race_due(void *context); /* Of the race timer; a job. */

/* A connection is open: whoever else is being dialled is hung up. */
void race_won(struct job *job, const struct connection *winner);

/* A connection of the job is gone, or belongs to nobody from now on. True: the other one is still being dialled. */
[[nodiscard]] bool race_left(struct job *job, const struct connection *loser);

/* -- source.c --------------------------------------------------------------- */

/* The pool that the next hop names; NULL: it names none, or one that is not there (any more). */
const struct outbound_pool *source_pool(const struct outbound *outbound, const struct next_hop *hop);

/* The address to dial a host from; NULL: the system's choice. False: none of the pool will do. */
[[nodiscard]] bool source_choose(const struct outbound *outbound, const struct next_hop *hop, const struct host *host,
    const struct endpoint **out_source);

/* Hosts that cannot be dialled from the pool are not tried. */
void source_leave_out(struct job *job);

/* The proxy of the pool by which a host is called; NULL: none, or it is on this machine. */
const struct endpoint *source_proxy(const struct outbound_pool *pool, const struct host *host);

/* -- proxied.c -------------------------------------------------------------- */

struct proxied;

enum proxied_state { PROXIED_WAITS, PROXIED_OPEN, PROXIED_FAILED };

/* A dialogue with the pool's proxy, about a connection to `to`. NULL: no memory. */
struct proxied *proxied_new(struct outbound *outbound, const struct outbound_pool *pool, const struct endpoint *to);
void proxied_free(struct proxied *proxied); /* NULL is fine. */

/* Must it wait, because the host's proxy fails and somebody is trying it already? Why, in the job's arena. */
[[nodiscard]] bool proxied_must_wait(const struct job *job, const struct host *host, struct verdict *out_trouble);

/* The stream to the proxy is open; has brought bytes, of which the host's are left; has ended; has brought nothing in time. */
enum proxied_state proxied_opened(struct proxied *proxied, struct stream *stream);
enum proxied_state proxied_heard(struct proxied *proxied, struct stream *stream, struct text *bytes);
void proxied_ended(struct proxied *proxied, enum error reason);
void proxied_timed_out(struct proxied *proxied);

/* After a failure: whose it is, and in words. */
enum connection_end proxied_end(const struct proxied *proxied);
struct verdict proxied_trouble(const struct proxied *proxied, struct text host, struct arena *arena);

/* -- tls_note.c ------------------------------------------------------------- */

struct session_facts {              /* Borrows; of a session that wanted TLS. */
	struct text host;
	const struct endpoint *endpoint, *local;
	const struct stream_filter *filter; /* NULL: there was no handshake. */
	const struct host_tlsa *tlsa;
	bool not_offered;           /* Or refused. */
	struct text failure;        /* Why the handshake failed; empty: it did not. */
};
void outbound_note_tls(struct delivery *delivery, const struct session_facts *facts);

/* Is a certificate to be judged even where nothing hangs on it? */
bool outbound_judges(const struct delivery *delivery);

/* -- courier.c -------------------------------------------------------------- */

/* The job has lost the connection to a host, or a kept one. `trouble` (FAILED, TLS_FAILED, LOGIN_REFUSED): why; borrowed. */
void outbound_job_left(struct job *job, enum connection_end end, const struct verdict *trouble);

/* One of two that were being dialled has failed, and the other one goes on. */
void outbound_job_lost_rival(struct job *job, size_t host_index, enum connection_end end, const struct verdict *trouble);

#endif
