#include "programs/lane.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/must.h"
#include "lookup/resolver.h"
#include "mailbox/courier.h"
#include "programs/lane_settings.h"
#include "programs/lane_webhooks.h"
#include "sasl/asker.h"

enum {
	LISTENERS_MAX = 64,
	LOG_LINE_MAX = 64 << 10,
	SETTINGS_BYTES_MAX = 4 << 20,
	DRAIN_PATIENCE_MS = 20000
};

struct gate { /* A listening socket, and what its clients are. */
	struct lane *lane;
	struct listener *listener;
	struct door door;
	bool in_trouble;
};

struct lane {
	struct lane_common common;
	unsigned index;
	struct loop *loop;
	struct loop_wake *spool_wake, *post_wake;
	struct spool_port *port;
	struct loop_timer *round_end;
	struct dns *dns;
	struct web *web;
	struct sts_keeper *sts; /* NULL: nobody's policy is asked for. */
	struct hosts_settings hosts;
	struct endpoint *own;
	struct lane_lists lists;
	struct queue_id_source ids;
	struct inbound *inbound;
	struct outbound *outbound;
	struct mailbox_courier *mailbox, *pipe;
	struct sasl_asker *auth;
	struct courier outbound_face, mailbox_face, pipe_face;
	struct queue *queue;
	struct reports *reports; /* Of the whole spool: lane 0 has them. */
	struct failures *failures;
	struct webhooks *webhooks; /* On lane 0. */
	uint64_t webhook_kinds;    /* Bits of the events that they want. */
	struct gate gates[LISTENERS_MAX];
	unsigned gate_count;
	struct arena *settings; /* Made out of the configuration, while a part takes them over. */
	struct counters counters;
	struct buffer line;
	struct loop_timer *patience;
	unsigned draining; /* What has not drained yet. */
	bool stopped;

	pthread_mutex_t lock; /* Guards the list of jobs, the exchange between threads. */
	struct lane_message *first, **last;
};

/* -- the exchange ------------------------------------------------------------- */

static void append(struct lane *lane, struct lane_message *message)
{
	pthread_mutex_lock(&lane->lock);
	*lane->last = message;
	lane->last = &message->next;
	pthread_mutex_unlock(&lane->lock);
	loop_wake_send(lane->post_wake);
}

void lane_send(struct lane *lane, struct lane_message *message, lane_job *job, void *context)
{
	*message = (struct lane_message){ .job = job, .context = context };
	append(lane, message);
}

bool lane_post(struct lane *lane, lane_job *job, void *context)
{
	struct lane_message *message = calloc(1, sizeof *message);

	if (message == NULL)
		return false;
	*message = (struct lane_message){ .job = job, .context = context, .posted = true };
	append(lane, message);
	return true;
}

static void run_posted(void *context)
{
	struct lane *lane = context;

	pthread_mutex_lock(&lane->lock);
	struct lane_message *message = lane->first;

	lane->first = NULL;
	lane->last = &lane->first;
	pthread_mutex_unlock(&lane->lock);
	while (message != NULL) {
		const struct lane_message own = *message; /* Who sent it may send it on. */

		if (own.posted)
			free(message);
		own.job(lane, own.context);
		message = own.next;
	}
}

static void spool_calls(void *context)
{
	struct lane *lane = context;

	loop_wake_send(lane->spool_wake); /* From the spool's thread. */
}

/* A timer for now: it runs before the loop sleeps, and after all that came with the last wake-up. */
static void round_begun(void *context)
{
	struct lane *lane = context;

	loop_timer_set(lane->round_end, 0);
}

static void round_ended(void *context)
{
	struct lane *lane = context;

	spool_port_hand_in(lane->port);
}

/* Whichever lane sees it first tells. */
static void look_at_spool(struct lane *lane)
{
	const enum error trouble = spool_trouble(lane->common.spool);
	const struct event_sink sink = lane_sink(lane);

	if (atomic_exchange(lane->common.spool_trouble, trouble != OK) == (trouble != OK))
		return;
	if (trouble != OK)
		trouble_begin(lane->common.troubles, TROUBLE_SPOOL, trouble, &sink, loop_unix_ms(lane->loop));
	else
		trouble_end(lane->common.troubles, TROUBLE_SPOOL, &sink, loop_unix_ms(lane->loop));
}

static void poll_spool(void *context)
{
	struct lane *lane = context;

	look_at_spool(lane);
	spool_port_poll(lane->port);
	queue_poll_news(lane->queue);
}

/* -- reporting ---------------------------------------------------------------- */

