/* Destinations: what their hosts are, and whose limits they share. */
#include "base/must.h"
#include "queue/queue_private.h"

enum {
	DESTINATION_ARENA_BYTES = 64 << 10,
	HOSTS_ARENA_BYTES = 256 << 10,
	HOSTS_TTL_MS_MIN = 1000,
	HOSTS_TTL_MS_MAX = 300000,
	SITE_KEY_ARENA_BYTES = 2 << 20 /* HOSTS_ADDRESS_MAX names, written one behind the other. */
};

/* -- The table ---------------------------------------------------------------------------------- */

static struct text mailbox_key(void)
{
	return TEXT("mailbox");
}

/* What is fixed for it, as far as its hosts are known. */
static const struct shape *shape_of(const struct destination *destination, const struct host_list *hosts)
{
	const struct queue_settings *settings = &destination->queue->settings;
	const struct next_hop *hop = &destination->hop;

	if (hop->domain.length == 0 && hop->via_count == 0) /* A mailbox, or a pipe. */
		return NULL;
	/* Over a relay go many domains. */
	return shape_find(settings->shapes, settings->shape_count, hop->via_count == 0 ? hop->domain : TEXT_EMPTY, hosts);
}

static bool copy_names(struct arena *arena, const struct text *hosts, size_t count, const struct text **out_hosts)
{
	struct text *copy = arena_array(arena, count + 1, sizeof *copy);

	for (size_t i = 0; copy != NULL && i < count; i++)
		if (!arena_copy(arena, hosts[i], &copy[i]))
			return false;
	*out_hosts = copy;
	return copy != NULL;
}

static bool copy_hop(struct arena *arena, const struct next_hop *hop, struct next_hop *out_hop)
{
	*out_hop = *hop;
	return arena_copy(arena, hop->domain, &out_hop->domain) && arena_copy(arena, hop->user, &out_hop->user) &&
	    arena_copy(arena, hop->pool, &out_hop->pool) &&
	    copy_names(arena, hop->via, hop->via_count, &out_hop->via) &&
	    copy_names(arena, hop->fallback, hop->fallback_count, &out_hop->fallback);
}

static struct destination *destination_new(struct queue *queue, struct text key, const struct next_hop *hop)
{
	struct arena *arena = arena_new(DESTINATION_ARENA_BYTES);
	struct destination *destination = arena ? arena_alloc(arena, sizeof *destination) : NULL;

	if (destination == NULL || !arena_copy(arena, key, &destination->key) ||
	    (hop != NULL && !copy_hop(arena, hop, &destination->hop))) {
		arena_free(arena);
		return NULL;
	}
	destination->arena = arena;
	destination->queue = queue;
	destination->hop.destination = destination->key;
	/* Until its hosts are known it is a site of its own. */
	destination->site = site_get(queue, key, hop == NULL);
	if (destination->site == NULL) {
		arena_free(arena);
		return NULL;
	}
	site_fix(destination->site, shape_of(destination, NULL));
	HASH_ADD_KEYPTR(hh, queue->destinations, destination->key.bytes, destination->key.length, destination);
	if (destination->hh.tbl == NULL) {
		site_unref(destination->site);
		arena_free(arena);
		return NULL;
	}
	return destination;
}

struct destination *destination_get(struct queue *queue, const struct next_hop *hop)
{
	const struct text key = hop ? hop->destination : mailbox_key();
	struct destination *destination;

	HASH_FIND(hh, queue->destinations, key.bytes, key.length, destination);
	if (destination != NULL)
		return destination_ref(destination);
	destination = destination_new(queue, key, hop);
	if (destination != NULL)
		destination->references = 1;
	return destination;
}

struct destination *destination_ref(struct destination *destination)
{
	struct queue *queue = destination->queue;

	if (destination->references++ == 0) {
		DL_DELETE(queue->idle_destinations, destination);
		queue->idle_destination_count--;
	}
	return destination;
}

