/* Sites: how many deliveries each may have, and when it rests. What was learned of hosts holds for all domains that they serve. */
#include <stdio.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/must.h"
#include "mail/date.h"
#include "queue/queue_private.h"

enum {
	LIMIT_FIRST = 5, /* Who never answered holds no more deliveries than these. */
	PAUSE_MS_FIRST = 30000,
	PAUSE_MS_MAX = 300000,
	HOLD_WEIGHT_OF_SITE = 8,  /* The newest counts an eighth. */
	HOLD_WEIGHT_OF_ALL = 128,
	PACE_QUIET_MS = 600000,
	SITE_RATE_KIND = 0x73 /* Of the keys in the table of rates, which others use as well. */
};

/* -- The table ---------------------------------------------------------------------------------- */

static struct site *site_new(struct queue *queue, struct text key, uint32_t limit_first)
{
	struct site *site = calloc(1, sizeof *site + key.length + 1);

	if (site == NULL)
		return NULL;
	memcpy(site + 1, key.bytes, key.length);
	site->key = (struct text){ (char *)(site + 1), key.length };
	site->queue = queue;
	site->limit = limit_first;
	site->number = ++queue->site_number;
	site->threshold = UINT32_MAX;
	HASH_ADD_KEYPTR(hh, queue->sites, site->key.bytes, key.length, site);
	if (site->hh.tbl == NULL) {
		free(site);
		return NULL;
	}
	return site;
}

struct site *site_get(struct queue *queue, struct text key, bool is_mailbox)
{
	struct site *site;

	HASH_FIND(hh, queue->sites, key.bytes, key.length, site);
	if (site == NULL)
		site = site_new(queue, key, is_mailbox ? queue->settings.mailbox_concurrency : LIMIT_FIRST);
	if (site == NULL)
		return NULL;
	site->is_mailbox = is_mailbox;
	site->references++;
	return site;
}

struct site *site_ref(struct site *site)
{
	site->references++;
	return site;
}

void site_unref(struct site *site)
{
	if (site == NULL || --site->references > 0)
		return;
	must(site->in_flight == 0 && site->tickets == 0 && site->blocked.count == 0);
	HASH_DELETE(hh, site->queue->sites, site);
	free(site);
}

void site_fix(struct site *site, const struct shape *shape)
{
	const uint32_t max = site->is_mailbox ? site->queue->settings.mailbox_concurrency : site->queue->settings.concurrency;
	const uint32_t concurrency = shape ? shape->limits.concurrency : 0, connections = shape ? shape->limits.connections : 0;

	/* A limit that was held down tells nothing of the hosts. */
	if (site->limit == site->limit_max && site->limit < LIMIT_FIRST && site->failures == 0)
		site->limit = LIMIT_FIRST;
	site->shape = shape;
	site->is_fixed = concurrency > 0;
	site->limit_max = concurrency > 0 ? concurrency : max;
	if (connections > 0 && site->limit_max > connections)
		site->limit_max = connections;
	site->paced_until_ms = 0;
	if (site->limit > site->limit_max || (site->is_fixed && site->failures == 0))
		site->limit = site->limit_max;
}

struct delivery_limits site_limits(const struct site *site)
{
	const struct shape *shape = site->shape;

	return (struct delivery_limits){ .site = site->number,
		.connections_max = shape ? shape->limits.connections : 0,
		.messages_max = shape ? shape->limits.connection_messages : 0 };
}

/* -- The gate ------------------------------------------------------------------------------------- */

static bool has_rate(const struct site *site)
{
	return site->shape != NULL && site->shape->limits.rate.count > 0 && site->queue->parts.rates != NULL;
}

/* The table's, which everybody who uses it shares. */
static int64_t rate_clock_ms(const struct queue *queue)
{
	return queue->parts.now_unix_ms ? queue_now_ms(queue) : loop_now_ms(queue->parts.loop);
}

/* Until when its rate has nothing left. */
static void look_at_rate(struct site *site, int64_t now_ms)
{
	const struct rate rate = shape_spread(site->shape->limits.rate);
	const int64_t wait_ms =
	    rate_table_look(site->queue->parts.rates, SITE_RATE_KIND, site->key, &rate, 1, rate_clock_ms(site->queue));

	site->paced_until_ms = wait_ms > 0 ? now_ms + wait_ms : 0;
}

/* -- How long it keeps a place ---------------------------------------------------------------------- */

