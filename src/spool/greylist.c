/* The file: a header, and two tables of the same entries, in which a key may stand in one group only. */
#include "spool/greylist.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xxhash.h>

#include "base/must.h"
#include "spool/map_file.h"

enum {
	GROUP_SIZE = 8,
	/* Lanes look at the clock at different times; more is a clock that was set back. */
	LANES_APART_MS = 60 * 1000
};

static const uint64_t MAGIC = 0x3173696c79657267ull; /* "greylis1" */

struct entry {
	uint64_t hash;   /* 0: free. */
	int64_t seen_ms; /* Of a triple that has not passed: when it came first. */
	uint32_t passes; /* Of a triple: 0 or 1. */
	uint32_t unused;
};

struct file {
	struct map_header header;
	struct entry triples[GREYLIST_TRIPLES];
	struct entry networks[GREYLIST_NETWORKS];
};

struct greylist {
	struct file *file;
	pthread_mutex_t lock; /* Guards the entries. */
};

enum error greylist_open(const char *path, uint64_t seed, struct greylist **out_greylist)
{
	struct greylist *greylist = calloc(1, sizeof *greylist);
	const struct map_header fresh = { MAGIC, seed };
	struct map_header *map;

	if (greylist == NULL)
		return ERR_NO_MEMORY;
	const enum error error = map_hashed_file(path, sizeof *greylist->file, &fresh, &map);

	if (error != OK) {
		free(greylist);
		return error;
	}
	greylist->file = (struct file *)map; /* It begins with the header. */
	must(pthread_mutex_init(&greylist->lock, NULL) == 0);
	*out_greylist = greylist;
	return OK;
}

void greylist_close(struct greylist *greylist)
{
	if (greylist == NULL)
		return;
	munmap(greylist->file, sizeof *greylist->file);
	pthread_mutex_destroy(&greylist->lock);
	free(greylist);
}

/* -- Keys ---------------------------------------------------------------------------- */

/* Of all that went into `hash`, and of this. */
static uint64_t hash_more(uint64_t hash, struct text text)
{
	return XXH3_64bits_withSeed(&text.length, sizeof text.length, text_hash_nocase(text, hash));
}

static uint64_t hash_address(uint64_t hash, const struct address *address)
{
	return hash_more(hash_more(hash, address->local), address->domain);
}

static uint64_t hash_network(uint64_t seed, const struct endpoint *client)
{
	const struct endpoint address = endpoint_unmapped(client);

	must(address.family == ENDPOINT_IP4 || address.family == ENDPOINT_IP6);
	return XXH3_64bits_withSeed(address.ip, address.family == ENDPOINT_IP4 ? 3 : 8, seed); /* G1 */
}

/* 0 stands for a free entry. */
static uint64_t never_0(uint64_t hash)
{
	return hash != 0 ? hash : 1;
}

/* -- Entries --------------------------------------------------------------------------- */

/* INT64_MAX: not to be believed, or free. */
static int64_t age_of(const struct entry *entry, int64_t now_ms)
{
	if (entry->hash == 0 || entry->seen_ms < 0 || entry->seen_ms > now_ms + LANES_APART_MS)
		return INT64_MAX;
	return entry->seen_ms < now_ms ? now_ms - entry->seen_ms : 0;
}

/* The key's own entry, or the one it may have (G4). */
static struct entry *entry_of(struct entry *entries, size_t count, uint64_t hash, int64_t now_ms)
{
	struct entry *group = &entries[hash % (count / GROUP_SIZE) * GROUP_SIZE], *oldest = group;

	for (struct entry *entry = group; entry < group + GROUP_SIZE; entry++) {
		if (entry->hash == hash)
			return entry;
		if (age_of(entry, now_ms) > age_of(oldest, now_ms))
			oldest = entry;
	}
	return oldest;
}

/* G2 */
static int64_t ask_triple(
    struct entry *entry, uint64_t hash, const struct greylist_rules *rules, int64_t now_ms)
{
	const int64_t age_ms = entry->hash == hash ? age_of(entry, now_ms) : INT64_MAX;

	if (age_ms >= (entry->passes > 0 ? rules->lifetime_ms : GREYLIST_RETURN_MS + rules->delay_ms)) {
		*entry = (struct entry){ .hash = hash, .seen_ms = now_ms };
		return rules->delay_ms;
	}
	if (entry->passes == 0 && age_ms < rules->delay_ms)
		return rules->delay_ms - age_ms;
	*entry = (struct entry){ .hash = hash, .seen_ms = now_ms, .passes = 1 };
	return 0;
}

static bool is_known(
    const struct entry *network, uint64_t hash, const struct greylist_rules *rules, int64_t now_ms)
{
	return network->hash == hash && age_of(network, now_ms) < rules->lifetime_ms &&
	    rules->pass_count > 0 && network->passes >= rules->pass_count;
}

/* G3 */
static void count_pass(
    struct entry *network, uint64_t hash, const struct greylist_rules *rules, int64_t now_ms)
{
	const int64_t age_ms = network->hash == hash ? age_of(network, now_ms) : INT64_MAX;

	if (age_ms >= rules->lifetime_ms)
		*network = (struct entry){ .hash = hash, .seen_ms = now_ms, .passes = 1 };
	else if (age_ms >= rules->delay_ms)
		*network = (struct entry){ .hash = hash,
			.seen_ms = now_ms,
			.passes = network->passes < UINT32_MAX ? network->passes + 1 : UINT32_MAX };
}

int64_t greylist_ask(struct greylist *greylist, const struct greylist_rules *rules,
    const struct greylist_triple *triple, int64_t now_ms)
{
	struct file *file = greylist->file;
	int64_t wait_ms = 0;

	must(rules->delay_ms >= 0 && rules->delay_ms <= GREYLIST_RETURN_MS);
	if (rules->delay_ms == 0)
		return 0;
	const uint64_t from = hash_network(file->header.seed, triple->client), network_hash = never_0(from);
	const uint64_t hash = never_0(hash_address(hash_address(from, triple->sender), triple->recipient));

	pthread_mutex_lock(&greylist->lock);
	struct entry *network = entry_of(file->networks, GREYLIST_NETWORKS, network_hash, now_ms);

	if (is_known(network, network_hash, rules, now_ms))
		network->seen_ms = now_ms;
	else
		wait_ms =
		    ask_triple(entry_of(file->triples, GREYLIST_TRIPLES, hash, now_ms), hash, rules, now_ms);
	if (wait_ms == 0)
		count_pass(network, network_hash, rules, now_ms);
	pthread_mutex_unlock(&greylist->lock);
	return wait_ms;
}
