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
		ok = buffer_print(out, "  mail for %s goes by %s\n", conf->routes[i].pattern.bytes,
		         conf->routes[i].lmtp ? "LMTP" : "SMTP") &&
		    print_list("      to", conf->routes[i].via, conf->routes[i].via_count, "", out);
	return ok && print_more("  routes: ", conf->route_count, "\n", out);
}

bool conf_summary(const struct conf *conf, struct buffer *out)
{
	return buffer_print(out, "%s is right.\n  this server   %s\n", conf->path, conf->hostname.bytes) &&
	    print_list("mail ends for", conf->domains, conf->domain_count, "no domain: this server only sends", out) &&
	    print_listeners(conf, out) && print_routes(conf, out) &&
	    buffer_print(out, "  users         %s\n", conf->users[0] ? conf->users : "the accounts of this system") &&
	    (conf->aliases[0] == '\0' || buffer_print(out, "  aliases       %s\n", conf->aliases)) &&
	    buffer_print(out, "  mailboxes     %s\n", conf->mailbox.lmtp.length > 0 ? conf->mailbox.lmtp.bytes : conf->mailbox.path) &&
	    (conf->dns.zone[0] == '\0' || buffer_print(out, "  names         only those of %s\n", conf->dns.zone)) &&
	    (conf->dkim.keys[0] == '\0' ||
	        buffer_print(out, "  DKIM keys     %s%s\n", conf->dkim.keys, conf->dkim.sign ? "" : ", not used")) &&
	    buffer_print(out, "  spool         %s\n  control       %s\n  log           %s, %s\n", conf->spool.path, conf->control,
	        conf->log.to, conf->log.json ? "json" : "text") &&
	    print_warnings(conf, out);
}