static uint32_t seconds_of(uint32_t in_flight)
{
	return in_flight > 1 ? in_flight - 1 : 0;
}

static void change_in_flight(struct site *site, uint32_t in_flight)
{
	struct queue *queue = site->queue;

	queue->second_count += seconds_of(in_flight) - seconds_of(site->in_flight);
	if (site->in_flight == 0)
		site->moved_ms = queue_now_ms(queue);
	site->in_flight = in_flight;
}

void site_occupy(struct site *site, uint32_t count)
{
	change_in_flight(site, site->in_flight + count);
}

void site_vacate(struct site *site, uint32_t count)
{
	must(site->in_flight >= count);
	change_in_flight(site, site->in_flight - count);
}

/* A mean that forgets. */
static void average(int64_t *mean_us, int64_t us, unsigned weight)
{
	*mean_us = *mean_us == 0 ? us : *mean_us + (us - *mean_us) / (int64_t)weight;
}

static void note_hold(struct site *site, int64_t started_ms)
{
	const int64_t ms = queue_now_ms(site->queue) - started_ms, us = ms > 0 ? ms * 1000 : 1000;

	average(&site->hold_us, us, HOLD_WEIGHT_OF_SITE);
	average(&site->queue->hold_us, us, HOLD_WEIGHT_OF_ALL);
}

/* What it takes now: one that has gone silent is as slow as its silence is long. */
static int64_t holds_us(const struct site *site)
{
	const int64_t silent_us = site->in_flight > 0 ? (queue_now_ms(site->queue) - site->moved_ms) * 1000 : 0;

	return silent_us > site->hold_us ? silent_us : site->hold_us;
}

/* I4. So slow sites, however many they are, leave places to the rest, while one that is large and quick has its due. */
static uint32_t places_max(const struct site *site)
{
	const struct queue *queue = site->queue;
	const uint32_t all = queue->settings.in_flight_max;

	if (queue->job_count <= all / 2)
		return site->limit;
	if (site->hold_us == 0 || queue->second_count >= all / 4 * 3)
		return 1;

	const int64_t fair_us = 2 * queue->hold_us, holds = holds_us(site);

	if (holds <= fair_us)
		return site->limit;
	const int64_t share = site->limit * fair_us / holds;

	return share > 1 ? (uint32_t)share : 1;
}

uint32_t site_room(const struct site *site)
{
	const uint32_t max = places_max(site), taken = site->in_flight + site->tickets;

	return taken < max ? max - taken : 0;
}

enum queue_gate site_gate(struct site *site, int64_t now_ms)
{
	if (site->pause_until_ms > now_ms)
		return site->down ? QUEUE_GATE_DOWN : QUEUE_GATE_PAUSED;
	if (site_room(site) == 0)
		return QUEUE_GATE_FULL;
	if (has_rate(site) && site->paced_until_ms <= now_ms)
		look_at_rate(site, now_ms);
	return site->paced_until_ms > now_ms ? QUEUE_GATE_PACED : QUEUE_GATE_OPEN;
}

bool site_take_turn(struct site *site, int64_t now_ms)
{
	if (!has_rate(site))
		return true;

	const struct rate rate = shape_spread(site->shape->limits.rate);
	const int64_t wait_ms =
	    rate_table_take(site->queue->parts.rates, SITE_RATE_KIND, site->key, &rate, 1, rate_clock_ms(site->queue));

	site->paced_until_ms = wait_ms > 0 ? now_ms + wait_ms : 0;
	return wait_ms == 0;
}

/* When it may be worth another look, if only time opens the gate. */
static int64_t opens_ms(const struct site *site)
{
	return site->pause_until_ms > site->paced_until_ms ? site->pause_until_ms : site->paced_until_ms;
}

/* Once for all the time that mail waits for its rate: anew only when none has for a while. */
static void tell_pace(struct site *site, int64_t now_ms)
{
	const struct event_sink *sink = &site->queue->parts.sink;
	struct event event = { .kind = EVENT_PACED, .time_ms = now_ms };
	char reason[160], until[DATE_TEXT_SIZE];

	if (now_ms >= site->pace_told_ms) {
		const struct shape *shape = site->shape;
		const struct text by = text_part(shape->pattern, 0, sizeof reason / 2);

		snprintf(reason, sizeof reason, "%u messages in %lld s, fixed by destination %.*s", (unsigned)shape->limits.rate.count,
		    (long long)(shape->limits.rate.period_ms + 999) / 1000, TEXT_FORMAT(by));
		event.fields[EVENT_FIELD_HOST] = text_part(site->key, 0, LAST_WORDS_MAX);
		event.fields[EVENT_FIELD_REASON] = text_of(reason);
		event.fields[EVENT_FIELD_NEXT] = date_print_rfc3339(site->paced_until_ms, until);
		sink->report(sink->context, &event);
	}
	site->pace_told_ms = site->paced_until_ms + PACE_QUIET_MS;
}

