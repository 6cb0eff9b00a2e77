#include "conf/build.h"

#include <string.h>

#include "conf/build_private.h"
#include "conf/part.h"
#include "mail/address.h"

enum { CERTIFICATES_MAX = 64, WEB_PORT = 8025 };

static void build_top(struct reading *reading, struct conf *conf)
{
	const struct part top = part_top(reading);

	conf->hostname = part_hostname(&top, "hostname");
	if (part_line(&top, "hostname") == 0)
		reading_complain(reading, 1, "hostname is missing (hint: hostname = \"mail.example.org\")");
	conf->domains = part_domains(&top, "domains", &conf->domain_count);
	conf->users = part_path(&top, "users");
	conf->aliases = part_path(&top, "aliases");
	conf->control = part_path(&top, "control");
	if (strlen(conf->control) > ENDPOINT_PATH_MAX)
		reading_complain(reading, part_line(&top, "control"), "control \"%s\" is too long for a socket (hint: at most %d bytes)",
		    conf->control, ENDPOINT_PATH_MAX);
	conf->run_as = part_text(&top, "run-as").bytes;
	conf->run_as_auth = part_text(&top, "run-as-auth").bytes;
	conf->separator = part_text(&top, "separator");
	if (conf->separator.length > 1 || (conf->separator.length == 1 && strchr("+-_=#/%!~^", conf->separator.bytes[0]) == NULL))
		reading_complain(reading, part_line(&top, "separator"), "separator = \"%s\" cannot divide a name (hint: \"+\" or \"-\")",
		    conf->separator.bytes);
	conf->relay_from = part_networks(&top, "relay-from", &conf->relay_from_count);
	conf->proxy_from = part_networks(&top, "proxy-from", &conf->proxy_from_count);
	conf->xclient_from = part_networks(&top, "xclient-from", &conf->xclient_from_count);
	conf->sender_check = (enum conf_sender_check)part_word(&top, "sender-check");
	conf->lanes = (unsigned)part_quantity(&top, "lanes");
}

/* -- tls --------------------------------------------------------------------- */

static void build_tls(struct reading *reading, struct conf *conf)
{
	const struct part tls = part_section(reading, "tls");
	size_t key_count;

	conf->tls.certificates = part_paths(&tls, "certificate", &conf->tls.certificate_count);
	conf->tls.keys = part_paths(&tls, "key", &key_count);
	conf->tls.authorities = part_path(&tls, "ca");
	conf->tls.client_authorities = part_path(&tls, "client-ca");
	if (key_count != conf->tls.certificate_count) {
		reading_complain(reading, tls.line, "tls has %zu certificates and %zu keys (hint: a key for each, in the same order)",
		    conf->tls.certificate_count, key_count);
		conf->tls.certificate_count = 0;
	}
	if (conf->tls.certificate_count > CERTIFICATES_MAX)
		reading_complain(reading, part_line(&tls, "certificate"), "tls has too many certificates (hint: at most %d)",
		    CERTIFICATES_MAX);
}

/* What is not written depends on what else there is. */
static enum conf_tls listener_tls(const struct part *part, const struct conf *conf, bool local)
{
	const enum conf_tls tls = (enum conf_tls)part_word(part, "tls");
	const int line = part_line(part, "tls");

	if (line == 0 && (local || conf->tls.certificate_count == 0))
		return CONF_TLS_NONE;
	if (tls != CONF_TLS_NONE && conf->tls.certificate_count == 0)
		reading_complain(part->reading, line,
		    "listen \"%.*s\" wants TLS, and there is no certificate (hint: tls { certificate = \"fullchain.pem\" key = "
		    "\"privkey.pem\" })",
		    TEXT_FORMAT(part->title));
	return tls;
}

/* -- logins ------------------------------------------------------------------ */

