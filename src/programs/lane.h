/* A lane of the mail role: one thread, one event loop, and on it inbound, queue, couriers and DNS.
 *
 * Lanes share only what is immutable or made for it: configuration, router, spool, log writer, in-doubt marks. What
 * one lane wants of another it posts. */
#ifndef PROGRAMS_LANE_H
#define PROGRAMS_LANE_H

#include "conf/conf.h"
#include "dns/dns.h"
#include "events/counters.h"
#include "events/feed.h"
#include "events/troubles.h"
#include "inbound/inbound.h"
#include "io/log_writer.h"
#include "outbound/logins.h"
#include "reports/reports.h"
#include "reports/webhooks.h"
#include "route/hosts.h"
#include "spool/greylist.h"
#include "spool/in_doubt.h"
#include "spool/policy_store.h"
#include "spool/webhook_journal.h"
#include "spool/spool.h"
#include "spool/suspects.h"

/* What all lanes work with. Borrowed by them, but for router, logins, keys and TLS (shared). */
struct lane_common {
	const struct conf *conf;
	struct router *router;
	struct tls_server *tls_server; /* NULL: no certificate. */
	struct tls_client *tls_client;
	struct logins *logins;         /* At other servers; NULL: none. */
	struct signing_keys *signing;  /* NULL: nothing is signed. */
	struct spool *spool;
	struct in_doubt *in_doubt;
	struct suspects *suspects;
	struct log_writer *log;
	struct feed *feed;             /* NULL: nobody looks on. */
	struct troubles *troubles;
	struct rate_table *rates;      /* NULL: nothing has a rate. */
	_Atomic bool *spool_trouble; /* Some lane has seen it, and told. */
	_Atomic int64_t *held_bytes;   /* By the connections of all lanes. */
	struct clients *clients; /* NULL: none of them has a limit. */
	struct greylist *greylist; /* NULL: nobody is put off. */
	struct webhook_journal *journal; /* NULL: no webhook is told. */
	struct policy_store *policies; /* NULL: nobody's policy is asked for. */
	unsigned lane_count;
};

struct lane;

/* Not yet running. `index` < lane_count. On failure NULL and *out_reason (static). */
[[nodiscard]] struct lane *lane_new(const struct lane_common *common, unsigned index, const char **out_reason);

/* Runs the lane on the calling thread until it has drained; then it is quiet, and may be freed. */
void lane_run(struct lane *lane);
void lane_free(struct lane *lane);

/* Run `job` on the lane's thread, soon. Any thread. Every job runs once, in order, also one posted before lane_run. */
typedef void lane_job(struct lane *lane, void *context);
[[nodiscard]] bool lane_post(struct lane *lane, lane_job *job, void *context);

/* The same without memory of its own: borrows `message` until the job begins. A lane that has stopped keeps it to its end. */
struct lane_message {
	struct lane_message *next;
	lane_job *job;
	void *context;
	bool posted; /* Made by lane_post, released with the job. */
};
void lane_send(struct lane *lane, struct lane_message *message, lane_job *job, void *context);

/* Whose queue delivers the mail of this shard. */
unsigned lane_of_shard(unsigned shard, unsigned lane_count);

/* -- On the lane's own thread ------------------------------------------------- */

struct door {              /* What the clients of a socket are. */
	enum session_role role;
	enum session_tls tls;
	bool proxied;      /* They are front ends. */
};

/* Accept mail from this socket (takes fd). */
[[nodiscard]] bool lane_listen(struct lane *lane, int fd, struct door door);
void lane_close_listeners(struct lane *lane);

/* The channel to a (new) mailbox role; takes fd. */
void lane_set_mailbox(struct lane *lane, int fd);
void lane_set_pipe(struct lane *lane, int fd);

/* The channel to a (new) auth role; takes fd. */
void lane_set_auth(struct lane *lane, int fd);

/* From now on this configuration, router and logins; these keys for signing; and these certificates and authorities. */
void lane_reload(struct lane *lane, const struct conf *conf, struct router *router, struct logins *logins);
void lane_set_signing(struct lane *lane, struct signing_keys *keys);
void lane_set_tls(struct lane *lane, struct tls_server *server, struct tls_client *client);

/* Take no new connections and start no deliveries; when what is open has ended, or patience has, lane_run returns. */
void lane_drain(struct lane *lane);

/* What a crash left in doubt: into the log and the history. Before any lane runs, on the thread that will run this one. */
void lane_report_in_doubt(struct lane *lane);

/* -- Parts, for what is wired on top of lane 0 --------------------------------- */
struct loop *lane_loop(struct lane *lane);
struct spool_port *lane_port(struct lane *lane);
const struct hosts_settings *lane_hosts(struct lane *lane);
struct inbound *lane_inbound(struct lane *lane);
const struct outbound *lane_outbound(const struct lane *lane); /* The same. */
const struct queue *lane_queue(const struct lane *lane); /* On its own thread. */
struct reports *lane_reports(struct lane *lane); /* Lane 0 has them; NULL: another one. */
struct webhooks *lane_webhooks(struct lane *lane); /* The same. */
struct event_sink lane_sink(struct lane *lane);
const struct counters *lane_counters(const struct lane *lane); /* Readable by any thread. */

#endif
