/* One queue and a hundred thousand destinations, under a virtual clock: a few of them slow or dead. One huge mailing
 * beside single letters. And providers that throttle, put off whom they do not know, or die and come back. What is measured is the clock of the world, so the machine does not matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "dns/engine.h"
#include "io/sim/world.h"
#include "queue/queue.h"
#include "sim/crowd_spool.h"

enum {
	PLACES = 2000,      /* Deliveries at once, as in a lane. */
	CONCURRENCY = 20,   /* To one destination. */
	HEALTHY_MS = 200,   /* A delivery to a good host. */
	SLOW_MS = 300000,
	DEAD_MS = 30000,
	LETTERS_MAX = 200,
	GREY_MAX = 1000,
	GREY_MS = 240000,   /* Whoever comes back after that is known. */
	THROTTLE_AT = 5     /* Deliveries at once that such a provider bears. */
};

/* Of mail to domains that begin with its name. */
struct provider {
	uint32_t in_flight, in_flight_max;
	uint64_t attempts, delivered;
	int64_t delivered_ms;                  /* The last one. */
};

struct crowd {
	struct sim_world *world;
	struct sim_process *process;
	struct loop *loop;
	struct loop_wake *wake;
	struct spool *spool;
	struct spool_port *port;
	struct dns *dns;
	struct hosts_settings hosts;
	struct arena *arena;
	struct router *router;
	struct queue_id_source ids;
	struct courier courier;
	struct queue *queue;
	uint32_t domain_max;                   /* Of its table; 0: as it is in a server. */
	uint64_t healthy, urgent, slow, dead_attempts; /* So far. */
	int64_t healthy_ms;                    /* When the last of the healthy was delivered. */
	uint32_t active_max;
	int64_t letters_ms[LETTERS_MAX];       /* How long each was on its way; 0: it still is. */
	int64_t letters_sent_ms[LETTERS_MAX];
	struct provider throttling, greylisting, dying, large;
	int64_t grey_seen_ms[GREY_MAX];        /* Since when a recipient is known there; 0: he is not. */
	int64_t dead_from_ms, dead_until_ms;   /* Of the dying. */
};

static struct sim_world *here;

struct sim_world *sim_world_here(void)
{
	return here;
}

static int64_t now_ms(const struct crowd *crowd)
{
	return sim_now_us(crowd->world) / 1000;
}

/* -- Names: everybody has an address ------------------------------------------------------------ */

static bool names_start(struct dns *dns, struct dns_query *query)
{
	(void)dns;
	dns_query_ready(query);
	return true;
}

static enum error names_answer(struct dns *dns, struct dns_query *query, struct arena *arena, struct dns_answer *out_answer)
{
	static struct dns_record record;

	(void)dns, (void)arena;
	*out_answer = (struct dns_answer){ .status = DNS_NODATA, .ttl_s = 300, .canonical = query->name };
	if (query->type == DNS_A && endpoint_parse_ip(TEXT("10.0.0.1"), &record.address)) {
		out_answer->status = DNS_FOUND;
		out_answer->records = &record;
		out_answer->record_count = 1;
	}
	return OK;
}

static void names_forget(struct dns *dns, struct dns_query *query)
{
	(void)dns, (void)query;
}

static void names_free(struct dns *dns)
{
	dns_done(dns);
	free(dns);
}

static const struct dns_engine names_engine = {
	.start = names_start, .answer = names_answer, .forget = names_forget, .free = names_free
};

/* -- The courier -------------------------------------------------------------------------------- */

struct flight {
	struct crowd *crowd;
	struct delivery *delivery;
	struct loop_timer *timer;
};

static const struct address *to(const struct delivery *delivery)
{
	return &delivery->message->recipients[0].address;
}

static bool is_for(const struct delivery *delivery, const char *start)
{
	return text_starts(to(delivery)->domain, text_of(start));
}

static struct provider *provider_of(struct crowd *crowd, const struct delivery *delivery)
{
	return is_for(delivery, "throttle") ? &crowd->throttling
	    : is_for(delivery, "grey")      ? &crowd->greylisting
	    : is_for(delivery, "dying")     ? &crowd->dying
	    : is_for(delivery, "large")     ? &crowd->large
	                                    : NULL;
}