static void report(void *context, const struct event *event)
{
	struct lane *lane = context;

	counters_count_event(&lane->counters, event);
	buffer_clear(&lane->line);
	const bool printed = lane->common.conf->log.json ? event_print_json(event, &lane->line)
							 : event_print_text(event, &lane->line);

	if (printed)
		log_writer_write(lane->common.log, buffer_text(&lane->line));
	buffer_clear(&lane->line);
	const bool told = (lane->webhook_kinds >> event->kind & 1) != 0;

	if ((lane->common.feed == NULL && !told) || !event_encode(event, &lane->line))
		return;
	if (told)
		journal_add(lane->common.journal, event->id, buffer_text(&lane->line));
	if (lane->common.feed != NULL)
		feed_add(lane->common.feed, event->id, buffer_text(&lane->line));
}

/* -- settings ----------------------------------------------------------------- */

/* They are the part's own at once: the arena is for the next. */
static struct inbound_settings take_inbound_settings(struct lane *lane)
{
	arena_reset(lane->settings);
	return lane_inbound_settings(lane->common.conf, &lane->lists, lane->common.lane_count, lane->settings);
}

/* Without TLS nothing could be demanded. */
static bool follows_mta_sts(const struct conf *conf)
{
	return conf->outbound.mta_sts && conf->outbound.tls != CONF_TLS_NONE;
}

static bool set_hosts(struct lane *lane, const struct conf *conf)
{
	struct endpoint *own = calloc(conf->listener_count, sizeof *own);

	if (own == NULL)
		return false;
	for (size_t i = 0; i < conf->listener_count; i++)
		own[i] = conf->listeners[i].endpoint;
	free(lane->own);
	lane->own = own;
	lane->hosts = (struct hosts_settings){ .dns = lane->dns,
		.hostname = conf->hostname,
		.own = own,
		.own_count = conf->listener_count,
		.port = conf->outbound.port,
		.prefer_ip6 = conf->outbound.prefer_ip6,
		.sts = follows_mta_sts(conf) ? lane->sts : NULL,
		.dane = conf->outbound.dane };
	if (lane->sts != NULL)
		sts_keeper_renew(lane->sts, follows_mta_sts(conf));
	return true;
}

/* Whom names are asked of. */
static void spread_dns(struct lane *lane)
{
	inbound_set_dns(lane->inbound, lane->dns);
	web_set_dns(lane->web, lane->dns);
	if (lane->sts != NULL)
		sts_keeper_set_dns(lane->sts, lane->dns);
	failures_set_dns(lane->failures, lane->dns);
	if (lane->reports != NULL)
		reports_set_dns(lane->reports, lane->dns);
}

static struct dns *dns_of(struct loop *loop, const struct conf *conf, const char **out_reason)
{
	const struct dns_settings settings = { .servers = conf->dns.servers,
		.server_count = conf->dns.server_count,
		.trust_anchor = text_of(conf->dns.trust_anchor),
		.resolv_conf = text_of(conf->dns.resolv_conf),
		.config = text_of(conf->dns.config) };

	return resolver_new(loop, conf->dns.zone, &settings, out_reason);
}

/* The files that it reads may have changed, too: a new one, with an empty cache. False: it cannot be made,
 * the one in use stays. */
static bool set_dns(struct lane *lane, const struct conf *conf)
{
	const char *reason;
	struct dns *dns = dns_of(lane->loop, conf, &reason);

	if (dns == NULL)
		return false;
	dns_retire(lane->dns);
	lane->dns = dns;
	spread_dns(lane);
	return true;
}

/* -- building ----------------------------------------------------------------- */

unsigned lane_of_shard(unsigned shard, unsigned lane_count)
{
	return shard % lane_count;
}

static uint32_t shards_of(const struct lane *lane)
{
	uint32_t shards = 0;

	for (unsigned s = 0; s < SPOOL_SHARD_COUNT; s++)
		if (lane_of_shard(s, lane->common.lane_count) == lane->index)
			shards |= 1u << s;
	return shards;
}

static bool build_spool(struct lane *lane)
{
	queue_id newest = 0;

	lane->spool_wake = loop_wake_new(lane->loop, poll_spool, lane);
	lane->post_wake = loop_wake_new(lane->loop, run_posted, lane);
	lane->round_end = loop_timer_new(lane->loop, round_ended, lane);
	if (lane->spool_wake == NULL || lane->post_wake == NULL || lane->round_end == NULL ||
	    spool_port_open(lane->common.spool, shards_of(lane), spool_calls, lane, &lane->port) != OK ||
	    spool_newest_id(lane->common.spool, &newest) != OK)
		return false;
	spool_port_gather(lane->port, round_begun);
	queue_id_source_init(&lane->ids, (uint8_t)lane->index, newest);
	return true;
}

