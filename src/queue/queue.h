/* The queue of a lane: takes what is due, asks where it goes, hands it to a courier, settles.
 *
 * Memory holds only what is in hand: the domains that have mail due now, the destinations in use,
 * the deliveries under way. Everything else stays in the spool, so a million waiting messages cost nothing.
 *
 *   Q1  Each owned shard has a watermark: every recipient that is due before it was seen, which means its
 *       domain is in the table of active domains, or was until nothing more of it was due, or it is among those
 *       left behind because the table was full (scan.c). News of the spool about earlier mail move the watermark back.
 *   Q2  A recipient is in hand once. It stays in hand until the change that settles it is durable, and
 *       as long as that change fails: a delivered recipient is not delivered again while we live.
 *   Q3  One delivery is settled by one change, with the reports that it causes. Events reach
 *       the sink after that change is durable.
 *   Q4  At most in_flight_max deliveries are in hand, at most `concurrency` of one destination.
 *       Active domains take turns, fair between senders and with the urgent before the rest (turns.h); one that
 *       waits for its destination takes none. A domain is active once for each flow, so a letter never stands behind
 *       the mailing of somebody else. While half of the places are taken, hosts that have
 *       one get others as far as they give them back as soon as the rest does (site.h I4).
 *   Q5  A message that saw the process die is in hand only on trial, one at a time (suspects.h U3). One that was
 *       condemned is not read any further than its envelope: its recipients are held, the postmaster is told.
 *
 * A destination in trouble (outcome.pressure, or a reply that means it: retry_schedule.h) backs off:
 *
 *     open ──pressure──► pausing: its mail waits         ──pause over──► one probe
 *      ▲                 (the first gap of the schedule,                   │    │
 *      └────────── an answer that is no pressure ◄─────────────────────────┘    │
 *      │                                                                   pressure
 *      └── the same, after a longer pause ── down: what is due is settled with ◄┘
 *                                            the last words, without attempts
 *
 * So a dead host costs one connection a pause, its mail keeps the schedule and its senders are
 * warned in time, and it holds up nobody else. Concurrency starts low, grows by one with each
 * success up to its setting. Pressure from a host that took mail a moment ago does not pause it: the concurrency is halved,
 * and from there on grows by one with each round of successes. What the configuration fixes (shape.h) is not learned.
 *
 * Gate, limits and pause belong to the site: the set of hosts, whichever domains they serve. What a domain demands of TLS
 * belongs to the destination, which has its own list of hosts; where its hosts do not meet that, it rests alone, in a site of its
 * own, until they do. A lane learns by itself; a rate that is
 * fixed holds for all lanes together.
 *
 * Operators change the spool directly (hold, release, retry, delete); the queue hears of it as news, or
 * finds the recipient gone when it settles, which is fine. */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "auth/signing_keys.h"
#include "events/sink.h"
#include "queue/shape.h"
#include "route/delivery.h"
#include "spool/in_doubt.h"
#include "spool/suspects.h"

enum {
	QUEUE_GROUP_MAX = 100,          /* Recipients of one delivery (RFC 5321 §4.5.3.1.8). */
	QUEUE_DOMAIN_MAX = 50000,       /* Active domains of a lane, each once for each sender: 15 MB. */
	QUEUE_DESTINATION_MAX = 10000   /* Remembered without need; those in use come on top. */
};

struct queue_settings {                 /* Borrows during the call; the queue copies. */
	struct text hostname;           /* For reports. */
	const int64_t *retry_ms;        /* Gaps; each > 0. */
	size_t retry_count;             /* >= 1 */
	int64_t lifetime_ms;            /* Of our own reports; other mail brings its own end. */
	int64_t warn_after_ms;          /* 0: never. */
	uint32_t concurrency;           /* Deliveries at once to one destination; >= 1. */
	uint32_t mailbox_concurrency;   /* The same to the mailboxes here; >= 1. */
	uint32_t in_flight_max;         /* Deliveries at once of this lane; >= 1. */
	uint32_t domain_max;            /* Active domains of this lane; 0: QUEUE_DOMAIN_MAX. */
	const struct shape *shapes;     /* What is fixed for some destinations. */
	size_t shape_count;
	bool tallies_tls;               /* What sessions tell of TLS is counted for reports (spool/tally.h). */
};