static bool is_dead(const struct crowd *crowd, const struct delivery *delivery)
{
	return is_for(delivery, "dead") || (is_for(delivery, "dying") && now_ms(crowd) >= crowd->dead_from_ms &&
	    now_ms(crowd) < crowd->dead_until_ms);
}

/* What a recipient's number stands for, as in "reader-17". */
static bool number_of(const struct delivery *delivery, uint64_t *out_number)
{
	const struct text local = to(delivery)->local;

	return text_to_u64(text_from(local, text_find_byte_last(local, '-') + 1), out_number);
}

static bool is_put_off(struct crowd *crowd, const struct delivery *delivery)
{
	uint64_t reader;

	if (!is_for(delivery, "grey"))
		return false;
	must(number_of(delivery, &reader) && reader < GREY_MAX);
	if (crowd->grey_seen_ms[reader] == 0)
		crowd->grey_seen_ms[reader] = now_ms(crowd);
	return now_ms(crowd) < crowd->grey_seen_ms[reader] + GREY_MS;
}

static struct delivery_outcome judge(struct crowd *crowd, const struct delivery *delivery)
{
	struct verdict verdict = VERDICT(250, 2, 0, 0, "ok");

	if (is_dead(crowd, delivery))
		return (struct delivery_outcome){ .verdict = VERDICT(451, 4, 4, 1, "nobody answers"), .pressure = true };
	if (is_for(delivery, "throttle") && crowd->throttling.in_flight > THROTTLE_AT)
		verdict = VERDICT(421, 4, 7, 0, "too many connections from you");
	else if (is_put_off(crowd, delivery))
		verdict = VERDICT(450, 4, 7, 1, "greylisted, come back later");
	verdict.host = TEXT("mx.provider.test");
	return (struct delivery_outcome){ .verdict = verdict };
}

static void count(struct crowd *crowd, const struct delivery *delivery)
{
	uint64_t letter;

	if (text_starts(to(delivery)->local, TEXT("letter-")) && text_to_u64(text_from(to(delivery)->local, 7), &letter))
		crowd->letters_ms[letter] = now_ms(crowd) - crowd->letters_sent_ms[letter];
	else if (provider_of(crowd, delivery) != NULL) {
		provider_of(crowd, delivery)->delivered++;
		provider_of(crowd, delivery)->delivered_ms = now_ms(crowd);
	} else if (is_for(delivery, "slow"))
		crowd->slow++;
	else if (!is_for(delivery, "dead")) {
		crowd->healthy++;
		crowd->urgent += delivery->message->envelope.priority > 0;
		crowd->healthy_ms = now_ms(crowd);
	}
}

static void arrives(void *context)
{
	struct flight *flight = context;
	struct crowd *crowd = flight->crowd;
	struct delivery *delivery = flight->delivery;
	struct provider *provider = provider_of(crowd, delivery);

	loop_timer_free(flight->timer);
	free(flight);
	crowd->dead_attempts += is_for(delivery, "dead");
	delivery->outcomes[0] = judge(crowd, delivery);
	if (provider != NULL)
		provider->in_flight--;
	if (verdict_is_success(&delivery->outcomes[0].verdict))
		count(crowd, delivery);
	delivery->done(delivery);
}

static void deliver(void *context, struct delivery *delivery)
{
	struct crowd *crowd = context;
	struct flight *flight = calloc(1, sizeof *flight);
	const uint32_t active = queue_counts(crowd->queue).active_domains;

	must(flight != NULL);
	if (active > crowd->active_max)
		crowd->active_max = active;
	struct provider *provider = provider_of(crowd, delivery);

	if (provider != NULL) {
		provider->attempts++;
		if (++provider->in_flight > provider->in_flight_max)
			provider->in_flight_max = provider->in_flight;
	}
	*flight = (struct flight){ .crowd = crowd, .delivery = delivery };
	flight->timer = loop_timer_new(crowd->loop, arrives, flight);
	must(flight->timer != NULL);
	loop_timer_set(flight->timer, is_for(delivery, "slow") ? SLOW_MS : is_dead(crowd, delivery) ? DEAD_MS : HEALTHY_MS);
}

/* -- The world ---------------------------------------------------------------------------------- */

static void report(void *context, const struct event *event)
{
	(void)context, (void)event;
}

