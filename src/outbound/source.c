/* Whence we send: which address of ours a host is dialled from.
 *
 * In a pool the other side decides by rendezvous hashing: each address has a weight for the domain (or the first host of a `via`), and the
 * heaviest is taken. So a receiver always meets the same address and can learn to know it, and an address that is added or goes
 * moves no more than its share. What is demanded of TLS does not count: the same mail with REQUIRETLS comes from the same address.
 *
 * Where the pool has a proxy, that decides: it is dialled from where the system chooses.
 *
 * A host of a family that the pool has no address of is as good as not there. The system's choice in its place would be an address that this
 * mail was to be kept from. */
#include "outbound/courier_private.h"

const struct outbound_pool *source_pool(const struct outbound *outbound, const struct next_hop *hop)
{
	const struct outbound_settings *settings = &outbound->settings;

	for (size_t i = 0; hop->pool.length > 0 && i < settings->pool_count; i++)
		if (text_equal(settings->pools[i].name, hop->pool))
			return &settings->pools[i];
	return NULL;
}

const struct endpoint *source_proxy(const struct outbound_pool *pool, const struct host *host)
{
	return pool != NULL && pool->proxy.family != ENDPOINT_NONE && !endpoint_is_loopback(&host->endpoint) ? &pool->proxy : NULL;
}

static uint64_t weigh(const struct endpoint *address, struct text destination)
{
	return text_hash(destination, text_hash((struct text){ (const char *)address->ip, sizeof address->ip }, 0));
}

/* NULL: there is none of this family. Loopback is for loopback. */
static const struct endpoint *heaviest(const struct outbound_pool *pool, const struct endpoint *to, struct text destination)
{
	const struct endpoint *found = NULL;
	uint64_t most = 0;

	for (size_t i = 0; i < pool->address_count; i++) {
		const struct endpoint *address = &pool->addresses[i];

		if (address->family != to->family || endpoint_is_loopback(address) != endpoint_is_loopback(to))
			continue;
		const uint64_t weight = weigh(address, destination);

		if (found == NULL || weight > most) {
			found = address;
			most = weight;
		}
	}
	return found;
}

/* One of outbound's addresses of this family; NULL: the system's choice. */
static const struct endpoint *draw(const struct outbound *outbound, enum endpoint_family family)
{
	const struct outbound_settings *settings = &outbound->settings;
	const struct endpoint *drawn = NULL;
	uint32_t seen = 0;

	for (size_t i = 0; i < settings->source_count; i++)
		if (settings->sources[i].family == family && loop_random(outbound->world.loop) % ++seen == 0)
			drawn = &settings->sources[i];
	return drawn;
}

bool source_choose(const struct outbound *outbound, const struct next_hop *hop, const struct host *host,
    const struct endpoint **out_source)
{
	const struct outbound_pool *pool = source_pool(outbound, hop);
	const struct endpoint *source;

	if (hop->pool.length == 0) {
		*out_source = draw(outbound, host->endpoint.family);
		return true;
	}
	if (pool == NULL)
		return false;
	if (source_proxy(pool, host) != NULL) {
		*out_source = NULL;
		return true;
	}
	source = heaviest(pool, &host->endpoint, hop->via_count > 0 ? hop->via[0] : hop->domain);
	if (source == NULL && !endpoint_is_loopback(&host->endpoint))
		return false;
	*out_source = source;
	return true;
}

void source_leave_out(struct job *job)
{
	const struct next_hop *hop = &job->delivery->route->next_hop;
	const struct host_list *list = job->delivery->hosts;
	const struct verdict unknown = VERDICT(451, 4, 3, 5, "the pool that it is to be sent from is not in the configuration any more");
	const struct verdict strange = VERDICT(451, 4, 3, 5, "the pool that it is to be sent from has no address of the host's family");
	const struct endpoint *source;

	for (size_t i = 0; hop->pool.length > 0 && i < list->host_count; i++) {
		if (source_choose(job->outbound, hop, &list->hosts[i], &source))
			continue;
		race_note_tried(job, i);
		job->only_final = false;
		job->trouble = source_pool(job->outbound, hop) == NULL ? unknown : strange;
	}
}
