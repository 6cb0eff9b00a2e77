/* What a server with a configuration does, in words. */
#include "conf/conf.h"

/* Of each list, so that a summary stays one and fits whatever the caller has room for. */
enum { SHOWN_MAX = 10 };

static size_t shown_of(size_t count)
{
	return count < SHOWN_MAX ? count : SHOWN_MAX;
}

static bool print_more(const char *indent, size_t count, const char *end, struct buffer *out)
{
	return count <= SHOWN_MAX || buffer_print(out, "%sand %zu more%s", indent, count - SHOWN_MAX, end);
}

static bool print_list(const char *what, const struct text *list, size_t count, const char *none, struct buffer *out)
{
	bool ok = buffer_print(out, "  %-14s", what);

	for (size_t i = 0; ok && i < shown_of(count); i++)
		ok = buffer_print(out, "%s%.*s", i > 0 ? ", " : "", TEXT_FORMAT(list[i]));
	return ok && print_more(" ", count, "", out) && buffer_print(out, "%s\n", count > 0 ? "" : none);
}

static bool print_listeners(const struct conf *conf, struct buffer *out)
{
	static const char *const roles[] = { "mx", "submission", "lmtp" };
	static const char *const tls[] = { "", ", with STARTTLS", ", TLS required", ", TLS from the first byte" };
	char room[ENDPOINT_TEXT_MAX];
	bool ok = true;

	for (size_t i = 0; ok && i < shown_of(conf->listener_count); i++)
		ok = buffer_print(out, "  listens on    %s (%s%s%s)\n", endpoint_print(&conf->listeners[i].endpoint, room).bytes,
		    roles[conf->listeners[i].role], tls[conf->listeners[i].tls],
		    conf->listeners[i].proxied ? ", by front ends" : "");
	return ok && print_more("                ", conf->listener_count, "\n", out);
}

/* What is allowed, and yet perhaps not what was meant. */
static bool print_warnings(const struct conf *conf, struct buffer *out)
{
	bool ok = true;

	for (size_t i = 0; ok && i < conf->listener_count; i++)
		if (conf->listeners[i].role == CONF_ROLE_MX && conf->listeners[i].tls >= CONF_TLS_REQUIRED)
			ok = buffer_print(out,
			    "%s:%d: warning: servers without TLS cannot send to listen \"%s\" (RFC 3207 forbids that for mail "
			    "from everywhere; hint: tls = starttls)\n",
			    conf->path, conf->listeners[i].line, conf->listeners[i].text.bytes);
	return ok;
}

static bool print_routes(const struct conf *conf, struct buffer *out)
{
	bool ok = true;

	for (size_t i = 0; ok && i < shown_of(conf->route_count); i++)
		ok = buffer_print(out, "  mail for %s goes by %s%s%s%s%s\n", conf->routes[i].pattern.bytes,
		         conf->routes[i].lmtp ? "LMTP" : "SMTP", conf->routes[i].pool.length > 0 ? ", from pool " : "",
		         conf->routes[i].pool.bytes, conf->routes[i].user.length > 0 ? ", logs in as " : "",
		         conf->routes[i].user.bytes) &&
		    (conf->routes[i].from_count == 0 ||
		        print_list("      from", conf->routes[i].from, conf->routes[i].from_count, "", out)) &&
		    print_list("      to", conf->routes[i].via, conf->routes[i].via_count, "its MX hosts", out);
	return ok && print_more("  routes: ", conf->route_count, "\n", out);
}

static bool print_pools(const struct conf *conf, struct buffer *out)
{
	char room[ENDPOINT_TEXT_MAX];
	bool ok = true;

	for (size_t i = 0; ok && i < shown_of(conf->pool_count); i++) {
		const struct conf_pool *pool = &conf->pools[i];

		ok = buffer_print(out, "  pool %s greets as %s\n      from        ", pool->name.bytes, pool->hostname.bytes) &&
		    (pool->proxy.family == ENDPOINT_NONE || buffer_print(out, "SOCKS5 proxy %s", endpoint_print(&pool->proxy, room).bytes));
		for (size_t k = 0; ok && k < shown_of(pool->address_count); k++)
			ok = buffer_print(out, "%s%s", k > 0 ? ", " : "", endpoint_print_ip(&pool->addresses[k], room).bytes);
		ok = ok && print_more(" ", pool->address_count, "", out) && buffer_print(out, "\n");
	}
	return ok && print_more("  pools: ", conf->pool_count, "\n", out) &&
	    (conf->outbound.pool.length == 0 || buffer_print(out, "  sends from    pool %s\n", conf->outbound.pool.bytes));
}

static bool print_pipes(const struct conf *conf, struct buffer *out)
{
	bool ok = true;

	for (size_t i = 0; ok && i < shown_of(conf->pipe_count); i++)
		ok = buffer_print(out, "  pipe %s runs %s as %s\n", conf->pipes[i].name.bytes, conf->pipes[i].words[0].bytes,
		         conf->pipes[i].user.bytes) &&
		    print_list("      for", conf->pipes[i].recipients, conf->pipes[i].recipient_count, "", out);
	return ok && print_more("  pipes: ", conf->pipe_count, "\n", out);
}

static bool print_web(const struct conf *conf, struct buffer *out)
{
	char room[ENDPOINT_TEXT_MAX];

	return !conf->web.enabled ||
	    buffer_print(out, "  web           %s%s, %s\n", conf->web.tls ? "https://" : "",
	        endpoint_print(&conf->web.endpoint, room).bytes,
	        conf->web.tokens[0] != '\0' ? conf->web.tokens : "for everybody on this machine, without tokens");
}

bool conf_summary(const struct conf *conf, struct buffer *out)
{
	return buffer_print(out, "%s is right.\n  this server   %s\n", conf->path, conf->hostname.bytes) &&
	    print_list("mail ends for", conf->domains, conf->domain_count, "no domain: this server only sends", out) &&
	    print_listeners(conf, out) && print_routes(conf, out) && print_pools(conf, out) && print_pipes(conf, out) &&
	    buffer_print(out, "  users         %s\n", conf->users[0] ? conf->users : "the accounts of this system") &&
	    (conf->aliases[0] == '\0' || buffer_print(out, "  aliases       %s\n", conf->aliases)) &&
	    buffer_print(out, "  mailboxes     %s\n", conf->mailbox.lmtp.length > 0 ? conf->mailbox.lmtp.bytes : conf->mailbox.path) &&
	    (conf->dns.zone[0] == '\0' || buffer_print(out, "  names         only those of %s\n", conf->dns.zone)) &&
	    (conf->dkim.keys[0] == '\0' ||
	        buffer_print(out, "  DKIM keys     %s%s\n", conf->dkim.keys, conf->dkim.sign ? "" : ", not used")) &&
	    (conf->srs.secret_file[0] == '\0' ||
	        buffer_print(out, "  forwarding    rewrites senders into %s (SRS)\n", conf->srs.domain.bytes)) &&
	    print_web(conf, out) && buffer_print(out, "  spool         %s\n  control       %s\n  log           %s, %s\n", conf->spool.path, conf->control,
	        conf->log.to, conf->log.json ? "json" : "text") &&
	    print_warnings(conf, out);
}
