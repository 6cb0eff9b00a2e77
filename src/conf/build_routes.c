/* Routes: which mail goes where, and as whom. */
#include <string.h>

#include "conf/build_private.h"
#include "conf/part.h"
#include "mail/address.h"

enum { LOGIN_NAME_MAX = 320 };

static bool pattern_valid(struct text pattern)
{
	const struct text domain = text_starts(pattern, TEXT(".")) ? text_from(pattern, 1) : pattern;

	return text_equal(pattern, TEXT("*")) || (address_domain_valid(domain, true) && domain.bytes[0] != '[');
}

/* Nobody listens between two processes of one machine. */
static bool stays_here(const struct conf_route *route)
{
	struct endpoint endpoint;

	for (size_t i = 0; i < route->via_count; i++)
		if (!endpoint_parse(route->via[i], 25, &endpoint) ||
		    (endpoint.family != ENDPOINT_UNIX && !endpoint_is_loopback(&endpoint)))
			return false;
	return true;
}

static void build_login(const struct part *part, struct conf_route *route)
{
	route->user = part_text(part, "user");
	route->password_file = part_path(part, "password-file");
	if ((route->user.length > 0) != (route->password_file[0] != '\0'))
		reading_complain(part->reading, part->line, "route \"%.*s\" has half of a login (hint: user and password-file)",
		    TEXT_FORMAT(part->title));
	if (route->user.length == 0)
		return;
	if (route->user.length > LOGIN_NAME_MAX)
		reading_complain(part->reading, part_line(part, "user"), "route user is too long (hint: at most %d bytes)", LOGIN_NAME_MAX);
	if (route->tls < CONF_TLS_REQUIRED && !stays_here(route))
		reading_complain(part->reading, part->line,
		    "route \"%.*s\" logs in where others may listen (hint: tls = required, or tls = implicit for port 465)",
		    TEXT_FORMAT(part->title));
}

static bool same_via(const struct conf_route *a, const struct conf_route *b)
{
	if (a->via_count != b->via_count)
		return false;
	for (size_t i = 0; i < a->via_count; i++)
		if (!text_equal(a->via[i], b->via[i]))
			return false;
	return true;
}

/* One user has one password at the same hosts. */
static void check_logins(struct reading *reading, const struct conf_route *routes, const struct conf_route *route)
{
	unsigned count = 1;

	for (const struct conf_route *other = routes; route->user.length > 0 && other < route; other++) {
		count += other->user.length > 0;
		if (text_equal(other->user, route->user) && same_via(other, route) &&
		    strcmp(other->password_file, route->password_file) != 0)
			reading_complain(reading, route->line,
			    "route \"%.*s\" has another password-file than that of line %d for the same user and hosts (hint: keep one of them)",
			    TEXT_FORMAT(route->pattern), other->line);
	}
	if (count == CONF_LOGINS_MAX + 1)
		reading_complain(reading, route->line, "too many routes with a login (hint: at most %d)", CONF_LOGINS_MAX);
}

static bool sender_pattern_valid(struct text pattern, struct arena *arena)
{
	const size_t at = text_find_byte_last(pattern, '@');
	struct address address;

	if (text_equal(pattern, TEXT("<>")))
		return true;
	if (text_starts(pattern, TEXT(".")) || at == 0)
		return text_from(pattern, 1).bytes[0] != '[' && address_domain_valid(text_from(pattern, 1), true);
	return at < pattern.length && address_parse(pattern, true, arena, &address) == OK && address.domain.bytes[0] != '[';
}

static void build_route_from(const struct part *part, struct conf_route *route, const struct conf *conf)
{
	struct text ascii;

	route->from = part_texts(part, "from", &route->from_count);
	for (size_t i = 0; i < route->from_count; i++)
		if (!sender_pattern_valid(route->from[i], part->reading->arena))
			reading_complain(part->reading, part_line(part, "from"),
			    "route from = \"%.*s\" is not a sender (hint: bob@example.org, @example.org, .example.org or <>)",
			    TEXT_FORMAT(route->from[i]));
	if (route->from_count == 0 || address_domain_to_ascii(route->pattern, part->reading->arena, &ascii) != OK)
		return;
	for (size_t i = 0; i < conf->domain_count; i++)
		if (text_equal(conf->domains[i], ascii))
			reading_complain(part->reading, part_line(part, "from"),
			    "route \"%.*s\" cannot be for some senders only (hint: the domain is ours; leave from out)",
			    TEXT_FORMAT(part->title));
}

