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

void counters_sum(struct counters *sum, const struct counters *more)
{
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		counters_add(sum, (enum counter)i, counters_get(more, (enum counter)i));
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
	};
	_Static_assert(EVENT_KIND_COUNT == 35, "a new kind of event wants its counter");

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
	if (event->kind == EVENT_RECEIVED) {
		add_number(counters, COUNTER_RECEIVED_BYTES, event->fields[EVENT_FIELD_SIZE]);
		add_number(counters, COUNTER_RECEIVED_RECIPIENTS, event->fields[EVENT_FIELD_RECIPIENTS]);
	}
}