static bool build_web(struct lane *lane)
{
	lane->web = web_new(lane->loop);
	if (lane->web == NULL)
		return false;
	web_set_tls(lane->web, lane->common.tls_client);
	if (lane->common.policies == NULL)
		return true;
	const struct sts_keeper_parts parts = { .loop = lane->loop,
		.web = lane->web,
		.store = lane->common.policies,
		.shards = shards_of(lane),
		.sink = lane_sink(lane) };

	lane->sts = sts_keeper_new(&parts);
	return lane->sts != NULL;
}

static void message_failed(void *context, const struct auth_failure *failure)
{
	struct lane *lane = context;

	failures_report(lane->failures, failure);
}

static bool build_flow(struct lane *lane)
{
	lane->auth = sasl_asker_new(lane->loop);
	const struct inbound_wiring wiring = { lane->loop, lane->port, &lane->ids, lane_sink(lane), &lane->counters,
		lane->common.rates, lane->auth, lane->common.held_bytes, lane->common.troubles, lane->common.clients,
		lane->common.greylist, { message_failed, lane } };
	const struct inbound_settings inbound_settings = take_inbound_settings(lane);
	const struct queue_settings queue_settings = lane_queue_settings(lane->common.conf, &lane->lists);
	const struct outbound_world world = { lane->loop, lane->common.spool, lane->common.in_doubt, lane->index,
		&lane->counters, lane_sink(lane) };
	const struct outbound_settings outbound_settings = lane_outbound_settings(lane->common.conf, &lane->lists);
	const struct mailbox_world mailbox_world = { lane->loop, lane->common.spool, lane->common.in_doubt, lane->index };

	lane->inbound = inbound_new(&wiring, &inbound_settings, lane->common.router);
	lane->mailbox = mailbox_courier_new(&mailbox_world);
	lane->pipe = mailbox_courier_new(&mailbox_world);
	lane->outbound = outbound_new(&world, &outbound_settings);
	if (lane->auth == NULL || lane->inbound == NULL || lane->mailbox == NULL || lane->pipe == NULL ||
	    lane->outbound == NULL)
		return false;
	inbound_set_tls(lane->inbound, lane->common.tls_server);
	outbound_set_tls(lane->outbound, lane->common.tls_client);
	outbound_set_logins(lane->outbound, lane->common.logins);
	lane->mailbox_face = mailbox_courier_face(lane->mailbox);
	lane->pipe_face = mailbox_courier_face(lane->pipe);
	lane->outbound_face = outbound_courier(lane->outbound);

	const struct queue_parts parts = { .loop = lane->loop,
		.spool = lane->common.spool,
		.port = lane->port,
		.shards = shards_of(lane),
		.lane = lane->index,
		.in_doubt = lane->common.in_doubt,
		.suspects = lane->common.suspects,
		.ids = &lane->ids,
		.hosts = &lane->hosts,
		.outbound = &lane->outbound_face,
		.mailbox = &lane->mailbox_face,
		.pipe = &lane->pipe_face,
		.sink = lane_sink(lane),
		.rates = lane->common.rates };

	lane->queue = queue_new(&parts, &queue_settings, lane->common.router);
	return lane->queue != NULL;
}

static bool build_reports(struct lane *lane)
{
	const struct failures_settings failures_settings = lane_failures_settings(lane->common.conf);
	const struct failures_parts failures_parts = { .loop = lane->loop,
		.port = lane->port,
		.ids = &lane->ids,
		.rates = lane->common.rates,
		.sink = lane_sink(lane),
		.counters = &lane->counters };
	const struct reports_settings settings = lane_reports_settings(lane->common.conf);
	const struct reports_parts parts = { .loop = lane->loop,
		.spool = lane->common.spool,
		.port = lane->port,
		.ids = &lane->ids,
		.web = lane->web,
		.sink = lane_sink(lane) };

	lane->failures = failures_new(&failures_parts, &failures_settings);
	if (lane->failures == NULL || lane->index != 0)
		return lane->failures != NULL;
	lane->reports = reports_new(&parts, &settings);
	return lane->reports != NULL;
}