static void wake(void *context)
{
	loop_wake_send(((struct crowd *)context)->wake);
}

static void poll(void *context)
{
	struct crowd *crowd = context;

	spool_port_poll(crowd->port);
	if (crowd->queue != NULL)
		queue_poll_news(crowd->queue);
}

static void open_queue(struct crowd *crowd)
{
	static const int64_t retry_ms[] = { 60000, 300000, 900000, 3600000 };
	const struct router_settings routes = { .hostname = TEXT("mail.example.org"), .aliases_name = TEXT("aliases") };
	const struct queue_settings settings = { .hostname = TEXT("mail.example.org"), .retry_ms = retry_ms, .retry_count = 4,
		.lifetime_ms = 5 * 86'400'000LL, .concurrency = CONCURRENCY, .mailbox_concurrency = CONCURRENCY,
		.in_flight_max = PLACES, .domain_max = crowd->domain_max };
	struct text complaint;

	must(router_new(&routes, crowd->arena, &crowd->router, &complaint) == OK);

	const struct queue_parts parts = { .loop = crowd->loop, .spool = crowd->spool, .port = crowd->port,
		.shards = (1u << SPOOL_SHARD_COUNT) - 1, .ids = &crowd->ids, .hosts = &crowd->hosts, .outbound = &crowd->courier,
		.mailbox = &crowd->courier, .sink = { report, NULL } };

	crowd->queue = queue_new(&parts, &settings, crowd->router);
	must(crowd->queue != NULL);
}

static struct crowd *crowd_new(void)
{
	struct crowd *crowd = calloc(1, sizeof *crowd);

	must(crowd != NULL);
	here = crowd->world = sim_world_new(1);
	crowd->process = sim_process_new(crowd->world, "crowd");
	sim_run_as(crowd->world, crowd->process);
	struct dns *dns = calloc(1, sizeof *dns);

	must(dns != NULL);
	crowd->arena = arena_new(1 << 20);
	crowd->loop = loop_new();
	crowd->wake = loop_wake_new(crowd->loop, poll, crowd);
	must(dns_init(dns, &names_engine, crowd->loop));
	crowd->dns = dns;
	crowd->hosts = (struct hosts_settings){ .dns = dns, .hostname = TEXT("mail.example.org"), .port = 25 };
	crowd->courier = (struct courier){ deliver, crowd };
	crowd->spool = crowd_spool_new();
	must(spool_port_open(crowd->spool, (1u << SPOOL_SHARD_COUNT) - 1, wake, crowd, &crowd->port) == OK);
	queue_id_source_init(&crowd->ids, 0, 0);
	return crowd;
}

static void send_urgent(struct crowd *crowd, const char *sender, int8_t priority, const char *local, const char *domain)
{
	const int64_t due_ms = loop_unix_ms(crowd->loop);
	struct recipient recipient = { .address = { text_of(local), text_of(domain) }, .due_ms = due_ms };
	const struct message message = { .envelope = { .id = queue_id_next(&crowd->ids, due_ms), .arrived_ms = due_ms,
		.expires_ms = due_ms + 5 * 86'400'000LL, .priority = priority,
		.reverse_path = { text_of(sender), TEXT("example.org") } }, .recipients = &recipient, .recipient_count = 1 };

	/* What the process makes goes with it. */
	sim_run_as(crowd->world, crowd->process);
	struct spool_change *change = spool_change_new();

	must(change != NULL);
	spool_change_put_message(change, &message);
	spool_submit(crowd->port, change, NULL, NULL);
}

static void send_to(struct crowd *crowd, const char *sender, const char *local, const char *domain)
{
	send_urgent(crowd, sender, 0, local, domain);
}

static void send_letter(struct crowd *crowd, unsigned letter, int8_t priority, const char *sender, const char *domain)
{
	char local[32];

	must(letter < LETTERS_MAX);
	snprintf(local, sizeof local, "letter-%u", letter);
	crowd->letters_sent_ms[letter] = now_ms(crowd);
	send_urgent(crowd, sender, priority, local, domain);
}

static void passes(void *context)
{
	(void)context;
}