/* Nobody needs it now; what it learned is kept until others need the room. */
void destination_unref(struct queue *queue, struct destination *destination)
{
	if (destination == NULL)
		return;
	must(destination->references > 0);
	if (--destination->references > 0)
		return;
	must(destination->in_flight == 0 && destination->waiting == NULL);
	DL_APPEND(queue->idle_destinations, destination);
	if (++queue->idle_destination_count > QUEUE_DESTINATION_MAX) {
		struct destination *oldest = queue->idle_destinations;

		DL_DELETE(queue->idle_destinations, oldest);
		queue->idle_destination_count--;
		destination_free(queue, oldest);
	}
}

void destination_free(struct queue *queue, struct destination *destination)
{
	HASH_DELETE(hh, queue->destinations, destination);
	if (destination->search != NULL)
		hosts_cancel(destination->search);
	host_cache_unref(destination->hosts);
	site_vacate(destination->site, destination->in_flight); /* The queue ends before its deliveries. */
	site_unref(destination->site);
	arena_free(destination->arena);
}

/* -- Sites ---------------------------------------------------------------------------------------- */

/* Those who wait look again: it is another gate. */
static void move_to(struct destination *destination, struct site *site)
{
	struct site *old = destination->site;

	site_let_go(old, destination);
	site_vacate(old, destination->in_flight);
	site_occupy(site, destination->in_flight);
	destination->site = site;
	if (old->references > 1)
		site_unblock(old);
	site_unref(old);
}

/* One whose demands its hosts did not meet stays apart until they do. */
static bool is_apart(const struct destination *destination)
{
	return destination->site->failures > 0 && text_equal(destination->site->key, destination->key);
}

void destination_part(struct destination *destination)
{
	struct site *site = site_get(destination->queue, destination->key, false);

	if (site == NULL || site == destination->site) {
		site_unref(site);
		return;
	}
	site_fix(site, destination->site->shape);
	move_to(destination, site);
}

bool destination_join(struct destination *destination, const struct host_list *hosts)
{
	if (is_apart(destination))
		return false;

	const struct shape *shape = shape_of(destination, hosts);
	struct arena *arena = arena_new(SITE_KEY_ARENA_BYTES);
	struct text key;
	bool moved = false;

	if (arena != NULL && shape_site_key(shape, hosts, arena, &key)) {
		struct site *site = site_get(destination->queue, key, false);

		moved = site != NULL && site != destination->site;
		if (moved) {
			if (site->shape != shape || site->references == 1)
				site_fix(site, shape);
			move_to(destination, site);
		} else {
			site_unref(site);
		}
	}
	arena_free(arena);
	return moved;
}

void destinations_reshape(struct queue *queue)
{
	for (struct site *site = queue->sites; site != NULL; site = site->hh.next)
		site->shape = NULL;
	for (struct destination *destination = queue->destinations; destination != NULL;
	     destination = destination->hh.next) {
		const struct host_list *hosts = destination->hosts ? &destination->hosts->list : NULL;

		site_fix(destination->site, shape_of(destination, hosts));
		site_forgive(destination->site);
		host_cache_unref(take(destination->hosts));
	}
}

/* -- Hosts ------------------------------------------------------------------------------------------ */

/* `previous`: the one before, whose copy stands before ours. The addresses of a host share its records. */
static bool copy_host(struct arena *arena, const struct host *host, const struct host *previous, struct host *out_host)
{
	const struct tlsa_set *usable = &host->tlsa.usable;

	*out_host = *host;
	if (previous != NULL && previous->tlsa.usable.records == usable->records)
		out_host->tlsa.usable = out_host[-1].tlsa.usable;
	else if (!tlsa_copy(usable, arena, &out_host->tlsa.usable))
		return false;
	return arena_copy(arena, host->name, &out_host->name) && arena_copy(arena, host->tlsa.base, &out_host->tlsa.base);
}