static void build_oauth(struct reading *reading, struct conf *conf)
{
	const struct part oauth = part_section(reading, "oauth");

	conf->oauth.keys = part_path(&oauth, "keys");
	conf->oauth.issuer = part_text(&oauth, "issuer");
	conf->oauth.audiences = part_texts(&oauth, "audience", &conf->oauth.audience_count);
	conf->oauth.claim = part_text(&oauth, "claim");
	conf->oauth.scope = part_text(&oauth, "scope");
	if (conf->oauth.keys[0] == '\0' && conf->oauth.issuer.length == 0 && conf->oauth.audience_count == 0)
		return;
	if (conf->oauth.keys[0] == '\0' || conf->oauth.issuer.length == 0 || conf->oauth.audience_count == 0)
		reading_complain(reading, oauth.line,
		    "oauth lacks one of keys, issuer and audience (hint: all three, for a token of anybody for anybody proves nothing)");
	if (conf->oauth.claim.length == 0)
		reading_complain(reading, part_line(&oauth, "claim"), "oauth claim = \"\" names nobody (hint: \"email\" or \"sub\")");
	if (conf->users[0] == '\0')
		reading_complain(reading, oauth.line, "oauth needs users (hint: users = \"/etc/postroad/users\", whose names may log in)");
}

/* Passwords go there in clear text, so it must not be far away. */
static void build_auth(struct reading *reading, struct conf *conf)
{
	const struct part auth = part_section(reading, "auth");

	conf->auth.dovecot = part_endpoint(&auth, "dovecot");
	if (conf->auth.dovecot.length > 0 && !text_starts(conf->auth.dovecot, TEXT("unix:")))
		reading_complain(reading, part_line(&auth, "dovecot"),
		    "auth dovecot = \"%s\" is no socket of this machine (hint: unix:/run/dovecot/auth-client)", conf->auth.dovecot.bytes);
}

/* -- listen ------------------------------------------------------------------ */

/* ADDRESS:PORT, *:PORT, :PORT or unix:PATH. */
static bool listen_endpoint(const struct part *part, struct endpoint *out_endpoint)
{
	const struct text title = part->title;
	struct text whole = part_unix_absolute(part, title);

	if (text_starts(title, TEXT("*:")) &&
	    !arena_print(part->reading->arena, &whole, "0.0.0.0%.*s", TEXT_FORMAT(text_from(title, 1))))
		return false;
	if (text_starts(title, TEXT(":")) && !text_starts(title, TEXT("::")) &&
	    !arena_print(part->reading->arena, &whole, "0.0.0.0%.*s", TEXT_FORMAT(title)))
		return false;
	return endpoint_parse(whole, 0, out_endpoint) && (out_endpoint->port != 0 || out_endpoint->family == ENDPOINT_UNIX);
}

static void check_listener(const struct conf *conf, const struct conf_listener *listener, struct reading *reading)
{
	const bool takes_logins = (conf->users[0] != '\0' || conf->auth.dovecot.length > 0) && listener->tls != CONF_TLS_NONE;

	for (const struct conf_listener *other = conf->listeners; other < listener; other++)
		if (endpoint_equal(&other->endpoint, &listener->endpoint))
			reading_complain(reading, listener->line, "listen \"%.*s\" is the same as that of line %d (hint: keep one of them)",
			    TEXT_FORMAT(listener->text), other->line);
	if (listener->proxied && conf->proxy_from_count == 0 && listener->endpoint.family != ENDPOINT_UNIX)
		reading_complain(reading, listener->line,
		    "listen \"%.*s\" would send everybody away: proxy-from is empty (hint: proxy-from = {\"192.0.2.7\"})",
		    TEXT_FORMAT(listener->text));
	if (listener->role == CONF_ROLE_SUBMISSION && conf->relay_from_count == 0 && !takes_logins)
		reading_complain(reading, listener->line,
		    "listen \"%.*s\" would refuse everybody: relay-from is empty and nobody can log in without users and TLS "
		    "(hint: relay-from = {\"127.0.0.1\"})",
		    TEXT_FORMAT(listener->text));
}