/* With an event of our own then: the clock goes from event to event, and would go beyond. */
static void live_until(struct crowd *crowd, int64_t ms)
{
	struct sim_event then = { 0 };

	sim_event_init(&then, NULL, passes, NULL);
	if (ms > now_ms(crowd))
		sim_event_plan(crowd->world, &then, (ms - now_ms(crowd)) * 1000);
	while (now_ms(crowd) < ms && sim_world_step(crowd->world))
		;
	sim_event_cancel(crowd->world, &then);
}

static void crowd_free(struct crowd *crowd)
{
	sim_process_kill(crowd->process, true); /* With all that is under way. */
	sim_world_free(crowd->world);
	here = NULL;
	free(crowd);
}

/* -- Stories ------------------------------------------------------------------------------------ */

enum { DESTINATIONS = 100000, TO_TROUBLED = 8000 };

/* A mailing to all of them. How many ms until the healthy had theirs. */
static int64_t mail_everybody(struct crowd *crowd, unsigned troubled)
{
	char domain[32];

	for (unsigned i = 0; i < troubled; i++) {
		snprintf(domain, sizeof domain, "%s%u.test", i % 2 ? "slow" : "dead", i / 2);
		for (unsigned k = 0; k < TO_TROUBLED / troubled; k++)
			send_to(crowd, "news", "ann", domain);
	}
	for (unsigned i = 0; i < DESTINATIONS - troubled; i++) {
		snprintf(domain, sizeof domain, "d%u.test", i);
		send_to(crowd, "news", "ann", domain);
	}
	open_queue(crowd);
	/* Somebody else writes to a place of his own, and to one of the mailing's, while that has just begun. */
	live_until(crowd, 300);
	send_letter(crowd, 0, 0, "bob", "elsewhere.test");
	send_letter(crowd, 1, 0, "bob", "d99000.test");
	live_until(crowd, 120000);
	assert_int_equal(crowd->healthy, DESTINATIONS - troubled);
	assert_true(crowd->letters_ms[0] > 0 && crowd->letters_ms[0] < 1000);
	assert_true(crowd->letters_ms[1] > 0 && crowd->letters_ms[1] < 1000);
	assert_true(crowd->active_max <= QUEUE_DOMAIN_MAX);
	printf("# %u in trouble: %lld ms, %u active, letters %lld and %lld ms\n", troubled, (long long)crowd->healthy_ms,
	    crowd->active_max, (long long)crowd->letters_ms[0], (long long)crowd->letters_ms[1]);
	return crowd->healthy_ms;
}

static int64_t everybody_with(unsigned troubled)
{
	struct crowd *crowd = crowd_new();
	const int64_t ms = mail_everybody(crowd, troubled);

	if (troubled > 0) {
		live_until(crowd, 3600000);
		assert_true(crowd->slow > 0);
		assert_true(crowd->dead_attempts < 12 * troubled); /* Of each: the first few, and a probe now and then. */
	}
	crowd_free(crowd);
	return ms;
}

static void a_hundred_thousand_destinations(void **state)
{
	const char *share = getenv("SIM_SHARE"); /* As in sim_test.c: less under sanitizers, which make all slower. */

	if (share != NULL && strcmp(share, "100") != 0)
		return;
	const int64_t all_well = everybody_with(0), two_in_trouble = everybody_with(2), many_in_trouble = everybody_with(800);

	(void)state;
	assert_true(two_in_trouble < all_well + all_well / 10);
	assert_true(many_in_trouble < 6 * all_well); /* They hold four fifths of all places. */
}

/* 20,000 messages of one to one place need 200 seconds. Letters of others, and an urgent one of the same, do not wait. */
static void a_mailing_beside_letters(void **state)
{
	enum { MAILING = 20000, LETTERS = 30 };
	struct crowd *crowd = crowd_new();

	(void)state;
	for (unsigned i = 0; i < MAILING; i++) {
		char local[32];

		snprintf(local, sizeof local, "reader%u", i);
		send_to(crowd, "news", local, "big.test");
	}
	open_queue(crowd);
	for (unsigned i = 0; i < LETTERS; i++) {
		live_until(crowd, 5000 * (i + 1));
		send_letter(crowd, i, i % 3 == 2 ? 4 : 0, i % 3 == 2 ? "news" : i % 3 ? "bob" : "carol", i % 2 ? "big.test" : "small.test");
	}
	live_until(crowd, 5000 * (LETTERS + 1));
	assert_true(crowd->healthy < MAILING); /* The mailing still goes on. */
	for (unsigned i = 0; i < LETTERS; i++)
		assert_true(crowd->letters_ms[i] > 0 && crowd->letters_ms[i] < 5 * HEALTHY_MS);
	live_until(crowd, 400000);
	assert_int_equal(crowd->healthy, MAILING);
	assert_true(crowd->healthy_ms < 230000);
	crowd_free(crowd);
}