/* Before anything can happen that is told. */
static bool build_webhooks(struct lane *lane)
{
	if (lane->common.journal == NULL)
		return true;
	lane->webhook_kinds = lane_webhook_kinds(lane->common.conf);
	if (lane->index != 0)
		return true;
	const struct webhooks_parts parts = { .loop = lane->loop,
		.web = lane->web,
		.journal = lane->common.journal,
		.sink = lane_sink(lane),
		.counters = &lane->counters };

	lane->webhooks = webhooks_new(&parts);
	if (lane->webhooks != NULL)
		lane_webhooks_reload(lane->webhooks, lane->common.conf);
	return lane->webhooks != NULL;
}

static void patience_over(void *context)
{
	struct lane *lane = context;

	loop_stop(lane->loop);
}

struct lane *lane_new(const struct lane_common *common, unsigned index, const char **out_reason)
{
	struct lane *lane = calloc(1, sizeof *lane);

	*out_reason = "out of memory or descriptors";
	if (lane == NULL)
		return NULL;
	lane->common = *common;
	lane->common.router = router_ref(common->router);
	lane->index = index;
	lane->last = &lane->first;
	buffer_init(&lane->line, LOG_LINE_MAX);
	must(pthread_mutex_init(&lane->lock, NULL) == 0);
	lane->loop = loop_new();
	if (lane->loop == NULL)
		goto fail;
	lane->patience = loop_timer_new(lane->loop, patience_over, lane);
	lane->settings = arena_new(SETTINGS_BYTES_MAX);
	lane->dns = lane->patience && lane->settings ? dns_of(lane->loop, common->conf, out_reason) : NULL;
	if (lane->dns == NULL || !build_web(lane) || !set_hosts(lane, common->conf) ||
	    !lane_lists_take_users(&lane->lists, common->conf) ||
	    !lane_lists_take_pools(&lane->lists, common->conf) ||
	    !lane_lists_take_shapes(&lane->lists, common->conf) ||
	    !build_spool(lane) || !build_flow(lane) || !build_reports(lane) ||
	    !build_webhooks(lane))
		goto fail;
	spread_dns(lane);
	lane_set_signing(lane, lane->common.signing);
	return lane;
fail:
	lane_free(lane);
	return NULL;
}

void lane_run(struct lane *lane)
{
	loop_run(lane->loop);
}

void lane_free(struct lane *lane)
{
	if (lane == NULL)
		return;
	lane_close_listeners(lane);
	if (lane->port != NULL)
		spool_port_close(lane->port);
	reports_free(lane->reports);
	webhooks_free(lane->webhooks);
	failures_free(lane->failures);
	outbound_free(lane->outbound);
	mailbox_courier_free(lane->mailbox);
	mailbox_courier_free(lane->pipe);
	if (lane->queue != NULL)
		queue_free(lane->queue);
	inbound_free(lane->inbound);
	sasl_asker_free(lane->auth);
	sts_keeper_free(lane->sts);
	web_free(lane->web);
	if (lane->dns != NULL)
		dns_free(lane->dns);
	loop_timer_free(lane->patience);
	loop_timer_free(lane->round_end);
	loop_wake_free(lane->spool_wake);
	loop_wake_free(lane->post_wake);
	loop_free(lane->loop);
	router_unref(lane->common.router);
	pthread_mutex_destroy(&lane->lock);
	buffer_done(&lane->line);
	free(lane->own);
	lane_lists_done(&lane->lists);
	arena_free(lane->settings);
	free(lane);
}

/* -- on the lane's thread ------------------------------------------------------ */

static void accepted(void *context, struct stream *stream)
{
	struct gate *gate = context;

	counters_add(&gate->lane->counters, COUNTER_CONNECTIONS, 1);
	(gate->door.proxied ? inbound_accept_proxied : inbound_accept)(
	    gate->lane->inbound, stream, gate->door.role, gate->door.tls);
}

static void gate_trouble(void *context, enum error error)
{
	struct gate *gate = context;
	const struct event_sink sink = lane_sink(gate->lane);
	const int64_t now_ms = loop_unix_ms(gate->lane->loop);

	gate->in_trouble = error != OK;
	if (error != OK)
		trouble_begin(gate->lane->common.troubles, TROUBLE_SOCKETS, error, &sink, now_ms);
	else
		trouble_end(gate->lane->common.troubles, TROUBLE_SOCKETS, &sink, now_ms);
}

bool lane_listen(struct lane *lane, int fd, struct door door)
{
	struct gate *gate = &lane->gates[lane->gate_count];

	if (lane->gate_count == LISTENERS_MAX) {
		close(fd);
		return false;
	}
	*gate = (struct gate){ .lane = lane, .door = door };
	gate->listener = listener_new(lane->loop, fd, accepted, gate);
	if (gate->listener == NULL)
		return false;
	listener_set_trouble(gate->listener, gate_trouble);
	lane->gate_count++;
	return true;
}