static void wake_then(struct site *site)
{
	struct queue *queue = site->queue;

	if (site->blocked.count > 0 && opens_ms(site) > queue_now_ms(queue) && opens_ms(site) < queue->pause_next_ms)
		queue->pause_next_ms = opens_ms(site);
}

void site_block(struct site *site, struct domain *domain)
{
	must(domain->state == DOMAIN_TURN && domain->destination->site == site);
	domain->state = DOMAIN_BLOCKED;
	turn_line_join(&site->blocked, &site->queue->turns, &domain->seat);
	if (site_gate(site, queue_now_ms(site->queue)) == QUEUE_GATE_PACED)
		tell_pace(site, queue_now_ms(site->queue));
	wake_then(site);
}

/* Who was let out of the line has a place kept for him; else whoever has his turn before takes it, and the order of the
 * line means nothing. */
static void give_ticket(struct site *site, struct domain *domain)
{
	must(domain->ticket == NULL);
	domain->ticket = site_ref(site);
	site->tickets++;
	domain_ready(site->queue, domain);
}

void domain_drop_ticket(struct domain *domain)
{
	struct site *site = take(domain->ticket);

	if (site == NULL)
		return;
	must(site->tickets > 0);
	site->tickets--;
	site_unref(site);
}

void site_unblock(struct site *site)
{
	struct queue *queue = site->queue;
	const enum queue_gate gate = site_gate(site, queue_now_ms(queue));

	if (gate == QUEUE_GATE_PACED && site->blocked.count > 0)
		tell_pace(site, queue_now_ms(queue));
	/* One after the other: who had his turn may be the next again, and must be in the line to be chosen. */
	if (gate == QUEUE_GATE_OPEN && site->tickets == 0 && site->blocked.count > 0)
		give_ticket(site, domain_of_seat(turn_line_next(&site->blocked, &queue->turns)));
	while (gate == QUEUE_GATE_DOWN && site->blocked.count > 0)
		domain_ready(queue, domain_of_seat(turn_line_next(&site->blocked, &queue->turns)));
	wake_then(site);
}

void site_let_go(struct site *site, const struct destination *destination)
{
	for (unsigned level = 0; level < PRIORITY_COUNT; level++) {
		struct turn_sender *sender, *next_sender;

		DL_FOREACH_SAFE(site->blocked.senders[level], sender, next_sender) {
			struct turn_seat *seat, *next_seat;

			/* With his last seat the sender goes as well. */
			DL_FOREACH_SAFE(sender->seats, seat, next_seat)
				if (destination == NULL || domain_of_seat(seat)->destination == destination)
					domain_ready(site->queue, domain_of_seat(seat));
		}
	}
}

void sites_wake(struct queue *queue, int64_t now_ms)
{
	queue->pause_next_ms = INT64_MAX;
	for (struct site *site = queue->sites; site != NULL; site = site->hh.next) {
		if (site->blocked.count == 0)
			continue;
		if (opens_ms(site) <= now_ms)
			site_unblock(site);
		else
			wake_then(site);
	}
}

void site_leave(struct site *site)
{
	must(site->in_flight > 0);
	site_vacate(site, 1);
	site->moved_ms = queue_now_ms(site->queue);
	site_unblock(site);
}

void site_forgive(struct site *site)
{
	site->pause_until_ms = 0;
	site->down = false;
	site_let_go(site, NULL);
}

/* -- What attempts tell --------------------------------------------------------------------------- */