static void build_listeners(struct reading *reading, struct conf *conf)
{
	const unsigned count = part_count(reading, "listen");
	struct conf_listener *listeners = arena_array(reading->arena, count + 1, sizeof *listeners);

	conf->listeners = listeners;
	if (count == 0)
		reading_complain(reading, 1, "nothing listens (hint: listen \"0.0.0.0:25\" { role = mx })");
	if (listeners == NULL)
		reading_complain(reading, 1, "larger than any sensible configuration (hint: make it shorter)");
	for (unsigned i = 0; listeners != NULL && i < count; i++) {
		const struct part part = part_nth(reading, "listen", i);
		struct conf_listener *listener = &listeners[conf->listener_count];

		*listener = (struct conf_listener){ .text = TEXT(""), .line = part.line };
		listener->role = (enum conf_role)part_word(&part, "role");
		listener->proxied = part_bool(&part, "proxy");
		if (!arena_copy(reading->arena, part.title, &listener->text) || !listen_endpoint(&part, &listener->endpoint)) {
			reading_complain(reading, part.line,
			    "listen \"%.*s\" is not ADDRESS:PORT (hint: like 0.0.0.0:25, [::]:25 or *:25)", TEXT_FORMAT(part.title));
			continue;
		}
		listener->tls = listener_tls(&part, conf, listener->endpoint.family == ENDPOINT_UNIX);
		check_listener(conf, listener, reading);
		conf->listener_count++;
	}
}

/* -- the other sections ------------------------------------------------------ */

/* What is wrong with the template of a Maildir's path; NULL: nothing. */
static const char *template_problem(const char *path)
{
	bool tells_users_apart = false;

	for (; *path != '\0'; path++) {
		if (*path != '%')
			continue;
		path++;
		if (*path == '\0' || strchr("undt%", *path) == NULL)
			return "has a % that stands for nothing (hint: %u, %d, %t or %%)";
		tells_users_apart |= *path == 'u' || *path == 'n';
	}
	return tells_users_apart ? NULL : "is one for all users (hint: %u is the user)";
}

static void build_mailbox(struct reading *reading, struct conf *conf)
{
	const struct part mailbox = part_section(reading, "mailbox");
	const int lmtp_line = part_line(&mailbox, "lmtp"), path_line = part_line(&mailbox, "path");

	conf->mailbox.path = part_path(&mailbox, "path");
	conf->mailbox.lmtp = part_endpoint(&mailbox, "lmtp");
	const char *problem = template_problem(conf->mailbox.path);

	if (problem != NULL)
		reading_complain(reading, path_line, "mailbox path = \"%s\" %s", conf->mailbox.path, problem);
	if (lmtp_line > 0 && path_line > 0)
		reading_complain(reading, lmtp_line > path_line ? lmtp_line : path_line,
		    "mailbox has both path and lmtp (hint: keep one of them)");
}

static void build_dns(struct reading *reading, struct conf *conf)
{
	const struct part dns = part_section(reading, "dns");

	conf->dns.servers = part_texts(&dns, "server", &conf->dns.server_count);
	for (size_t i = 0; i < conf->dns.server_count; i++) {
		const struct text server = conf->dns.servers[i];
		const size_t at = text_find_byte(server, '@');
		struct endpoint endpoint;
		uint64_t port = 53;

		if (!endpoint_parse_ip(text_part(server, 0, at), &endpoint) ||
		    (at < server.length && !text_to_u64(text_from(server, at + 1), &port)) || port == 0 || port > UINT16_MAX)
			reading_complain(reading, part_line(&dns, "server"),
			    "dns server = \"%.*s\" is not an address (hint: like 127.0.0.1 or 127.0.0.1@5353)", TEXT_FORMAT(server));
	}
	conf->dns.trust_anchor = part_path(&dns, "trust-anchor");
	conf->dns.config = part_path(&dns, "config");
	conf->dns.zone = part_path(&dns, "zone");
	if (conf->dns.server_count == 0 && conf->dns.config[0] == '\0' && conf->dns.zone[0] == '\0')
		conf->dns.resolv_conf = "/etc/resolv.conf";
	else
		conf->dns.resolv_conf = "";
	if (conf->dns.zone[0] != '\0' && (conf->dns.server_count > 0 || conf->dns.config[0] != '\0'))
		reading_complain(reading, part_line(&dns, "zone"),
		    "dns has a zone and somebody to ask (hint: keep the zone, or server and config)");
}

