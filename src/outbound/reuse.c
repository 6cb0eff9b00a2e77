/* Which idle connection may serve a delivery.
 *
 * One that was opened for the same destination, as long as the host is still one of its hosts and policies and TLSA records are the
 * same. Else one to the same host that another destination has left idle, where all of this holds:
 *
 *   R1  It is a host that stands first for this domain, too: by its preference, or where an order is configured by its name. A relay
 *       is none while the hosts have their turn.
 *   R2  Address, port, name, protocol, login, and whence and as whom we come are what they would be if it were dialled now.
 *   R3  What was demanded of TLS is what this domain demands, or more, and was had: a session that had to be verified serves where
 *       no proof is asked for, and none the other way round. Nothing is concluded from what a certificate would have been good for.
 *   R4  The TLSA records by which it was believed are this domain's finding, too; and none is of an authority (DANE-TA), for then
 *       the certificate may have been believed for the name of the other domain (RFC 7672 §3.2.2).
 *   R5  Where the domain wants to hear of certificates that it does not demand (MTA-STS that is only tested), it gets a session
 *       of its own.
 *   R6  Neither has fixed limits, or both count for the same site. */
#include "outbound/courier_private.h"

#include <utlist.h>

struct text host_certified_name(const struct host *host, struct text ip)
{
	struct endpoint endpoint;

	return endpoint_parse(host->name, 1, &endpoint) || endpoint_parse_ip(host->name, &endpoint) ? ip : host->name;
}

/* Between two processes of this machine TLS hides nothing from anybody, and where it failed a moment ago it is not tried again (U5). */
struct tls_demand reuse_demand(const struct job *job, const struct host *host)
{
	const struct next_hop *hop = &job->delivery->route->next_hop;
	struct tls_demand demand = host->fallback ? hop->fallback_tls : hop->tls;
	const bool pointless = host->endpoint.family == ENDPOINT_UNIX || job->outbound->tls == NULL || job->clear;

	if (demand.level < host->tls_least)
		demand.level = host->tls_least;
	if (demand.level == TLS_OPPORTUNISTIC && pointless)
		demand.level = TLS_UNUSED;
	return demand;
}

/* -- The same destination ----------------------------------------------------------- */

/* Of a pool, which may have changed since. */
static bool leaves_as_chosen(const struct connection *connection, const struct next_hop *next_hop, const struct host *host)
{
	const struct outbound_pool *pool = source_pool(connection->outbound, next_hop);
	const struct endpoint *source;

	if (next_hop->pool.length == 0)
		return connection->hostname.length == 0;
	if (pool == NULL || !source_choose(connection->outbound, next_hop, host, &source))
		return false;
	const struct endpoint *proxy = source_proxy(pool, host);

	return text_equal(connection->hostname, pool->hostname) &&
	    (proxy != NULL ? endpoint_equal(proxy, &connection->proxy) : connection->proxy.family == ENDPOINT_NONE) &&
	    (source != NULL ? endpoint_equal(source, &connection->source) : connection->source.family == ENDPOINT_NONE);
}

static bool is_to(const struct connection *connection, const struct next_hop *next_hop, const struct host *host)
{
	return endpoint_equal(&host->endpoint, &connection->endpoint) && host->fallback == connection->fallback &&
	    connection->used.level >= host->tls_least && tlsa_equal(&host->tlsa.usable, &connection->tlsa.usable) &&
	    leaves_as_chosen(connection, next_hop, host);
}

static bool is_own(const struct connection *connection, const struct job *job)
{
	const struct delivery *delivery = job->delivery;
	const struct next_hop *next_hop = &delivery->route->next_hop;

	if (!text_equal(connection->destination, next_hop->destination) || !tls_demand_equal(connection->demand, next_hop->tls))
		return false;
	for (size_t i = 0; i < delivery->hosts->host_count; i++)
		if (delivery->hosts->hosts[i].fallback == job->at_relays && is_to(connection, next_hop, &delivery->hosts->hosts[i]))
			return true;
	return false;
}

/* -- Another one -------------------------------------------------------------------- */