/* For the log: the hosts, how many deliveries they may have now, and their words. */
static void report(const struct site *site, enum event_kind kind, const struct verdict *verdict)
{
	const struct event_sink *sink = &site->queue->parts.sink;
	struct event event = { .kind = kind, .time_ms = queue_now_ms(site->queue) };
	char room[2][24];

	event.fields[EVENT_FIELD_HOST] = text_part(site->key, 0, LAST_WORDS_MAX);
	snprintf(room[0], sizeof room[0], "%u", site->limit);
	event.fields[EVENT_FIELD_CONCURRENCY] = text_of(room[0]);
	if (verdict != NULL) {
		snprintf(room[1], sizeof room[1], "%u", verdict->code);
		event.fields[EVENT_FIELD_CODE] = text_of(room[1]);
		event.fields[EVENT_FIELD_REPLY] = text_part(verdict->text, 0, LAST_WORDS_MAX);
	}
	sink->report(sink->context, &event);
}

/* Doubling from 30 s to 5 min, but never longer than the mail itself waits for its next attempt. */
static int64_t pause_ms(struct queue *queue, uint32_t failures)
{
	const struct retry_schedule schedule = queue_schedule(queue);
	const int64_t gap_ms = retry_schedule_gap(&schedule, failures);
	const int64_t pause = backoff_ms(PAUSE_MS_FIRST, PAUSE_MS_MAX, failures);

	return pause < gap_ms ? pause : gap_ms;
}

static void keep_last_words(struct site *site, const struct verdict *verdict)
{
	const struct text text = text_part(verdict->text, 0, LAST_WORDS_MAX / 2);
	const struct text host = text_part(verdict->host, 0, LAST_WORDS_MAX / 2);
	char *room = site->last_room;

	memcpy(room, text.length > 0 ? text.bytes : "", text.length);
	memcpy(room + text.length, host.length > 0 ? host.bytes : "", host.length);
	site->last = *verdict;
	site->last.text = (struct text){ room, text.length };
	site->last.host = (struct text){ room + text.length, host.length };
}

/* It took mail a moment ago: it is not dead, we are too many at once. */
static void slow_down(struct site *site, const struct verdict *verdict)
{
	site->eased_ms = queue_now_ms(site->queue);
	site->successes = site->growth = 0;
	if (site->is_fixed)
		return;
	if (site->limit > site->in_flight)
		site->limit = site->in_flight; /* What it was not asked for it has not allowed. */
	site->limit = site->limit > 1 ? site->limit / 2 : 1;
	site->threshold = site->limit;
	report(site, EVENT_SLOWED, verdict);
}

static void rest(struct site *site, const struct verdict *verdict)
{
	const int64_t now_ms = queue_now_ms(site->queue);

	site->threshold = site->limit > 1 ? site->limit / 2 : 1;
	site->limit = 1; /* The next one is a probe. */
	site->failures++;
	site->down = site->failures > 1;
	site->eased_ms = now_ms;
	site->successes = site->growth = 0;
	site->pause_until_ms = now_ms + pause_ms(site->queue, site->failures);
	wake_then(site);
	if (site->failures == 2)
		report(site, EVENT_HOSTS_DOWN, verdict);
}

static void back_off(struct site *site, const struct verdict *verdict, int64_t started_ms)
{
	/* One of many that were under way when the trouble came. */
	if (site->pause_until_ms > queue_now_ms(site->queue) || (site->eased_ms > 0 && started_ms <= site->eased_ms && site->failures == 0))
		return;
	keep_last_words(site, verdict);
	if (site->successes > 0 && site->limit_max > 1)
		slow_down(site, verdict);
	else
		rest(site, verdict);
}

/* Fast up to where trouble began, then one more for each round that went well. */
static void grow(struct site *site)
{
	if (site->limit >= site->limit_max)
		return;
	if (site->is_fixed) {
		site->limit = site->limit_max;
	} else if (site->limit < site->threshold || ++site->growth >= site->limit) {
		site->limit++;
		site->growth = 0;
	}
}

void site_learn(struct site *site, const struct delivery_outcome *outcomes, size_t outcome_count, int64_t started_ms)
{
	for (size_t i = 0; i < outcome_count; i++) {
		if (outcomes[i].ours)
			return; /* Nothing is to be learned from it. */
		if (outcomes[i].pressure || (!site->is_mailbox && retry_cause_of(&outcomes[i].verdict) == RETRY_PRESSURE)) {
			back_off(site, &outcomes[i].verdict, started_ms);
			return;
		}
	}
	const bool was_down = site->down;

	note_hold(site, started_ms);
	site->failures = 0;
	site->down = false;
	site->pause_until_ms = 0;
	site->successes++;
	grow(site);
	if (was_down)
		report(site, EVENT_HOSTS_BACK, NULL);
}
