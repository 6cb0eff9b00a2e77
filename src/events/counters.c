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
	/* One writer: no need for an atomic addition. */
	const uint64_t value = atomic_load_explicit(&counters->values[counter], memory_order_relaxed);

	atomic_store_explicit(&counters->values[counter], value + amount, memory_order_relaxed);
}

uint64_t counters_get(const struct counters *counters, enum counter counter)
{
	return atomic_load_explicit(&counters->values[counter], memory_order_relaxed);
}

void counters_sum(struct counters *sum, const struct counters *more)
{
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		counters_add(sum, (enum counter)i, counters_get(more, (enum counter)i));
}

void counters_count_event(struct counters *counters, const struct event *event)
{
	static const struct {
		bool counted;
		enum counter counter;
	} by_kind[EVENT_KIND_COUNT] = {
		[EVENT_RECEIVED] = { true, COUNTER_RECEIVED },
		[EVENT_REJECTED] = { true, COUNTER_REJECTED },
		[EVENT_EXPANDED] = { true, COUNTER_EXPANDED },
		[EVENT_ATTEMPT] = { true, COUNTER_ATTEMPTS },
		[EVENT_DELIVERED] = { true, COUNTER_DELIVERED },
		[EVENT_DEFERRED] = { true, COUNTER_DEFERRED },
		[EVENT_BOUNCED] = { true, COUNTER_BOUNCED },
		[EVENT_DISCARDED] = { true, COUNTER_DISCARDED },
		[EVENT_GENERATED] = { true, COUNTER_REPORTS },
		[EVENT_IN_DOUBT] = { true, COUNTER_IN_DOUBT },
	};
	uint64_t size;

	if (by_kind[event->kind].counted)
		counters_add(counters, by_kind[event->kind].counter, 1);
	if (event->kind == EVENT_RECEIVED && text_to_u64(event->fields[EVENT_FIELD_SIZE], &size))
		counters_add(counters, COUNTER_RECEIVED_BYTES, size);
}
