#include "events/counters.h"

#include "base/must.h"

static const struct {
	const char *word, *prose;
} table[COUNTER_COUNT] = {
#define COUNTER(name, word_, prose_) [COUNTER_##name] = { .word = #word_, .prose = prose_ },
#include "events/counters.def"
#undef COUNTER
};

const char *counter_word(enum counter counter)
{
	must(counter < COUNTER_COUNT);
	return table[counter].word;
}

const char *counter_prose(enum counter counter)
{
	must(counter < COUNTER_COUNT);
	return table[counter].prose;
}

void counters_add(struct counters *counters, enum counter counter, uint64_t amount)
{
	must(counter < COUNTER_COUNT);
	/* One writer: no need for an atomic addition (N2). */
	const uint64_t value = atomic_load_explicit(&counters->values[counter], memory_order_relaxed);

	atomic_store_explicit(&counters->values[counter], value + amount, memory_order_relaxed);
}

uint64_t counters_get(const struct counters *counters, enum counter counter)
{
	must(counter < COUNTER_COUNT);
	return atomic_load_explicit(&counters->values[counter], memory_order_relaxed);
}

/* From a flush to the days of a queue. */
static const uint64_t bounds_ms[HISTOGRAM_BOUNDS] = { 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 5000, 30000, 300000, 1800000, 14400000,
	86400000 };

const char *histogram_word(enum histogram histogram)
{
	must(histogram < HISTOGRAM_COUNT);
	return histogram == HISTOGRAM_TIME_TO_250 ? "time-to-250" : "time-in-queue";
}

const char *histogram_prose(enum histogram histogram)
{
	must(histogram < HISTOGRAM_COUNT);
	return histogram == HISTOGRAM_TIME_TO_250 ? "from the end of a message to its 250, which says that it is durable"
	                                          : "from the arrival of a message to the delivery to a recipient";
}

uint64_t histogram_bound_ms(unsigned index)
{
	must(index < HISTOGRAM_BOUNDS);
	return bounds_ms[index];
}

/* One writer (N2). */
static void grow(_Atomic uint64_t *value, uint64_t amount)
{
	atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + amount, memory_order_relaxed);
}

void counters_add_time(struct counters *counters, enum histogram histogram, int64_t ms)
{
	const uint64_t time_ms = ms > 0 ? (uint64_t)ms : 0; /* A clock may have been set back. */
	unsigned place = 0;

	must(histogram < HISTOGRAM_COUNT);
	while (place < HISTOGRAM_BOUNDS && time_ms > bounds_ms[place])
		place++;
	grow(&counters->times[histogram][place], 1);
	grow(&counters->times_ms[histogram], time_ms);
}

static void sum_times(struct counters *sum, const struct counters *more)
{
	for (unsigned i = 0; i < HISTOGRAM_COUNT; i++) {
		for (unsigned place = 0; place <= HISTOGRAM_BOUNDS; place++)
			grow(&sum->times[i][place], atomic_load_explicit(&more->times[i][place], memory_order_relaxed));
		grow(&sum->times_ms[i], atomic_load_explicit(&more->times_ms[i], memory_order_relaxed));
	}
}

void counters_sum(struct counters *sum, const struct counters *more)
{
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		counters_add(sum, (enum counter)i, counters_get(more, (enum counter)i));
	sum_times(sum, more);
}

/* Counters are told apart by their position; 0, which no event counts, stands for none. */
struct counted {
	enum counter total;
	enum counter here;      /* Besides, if it happened at a mailbox here. */
	enum counter recipient; /* Besides, if it was about one recipient. */
};
_Static_assert(COUNTER_CONNECTIONS == 0);

