/* Destinations: how many deliveries each may have, when it rests, what its hosts are. */
#include "base/must.h"
#include "queue/queue_private.h"

enum {
	DESTINATION_ARENA_BYTES = 64 << 10,
	HOSTS_ARENA_BYTES = 256 << 10,
	LIMIT_FIRST = 5, /* Who never answered holds no more deliveries than these. */
	HOSTS_TTL_MS_MIN = 1000,
	HOSTS_TTL_MS_MAX = 300000,
	PAUSE_MS_FIRST = 30000,
	PAUSE_MS_MAX = 300000
};

/* -- The table ---------------------------------------------------------------------------------- */

static struct text mailbox_key(void)
{
	return TEXT("mailbox");
}

uint32_t destination_limit_max(const struct queue *queue, const struct destination *destination)
{
	return text_equal(destination->key, mailbox_key()) ? queue->settings.mailbox_concurrency
	                                                   : queue->settings.concurrency;
}

static bool copy_hop(struct arena *arena, const struct next_hop *hop, struct next_hop *out_hop)
{
	struct text *via = arena_array(arena, hop->via_count + 1, sizeof *via);

	*out_hop = *hop;
	if (via == NULL || !arena_copy(arena, hop->domain, &out_hop->domain))
		return false;
	for (size_t i = 0; i < hop->via_count; i++)
		if (!arena_copy(arena, hop->via[i], &via[i]))
			return false;
	out_hop->via = via;
	return true;
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
	destination->limit = destination_limit_max(queue, destination);
	if (hop != NULL && destination->limit > LIMIT_FIRST)
		destination->limit = LIMIT_FIRST;
	HASH_ADD_KEYPTR(hh, queue->destinations, destination->key.bytes, destination->key.length, destination);
	if (destination->hh.tbl == NULL) {
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
	must(destination->in_flight == 0 && destination->blocked == NULL && destination->waiting == NULL);
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
	arena_free(destination->arena);
}

/* -- The gate ------------------------------------------------------------------------------------- */

enum queue_gate destination_gate(const struct destination *destination, int64_t now_ms)
{
	if (destination->pause_until_ms > now_ms)
		return destination->down ? QUEUE_GATE_DOWN : QUEUE_GATE_PAUSED;
	return destination->in_flight >= destination->limit ? QUEUE_GATE_FULL : QUEUE_GATE_OPEN;
}

void destination_block(struct destination *destination, struct domain *domain)
{
	struct queue *queue = destination->queue;
	const bool paused = destination_gate(destination, queue_now_ms(queue)) == QUEUE_GATE_PAUSED;

	must(domain->state == DOMAIN_TURN && domain->destination == destination);
	domain->state = DOMAIN_BLOCKED;
	DL_APPEND(destination->blocked, domain);
	destination->blocked_count++;
	if (paused && destination->pause_until_ms < queue->pause_next_ms)
		queue->pause_next_ms = destination->pause_until_ms;
}

void destination_unblock(struct queue *queue, struct destination *destination)
{
	const enum queue_gate gate = destination_gate(destination, queue_now_ms(queue));
	uint32_t count = gate == QUEUE_GATE_OPEN ? destination->limit - destination->in_flight
	    : gate == QUEUE_GATE_DOWN            ? destination->blocked_count
	                                         : 0;

	/* As many as may start; who finds the gate closed again queues up behind the others. */
	for (; count > 0 && destination->blocked != NULL; count--)
		domain_ready(queue, destination->blocked);
}

void destinations_wake(struct queue *queue, int64_t now_ms)
{
	queue->pause_next_ms = INT64_MAX;
	for (struct destination *destination = queue->destinations; destination != NULL;
	     destination = destination->hh.next) {
		if (destination->blocked == NULL)
			continue;
		if (destination->pause_until_ms <= now_ms)
			destination_unblock(queue, destination);
		else if (destination->pause_until_ms < queue->pause_next_ms)
			queue->pause_next_ms = destination->pause_until_ms;
	}
}

/* -- What attempts tell --------------------------------------------------------------------------- */

/* Doubling from 30 s to 5 min, but never longer than the mail itself waits for its next attempt. */
static int64_t pause_ms(struct queue *queue, uint32_t failures)
{
	const struct retry_schedule schedule = queue_schedule(queue);
	const int64_t gap_ms = retry_schedule_gap(&schedule, failures);
	int64_t pause = PAUSE_MS_FIRST;

	for (uint32_t i = 1; i < failures && pause < PAUSE_MS_MAX; i++)
		pause *= 2;
	pause = pause < PAUSE_MS_MAX ? pause : PAUSE_MS_MAX;
	return pause < gap_ms ? pause : gap_ms;
}

static void keep_last_words(struct destination *destination, const struct verdict *verdict)
{
	const struct text text = text_part(verdict->text, 0, LAST_WORDS_MAX / 2);
	const struct text host = text_part(verdict->host, 0, LAST_WORDS_MAX / 2);
	char *room = destination->last_room;

	memcpy(room, text.length > 0 ? text.bytes : "", text.length);
	memcpy(room + text.length, host.length > 0 ? host.bytes : "", host.length);
	destination->last = *verdict;
	destination->last.text = (struct text){ room, text.length };
	destination->last.host = (struct text){ room + text.length, host.length };
}

static void back_off(struct queue *queue, struct destination *destination, const struct verdict *verdict)
{
	const int64_t now_ms = queue_now_ms(queue);

	destination->limit = destination->limit > 1 ? destination->limit / 2 : 1;
	if (destination->pause_until_ms > now_ms)
		return; /* One of many that were under way when the trouble came. */
	destination->limit = 1; /* The next one is a probe. */
	destination->failures++;
	destination->down = destination->failures > 1;
	destination->pause_until_ms = now_ms + pause_ms(queue, destination->failures);
	keep_last_words(destination, verdict);
	if (destination->blocked != NULL && destination->pause_until_ms < queue->pause_next_ms)
		queue->pause_next_ms = destination->pause_until_ms;
}

void destination_learn(struct queue *queue, struct destination *destination, const struct delivery_outcome *outcomes,
    size_t outcome_count)
{
	for (size_t i = 0; i < outcome_count; i++) {
		if (outcomes[i].pressure) {
			back_off(queue, destination, &outcomes[i].verdict);
			return;
		}
	}
	destination->failures = 0;
	destination->down = false;
	destination->pause_until_ms = 0;
	if (destination->limit < destination_limit_max(queue, destination))
		destination->limit++;
}

/* -- Hosts ------------------------------------------------------------------------------------------ */

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
	for (size_t i = 0; i < list->host_count; i++) {
		hosts[i] = list->hosts[i];
		if (!arena_copy(arena, list->hosts[i].name, &hosts[i].name))
			return false;
	}
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

void queue_each_destination(const struct queue *queue,
    void (*each)(void *context, const struct queue_destination *destination), void *context)
{
	for (const struct destination *destination = queue->destinations; destination != NULL;
	     destination = destination->hh.next) {
		const struct queue_destination view = {
			.key = destination->key,
			.gate = destination_gate(destination, queue_now_ms(queue)),
			.in_flight = destination->in_flight,
			.concurrency = destination->limit,
			.waiting_domains = destination->blocked_count,
			.paused_until_ms = destination->pause_until_ms,
			.last = destination->last,
			.hosts = destination->hosts ? destination->hosts->list.explanation : TEXT_EMPTY,
			.hosts_expire_ms = destination->hosts ? destination->hosts->expires_ms : 0,
		};

		each(context, &view);
	}
}
