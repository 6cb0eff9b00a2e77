#include "base/census.h"

#include <pthread.h>
#include <stdlib.h>

#include <xxhash.h>

#include "base/must.h"

/* Open addressing: a key stands at its hash or in the entries behind it, without a gap. */
struct entry {
	uint64_t hash;
	uint32_t count; /* 0: free. */
};

struct census {
	pthread_mutex_t lock; /* Guards the entries. */
	uint64_t seed;
	uint32_t mask, key_count, key_count_max;
	struct entry *entries;
};

struct census *census_new(uint32_t key_count, uint64_t seed)
{
	struct census *census = calloc(1, sizeof *census);
	uint32_t size = 2;

	must(key_count > 0 && key_count <= 1U << 30);
	while (size / 2 < key_count) /* Never more than half full, so that ways are short. */
		size *= 2;
	if (census == NULL)
		return NULL;
	census->seed = seed;
	census->mask = size - 1;
	census->key_count_max = key_count;
	census->entries = calloc(size, sizeof *census->entries);
	if (census->entries == NULL) {
		free(census);
		return NULL;
	}
	must(pthread_mutex_init(&census->lock, NULL) == 0);
	return census;
}

void census_free(struct census *census)
{
	if (census == NULL)
		return;
	pthread_mutex_destroy(&census->lock);
	free(census->entries);
	free(census);
}

/* Where this hash stands, or would. */
static uint32_t find(const struct census *census, uint64_t hash)
{
	uint32_t at = (uint32_t)hash & census->mask;

	while (census->entries[at].count > 0 && census->entries[at].hash != hash)
		at = (at + 1) & census->mask;
	return at;
}

bool census_enter(struct census *census, struct text key, uint32_t count_max)
{
	const uint64_t hash = XXH3_64bits_withSeed(key.bytes, key.length, census->seed);

	pthread_mutex_lock(&census->lock);
	struct entry *entry = &census->entries[find(census, hash)];
	const bool is_new = entry->count == 0;
	const bool enters = entry->count < count_max && !(is_new && census->key_count == census->key_count_max);

	if (enters) {
		census->key_count += is_new;
		entry->hash = hash;
		entry->count++;
	}
	pthread_mutex_unlock(&census->lock);
	return enters;
}

/* What stands behind a gap moves into it, unless it stands before where its hash belongs. */
static void close_gap(struct census *census, uint32_t gap)
{
	struct entry *entries = census->entries;

	for (uint32_t at = (gap + 1) & census->mask; entries[at].count > 0; at = (at + 1) & census->mask) {
		const uint32_t home = (uint32_t)entries[at].hash & census->mask;

		if (((at - home) & census->mask) >= ((at - gap) & census->mask)) {
			entries[gap] = entries[at];
			entries[at].count = 0;
			gap = at;
		}
	}
}

void census_leave(struct census *census, struct text key)
{
	const uint64_t hash = XXH3_64bits_withSeed(key.bytes, key.length, census->seed);

	pthread_mutex_lock(&census->lock);
	const uint32_t at = find(census, hash);

	must(census->entries[at].count > 0);
	if (--census->entries[at].count == 0) {
		census->key_count--;
		close_gap(census, at);
	}
	pthread_mutex_unlock(&census->lock);
}