struct queue_parts {                    /* Borrows all; they must outlive the queue. */
	struct loop *loop;
	struct spool *spool;
	struct spool_port *port;        /* Opened for `shards`. */
	uint32_t shards;                /* Bit s: this lane delivers the mail of shard s. */
	unsigned lane;                  /* For in_doubt. */
	struct in_doubt *in_doubt;      /* May be NULL. Couriers mark; the queue clears. */
	struct suspects *suspects;      /* May be NULL. The queue marks and clears. */
	struct queue_id_source *ids;
	const struct hosts_settings *hosts;
	const struct courier *outbound;
	const struct courier *mailbox;
	const struct courier *pipe;     /* May be NULL where the router has no pipes. */
	struct event_sink sink;
	struct rate_table *rates;       /* Of all lanes; NULL: no rate is kept. */
	int64_t (*now_unix_ms)(void *context); /* NULL: the loop's wall clock. */
	void *now_context;
};

struct queue;

/* Gives a queue that starts with the next turn of the loop; NULL: no memory. Shares the router. */
[[nodiscard]] struct queue *queue_new(
    const struct queue_parts *parts, const struct queue_settings *settings, struct router *router);

/* Couriers and port must be quiet: no `done` of a delivery or a change may come afterwards. */
void queue_free(struct queue *queue);

/* After spool_port_poll: look for mail that became due. Also looks at the clock. */
void queue_poll_news(struct queue *queue);

/* From now on; deliveries under way keep their plan. False: no memory, all is as before. */
[[nodiscard]] bool queue_reload(struct queue *queue, const struct queue_settings *settings, struct router *router);

/* From now on reports are signed with these keys (shares them; NULL: with none). */
void queue_set_signing(struct queue *queue, struct signing_keys *keys);

/* Start no more deliveries; `idle` is called once, later, when none is in hand. */
void queue_drain(struct queue *queue, void (*idle)(void *context), void *context);

/* A mark that an earlier process left (in_doubt_take_left): into history and log, if the recipient still waits. */
void queue_report_in_doubt(struct queue *queue, queue_id id, uint32_t index);

struct queue_counts {
	uint32_t active_domains, destinations;
	uint32_t deliveries;            /* In hand, settling included. */
	uint32_t unsettled;             /* Of those: done, but the spool would not take it yet. */
};
struct queue_counts queue_counts(const struct queue *queue);

/* What came of attempts, as this queue saw it. Borrows. */
struct busiest;
const struct busiest *queue_busiest(const struct queue *queue);

/* Domains whose mail waits for a rate; each once for each sender and priority. Looks at all sites. */
uint32_t queue_paced(const struct queue *queue);

/* The hosts that the last search found for the destination of this name, and by which pool they are met. False: not known, or none. Borrows;
 * until the loop's next turn. */
[[nodiscard]] bool queue_destination_hosts(
    const struct queue *queue, struct text key, const struct host_list **out_hosts, struct text *out_pool);

enum queue_gate { QUEUE_GATE_OPEN, QUEUE_GATE_FULL, QUEUE_GATE_PACED, QUEUE_GATE_PAUSED, QUEUE_GATE_DOWN };

struct queue_destination {              /* Borrows; valid during the call. */
	struct text key;                /* "example.net", "via smtp.provider.test:587", "mailbox" */
	struct text site;               /* Where its mail really goes; what follows is shared with all that goes there: */
	uint32_t site_destinations;     /* How many there are, */
	bool site_first;                /* and this is the first one told. */
	bool idle;                      /* Nothing waits for this one, and nothing is under way to it. */
	enum queue_gate gate;
	uint32_t in_flight, concurrency;  /* Deliveries under way, and how many may be now. */
	struct text shape;              /* The `destination` that fixes limits for it; empty: none does. */
	struct shape_limits limits;
	uint32_t waiting_domains;       /* Each once for each sender and priority. */
	int64_t paused_until_ms;        /* Unix time; 0: not paused. */
	int64_t paced_until_ms;         /* Its rate has nothing left before; 0: it has. */
	struct verdict last;            /* The last trouble; code 0: none. */
	struct text hosts;              /* What the last search found; empty: none. */
	int64_t hosts_expire_ms;
};
void queue_each_destination(const struct queue *queue,
    void (*each)(void *context, const struct queue_destination *destination), void *context);

#endif
