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

static int64_t ask(struct rate_table *table, unsigned kind, struct text key, const struct rate *rate, uint32_t amount,
    int64_t now_ms, bool takes)
{
	const int64_t now_us = now_ms * 1000, period_us = rate->period_ms * 1000;

	must(rate->count <= RATE_COUNT_MAX);
	if (rate->count == 0 || amount == 0)
		return 0;
	must(rate->period_ms >= RATE_PERIOD_MS_MIN && rate->period_ms <= RATE_PERIOD_MS_MAX);
	if (amount > rate->count)
		return INT64_MAX;
	const uint64_t hash = hash_of(table, kind, key);
	const int64_t cost_us = period_us * amount / rate->count; /* < 2^62: both factors are bounded. */

	pthread_mutex_lock(&table->lock);
	struct entry *entry = entry_of(table, hash);
	int64_t debt_us = entry->hash == hash && entry->full_us > now_us ? entry->full_us - now_us : 0;

	/* More is missing than the bucket holds: the rate was another when it was taken (L3). */
	if (debt_us > period_us)
		debt_us = period_us;
	const int64_t over_us = debt_us + cost_us - period_us;

	if (over_us <= 0 && takes)
		*entry = (struct entry){ hash, now_us + debt_us + cost_us };
	pthread_mutex_unlock(&table->lock);
	return over_us > 0 ? (over_us + 999) / 1000 : 0;
}

int64_t rate_table_take(struct rate_table *table, unsigned kind, struct text key, const struct rate *rate,
    uint32_t amount, int64_t now_ms)
{
	return ask(table, kind, key, rate, amount, now_ms, true);
}

int64_t rate_table_look(struct rate_table *table, unsigned kind, struct text key, const struct rate *rate,
    uint32_t amount, int64_t now_ms)
{
	return ask(table, kind, key, rate, amount, now_ms, false);
}
