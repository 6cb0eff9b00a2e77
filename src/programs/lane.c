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
#include "outbound/courier.h"
#include "programs/strangers.h"
#include "queue/queue.h"
#include "sasl/asker.h"

enum {
	LISTENERS_MAX = 64,
	LOG_LINE_MAX = 64 << 10,
	SETTINGS_BYTES_MAX = 4 << 20,
	DRAIN_PATIENCE_MS = 20000,
	MAILBOX_CONCURRENCY = 256, /* So that a batch of the mailbox role can fill. */
	IN_FLIGHT_MAX = 2000
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
	struct submitter_user *named_users;
	size_t named_user_count;
	struct queue_id_source ids;
	struct inbound *inbound;
	struct outbound *outbound;
	struct mailbox_courier *mailbox;
	struct sasl_asker *auth;
	struct courier outbound_face, mailbox_face;
	struct queue *queue;
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
}

/* -- settings ----------------------------------------------------------------- */

static struct policy policy_of(const struct conf *conf)
{
	static const enum policy_spf spf[] = { [CONF_SPF_MARK] = POLICY_SPF_MARK,
		[CONF_SPF_OFF] = POLICY_SPF_OFF,
		[CONF_SPF_REJECT] = POLICY_SPF_REJECT };
	static const enum policy_dmarc dmarc[] = { [CONF_DMARC_QUARANTINE] = POLICY_DMARC_QUARANTINE,
		[CONF_DMARC_OFF] = POLICY_DMARC_OFF,
		[CONF_DMARC_MARK] = POLICY_DMARC_MARK,
		[CONF_DMARC_ENFORCE] = POLICY_DMARC_ENFORCE };

	return (struct policy){ .spf = spf[conf->authentication.spf],
		.dkim = conf->authentication.dkim ? POLICY_DKIM_MARK : POLICY_DKIM_OFF,
		.dmarc = dmarc[conf->authentication.dmarc],
		.defers = conf->authentication.defers,
		.patience_ms = conf->authentication.timeout_ms,
		.arc_trusted = conf->authentication.arc_trusted,
		.arc_trusted_count = conf->authentication.arc_trusted_count,
		.forwarders = conf->authentication.forwarders,
		.forwarder_count = conf->authentication.forwarder_count };
}

static struct inbound_settings inbound_settings_of(const struct lane *lane)
{
	const struct conf *conf = lane->common.conf;

	arena_reset(lane->settings);
	return (struct inbound_settings){ .hostname = conf->hostname,
		.domain = conf->domain_count > 0 ? conf->domains[0] : conf->hostname,
		.message_size_max = conf->limits.message_size,
		.recipient_count_max = conf->limits.recipients,
		.memory_max = conf->limits.memory,
		.error_count_max = conf->limits.errors,
		.hold_ms_max = conf->limits.hold_ms,
		.connection_count_max = (conf->limits.connections + lane->common.lane_count - 1) / lane->common.lane_count,
		.client = { .connection_count_max = conf->client.connections,
		    .rates = { [CLIENT_CONNECTS] = conf->client.connects,
			[CLIENT_HANDSHAKES] = conf->client.handshakes,
			[CLIENT_MESSAGES] = conf->client.messages,
			[CLIENT_RECIPIENTS] = conf->client.recipients,
			[CLIENT_ERRORS] = conf->client.errors,
			[CLIENT_UNKNOWN] = conf->client.unknown,
			[CLIENT_LOGINS] = conf->client.logins },
		    .greet_delay_ms = conf->client.greet_delay_ms,
		    .tarpit_ms = conf->client.tarpit_ms },
		.pace = { .silence_ms = conf->limits.idle_ms,
		    .line_ms = conf->limits.line_ms,
		    .dialogue_ms = conf->limits.dialogue_ms,
		    .proof_ms = conf->limits.handshake_ms,
		    .text_bytes_per_s = conf->limits.pace },
		.lifetime_ms = conf->queue.lifetime_ms,
		.submitters = { .check = (enum submitter_check)conf->sender_check,
			.rates = { conf->limits.user_messages, conf->limits.user_recipients },
			.users = lane->named_users,
			.user_count = lane->named_user_count },
		.policy = policy_of(conf),
		.relay_from = conf->relay_from,
		.relay_from_count = conf->relay_from_count,
		.proxy_from = conf->proxy_from,
		.proxy_from_count = conf->proxy_from_count,
		.xclient_from = conf->xclient_from,
		.xclient_from_count = conf->xclient_from_count,
		.vetting = strangers_settings(conf, lane->settings) };
}

static struct queue_settings queue_settings_of(const struct conf *conf)
{
	return (struct queue_settings){ .hostname = conf->hostname,
		.retry_ms = conf->queue.retry_ms,
		.retry_count = conf->queue.retry_count,
		.lifetime_ms = conf->queue.lifetime_ms,
		.warn_after_ms = conf->queue.warn_after_ms,
		.concurrency = conf->outbound.concurrency,
		.mailbox_concurrency = MAILBOX_CONCURRENCY,
		.in_flight_max = IN_FLIGHT_MAX };
}

