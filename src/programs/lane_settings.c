#include "programs/lane_settings.h"

#include <stdlib.h>

#include "programs/strangers.h"

enum {
	MAILBOX_CONCURRENCY = 256, /* So that a batch of the mailbox role can fill. */
	IN_FLIGHT_MAX = 2000
};

bool lane_lists_take_shapes(struct lane_lists *lists, const struct conf *conf)
{
	struct shape *shapes = calloc(conf->destination_count + 1, sizeof *shapes);

	if (shapes == NULL)
		return false;
	for (size_t i = 0; i < conf->destination_count; i++) {
		const struct conf_destination *destination = &conf->destinations[i];

		shapes[i] = (struct shape){ .pattern = destination->pattern,
			.mx = destination->mx,
			.mx_count = destination->mx_count,
			.limits = { .concurrency = destination->concurrency,
			    .connections = destination->connections,
			    .connection_messages = destination->connection_messages,
			    .rate = destination->rate } };
	}
	free(lists->shapes);
	lists->shapes = shapes;
	return true;
}

bool lane_lists_take_users(struct lane_lists *lists, const struct conf *conf)
{
	struct submitter_user *users = calloc(conf->named_user_count + 1, sizeof *users);

	if (users == NULL)
		return false;
	for (size_t i = 0; i < conf->named_user_count; i++)
		users[i] = (struct submitter_user){ conf->named_users[i].name,
			{ conf->named_users[i].messages, conf->named_users[i].recipients } };
	free(lists->named_users);
	lists->named_users = users;
	lists->named_user_count = conf->named_user_count;
	return true;
}

bool lane_lists_take_pools(struct lane_lists *lists, const struct conf *conf)
{
	struct outbound_pool *pools = calloc(conf->pool_count + 1, sizeof *pools);

	for (size_t i = 0; pools != NULL && i < conf->pool_count; i++)
		pools[i] = (struct outbound_pool){ .name = conf->pools[i].name,
			.hostname = conf->pools[i].hostname,
			.addresses = conf->pools[i].addresses,
			.address_count = conf->pools[i].address_count,
			.proxy = conf->pools[i].proxy,
			.user = conf->pools[i].user,
			.login_place = conf->pools[i].login_place };
	free(lists->pools);
	lists->pools = pools;
	lists->pool_count = pools != NULL ? conf->pool_count : 0;
	return pools != NULL;
}

void lane_lists_done(struct lane_lists *lists)
{
	free(lists->shapes);
	free(lists->named_users);
	free(lists->pools);
	*lists = (struct lane_lists){ 0 };
}

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
		.puts_received_spf = conf->authentication.received_spf,
		.seals = conf->authentication.seals,
		.defers = conf->authentication.defers,
		.tallies_dmarc = conf->reports.dmarc,
		.reports_failures = conf->reports.failures,
		.patience_ms = conf->authentication.timeout_ms,
		.arc_trusted = conf->authentication.arc_trusted,
		.arc_trusted_count = conf->authentication.arc_trusted_count,
		.forwarders = conf->authentication.forwarders,
		.forwarder_count = conf->authentication.forwarder_count };
}

struct inbound_settings lane_inbound_settings(
    const struct conf *conf, const struct lane_lists *lists, unsigned lane_count, struct arena *arena)
{
	return (struct inbound_settings){ .hostname = conf->hostname,
		.domain = conf->domain_count > 0 ? conf->domains[0] : conf->hostname,
		.message_size_max = conf->limits.message_size,
		.recipient_count_max = conf->limits.recipients,
		.memory_max = conf->limits.memory,
		.error_count_max = conf->limits.errors,
		.hold_ms_max = conf->limits.hold_ms,
		.priority_max = (int8_t)conf->limits.priority,
		.connection_count_max = (conf->limits.connections + lane_count - 1) / lane_count,
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
			.users = lists->named_users,
			.user_count = lists->named_user_count },
		.policy = policy_of(conf),
		.relay_from = conf->relay_from,
		.relay_from_count = conf->relay_from_count,
		.proxy_from = conf->proxy_from,
		.proxy_from_count = conf->proxy_from_count,
		.xclient_from = conf->xclient_from,
		.xclient_from_count = conf->xclient_from_count,
		.vetting = strangers_settings(conf, arena) };
}

struct queue_settings lane_queue_settings(const struct conf *conf, const struct lane_lists *lists)
{
	return (struct queue_settings){ .hostname = conf->hostname,
		.retry_ms = conf->queue.retry_ms,
		.retry_count = conf->queue.retry_count,
		.lifetime_ms = conf->queue.lifetime_ms,
		.warn_after_ms = conf->queue.warn_after_ms,
		.concurrency = conf->outbound.concurrency,
		.shapes = lists->shapes,
		.shape_count = conf->destination_count,
		.mailbox_concurrency = MAILBOX_CONCURRENCY,
		.in_flight_max = IN_FLIGHT_MAX,
		.tallies_tls = conf->reports.tls };
}

struct reports_settings lane_reports_settings(const struct conf *conf)
{
	return (struct reports_settings){ .hostname = conf->hostname,
		.organization = conf->reports.organization,
		.contact = conf->reports.contact,
		.tls = conf->reports.tls,
		.dmarc = conf->reports.dmarc };
}

struct failures_settings lane_failures_settings(const struct conf *conf)
{
	return (struct failures_settings){ .on = conf->reports.failures,
		.hostname = conf->hostname,
		.organization = conf->reports.organization,
		.contact = conf->reports.contact };
}

struct outbound_settings lane_outbound_settings(const struct conf *conf, const struct lane_lists *lists)
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
	settings.pools = lists->pools;
	settings.pool_count = lists->pool_count;
	return settings;
}