void lane_close_listeners(struct lane *lane)
{
	while (lane->gate_count > 0) {
		struct gate *gate = &lane->gates[--lane->gate_count];

		if (gate->in_trouble)
			gate_trouble(gate, OK);
		listener_free(take(gate->listener));
	}
}

void lane_set_mailbox(struct lane *lane, int fd)
{
	(void)!mailbox_courier_set_channel(lane->mailbox, fd);
}

void lane_set_pipe(struct lane *lane, int fd)
{
	(void)!mailbox_courier_set_channel(lane->pipe, fd);
}

void lane_set_auth(struct lane *lane, int fd)
{
	(void)!sasl_asker_set_channel(lane->auth, fd);
}

void lane_reload(struct lane *lane, const struct conf *conf, struct router *router, struct logins *logins)
{
	struct router *old = lane->common.router;

	lane->common.conf = conf;
	lane->common.router = router_ref(router);
	(void)!lane_lists_take_users(&lane->lists, conf);
	(void)!lane_lists_take_pools(&lane->lists, conf);
	const struct inbound_settings inbound_settings = take_inbound_settings(lane);
	const bool shaped = lane_lists_take_shapes(&lane->lists, conf);
	const struct queue_settings queue_settings = lane_queue_settings(conf, &lane->lists);
	const struct outbound_settings outbound_settings = lane_outbound_settings(lane->common.conf, &lane->lists);

	/* Out of memory leaves a part with what it had: mail flows on as before. */
	(void)!set_dns(lane, conf);
	(void)!set_hosts(lane, conf);
	outbound_reload(lane->outbound, &outbound_settings);
	outbound_set_logins(lane->outbound, logins);
	(void)!(inbound_reload(lane->inbound, &inbound_settings, router) == OK);
	if (shaped)
		(void)!queue_reload(lane->queue, &queue_settings, router);
	const struct failures_settings failures_settings = lane_failures_settings(conf);

	failures_reload(lane->failures, &failures_settings);
	if (lane->reports != NULL) {
		const struct reports_settings settings = lane_reports_settings(conf);

		reports_reload(lane->reports, &settings);
	}
	if (lane->common.journal != NULL)
		lane->webhook_kinds = lane_webhook_kinds(conf);
	if (lane->webhooks != NULL)
		lane_webhooks_reload(lane->webhooks, conf);
	router_unref(old);
}

void lane_set_signing(struct lane *lane, struct signing_keys *keys)
{
	inbound_set_signing(lane->inbound, keys);
	queue_set_signing(lane->queue, keys);
	failures_set_signing(lane->failures, keys);
	if (lane->reports != NULL)
		reports_set_signing(lane->reports, keys);
}

void lane_set_tls(struct lane *lane, struct tls_server *server, struct tls_client *client)
{
	inbound_set_tls(lane->inbound, server);
	outbound_set_tls(lane->outbound, client);
	web_set_tls(lane->web, client);
}

static void one_drained(void *context)
{
	struct lane *lane = context;

	if (--lane->draining == 0)
		loop_stop(lane->loop);
}

void lane_drain(struct lane *lane)
{
	if (lane->stopped)
		return;
	lane->stopped = true;
	lane->draining = 2;
	lane_close_listeners(lane);
	loop_timer_set(lane->patience, DRAIN_PATIENCE_MS);
	inbound_drain(lane->inbound, one_drained, lane);
	queue_drain(lane->queue, one_drained, lane);
}

void lane_report_in_doubt(struct lane *lane)
{
	queue_id id;
	uint32_t index;

	while (in_doubt_take_left(lane->common.in_doubt, &id, &index))
		queue_report_in_doubt(lane->queue, id, index);
}

struct loop *lane_loop(struct lane *lane) { return lane->loop; }
struct spool_port *lane_port(struct lane *lane) { return lane->port; }
const struct hosts_settings *lane_hosts(struct lane *lane) { return &lane->hosts; }
struct inbound *lane_inbound(struct lane *lane) { return lane->inbound; }
const struct outbound *lane_outbound(const struct lane *lane) { return lane->outbound; }
const struct queue *lane_queue(const struct lane *lane) { return lane->queue; }
const struct counters *lane_counters(const struct lane *lane) { return &lane->counters; }
struct reports *lane_reports(struct lane *lane) { return lane->reports; }
struct webhooks *lane_webhooks(struct lane *lane) { return lane->webhooks; }
struct event_sink lane_sink(struct lane *lane)
{
	return (struct event_sink){ report, lane };
}