static void build_authentication(struct reading *reading, struct conf *conf)
{
	const struct part part = part_section(reading, "authentication");

	conf->authentication.spf = (enum conf_spf)part_word(&part, "spf");
	conf->authentication.dkim = part_word(&part, "dkim") == 0;
	conf->authentication.dmarc = (enum conf_dmarc)part_word(&part, "dmarc");
	conf->authentication.defers = part_word(&part, "temporary-errors") == 1;
	conf->authentication.received_spf = part_bool(&part, "received-spf");
	conf->authentication.seals = part_bool(&part, "arc-seal");
	conf->authentication.arc_trusted = part_domains(&part, "arc-trusted", &conf->authentication.arc_trusted_count);
	conf->authentication.forwarders = part_networks(&part, "forwarders", &conf->authentication.forwarder_count);
	conf->authentication.timeout_ms = (int64_t)part_quantity(&part, "timeout");
}

static void build_outbound(struct reading *reading, struct conf *conf)
{
	const struct part outbound = part_section(reading, "outbound");

	conf->outbound.port = (uint16_t)part_quantity(&outbound, "port");
	conf_build_relays(&outbound, &conf->outbound.relays);
	conf->outbound.sources = part_addresses(&outbound, "source", &conf->outbound.source_count);
	conf->outbound.pool = conf_build_pool_name(&outbound, conf);
	if (conf->outbound.pool.length > 0 && conf->outbound.source_count > 0)
		reading_complain(reading, part_line(&outbound, "pool"),
		    "outbound has both source and pool (hint: keep one of them; a pool has addresses of its own)");
	conf->outbound.concurrency = (unsigned)part_quantity(&outbound, "concurrency");
	conf->outbound.tls = (enum conf_tls)part_word(&outbound, "tls");
	conf->outbound.connect_ms = (int64_t)part_quantity(&outbound, "connect-timeout");
	conf->outbound.command_ms = (int64_t)part_quantity(&outbound, "command-timeout");
	conf->outbound.final_ms = (int64_t)part_quantity(&outbound, "final-timeout");
	conf->outbound.idle_ms = (int64_t)part_quantity(&outbound, "idle");
	conf->outbound.prefer_ip6 = part_bool(&outbound, "prefer-ip6");
	conf->outbound.mta_sts = part_bool(&outbound, "mta-sts");
	conf->outbound.dane = part_bool(&outbound, "dane");
}

static void build_srs(struct reading *reading, struct conf *conf)
{
	const struct part srs = part_section(reading, "srs");
	const struct text given = part_text(&srs, "domain");
	struct text domain = TEXT("");

	conf->srs.secret_file = part_path(&srs, "secret-file");
	conf->srs.domain = conf->domain_count > 0 ? conf->domains[0] : TEXT("");
	if (conf->srs.secret_file[0] != '\0' && conf->domain_count == 0)
		reading_complain(reading, part_line(&srs, "secret-file"),
		    "srs has no domain of ours (hint: domains, for what comes back must come here)");
	if (part_line(&srs, "domain") == 0)
		return;
	for (size_t i = 0; i < conf->domain_count && address_domain_to_ascii(given, reading->arena, &domain) == OK; i++) {
		conf->srs.domain = conf->domains[i];
		if (text_equal_nocase(domain, conf->domains[i]))
			return;
	}
	reading_complain(reading, part_line(&srs, "domain"), "srs domain = \"%.*s\" is not ours (hint: one of domains)",
	    TEXT_FORMAT(given));
}

static void build_queue(struct reading *reading, struct conf *conf)
{
	const struct part queue = part_section(reading, "queue");
	const int warn_line = part_line(&queue, "warn-after"), lifetime_line = part_line(&queue, "lifetime");

	conf->queue.retry_ms = part_durations(&queue, "retry", &conf->queue.retry_count);
	conf->queue.lifetime_ms = (int64_t)part_quantity(&queue, "lifetime");
	conf->queue.warn_after_ms = (int64_t)part_quantity(&queue, "warn-after");
	/* A short lifetime alone is no mistake: then nobody is warned before the bounce. */
	if (warn_line > 0 && conf->queue.warn_after_ms > conf->queue.lifetime_ms)
		reading_complain(reading, warn_line > lifetime_line ? warn_line : lifetime_line,
		    "queue warn-after is longer than lifetime (hint: a shorter one, or 0s for no warning)");
}

