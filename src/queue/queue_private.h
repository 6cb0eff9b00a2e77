/* The queue's inside: what is in hand, and who owns it.
 *
 *     queue ── domains (active; each in one list: ready, blocked at a destination, or none)
 *           ── destinations (host list, who waits for it) ── sites (gate, limits, who waits)
 *           ── batches (one read of a message) ── jobs (one delivery, expansion or refusal each)
 *           ── flights (recipients in hand, one each)
 *
 * scan.c looks for due mail, turn.c gives turns, in the order of turns.h, pull.c takes it, trial.c takes suspects,
 * destination.c finds hosts, site.c guards their gates, job.c delivers, settle.c writes what came of it, report.c tells senders, facts.c tells the log,
 * doubt.c what an earlier process left, quarantine.c holds who ended two of them. */
#ifndef QUEUE_PRIVATE_H
#define QUEUE_PRIVATE_H

#include <utlist.h>

#include "base/cleanup.h"
#include "queue/busiest.h"
#include "queue/fate.h"
#include "queue/pauses.h"
#include "queue/queue.h"
#include "queue/site.h"
#include "queue/turns.h"

enum {
	BATCH_ARENA_BYTES = 32 << 20, /* A cap: QUEUE_GROUP_MAX expansions to ROUTER_TARGET_MAX addresses. */
	SETTLE_ARENA_BYTES = 4 << 20,
	SCRATCH_ARENA_BYTES = 1 << 20,
	SETTLE_RETRY_MS = 5000,
	TROUBLE_MS = 1000           /* Memory or disk failed a read: the queue rests. */
};

/* -- Flights: recipients in hand ---------------------------------------------------------- */

struct flight_key {
	queue_id id;
	uint32_t index, zero; /* No padding: it is hashed as bytes. */
};

struct flight {
	struct flight_key key;
	UT_hash_handle hh;
};

/* -- Domains ------------------------------------------------------------------------------ */

enum domain_state {
	DOMAIN_READY,   /* In queue->ready. */
	DOMAIN_TURN,    /* It has its turn right now; in no list. */
	DOMAIN_BLOCKED, /* In destination->site->blocked. */
	DOMAIN_IDLE     /* Nothing more is due; something is in hand. In no list. */
};

struct sender_share {
	UT_hash_handle hh;
	uint32_t sender;
	uint32_t domain_count; /* In the table. */
};

/* What is due for one domain, of one flow: a sender's huge mailing is a domain of its own, and stands in nobody's way. */
struct domain {
	UT_hash_handle hh;
	struct turn_seat seat;           /* And whose mail it is. */
	struct sender_share *share;
	enum domain_state state;
	struct site *ticket;             /* For a place there, kept free until its turn; shares. NULL: none. */
	struct destination *destination; /* Where its last mail went; shares. NULL: not known. */
	struct spool_position cursor;    /* What is due before it was taken or is in hand. */
	uint32_t job_count;
	struct text name;                /* Behind the struct. */
};

/* -- Destinations --------------------------------------------------------------------------- */

struct host_cache { /* A host list that lives as long as a delivery uses it. */
	unsigned references;
	struct arena *arena;
	struct host_list list;
	int64_t expires_ms;
};

struct destination {
	UT_hash_handle hh;
	struct destination *prev, *next; /* In queue->idle_destinations while references == 0. */
	struct queue *queue;
	struct arena *arena;             /* Key and hop; the struct itself. */
	struct text key;
	struct next_hop hop;
	unsigned references;             /* Of domains and jobs. */
	struct site *site;               /* Shares. */
	uint32_t in_flight;              /* Its part of the site's. */
	struct host_cache *hosts;        /* NULL: never found. */
	struct hosts_search *search;     /* NULL: none under way. */
	struct job *waiting;             /* For that search. */
};

/* -- Jobs ------------------------------------------------------------------------------------- */

