#include "base/rate_table.h"

#include <pthread.h>
#include <stdlib.h>

#include <xxhash.h>

#include "base/must.h"

/* A key may stand in the entries of one group only: so many are looked at, two cache lines. */
enum { GROUP_SIZE = 8 };

/* Of a bucket it is enough to know when it is full again: what is missing until then was taken. */
struct entry {
	uint64_t hash;    /* 0: free, and so are those whose bucket is full. */
	int64_t full_us;
};

struct rate_table {
	pthread_mutex_t lock; /* Guards the entries. */
	uint64_t seed;
	uint32_t group_count;
	struct entry *entries;
};

struct rate_table *rate_table_new(uint32_t entry_count, uint64_t seed)
{
	struct rate_table *table = calloc(1, sizeof *table);

	must(entry_count > 0);
	if (table == NULL)
		return NULL;
	table->seed = seed;
	table->group_count = (entry_count - 1) / GROUP_SIZE + 1;
	table->entries = calloc((size_t)table->group_count * GROUP_SIZE, sizeof *table->entries);
	if (table->entries == NULL) {
		free(table);
		return NULL;
	}
	must(pthread_mutex_init(&table->lock, NULL) == 0);
	return table;
}

void rate_table_free(struct rate_table *table)
{
	if (table == NULL)
		return;
	pthread_mutex_destroy(&table->lock);
	free(table->entries);
	free(table);
}

static uint64_t hash_of(const struct rate_table *table, unsigned kind, struct text key)
{
	/* The kind goes in by a seed of its own that nobody can reach by choosing a key. */
	const uint64_t seed = XXH3_64bits_withSeed(&kind, sizeof kind, table->seed);
	const uint64_t hash = XXH3_64bits_withSeed(key.bytes, key.length, seed);

	return hash != 0 ? hash : 1;
}

/* The key's own entry, or the one it may have (L2): that of the least debt, 0 for a free one. */
static struct entry *entry_of(struct rate_table *table, uint64_t hash)
{
	struct entry *group = &table->entries[hash % table->group_count * GROUP_SIZE], *least = group;

	for (struct entry *entry = group; entry < group + GROUP_SIZE; entry++) {
		if (entry->hash == hash)
			return entry;
		if (least->hash != 0 && (entry->hash == 0 || entry->full_us < least->full_us))
			least = entry;
	}
	return least;
}

static uint64_t hash_of_taking(const struct rate_table *table, const struct rate_taking *taking)
{
	return hash_of(table, taking->kind, taking->key);
}

/* Where the rate is unlimited, or nothing is asked for, there is no bucket. */
static bool has_bucket(const struct rate_taking *taking)
{
	return taking->rate->count > 0 && taking->amount > 0;
}

/* With the amount, what is missing in the bucket until it is full. Under the lock. */
static int64_t debt_with(struct rate_table *table, const struct rate_taking *taking, int64_t now_us)
{
	const int64_t period_us = taking->rate->period_ms * 1000;
	const uint64_t hash = hash_of_taking(table, taking);
	const struct entry *entry = entry_of(table, hash);
	int64_t debt_us = entry->hash == hash && entry->full_us > now_us ? entry->full_us - now_us : 0;

	/* More is missing than the bucket holds: the rate was another when it was taken (L3). */
	if (debt_us > period_us)
		debt_us = period_us;
	return debt_us + period_us * taking->amount / taking->rate->count; /* < 2^62: both factors are bounded. */
}

/* How long it would have to wait. Under the lock. */
static int64_t wait_for(struct rate_table *table, const struct rate_taking *taking, int64_t now_us)
{
	const struct rate *rate = taking->rate;

	must(rate->count <= RATE_COUNT_MAX);
	if (!has_bucket(taking))
		return 0;
	must(rate->period_ms >= RATE_PERIOD_MS_MIN && rate->period_ms <= RATE_PERIOD_MS_MAX);
	if (taking->amount > rate->count)
		return INT64_MAX;
	const int64_t over_us = debt_with(table, taking, now_us) - rate->period_ms * 1000;

	return over_us > 0 ? (over_us + 999) / 1000 : 0;
}

static void take(struct rate_table *table, const struct rate_taking *taking, int64_t now_us)
{
	const uint64_t hash = hash_of_taking(table, taking);
	const int64_t full_us = now_us + debt_with(table, taking, now_us);

	*entry_of(table, hash) = (struct entry){ hash, full_us };
}

static int64_t ask(struct rate_table *table, const struct rate_taking *takings, size_t count, int64_t now_ms, bool takes)
{
	const int64_t now_us = now_ms * 1000;
	int64_t longest_ms = 0;

	pthread_mutex_lock(&table->lock);
	for (size_t i = 0; i < count; i++) {
		const int64_t wait_ms = wait_for(table, &takings[i], now_us);

		if (wait_ms > longest_ms)
			longest_ms = wait_ms;
	}
	for (size_t i = 0; takes && longest_ms == 0 && i < count; i++)
		if (has_bucket(&takings[i]))
			take(table, &takings[i], now_us);
	pthread_mutex_unlock(&table->lock);
	return longest_ms;
}

int64_t rate_table_take_all(struct rate_table *table, const struct rate_taking *takings, size_t count, int64_t now_ms)
{
	return ask(table, takings, count, now_ms, true);
}

int64_t rate_table_take(struct rate_table *table, unsigned kind, struct text key, const struct rate *rate,
    uint32_t amount, int64_t now_ms)
{
	return ask(table, &(struct rate_taking){ kind, key, rate, amount }, 1, now_ms, true);
}

int64_t rate_table_look(struct rate_table *table, unsigned kind, struct text key, const struct rate *rate,
    uint32_t amount, int64_t now_ms)
{
	return ask(table, &(struct rate_taking){ kind, key, rate, amount }, 1, now_ms, false);
}