static struct counted counted_of(enum event_kind kind)
{
	static const struct counted by_kind[EVENT_KIND_COUNT] = {
		[EVENT_RECEIVED] = { .total = COUNTER_RECEIVED },
		[EVENT_REJECTED] = { .total = COUNTER_REJECTED, .recipient = COUNTER_REJECTED_RECIPIENTS },
		[EVENT_EXPANDED] = { .total = COUNTER_EXPANDED },
		[EVENT_ATTEMPT] = { .total = COUNTER_ATTEMPTS },
		[EVENT_DELIVERED] = { .total = COUNTER_DELIVERED, .here = COUNTER_DELIVERED_HERE },
		[EVENT_DEFERRED] = { .total = COUNTER_DEFERRED, .here = COUNTER_DEFERRED_HERE },
		[EVENT_BOUNCED] = { .total = COUNTER_BOUNCED, .here = COUNTER_BOUNCED_HERE },
		[EVENT_DISCARDED] = { .total = COUNTER_DISCARDED },
		[EVENT_WARNED] = { .total = COUNTER_WARNED },
		[EVENT_GENERATED] = { .total = COUNTER_REPORTS },
		[EVENT_HELD] = { .total = COUNTER_HELD },
		[EVENT_RELEASED] = { .total = COUNTER_RELEASED },
		[EVENT_RETRIED] = { .total = COUNTER_RETRIED },
		[EVENT_DELETED] = { .total = COUNTER_DELETED },
		[EVENT_IN_DOUBT] = { .total = COUNTER_IN_DOUBT },
		[EVENT_FINISHED] = { .total = COUNTER_FINISHED },
		[EVENT_HANDSHAKE_FAILED] = { .total = COUNTER_TLS_IN_FAILED },
		[EVENT_TROUBLE] = { .total = COUNTER_TROUBLES },
		[EVENT_TROUBLE_OVER] = { .total = COUNTER_TROUBLES_OVER },
		[EVENT_QUARANTINED] = { .total = COUNTER_QUARANTINED },
		[EVENT_LIST_FAILED] = { .total = COUNTER_LISTS_FAILED },
		[EVENT_PROXY_REFUSED] = { .total = COUNTER_PROXY_REFUSED },
		[EVENT_LOGIN_FAILED] = { .total = COUNTER_LOGINS_FAILED },
		[EVENT_LOGIN_DEFERRED] = { .total = COUNTER_LOGINS_DEFERRED },
		[EVENT_LOGIN_REFUSED] = { .total = COUNTER_LOGINS_REFUSED },
		[EVENT_TIMED_OUT] = { .total = COUNTER_TIMED_OUT },
		[EVENT_PAUSED] = { .total = COUNTER_PAUSED },
		[EVENT_EXPIRED] = { .total = COUNTER_EXPIRED },
		[EVENT_RETURNED] = { .total = COUNTER_RETURNED },
		[EVENT_REROUTED] = { .total = COUNTER_REROUTED },
		[EVENT_PAUSE_BEGAN] = { .total = COUNTER_PAUSES },
		[EVENT_PAUSE_ENDED] = { .total = COUNTER_PAUSES_ENDED },
		[EVENT_POLICY_FETCHED] = { .total = COUNTER_POLICIES_FETCHED },
		[EVENT_POLICY_CHANGED] = { .total = COUNTER_POLICIES_CHANGED },
		[EVENT_POLICY_FAILED] = { .total = COUNTER_POLICIES_FAILED },
		[EVENT_HOST_LOGIN_FAILED] = { .total = COUNTER_HOST_LOGIN_TROUBLES },
		[EVENT_HOST_LOGIN_WORKS] = { .total = COUNTER_HOST_LOGIN_TROUBLES_OVER },
		[EVENT_TLS_WITHDRAWN] = { .total = COUNTER_TLS_WITHDRAWN },
		[EVENT_SLOWED] = { .total = COUNTER_SLOWED },
		[EVENT_PACED] = { .total = COUNTER_PACED },
		[EVENT_HOSTS_DOWN] = { .total = COUNTER_HOSTS_DOWN },
		[EVENT_WEBHOOK_FAILED] = { .total = COUNTER_WEBHOOKS_FAILED },
		[EVENT_WEBHOOK_WORKS] = { .total = COUNTER_WEBHOOKS_BACK },
		[EVENT_WEBHOOK_DROPPED] = { .total = COUNTER_WEBHOOKS_DROPPED },
		[EVENT_HOSTS_BACK] = { .total = COUNTER_HOSTS_BACK },
		[EVENT_REPORT_SENT] = { .total = COUNTER_REPORTS_SENT },
		[EVENT_REPORT_GIVEN_UP] = { .total = COUNTER_REPORTS_GIVEN_UP },
		[EVENT_FAILURE_REPORTED] = { .total = COUNTER_FAILURES_REPORTED },
	};
	_Static_assert(EVENT_KIND_COUNT == 48, "a new kind of event wants its counter");

	must(kind < EVENT_KIND_COUNT);
	return by_kind[kind];
}

static void add_number(struct counters *counters, enum counter counter, struct text digits)
{
	uint64_t number;

	if (text_to_u64(digits, &number))
		counters_add(counters, counter, number);
}

void counters_count_event(struct counters *counters, const struct event *event)
{
	const struct counted counted = counted_of(event->kind);

	counters_add(counters, counted.total, 1);
	if (counted.here != 0 && text_starts(event->fields[EVENT_FIELD_HOST], TEXT("/")))
		counters_add(counters, counted.here, 1);
	if (counted.recipient != 0 && event->fields[EVENT_FIELD_RECIPIENT].bytes != NULL)
		counters_add(counters, counted.recipient, 1);
	if (event->fields[EVENT_FIELD_SIGNED].length > 0)
		counters_add(counters, COUNTER_SIGNED, 1);
	if (event->fields[EVENT_FIELD_SEALED].length > 0)
		counters_add(counters, COUNTER_SEALED, 1);
	if (event->kind == EVENT_DELIVERED && event->fields[EVENT_FIELD_SENT_AS].length > 0)
		counters_add(counters, COUNTER_REWRITTEN, 1);
	uint64_t delay_ms;

	if (event->kind == EVENT_DELIVERED && text_to_u64(event->fields[EVENT_FIELD_DELAY], &delay_ms))
		counters_add_time(counters, HISTOGRAM_TIME_IN_QUEUE, (int64_t)delay_ms);
	if (event->kind == EVENT_RECEIVED) {
		add_number(counters, COUNTER_RECEIVED_BYTES, event->fields[EVENT_FIELD_SIZE]);
		add_number(counters, COUNTER_RECEIVED_RECIPIENTS, event->fields[EVENT_FIELD_RECIPIENTS]);
	}
}