struct batch { /* Lives in its arena, until its last job is gone. */
	struct batch *prev, *next;
	struct arena *arena;
	struct router *router; /* Shares: decisions were made by it. */
	unsigned references;
	int mark;              /* In parts.suspects. */
	bool on_trial;
	struct message message;
	struct router_return_path sent_as; /* Of what came out of aliases, to other servers. */
	struct flight *flights;
	struct job *jobs;      /* By `sibling`. */
};

struct job {
	struct job *prev, *next;         /* In destination->waiting or queue->unsettled. */
	struct job *sibling;             /* In batch->jobs. */
	struct queue *queue;
	struct batch *batch;
	struct domain *domain;
	struct destination *destination; /* Shares; NULL: none needed. */
	bool occupies;                   /* Counted in destination->in_flight. */
	struct host_cache *hosts;        /* Shares. */
	struct message message;          /* Of this job's recipients only. */
	struct route_decision route;
	const struct address *sent_as;   /* As delivery.sent_as. */
	struct text pause;               /* "domain example.net is paused": it is to be held; empty: none. */
	bool holds;                      /* The change under way holds it for that. */
	struct delivery delivery;
	struct delivery_outcome *outcomes;
	struct fate *fates;
	int64_t started_ms;
	/* The settling change under way. */
	struct arena *settle_arena;
	struct event *facts;
	size_t fact_count, fact_max;
};

/* -- The queue -------------------------------------------------------------------------------- */

struct shard {
	bool owned;
	struct spool_position watermark;
	int64_t next_due_ms;             /* Nothing behind the watermark is due before. */
	bool has_left;                   /* Behind `left` are some that the table had no room for. */
	struct spool_position left;
};

struct queue {
	struct queue_parts parts;
	struct signing_keys *signing; /* NULL: reports are not signed. */
	struct arena *settings_arena;    /* What `settings` borrows. */
	struct queue_settings settings;
	struct router *router;
	struct pauses *pauses;
	struct loop_timer *timer;
	bool timer_at_once;
	struct shard shards[SPOOL_SHARD_COUNT];

	struct domain *domains;          /* Hash. */
	uint32_t domain_count;
	struct turn_line ready;          /* Domains. */
	struct turn_book turns;          /* Of ready and of all that are blocked. */
	struct sender_share *shares;     /* Hash. */
	struct destination *destinations; /* Hash. */
	struct site *sites;              /* Hash. */
	int64_t hold_us;                 /* As site.hold_us, of all deliveries. */
	uint32_t second_count;           /* Under way at sites that have others under way. */
	uint64_t site_number;            /* The last that was given. */
	struct destination *idle_destinations; /* List; the first is the longest idle. */
	uint32_t idle_destination_count;
	int64_t pause_next_ms;           /* No pause ends before. */

	struct flight *flights;          /* Hash. */
	struct batch *batches;
	uint32_t job_count;
	struct job *unsettled;
	uint32_t unsettled_count;
	int64_t unsettled_until_ms;
	int64_t trouble_until_ms;

	bool on_trial;                   /* A suspect is in our hand. */
	queue_id last_tried;             /* Suspects take turns. */
	int64_t trial_due_ms;
	struct quarantine *quarantine;   /* The one under way; NULL: none. */
	int64_t quarantine_due_ms;

	bool draining;
	void (*idle)(void *context);
	void *idle_context;

	struct busiest busiest;
	struct arena *scratch;           /* For one scan. */
	char start_room[SPOOL_START_SIZE];
};

int64_t queue_now_ms(const struct queue *queue);
struct retry_schedule queue_schedule(const struct queue *queue);

/* turn.c: look again in the loop's next turn. */
void queue_kick(struct queue *queue);

/* scan.c: a domain of the table, or a new and idle one. NULL: no memory, or no room. */
struct domain *domain_get(struct queue *queue, struct text name, struct flow flow);
/* It leaves the table. */
void domain_free(struct queue *queue, struct domain *domain);
/* This recipient of the domain was not taken after all: look at it again. */
void domain_look_back(struct queue *queue, struct domain *domain, struct spool_position position);
bool position_less(struct spool_position a, struct spool_position b);
/* Look for what is due. True: there may be more now. */
bool queue_scan(struct queue *queue, int64_t now_ms);
/* When to look again. */
int64_t queue_scan_due_ms(const struct queue *queue, int64_t now_ms);
void queue_take_news(struct queue *queue);

