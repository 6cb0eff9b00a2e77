/* The queue's clock work: who is due, whose turn it is, when to look again. */
#include <stdlib.h>

#include "base/must.h"
#include "queue/queue_private.h"

enum {
	PULLS_PER_TURN = 64,
	SETTINGS_ARENA_BYTES = 4 << 20, /* As many destinations as a configuration has. */
	SLEEP_MS_MAX = 3600000   /* The wall clock may be set: look at it now and then. */
};

/* -- Giving turns ------------------------------------------------------------------------------ */

/* It has more: where others wait for the same site their line decides who is next, and it is one of them. */
static void go_on(struct queue *queue, struct domain *domain)
{
	struct site *site = domain->destination ? domain->destination->site : NULL;

	if (site == NULL || site->blocked.count == 0 || site_gate(site, queue_now_ms(queue)) == QUEUE_GATE_DOWN) {
		domain_ready(queue, domain);
		return;
	}
	site_block(site, domain);
	site_unblock(site);
}

/* False: trouble. */
static bool give_turn(struct queue *queue, struct domain *domain)
{
	domain->state = DOMAIN_TURN;
	switch (domain_pull(queue, domain)) {
	case PULL_MORE:
		go_on(queue, domain);
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
	return true;
}

/* True: somebody is ready for another turn. */
static bool serve(struct queue *queue)
{
	for (int pulls = 0; queue->ready.count > 0 && queue->job_count < queue->settings.in_flight_max; pulls++) {
		if (pulls == PULLS_PER_TURN)
			return true;

		struct domain *domain = domain_of_seat(turn_line_next(&queue->ready, &queue->turns));
		struct site *kept = domain->ticket ? site_ref(domain->ticket) : NULL;

		domain_drop_ticket(domain);

		const bool ok = give_turn(queue, domain);

		if (kept != NULL) { /* What he did not take is for the next. */
			site_unblock(kept);
			site_unref(kept);
		}
		if (!ok)
			return false;
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
	int64_t next_ms = now_ms + SLEEP_MS_MAX;

	if (!queue->draining)
		next_ms = earlier(next_ms, queue_scan_due_ms(queue, now_ms));
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
		sites_wake(queue, now_ms);
	if (!queue->draining && queue->trouble_until_ms <= now_ms) {
		more = queue_scan(queue, now_ms);
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
	queue_take_news(queue);
	queue_kick(queue);
}

/* -- Life ---------------------------------------------------------------------------------------- */

/* Replace the settings by a copy. False: no memory, all is as before. */
static bool copy_settings(struct queue *queue, const struct queue_settings *settings)
{
	must(settings->retry_count >= 1 && settings->concurrency >= 1);
	must(settings->mailbox_concurrency >= 1 && settings->in_flight_max >= 1);

	struct arena *arena = arena_new(SETTINGS_ARENA_BYTES);
	int64_t *gaps = arena ? arena_array(arena, settings->retry_count, sizeof *gaps) : NULL;
	const struct shape *shapes;
	struct text hostname;

	if (gaps == NULL || !arena_copy(arena, settings->hostname, &hostname) ||
	    !shapes_copy(settings->shapes, settings->shape_count, arena, &shapes)) {
		arena_free(arena);
		return false;
	}
	memcpy(gaps, settings->retry_ms, settings->retry_count * sizeof *gaps);
	arena_free(queue->settings_arena);
	queue->settings_arena = arena;
	queue->settings = *settings;
	queue->settings.hostname = hostname;
	queue->settings.retry_ms = gaps;
	if (queue->settings.domain_max == 0)
		queue->settings.domain_max = QUEUE_DOMAIN_MAX;
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
	/* Where mail goes may have changed, and how we log in there: forget what was found, let everybody ask and try again. */
	for (struct domain *domain = queue->domains; domain != NULL; domain = domain->hh.next)
		domain_drop_ticket(domain);
	destinations_reshape(queue);
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

const struct busiest *queue_busiest(const struct queue *queue)
{
	return &queue->busiest;
}

uint32_t queue_paced(const struct queue *queue)
{
	const int64_t now_ms = queue_now_ms(queue);
	uint32_t paced = 0;

	for (const struct site *site = queue->sites; site != NULL; site = site->hh.next)
		if (site->paced_until_ms > now_ms)
			paced += site->blocked.count;
	return paced;
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