static void build_limits(struct reading *reading, struct conf *conf)
{
	const struct part limits = part_section(reading, "limits");

	conf->limits.message_size = part_quantity(&limits, "message-size");
	conf->limits.memory = part_quantity(&limits, "memory");
	conf->limits.recipients = (unsigned)part_quantity(&limits, "recipients");
	conf->limits.connections = (unsigned)part_quantity(&limits, "connections");
	conf->limits.errors = (unsigned)part_quantity(&limits, "errors");
	conf->limits.idle_ms = (int64_t)part_quantity(&limits, "idle");
	conf->limits.priority = (unsigned)part_quantity(&limits, "priority");
	conf->limits.hold_ms = (int64_t)part_quantity(&limits, "hold");
	conf->limits.user_messages = part_rate(&limits, "user-messages");
	conf->limits.user_recipients = part_rate(&limits, "user-recipients");
	conf->limits.line_ms = (int64_t)part_quantity(&limits, "line");
	conf->limits.dialogue_ms = (int64_t)part_quantity(&limits, "dialogue");
	conf->limits.handshake_ms = (int64_t)part_quantity(&limits, "handshake");
	conf->limits.pace = (uint32_t)part_quantity(&limits, "pace");
}

static void build_client(struct reading *reading, struct conf *conf)
{
	const struct part client = part_section(reading, "client");

	conf->client.connections = (unsigned)part_quantity(&client, "connections");
	conf->client.connects = part_rate(&client, "connects");
	conf->client.handshakes = part_rate(&client, "handshakes");
	conf->client.messages = part_rate(&client, "messages");
	conf->client.recipients = part_rate(&client, "recipients");
	conf->client.errors = part_rate(&client, "errors");
	conf->client.unknown = part_rate(&client, "unknown");
	conf->client.logins = part_rate(&client, "logins");
	conf->client.greet_delay_ms = (int64_t)part_quantity(&client, "greet-delay");
	conf->client.tarpit_ms = (int64_t)part_quantity(&client, "tarpit");
}

static void build_rest(struct reading *reading, struct conf *conf)
{
	const struct part spool = part_section(reading, "spool");
	const struct part history = part_section(reading, "history");

	conf->spool.engine = (enum conf_engine)part_word(&spool, "engine");
	conf->spool.path = part_path(&spool, "path");
	conf->spool.size = part_quantity(&spool, "size");
	conf->history_messages = (uint32_t)part_quantity(&history, "messages");
}

/* Nobody gets beyond this machine by a slip: neither unasked nor in clear text. */
static void build_web(struct reading *reading, struct conf *conf)
{
	const struct part web = part_section(reading, "web");
	const struct text listen = part_unix_absolute(&web, part_text(&web, "listen"));
	const int line = part_line(&web, "listen");

	conf->web.enabled = listen.length > 0;
	conf->web.tokens = part_path(&web, "tokens");
	conf->web.messages = part_rate(&web, "messages");
	conf->web.recipients = part_rate(&web, "recipients");
	conf->web.tls = part_bool(&web, "tls");
	conf->web.mta_sts = (enum conf_mta_sts)part_word(&web, "mta-sts");
	conf->web.mta_sts_mx = part_domains(&web, "mta-sts-mx", &conf->web.mta_sts_mx_count);
	conf->web.mta_sts_age_ms = (int64_t)part_quantity(&web, "mta-sts-age");
	if (!conf->web.enabled)
		return;
	if (!endpoint_parse(listen, WEB_PORT, &conf->web.endpoint)) {
		reading_complain(reading, line, "web listen = \"%.*s\" is no address (hint: 127.0.0.1:8025)", TEXT_FORMAT(listen));
		return;
	}
	if (conf->web.tls && conf->tls.certificate_count == 0)
		reading_complain(reading, part_line(&web, "tls"),
		    "web wants TLS, and there is no certificate (hint: tls { certificate = \"fullchain.pem\" key = \"privkey.pem\" })");
	if (endpoint_is_loopback(&conf->web.endpoint))
		return;
	if (conf->web.tokens[0] == '\0')
		reading_complain(reading, line, "web listens beyond this machine and has no tokens (hint: tokens = \"web-tokens\")");
	if (part_line(&web, "tls") == 0)
		reading_complain(reading, line,
		    "web listens beyond this machine without TLS (hint: tls = yes, or tls = no where the network is trusted)");
}