static inline struct domain *domain_of_seat(struct turn_seat *seat)
{
	return (struct domain *)((char *)seat - offsetof(struct domain, seat));
}

/* pull.c: a domain that waits no more, and one that may go on. */
void domain_leave_line(struct queue *queue, struct domain *domain);
void domain_ready(struct queue *queue, struct domain *domain);
bool flight_is_on(const struct queue *queue, queue_id id, uint32_t index);

enum pull { PULL_MORE, PULL_EMPTY, PULL_BLOCKED, PULL_TROUBLE };
enum pull domain_pull(struct queue *queue, struct domain *domain);
/* Take these recipients of a suspect, once suspects_trial_begin has agreed; the trial ends with the last of its jobs,
 * or at once if there are none. */
void domain_pull_suspect(struct queue *queue, struct domain *domain, queue_id id, uint32_t *indexes, size_t count);

/* trial.c: let the next suspect that is due have its trial, if no other has. */
void queue_try_suspects(struct queue *queue, int64_t now_ms);

/* quarantine.c: hold the next one that was condemned. */
void queue_hold_condemned(struct queue *queue, int64_t now_ms);
void quarantine_free(struct quarantine *quarantine);

/* destination.c: the destination of a hop (gives a reference); NULL: no memory. */
struct destination *destination_get(struct queue *queue, const struct next_hop *hop);
struct destination *destination_ref(struct destination *destination);
void destination_unref(struct queue *queue, struct destination *destination);
void destination_free(struct queue *queue, struct destination *destination);
/* Its hosts are not what it demands, and may be good enough for others: it rests in a site of its own from now on. */
void destination_part(struct destination *destination);
/* Its hosts were found: it shares their site from now on. True: that is another one than before. */
bool destination_join(struct destination *destination, const struct host_list *hosts);
/* There are new settings: forget hosts and rests, and fix what they fix. */
void destinations_reshape(struct queue *queue);
struct host_cache *host_cache_new(const struct host_list *list, int64_t now_ms);
struct host_cache *host_cache_ref(struct host_cache *cache);
void host_cache_unref(struct host_cache *cache);

/* job.c: a job with its destination and decision set starts. It may be over and gone when this returns
 * (its recipients were deleted), but its batch lives while the caller holds a reference. */
void job_start(struct job *job);
/* The courier of this one is to be asked: host list found. */
void job_deliver(struct job *job, struct host_cache *hosts);
/* The same outcome for all of its recipients, without an attempt of its own. */
void job_settle_all(struct job *job, const struct verdict *verdict);
/* Settled, or nothing left to settle: release everything. */
void job_end(struct job *job);
void job_release(struct job *job);
void batch_unref(struct queue *queue, struct batch *batch);

/* settle.c: write what came of it. */
void job_settle(struct job *job);
void queue_retry_unsettled(struct queue *queue);

/* report.c: put a body that we made as chunks of a new message. */
void report_put_body(struct spool_change *change, queue_id id, struct text body, struct envelope *envelope);

/* report.c: put the report on everyone who is told into the change; 0 in *out_report if nobody is.
 * False: no memory. */
[[nodiscard]] bool report_add(struct job *job, struct spool_change *change, queue_id *out_report);

/* facts.c: the next fact of this settling; NULL: no memory. */
struct event *fact_new(struct job *job, enum event_kind kind);
/* A fact about a recipient with the answer that caused it. */
struct event *fact_of_recipient(struct job *job, enum event_kind kind, const struct recipient *recipient,
    const struct verdict *verdict);
[[nodiscard]] bool fact_number(struct job *job, struct event *fact, enum event_field field, int64_t number);

#endif