/* R1 */
static bool stands_first(const struct job *job, const struct host *host)
{
	const struct delivery *delivery = job->delivery;
	const struct host *first = delivery->hosts->hosts;

	while (first->fallback != job->at_relays && first != host)
		first++;
	if (host->fallback != job->at_relays || host->preference != first->preference)
		return false;
	return (delivery->route->next_hop.via_count == 0 && !job->at_relays) ||
	    (text_equal(host->name, first->name) && host->endpoint.port == first->endpoint.port);
}

/* R2. Another snapshot may have another password. */
static bool logs_in_so(const struct connection *connection, const struct next_hop *next_hop)
{
	if (connection->login == NULL)
		return next_hop->user.length == 0 || connection->fallback;
	return connection->logins == connection->outbound->logins &&
	    connection->login == logins_find(connection->logins, next_hop);
}

/* R3 */
static bool satisfies(struct tls_demand used, struct tls_demand demanded)
{
	if (used.level < demanded.level)
		return false;
	used.level = demanded.level;
	return tls_demand_equal(used, demanded);
}

/* R4 */
static bool names_authority(const struct tlsa_set *records)
{
	for (size_t i = 0; i < records->count; i++)
		if ((unsigned char)records->records[i].bytes[0] != TLSA_DANE_EE)
			return true;
	return false;
}

/* R2, R4, R5 */
static bool is_believed_so(const struct connection *connection, const struct delivery *delivery, const struct host *host)
{
	char room[ENDPOINT_TEXT_MAX];

	return text_equal(connection->host, host_certified_name(host, endpoint_print_ip(&host->endpoint, room))) &&
	    connection->tlsa.finding == host->tlsa.finding && text_equal(connection->tlsa.base, host->tlsa.base) &&
	    !names_authority(&connection->tlsa.usable) &&
	    (host->fallback || !outbound_judges(delivery) || connection->used.level >= TLS_VERIFIED);
}

static bool has_limits(const struct delivery_limits *limits)
{
	return limits->connections_max > 0 || limits->messages_max > 0;
}

/* R6 */
static bool counts_so(const struct connection *connection, const struct delivery *delivery)
{
	return connection->limits.site == delivery->limits.site || (!has_limits(&connection->limits) && !has_limits(&delivery->limits));
}

static bool knows_domain(const struct connection *connection, uint64_t domain)
{
	for (size_t i = 0; i < connection->domain_count; i++)
		if (connection->domains[i] == domain)
			return true;
	return false;
}

static uint64_t domain_of(const struct delivery *delivery)
{
	return text_hash(delivery->route->next_hop.domain, 0);
}

bool reuse_note_domain(struct connection *connection, const struct delivery *delivery)
{
	const uint64_t domain = domain_of(delivery);

	if (knows_domain(connection, domain) || connection->domain_count == CONNECTION_DOMAINS_MAX)
		return false;
	connection->domains[connection->domain_count++] = domain;
	return true;
}

static bool is_as_good(const struct connection *connection, const struct job *job)
{
	const struct delivery *delivery = job->delivery;
	const struct next_hop *next_hop = &delivery->route->next_hop;

	if (!counts_so(connection, delivery) || !logs_in_so(connection, next_hop) ||
	    (connection->domain_count == CONNECTION_DOMAINS_MAX && !knows_domain(connection, domain_of(delivery))))
		return false;
	for (size_t i = 0; i < delivery->hosts->host_count; i++) {
		const struct host *host = &delivery->hosts->hosts[i];

		if (stands_first(job, host) && is_to(connection, next_hop, host) && is_believed_so(connection, delivery, host) &&
		    satisfies(connection->used, reuse_demand(job, host)))
			return true;
	}
	return false;
}

/* -- The search --------------------------------------------------------------------- */

/* At most idle_max are looked at. Our own goes first: another one may be wanted by those it was opened for. */
struct connection *reuse_find(const struct job *job)
{
	const struct delivery *delivery = job->delivery;
	struct connection *connection, *other = NULL;

	DL_FOREACH2(job->outbound->idle, connection, idle_next) {
		if (connection->lmtp != delivery->route->next_hop.lmtp || !client_session_has_room(connection->session, delivery))
			continue;
		if (is_own(connection, job))
			return connection;
		if (other == NULL && is_as_good(connection, job))
			other = connection;
	}
	return other;
}
