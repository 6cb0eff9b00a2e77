/* The queue's clock work: who is due, whose turn it is, when to look again. */
#include <stdlib.h>

#include "base/must.h"
#include "queue/queue_private.h"

enum {
	SCAN_BATCH = 256,        /* Due recipients looked at for a shard in one turn. */
	PULLS_PER_TURN = 64,
	SLEEP_MS_MAX = 3600000   /* The wall clock may be set: look at it now and then. */
};

static struct spool_position position_before(struct spool_position position)
{
	if (position.index > 0) {
		position.index--;
	} else if (position.id > 0) {
		position.id--;
		position.index = UINT32_MAX;
	} else {
		position.due_ms--;
		position.id = UINT64_MAX;
		position.index = UINT32_MAX;
	}
	return position;
}

static bool position_less(struct spool_position a, struct spool_position b)
{
	if (a.due_ms != b.due_ms)
		return a.due_ms < b.due_ms;
	return a.id != b.id ? a.id < b.id : a.index < b.index;
}

/* -- Finding active domains ------------------------------------------------------------------- */

static struct domain *domain_new(struct queue *queue, struct text name)
{
	struct domain *domain = calloc(1, sizeof *domain + name.length + 1);

	if (domain == NULL)
		return NULL;

	char *bytes = (char *)(domain + 1);

	memcpy(bytes, name.length > 0 ? name.bytes : "", name.length);
	domain->name = (struct text){ bytes, name.length };
	domain->state = DOMAIN_IDLE;
	HASH_ADD_KEYPTR(hh, queue->domains, bytes, name.length, domain);
	if (domain->hh.tbl == NULL) {
		free(domain);
		return NULL;
	}
	queue->domain_count++;
	return domain;
}

static struct domain *find_domain(struct queue *queue, struct text name)
{
	const char *bytes = name.length > 0 ? name.bytes : "";
	struct domain *domain;

	HASH_FIND(hh, queue->domains, bytes, name.length, domain);
	return domain;
}

struct domain *domain_get(struct queue *queue, struct text name)
{
	struct domain *domain = find_domain(queue, name);

	if (domain == NULL && queue->domain_count < QUEUE_DOMAIN_MAX)
		domain = domain_new(queue, name);
	return domain;
}

/* A due recipient was seen: its domain is active from now on. False: no room for one more. */
static bool activate(struct queue *queue, const struct spool_due *due)
{
	struct domain *domain = find_domain(queue, due->domain);

	if (domain == NULL) {
		domain = domain_get(queue, due->domain);
		if (domain == NULL)
			return false;
	} else if (!position_less(domain->cursor, due->position)) {
		if (flight_is_on(queue, due->position.id, due->position.index))
			return true;
		domain->cursor = position_before(due->position);
	}
	if (domain->state == DOMAIN_IDLE)
		domain_ready(queue, domain);
	return true;
}

/* One batch of due recipients. True: there may be more now. */
static bool scan_shard(struct queue *queue, unsigned number, int64_t now_ms)
{
	struct shard *shard = &queue->shards[number];
	struct spool_due *due;
	size_t count;

	arena_reset(queue->scratch);
	if (spool_scan_due(queue->parts.spool, number, shard->watermark, now_ms, SCAN_BATCH, queue->scratch, &due, &count) !=
	    OK) {
		queue->trouble_until_ms = now_ms + TROUBLE_MS;
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (!activate(queue, &due[i]))
			return false; /* A domain that leaves the table makes the next turn. */
		shard->watermark = due[i].position;
	}
	if (count == SCAN_BATCH)
		return true;
	if (spool_next_due(queue->parts.spool, number, shard->watermark, &shard->next_due_ms) != OK)
		shard->next_due_ms = now_ms + TROUBLE_MS;
	return shard->next_due_ms <= now_ms;
}

static bool scan_shards(struct queue *queue, int64_t now_ms)
{
	bool more = false;

	for (unsigned i = 0; i < SPOOL_SHARD_COUNT; i++)
		if (queue->shards[i].owned && queue->shards[i].next_due_ms <= now_ms)
			more |= scan_shard(queue, i, now_ms);
	return more;
}

