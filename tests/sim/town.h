/* A town: everything that takes part in one simulated world, and what binds it together.
 *
 *     clients ──► nodes (postroads with disk, lanes and mailboxes) ──► sites (SMTP servers with moods)
 *                   └── names (DNS with bad days)
 *
 * A town has a time of trouble, drawn from its seed, and then a time of peace that is long enough for every message
 * to end. The ledger (ledger.h) knows what was promised and what became of it. */
#ifndef SIM_TOWN_H
#define SIM_TOWN_H

#include "io/sim/net.h"
#include "sim/ledger.h"
#include "spool/spool.h"

enum mutant { /* A town may be wrong on purpose, to see that the ledger sees it. */
	MUTANT_NONE,
	MUTANT_DISK_LIES,     /* It answers before it has flushed. */
	MUTANT_DOUBT_UNMARKED, /* Marks of doubt are not kept. */
	MUTANT_DOUBT_FORGOTTEN, /* They leave their file before they were told. */
	MUTANT_CLOCK_STOPS    /* A node's wall clock stands still. */
};

struct town_settings {
	uint64_t seed;
	unsigned hours;       /* Of trouble; 0: drawn. */
	enum mutant mutant;
	FILE *trace;          /* NULL: none. */
};

enum { TOWN_NODES = 2, TOWN_SITES_MAX = 10, TOWN_LIFETIME_HOURS = 48, TOWN_CONCURRENCY = 4, TOWN_CONNECTIONS = 8 };

struct town_counts {
	uint64_t letters, refused, steps, crashes, power_cuts, stops, cut_offs, disk_failures, dns_failures, moods,
	    mailbox_deaths, reloads;
	struct sim_net_counts net;
};

struct town {
	struct sim_world *world;
	struct town_settings settings;
	struct ledger *ledger;
	struct sim_process *outside;   /* Clients and sites: they do not die. */
	struct loop *loop;             /* Of all of them. */
	struct node *nodes[TOWN_NODES];
	struct site *sites[TOWN_SITES_MAX];
	unsigned site_count;
	struct names *names;
	struct client *clients;
	bool peace;                    /* No more trouble. */
	bool stuck;
	struct town_counts counts;
	/* How much trouble there is, each in permille; drawn. */
	unsigned mood_permille, dns_permille, mailbox_permille, disk_permille;
	struct node *doomed;           /* It crashes soon after its next final dot. */
	uint64_t crash_at_step;        /* A crash comes at this callback; 0: none. */
};

/* The town whose world runs now; NULL between worlds. */
struct town *town_here(void);

struct town_result {
	bool right, stuck;  /* stuck: mail was left at the end. */
	uint64_t hash;
	struct town_counts counts;
	struct ledger_counts ledger;
};

/* Live through one world. Complaints go to stderr unless it is a mutant's. */
struct town_result town_live(const struct town_settings *settings);

/* -- Nodes (node.c) ------------------------------------------------------------ */

enum node_state { NODE_DOWN, NODE_UP, NODE_STOPPING };

struct node *node_new(struct town *town, unsigned number, unsigned lane_count);
void node_free(struct node *node);
enum node_state node_state(const struct node *node);
void node_start(struct node *node);
void node_crash(struct node *node, bool power_cut);
/* In order: what is open ends first. */
void node_stop(struct node *node);
/* The same configuration, read again. */
void node_reload(struct node *node);
/* After each step: a node that was stopped and has drained ends. */
void node_look(struct node *node);
struct disk *node_disk(const struct node *node);
struct sim_host *node_host(const struct node *node);
/* Connections are within the limit. */
bool node_is_within_limits(const struct node *node);
bool node_is_empty(const struct node *node);

void node_stop_clock(struct node *node);

/* -- Disks (disk.c): a spool on virtual platters ---------------------------------- */

/* What is durable, and what waits for its flush. `number`: of the node, for the ledger. */
struct disk *disk_new(struct town *town, unsigned number);
void disk_free(struct disk *disk);
/* The spool of a process that has just started. */
struct spool *disk_open(struct disk *disk);
struct spool *disk_platters(struct disk *disk);
/* Flush all that waits now. */
void disk_sync(struct disk *disk);
/* The process is gone: what it had handed in may or may not have become durable, as a whole batch. */
void disk_lose(struct disk *disk);
/* Fail or stall for a while. */
void disk_trouble(struct disk *disk, int64_t until_us, enum error failure, int64_t stall_us);

/* -- Sites, clients, names ---------------------------------------------------------- */

/* `domain` is served on port 25 of ip. */
struct site *site_new(struct town *town, const char *domain, const char *ip);
void site_free(struct site *site);
struct sim_host *site_host(const struct site *site);
void site_set_grey(struct site *site, bool grey);
/* For good: every recipient is refused. */
void site_set_strict(struct site *site);
/* Gone: nobody listens. */
void site_set_open(struct site *site, bool open);

/* A letter will be written at a drawn moment within `within_us`. */
void client_new(struct town *town, int64_t within_us);
void client_free_all(struct town *town);
bool clients_are_done(const struct town *town);

struct names *names_new(void);
void names_free(struct names *names);
/* Questions for names that end with this get no answer, or the wrong one, until then. */
void names_trouble(struct names *names, const char *domain, bool silent, int64_t until_us);

#endif