/* What can wait does so, but not for ever. */
static void the_urgent_before_the_rest(void **state)
{
	enum { EACH = 3000 };
	struct crowd *crowd = crowd_new();

	(void)state;
	for (unsigned i = 0; i < EACH; i++)
		send_urgent(crowd, "news", -4, "ann", "big.test");
	send_letter(crowd, 0, -9, "news", "big.test");
	for (unsigned i = 0; i < EACH; i++)
		send_urgent(crowd, "alarm", 9, "ann", "big.test");
	open_queue(crowd);
	live_until(crowd, EACH * HEALTHY_MS / CONCURRENCY / 2);
	assert_true(crowd->healthy > EACH / 3 && crowd->healthy < EACH);
	printf("# %llu urgent of %llu\n", (unsigned long long)crowd->urgent, (unsigned long long)crowd->healthy);
	assert_true(crowd->urgent > crowd->healthy * 8 / 10);
	assert_true(crowd->letters_ms[0] > 0); /* In its turn, long before all of higher priority were over. */
	crowd_free(crowd);
}

/* A mailing to more places than the table of the queue holds, all slow: those of others find one all the same. */
static void a_mailing_larger_than_the_table(void **state)
{
	enum { TABLE = 64, MAILING = 4 * TABLE };
	struct crowd *crowd = crowd_new();
	char domain[32];

	(void)state;
	crowd->domain_max = TABLE;
	for (unsigned i = 0; i < MAILING; i++) {
		snprintf(domain, sizeof domain, "slow%u.test", i);
		send_to(crowd, "news", "ann", domain);
	}
	open_queue(crowd);
	for (unsigned i = 0; i < 10; i++) {
		live_until(crowd, 1000 * (i + 1));
		snprintf(domain, sizeof domain, "good%u.test", i);
		send_letter(crowd, i, 0, i % 2 ? "bob" : "carol", domain);
	}
	live_until(crowd, 12000);
	for (unsigned i = 0; i < 10; i++)
		assert_true(crowd->letters_ms[i] > 0 && crowd->letters_ms[i] < 1000);
	assert_int_equal(crowd->slow, 0); /* All of the table's, and none is there yet. */
	live_until(crowd, (MAILING / (TABLE / 2) + 1) * (SLOW_MS + 2000LL));
	assert_int_equal(crowd->slow, MAILING);
	assert_true(crowd->active_max <= TABLE);
	crowd_free(crowd);
}

/* One message to each of so many readers of a provider, and letters to others all the while. */
static struct crowd *readers_of(const char *provider, unsigned readers, int64_t dead_from_ms, int64_t dead_until_ms)
{
	struct crowd *crowd = crowd_new();
	char local[32], domain[32];

	crowd->dead_from_ms = dead_from_ms;
	crowd->dead_until_ms = dead_until_ms;
	snprintf(domain, sizeof domain, "%s.test", provider);
	for (unsigned i = 0; i < readers; i++) {
		snprintf(local, sizeof local, "reader-%u", i);
		send_to(crowd, "news", local, domain);
	}
	open_queue(crowd);
	for (unsigned i = 0; i < 20; i++) {
		live_until(crowd, 30000 * (i + 1));
		send_letter(crowd, i, 0, "bob", i % 2 ? "small.test" : "other.test");
	}
	live_until(crowd, 30000 * 21);
	for (unsigned i = 0; i < 20; i++)
		assert_true(crowd->letters_ms[i] > 0 && crowd->letters_ms[i] < 1000);
	return crowd;
}

static void tell(const char *name, const struct provider *provider)
{
	printf("# %s: %llu delivered in %llu attempts, at most %u at once, the last after %lld ms\n", name,
	    (unsigned long long)provider->delivered, (unsigned long long)provider->attempts, provider->in_flight_max,
	    (long long)provider->delivered_ms);
}