static struct outbound_settings outbound_settings_of(const struct conf *conf)
{
	struct outbound_settings settings = outbound_settings_default;

	settings.hostname = conf->hostname;
	settings.dial_ms = conf->outbound.connect_ms;
	settings.idle_ms = conf->outbound.idle_ms;
	settings.timeouts.greeting_ms = settings.timeouts.hello_ms = conf->outbound.command_ms;
	settings.timeouts.mail_ms = settings.timeouts.rcpt_ms = conf->outbound.command_ms;
	if (settings.timeouts.handshake_ms > conf->outbound.command_ms)
		settings.timeouts.handshake_ms = conf->outbound.command_ms;
	settings.timeouts.data_ms = settings.timeouts.block_ms = conf->outbound.command_ms;
	settings.timeouts.dot_ms = conf->outbound.final_ms;
	settings.sources = conf->outbound.sources;
	settings.source_count = conf->outbound.source_count;
	return settings;
}

static bool set_named_users(struct lane *lane, const struct conf *conf)
{
	struct submitter_user *users = calloc(conf->named_user_count + 1, sizeof *users);

	if (users == NULL)
		return false;
	for (size_t i = 0; i < conf->named_user_count; i++)
		users[i] = (struct submitter_user){ conf->named_users[i].name,
			{ conf->named_users[i].messages, conf->named_users[i].recipients } };
	free(lane->named_users);
	lane->named_users = users;
	lane->named_user_count = conf->named_user_count;
	return true;
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
		.sts = follows_mta_sts(conf) ? lane->sts : NULL };
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

static bool build_flow(struct lane *lane)
{
	lane->auth = sasl_asker_new(lane->loop);
	const struct inbound_wiring wiring = { lane->loop, lane->port, &lane->ids, lane_sink(lane), &lane->counters,
		lane->common.rates, lane->auth, lane->common.held_bytes, lane->common.troubles, lane->common.clients,
		lane->common.greylist };
	const struct inbound_settings inbound_settings = inbound_settings_of(lane);
	const struct queue_settings queue_settings = queue_settings_of(lane->common.conf);
	const struct outbound_world world = { lane->loop, lane->common.spool, lane->common.in_doubt, lane->index,
		&lane->counters };
	const struct outbound_settings outbound_settings = outbound_settings_of(lane->common.conf);
	const struct mailbox_world mailbox_world = { lane->loop, lane->common.spool, lane->common.in_doubt, lane->index };

	lane->inbound = inbound_new(&wiring, &inbound_settings, lane->common.router);
	lane->mailbox = mailbox_courier_new(&mailbox_world);
	lane->outbound = outbound_new(&world, &outbound_settings);
	if (lane->auth == NULL || lane->inbound == NULL || lane->mailbox == NULL || lane->outbound == NULL)
		return false;
	inbound_set_tls(lane->inbound, lane->common.tls_server);
	spread_dns(lane);
	outbound_set_tls(lane->outbound, lane->common.tls_client);
	lane->mailbox_face = mailbox_courier_face(lane->mailbox);
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
		.sink = lane_sink(lane) };

	lane->queue = queue_new(&parts, &queue_settings, lane->common.router);
	if (lane->queue != NULL)
		lane_set_signing(lane, lane->common.signing);
	return lane->queue != NULL;
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
	    !set_named_users(lane, common->conf) || !build_spool(lane) || !build_flow(lane))
		goto fail;
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
	outbound_free(lane->outbound);
	mailbox_courier_free(lane->mailbox);
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
	free(lane->named_users);
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

void lane_set_auth(struct lane *lane, int fd)
{
	(void)!sasl_asker_set_channel(lane->auth, fd);
}

void lane_reload(struct lane *lane, const struct conf *conf, struct router *router)
{
	struct router *old = lane->common.router;

	lane->common.conf = conf;
	lane->common.router = router_ref(router);
	(void)!set_named_users(lane, conf);
	const struct inbound_settings inbound_settings = inbound_settings_of(lane);
	const struct queue_settings queue_settings = queue_settings_of(conf);
	const struct outbound_settings outbound_settings = outbound_settings_of(conf);

	/* Out of memory leaves a part with what it had: mail flows on as before. */
	(void)!set_dns(lane, conf);
	(void)!set_hosts(lane, conf);
	outbound_reload(lane->outbound, &outbound_settings);
	(void)!(inbound_reload(lane->inbound, &inbound_settings, router) == OK);
	(void)!queue_reload(lane->queue, &queue_settings, router);
	router_unref(old);
}

void lane_set_signing(struct lane *lane, struct signing_keys *keys)
{
	inbound_set_signing(lane->inbound, keys);
	queue_set_signing(lane->queue, keys);
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
const struct queue *lane_queue(const struct lane *lane) { return lane->queue; }
const struct counters *lane_counters(const struct lane *lane) { return &lane->counters; }
struct event_sink lane_sink(struct lane *lane)
{
	return (struct event_sink){ report, lane };
}