static void take_news(struct queue *queue)
{
	for (unsigned i = 0; i < SPOOL_SHARD_COUNT; i++) {
		struct shard *shard = &queue->shards[i];
		const int64_t due_ms = shard->owned ? spool_port_news(queue->parts.port, i) : INT64_MAX;

		if (due_ms < shard->next_due_ms)
			shard->next_due_ms = due_ms;
		if (due_ms <= shard->watermark.due_ms) /* Q1 */
			shard->watermark = position_before((struct spool_position){ .due_ms = due_ms });
	}
}

/* -- Giving turns ------------------------------------------------------------------------------ */

/* True: somebody is ready for another turn. */
static bool serve(struct queue *queue)
{
	for (int pulls = 0; queue->ready != NULL && queue->job_count < queue->settings.in_flight_max; pulls++) {
		struct domain *domain = queue->ready;

		if (pulls == PULLS_PER_TURN)
			return true;
		DL_DELETE(queue->ready, domain);
		domain->state = DOMAIN_TURN;
		switch (domain_pull(queue, domain)) {
		case PULL_MORE:
			domain_ready(queue, domain);
			break;
		case PULL_EMPTY:
			domain->state = DOMAIN_IDLE;
			if (domain->job_count == 0)
				domain_free(queue, domain);
			break;
		case PULL_BLOCKED:
			must(domain->state == DOMAIN_BLOCKED);
			break;
		case PULL_TROUBLE:
			domain_ready(queue, domain);
			queue->trouble_until_ms = queue_now_ms(queue) + TROUBLE_MS;
			return false;
		}
	}
	return false;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Sleep until something becomes due. */
static void set_timer(struct queue *queue, bool more, int64_t now_ms)
{
	const bool table_full = queue->domain_count >= QUEUE_DOMAIN_MAX;
	int64_t next_ms = now_ms + SLEEP_MS_MAX;

	for (unsigned i = 0; !queue->draining && !table_full && i < SPOOL_SHARD_COUNT; i++)
		if (queue->shards[i].owned)
			next_ms = earlier(next_ms, queue->shards[i].next_due_ms);
	next_ms = earlier(next_ms, queue->pause_next_ms);
	if (queue->trouble_until_ms > now_ms)
		next_ms = queue->trouble_until_ms;
	if (queue->unsettled != NULL)
		next_ms = earlier(next_ms, queue->unsettled_until_ms);
	if (queue->parts.suspects != NULL && suspects_exist(queue->parts.suspects) && !queue->draining)
		next_ms = earlier(next_ms, earlier(queue->trial_due_ms, queue->quarantine_due_ms));
	/* Never at once from inside a turn: sockets get their turn, too. */
	if (more || next_ms <= now_ms)
		next_ms = now_ms + 1;
	queue->timer_at_once = false;
	loop_timer_set(queue->timer, next_ms - now_ms);
}

static void tell_idle(struct queue *queue)
{
	void (*idle)(void *context) = queue->idle;

	queue->idle = NULL;
	idle(queue->idle_context);
}

static void turn(void *context)
{
	struct queue *queue = context;
	const int64_t now_ms = queue_now_ms(queue);
	bool more = false;

	queue->timer_at_once = false;
	if (queue->unsettled != NULL && queue->unsettled_until_ms <= now_ms)
		queue_retry_unsettled(queue);
	if (queue->pause_next_ms <= now_ms)
		destinations_wake(queue, now_ms);
	if (!queue->draining && queue->trouble_until_ms <= now_ms) {
		more = scan_shards(queue, now_ms);
		more |= serve(queue);
		if (queue->parts.suspects != NULL && suspects_exist(queue->parts.suspects)) {
			queue_try_suspects(queue, now_ms);
			queue_hold_condemned(queue, now_ms);
		}
	}
	set_timer(queue, more, now_ms);
	if (queue->draining && queue->job_count == 0 && queue->idle != NULL)
		tell_idle(queue); /* Last: the queue may be freed in there. */
}

void queue_kick(struct queue *queue)
{
	if (queue->timer_at_once)
		return;
	queue->timer_at_once = true;
	loop_timer_set(queue->timer, 0);
}

void queue_poll_news(struct queue *queue)
{
	take_news(queue);
	queue_kick(queue);
}

/* -- Life ---------------------------------------------------------------------------------------- */

/* Replace the settings by a copy. False: no memory, all is as before. */
static bool copy_settings(struct queue *queue, const struct queue_settings *settings)
{
	must(settings->retry_count >= 1 && settings->concurrency >= 1);
	must(settings->mailbox_concurrency >= 1 && settings->in_flight_max >= 1);

	struct arena *arena = arena_new(1 << 16);
	int64_t *gaps = arena ? arena_array(arena, settings->retry_count, sizeof *gaps) : NULL;
	struct text hostname;

	if (gaps == NULL || !arena_copy(arena, settings->hostname, &hostname)) {
		arena_free(arena);
		return false;
	}
	memcpy(gaps, settings->retry_ms, settings->retry_count * sizeof *gaps);
	arena_free(queue->settings_arena);
	queue->settings_arena = arena;
	queue->settings = *settings;
	queue->settings.hostname = hostname;
	queue->settings.retry_ms = gaps;
	return true;
}

struct queue *queue_new(
    const struct queue_parts *parts, const struct queue_settings *settings, struct router *router)
{
	struct queue *queue = calloc(1, sizeof *queue);

	if (queue == NULL)
		return NULL;
	queue->parts = *parts;
	queue->router = router_ref(router);
	queue->pause_next_ms = INT64_MAX;
	for (unsigned i = 0; i < SPOOL_SHARD_COUNT; i++)
		queue->shards[i].owned = parts->shards >> i & 1;
	queue->pauses = pauses_new(parts->spool);
	queue->scratch = arena_new(SCRATCH_ARENA_BYTES);
	queue->timer = loop_timer_new(parts->loop, turn, queue);
	if (queue->scratch == NULL || queue->pauses == NULL || queue->timer == NULL || !copy_settings(queue, settings)) {
		queue_free(queue);
		return NULL;
	}
	queue_kick(queue);
	return queue;
}

bool queue_reload(struct queue *queue, const struct queue_settings *settings, struct router *router)
{
	if (!copy_settings(queue, settings))
		return false;

	struct router *old = queue->router;

	queue->router = router_ref(router);
	router_unref(old);
	/* Where mail goes may have changed: forget what was found, let everybody ask again. */
	for (struct destination *destination = queue->destinations; destination != NULL;
	     destination = destination->hh.next) {
		host_cache_unref(take(destination->hosts));
		if (destination->limit > destination_limit_max(queue, destination))
			destination->limit = destination_limit_max(queue, destination);
		while (destination->blocked != NULL)
			domain_ready(queue, destination->blocked);
	}
	for (struct domain *domain = queue->domains; domain != NULL; domain = domain->hh.next)
		destination_unref(queue, take(domain->destination));
	queue_kick(queue);
	return true;
}

void queue_drain(struct queue *queue, void (*idle)(void *context), void *context)
{
	queue->draining = true;
	queue->idle = idle;
	queue->idle_context = context;
	queue_kick(queue);
}

void queue_set_signing(struct queue *queue, struct signing_keys *keys)
{
	struct signing_keys *old = queue->signing;

	queue->signing = signing_keys_ref(keys);
	signing_keys_unref(old);
}

void queue_free(struct queue *queue)
{
	if (queue == NULL)
		return;
	HASH_CLEAR(hh, queue->flights);
	while (queue->batches != NULL) {
		queue->batches->references = 1;
		batch_unref(queue, queue->batches);
	}
	for (struct domain *domain, *next = queue->domains; (domain = next) != NULL;) {
		next = domain->hh.next;
		domain_free(queue, domain);
	}
	for (struct destination *destination, *next = queue->destinations; (destination = next) != NULL;) {
		next = destination->hh.next;
		destination_free(queue, destination);
	}
	loop_timer_free(queue->timer);
	quarantine_free(queue->quarantine);
	pauses_free(queue->pauses);
	router_unref(queue->router);
	signing_keys_unref(queue->signing);
	arena_free(queue->scratch);
	arena_free(queue->settings_arena);
	free(queue);
}

/* -- Answers ---------------------------------------------------------------------------------------- */

int64_t queue_now_ms(const struct queue *queue)
{
	const struct queue_parts *parts = &queue->parts;

	return parts->now_unix_ms ? parts->now_unix_ms(parts->now_context) : loop_unix_ms(parts->loop);
}

struct retry_schedule queue_schedule(const struct queue *queue)
{
	return (struct retry_schedule){ queue->settings.retry_ms, queue->settings.retry_count };
}

struct queue_counts queue_counts(const struct queue *queue)
{
	return (struct queue_counts){
		.active_domains = queue->domain_count,
		.destinations = HASH_COUNT(queue->destinations),
		.deliveries = queue->job_count,
		.unsettled = queue->unsettled_count,
	};
}