static void a_provider_that_throttles(void **state)
{
	enum { READERS = 5000 };
	struct crowd *crowd = readers_of("throttle", READERS, 0, 0);

	(void)state;
	live_until(crowd, 4 * 3600000);
	tell("throttling", &crowd->throttling);
	assert_int_equal(crowd->throttling.delivered, READERS);
	assert_true(crowd->throttling.attempts < READERS + READERS / 10);
	crowd_free(crowd);
}

static void a_provider_that_puts_off_whom_it_does_not_know(void **state)
{
	enum { READERS = GREY_MAX };
	struct crowd *crowd = readers_of("grey", READERS, 0, 0);

	(void)state;
	live_until(crowd, 3600000);
	tell("greylisting", &crowd->greylisting);
	assert_int_equal(crowd->greylisting.delivered, READERS);
	assert_true(crowd->greylisting.delivered_ms < 900000); /* Not after the gaps that others have. */
	assert_true(crowd->greylisting.attempts <= 4 * READERS);
	crowd_free(crowd);
}

static void a_provider_that_dies_and_comes_back(void **state)
{
	enum { READERS = 5000, DEAD_FROM_MS = 5000, DEAD_UNTIL_MS = 2 * 3600000 };
	struct crowd *crowd = readers_of("dying", READERS, DEAD_FROM_MS, DEAD_UNTIL_MS);
	const uint64_t before = crowd->dying.delivered;

	(void)state;
	assert_true(before > 0 && before < READERS);
	live_until(crowd, DEAD_UNTIL_MS);
	tell("dying", &crowd->dying);
	assert_int_equal(crowd->dying.delivered, before);
	assert_true(crowd->dying.attempts < before + 3 * CONCURRENCY); /* What was under way, and a probe now and then. */
	live_until(crowd, DEAD_UNTIL_MS + 2 * 3600000);
	tell("dying", &crowd->dying);
	assert_int_equal(crowd->dying.delivered, READERS);
	crowd_free(crowd);
}

/* Slow ones have taken half of the places. A provider that is as quick as ever is to get his due all the same, and so are places that
 * have little mail. */
static void a_large_provider_beside_slow_ones(void **state)
{
	enum { SLOW = 400, READERS = 3000, SMALL = 2000, BEGIN_MS = 10000 };
	struct crowd *crowd = crowd_new();
	char name[32];

	(void)state;
	for (unsigned i = 0; i < SLOW * CONCURRENCY; i++) {
		snprintf(name, sizeof name, "slow%u.test", i % SLOW);
		send_to(crowd, "news", "ann", name);
	}
	open_queue(crowd);
	live_until(crowd, BEGIN_MS);
	for (unsigned i = 0; i < READERS; i++) {
		snprintf(name, sizeof name, "reader-%u", i);
		send_to(crowd, "club", name, "large.test");
	}
	for (unsigned i = 0; i < SMALL; i++) {
		snprintf(name, sizeof name, "small%u.test", i);
		send_to(crowd, "club", "ann", name);
	}
	live_until(crowd, BEGIN_MS + 5000);
	send_letter(crowd, 0, 0, "bob", "elsewhere.test");
	live_until(crowd, 250000);
	tell("large beside slow", &crowd->large);
	assert_int_equal(crowd->large.delivered, READERS);
	assert_int_equal(crowd->healthy, SMALL);
	assert_true(crowd->large.delivered_ms - BEGIN_MS < 2 * READERS / CONCURRENCY * HEALTHY_MS);
	assert_true(crowd->healthy_ms - BEGIN_MS < 10000);
	assert_true(crowd->letters_ms[0] > 0 && crowd->letters_ms[0] < 1000);
	crowd_free(crowd);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_provider_that_throttles),
		cmocka_unit_test(a_provider_that_puts_off_whom_it_does_not_know), cmocka_unit_test(a_provider_that_dies_and_comes_back),
		cmocka_unit_test(a_hundred_thousand_destinations),
		cmocka_unit_test(a_mailing_beside_letters), cmocka_unit_test(a_large_provider_beside_slow_ones),
		cmocka_unit_test(a_mailing_larger_than_the_table), cmocka_unit_test(the_urgent_before_the_rest) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