/* Some mail is for both. */
static bool routes_clash(const struct conf_route *a, const struct conf_route *b)
{
	if (!text_equal_nocase(a->pattern, b->pattern))
		return false;
	if (a->from_count == 0 || b->from_count == 0)
		return a->from_count == b->from_count;
	for (size_t i = 0; i < a->from_count; i++)
		for (size_t k = 0; k < b->from_count; k++)
			if (text_equal_nocase(a->from[i], b->from[k]))
				return true;
	return false;
}

/* A JSON zone says of itself what is secure, and a file for libunbound may name an anchor. */
static bool validates(struct reading *reading)
{
	const struct part dns = part_section(reading, "dns");

	return part_line(&dns, "trust-anchor") > 0 || part_line(&dns, "zone") > 0 || part_line(&dns, "config") > 0;
}

void conf_build_relays(const struct part *part, struct conf_relays *relays)
{
	relays->hosts = part_hosts(part, "fallback", &relays->count);
	relays->tls = (enum conf_tls)part_word(part, "fallback-tls");
	if (relays->count > CONF_FALLBACK_MAX)
		reading_complain(part->reading, part_line(part, "fallback"), "too many fallback relays (hint: at most %d)", CONF_FALLBACK_MAX);
}

static void build_route(const struct part *part, struct conf_route *route, const struct conf *conf)
{
	route->line = part->line;
	route->pattern = TEXT("");
	if (!arena_copy(part->reading->arena, part->title, &route->pattern) || !pattern_valid(route->pattern))
		reading_complain(part->reading, part->line, "route \"%.*s\" is not for a domain (hint: example.net, .example.net or *)",
		    TEXT_FORMAT(part->title));
	route->via = part_hosts(part, "via", &route->via_count);
	build_route_from(part, route, conf);
	if (route->via_count == 0 && route->from_count == 0 && part_line(part, "tls") == 0 &&
	    part_line(part, "fallback") == 0 && part_line(part, "pool") == 0)
		reading_complain(part->reading, part->line, "route \"%.*s\" leads nowhere (hint: via = {\"mx.example.net:25\"})",
		    TEXT_FORMAT(part->title));
	route->lmtp = part_bool(part, "lmtp");
	route->tls = (enum conf_tls)part_word(part, "tls");
	if (route->tls == CONF_TLS_DANE && !validates(part->reading))
		reading_complain(part->reading, part_line(part, "tls"),
		    "route \"%.*s\" demands DANE, and nothing in the DNS is validated (hint: dns { trust-anchor = "
		    "\"/usr/share/dns/root.key\" })", TEXT_FORMAT(part->title));
	route->pool = conf_build_pool_name(part, conf);
	conf_build_relays(part, &route->relays);
	if (route->lmtp && route->relays.count > 0)
		reading_complain(part->reading, part_line(part, "fallback"),
		    "route \"%.*s\" speaks LMTP and has a fallback (hint: a relay does not know the mailboxes; leave one of them out)",
		    TEXT_FORMAT(part->title));
	build_login(part, route);
}

void conf_build_routes(struct reading *reading, struct conf *conf)
{
	const unsigned count = part_count(reading, "route");
	struct conf_route *routes = arena_array(reading->arena, count + 1, sizeof *routes);

	if (routes == NULL)
		reading_complain(reading, 1, "larger than any sensible configuration (hint: make it shorter)");
	for (unsigned i = 0; routes != NULL && i < count; i++) {
		const struct part part = part_nth(reading, "route", i);

		build_route(&part, &routes[i], conf);
		check_logins(reading, routes, &routes[i]);
		for (unsigned k = 0; k < i; k++)
			if (routes_clash(&routes[k], &routes[i]))
				reading_complain(reading, part.line, "route \"%.*s\" is the same as that of line %d (hint: keep one of them)",
				    TEXT_FORMAT(part.title), routes[k].line);
	}
	conf->routes = routes;
	conf->route_count = routes ? count : 0;
}