static void build_log(struct reading *reading, struct conf *conf)
{
	const struct part log = part_section(reading, "log");
	const struct text to = part_text(&log, "to");

	conf->log.json = part_word(&log, "format") == 1;
	if (text_equal(to, TEXT("stderr")) || text_equal(to, TEXT("syslog")))
		conf->log.to = to.bytes;
	else
		conf->log.to = part_path(&log, "to");
	if (to.length == 0)
		reading_complain(reading, part_line(&log, "to"), "log to = \"\" leads nowhere (hint: stderr, syslog or a path)");
}

/* -- user -------------------------------------------------------------------- */

static bool sender_valid(struct text sender)
{
	const size_t at = text_find_byte_last(sender, '@');
	const struct text domain = text_from(sender, at + 1);

	return text_equal(sender, TEXT("*")) ||
	    (at < sender.length && at <= ADDRESS_LOCAL_MAX && address_domain_valid(domain, true) && domain.bytes[0] != '[');
}

/* Behind the limits, which are his where he has none. */
static void build_user(const struct part *part, const struct conf *conf, struct conf_user *user)
{
	struct reading *reading = part->reading;

	*user = (struct conf_user){ .name = TEXT(""), .line = part->line };
	if (!arena_copy(reading->arena, part->title, &user->name) || user->name.length == 0)
		reading_complain(reading, part->line, "user \"%.*s\" is no name (hint: as it stands among the users)",
		    TEXT_FORMAT(part->title));
	user->send_as = part_texts(part, "send-as", &user->send_as_count);
	for (size_t i = 0; i < user->send_as_count; i++)
		if (!sender_valid(user->send_as[i]))
			reading_complain(reading, part_line(part, "send-as"),
			    "user send-as = \"%.*s\" is nobody (hint: sales@example.org, @example.org or *)",
			    TEXT_FORMAT(user->send_as[i]));
	user->messages = part_line(part, "messages") > 0 ? part_rate(part, "messages") : conf->limits.user_messages;
	user->recipients = part_line(part, "recipients") > 0 ? part_rate(part, "recipients") : conf->limits.user_recipients;
}

static void build_users(struct reading *reading, struct conf *conf)
{
	const unsigned count = part_count(reading, "user");
	struct conf_user *users = arena_array(reading->arena, count + 1, sizeof *users);

	if (users == NULL)
		reading_complain(reading, 1, "larger than any sensible configuration (hint: make it shorter)");
	for (unsigned i = 0; users != NULL && i < count; i++) {
		const struct part part = part_nth(reading, "user", i);

		build_user(&part, conf, &users[i]);
		for (unsigned k = 0; k < i; k++)
			if (text_equal_nocase(users[k].name, users[i].name))
				reading_complain(reading, part.line, "user \"%.*s\" is the same as that of line %d (hint: keep one of them)",
				    TEXT_FORMAT(part.title), users[k].line);
	}
	conf->named_users = users;
	conf->named_user_count = users ? count : 0;
}

void conf_build(struct reading *reading, struct conf *conf)
{
	build_top(reading, conf);
	build_tls(reading, conf);
	build_oauth(reading, conf);
	build_auth(reading, conf);
	build_listeners(reading, conf);
	conf_build_pools(reading, conf);
	conf_build_routes(reading, conf);
	conf_build_pipes(reading, conf);
	conf_build_webhooks(reading, conf);
	build_mailbox(reading, conf);
	build_dns(reading, conf);
	build_authentication(reading, conf);
	conf_build_dkim(reading, conf);
	build_outbound(reading, conf);
	build_srs(reading, conf);
	conf_build_reports(reading, conf);
	conf_build_destinations(reading, conf);
	build_queue(reading, conf);
	build_limits(reading, conf);
	build_client(reading, conf);
	build_rest(reading, conf);
	build_web(reading, conf);
	build_log(reading, conf);
	build_users(reading, conf);
	conf_build_strangers(reading, conf);
	const struct part top = part_top(reading);

	if (conf->domain_count == 0 && conf->route_count == 0 && part_line(&top, "domains") == 0)
		reading_complain(reading, 1,
		    "no domains and no route (hint: domains = {\"example.org\"}, or domains = {} for a server that only sends)");
	if (conf->domain_count == 0 && conf->relay_from_count == 0)
		reading_complain(reading, 1, "no domains and no relay-from: every message would be refused (hint: fill one of them)");
}