static bool copy_hosts(struct arena *arena, const struct host_list *list, struct host_list *out_list)
{
	struct host *hosts = arena_array(arena, list->host_count + 1, sizeof *hosts);

	*out_list = *list;
	if (hosts == NULL || !arena_copy(arena, list->explanation, &out_list->explanation) ||
	    !arena_copy(arena, list->policy.sts.patterns, &out_list->policy.sts.patterns) ||
	    !arena_copy(arena, list->policy.trouble, &out_list->policy.trouble) ||
	    !arena_copy(arena, list->verdict.text, &out_list->verdict.text) ||
	    !arena_copy(arena, list->verdict.host, &out_list->verdict.host))
		return false;
	for (size_t i = 0; i < list->host_count; i++)
		if (!copy_host(arena, &list->hosts[i], i > 0 ? &list->hosts[i - 1] : NULL, &hosts[i]))
			return false;
	out_list->hosts = hosts;
	return true;
}

struct host_cache *host_cache_new(const struct host_list *list, int64_t now_ms)
{
	struct arena *arena = arena_new(HOSTS_ARENA_BYTES);
	struct host_cache *cache = arena ? arena_alloc(arena, sizeof *cache) : NULL;

	if (cache == NULL || !copy_hosts(arena, list, &cache->list)) {
		arena_free(arena);
		return NULL;
	}

	int64_t ttl_ms = (int64_t)list->ttl_s * 1000;

	ttl_ms = ttl_ms < HOSTS_TTL_MS_MIN ? HOSTS_TTL_MS_MIN : ttl_ms > HOSTS_TTL_MS_MAX ? HOSTS_TTL_MS_MAX : ttl_ms;
	cache->arena = arena;
	cache->references = 1;
	cache->expires_ms = now_ms + ttl_ms;
	return cache;
}

struct host_cache *host_cache_ref(struct host_cache *cache)
{
	cache->references++;
	return cache;
}

void host_cache_unref(struct host_cache *cache)
{
	if (cache != NULL && --cache->references == 0)
		arena_free(cache->arena);
}

/* -- Questions ---------------------------------------------------------------------------------------- */

bool queue_destination_hosts(
    const struct queue *queue, struct text key, const struct host_list **out_hosts, struct text *out_pool)
{
	const struct destination *destination;

	HASH_FIND(hh, queue->destinations, key.bytes, key.length, destination);
	if (destination == NULL || destination->hosts == NULL)
		return false;
	*out_hosts = &destination->hosts->list;
	*out_pool = destination->hop.pool;
	return true;
}

void queue_each_destination(const struct queue *queue,
    void (*each)(void *context, const struct queue_destination *destination), void *context)
{
	for (struct site *site = queue->sites; site != NULL; site = site->hh.next)
		site->told = false;
	for (const struct destination *destination = queue->destinations; destination != NULL;
	     destination = destination->hh.next) {
		struct site *site = destination->site;
		const struct queue_destination view = {
			.key = destination->key,
			.site = site->key,
			.site_destinations = site->references - site->tickets,
			.site_first = !site->told,
			.idle = destination->references == 0,
			.gate = site_gate(site, queue_now_ms(queue)),
			.in_flight = site->in_flight,
			.concurrency = site->limit,
			.shape = site->shape ? site->shape->pattern : TEXT_EMPTY,
			.limits = site->shape ? site->shape->limits : (struct shape_limits){ 0 },
			.waiting_domains = site->blocked.count,
			.paused_until_ms = site->pause_until_ms,
			.paced_until_ms = site->paced_until_ms,
			.last = site->last,
			.hosts = destination->hosts ? destination->hosts->list.explanation : TEXT_EMPTY,
			.hosts_expire_ms = destination->hosts ? destination->hosts->expires_ms : 0,
		};

		site->told = true;
		each(context, &view);
	}
}
