/* The file: a header as large as an entry, and entries, in which a domain may stand in one group only. */
#include "spool/policy_store.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xxhash.h>

#include "base/must.h"
#include "spool/map_file.h"

enum { GROUP_SIZE = 8 };

static const uint64_t MAGIC = 0x31736569636c6f70ull; /* "polcies1" */

struct entry {
	uint64_t checksum; /* Of all behind it, as far as it is used; 0: free. */
	int64_t used_ms;
	uint64_t holds;
	uint16_t value_length;
	uint8_t domain_length;
	char room[POLICY_STORE_DOMAIN_MAX + POLICY_STORE_VALUE_MAX]; /* The domain, lower case, then the value. */
};
_Static_assert(sizeof(struct entry) == POLICY_STORE_ENTRY_SIZE, "entries fill their file");

struct file {
	struct map_header header;
	char unused[POLICY_STORE_ENTRY_SIZE - 16];
	struct entry entries[POLICY_STORE_ENTRIES];
};

struct policy_store {
	struct file *file;
	pthread_mutex_t lock; /* Guards the entries. */
};

enum error policy_store_open(const char *path, uint64_t seed, struct policy_store **out_store)
{
	struct policy_store *store = calloc(1, sizeof *store);
	const struct map_header fresh = { MAGIC, seed };
	struct map_header *map;

	if (store == NULL)
		return ERR_NO_MEMORY;
	const enum error error = map_hashed_file(path, sizeof *store->file, &fresh, &map);

	if (error != OK) {
		free(store);
		return error;
	}
	store->file = (struct file *)map; /* It begins with the header. */
	must(pthread_mutex_init(&store->lock, NULL) == 0);
	*out_store = store;
	return OK;
}

void policy_store_close(struct policy_store *store)
{
	if (store == NULL)
		return;
	munmap(store->file, sizeof *store->file);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

/* -- Entries ---------------------------------------------------------------------------- */

static struct text domain_of(const struct entry *entry)
{
	return (struct text){ entry->room, entry->domain_length };
}

static struct text value_of(const struct entry *entry)
{
	return (struct text){ entry->room + entry->domain_length, entry->value_length };
}

static uint64_t checksum_of(const struct policy_store *store, const struct entry *entry)
{
	const size_t head = offsetof(struct entry, room) - sizeof entry->checksum;
	const size_t length = head + entry->domain_length + entry->value_length;
	const uint64_t hash = XXH3_64bits_withSeed(&entry->used_ms, length, store->file->header.seed);

	return hash != 0 ? hash : 1; /* 0 stands for a free entry. */
}

static bool is_taken(const struct policy_store *store, const struct entry *entry)
{
	return entry->checksum != 0 && entry->domain_length <= POLICY_STORE_DOMAIN_MAX &&
	    entry->value_length <= POLICY_STORE_VALUE_MAX && entry->checksum == checksum_of(store, entry);
}

static struct entry *group_of(struct policy_store *store, struct text lower)
{
	const uint64_t hash = XXH3_64bits_withSeed(lower.bytes, lower.length, store->file->header.seed);

	return &store->file->entries[hash % (POLICY_STORE_ENTRIES / GROUP_SIZE) * GROUP_SIZE];
}

/* False: it is too long to have an entry. */
static bool lower(struct text domain, char room[POLICY_STORE_DOMAIN_MAX], struct text *out_lower)
{
	if (domain.length == 0 || domain.length > POLICY_STORE_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < domain.length; i++)
		room[i] = byte_lower(domain.bytes[i]);
	*out_lower = (struct text){ room, domain.length };
	return true;
}

static struct entry *find(struct policy_store *store, struct text domain)
{
	struct entry *group = group_of(store, domain);

	for (struct entry *entry = group; entry < group + GROUP_SIZE; entry++)
		if (is_taken(store, entry) && text_equal(domain_of(entry), domain))
			return entry;
	return NULL;
}

/* Y2: is `a` to give way before `b`? */
static bool gives_way(const struct policy_store *store, const struct entry *a, const struct entry *b)
{
	const bool a_taken = is_taken(store, a), b_taken = is_taken(store, b);

	if (!a_taken || !b_taken)
		return !a_taken && b_taken;
	return a->holds != b->holds ? a->holds < b->holds : a->used_ms < b->used_ms;
}

static struct entry *place_for(struct policy_store *store, struct text domain)
{
	struct entry *group = group_of(store, domain), *place = find(store, domain);

	if (place != NULL)
		return place;
	place = group;
	for (struct entry *entry = group + 1; entry < group + GROUP_SIZE; entry++)
		if (gives_way(store, entry, place))
			place = entry;
	return place;
}

/* -- The store ---------------------------------------------------------------------------- */

static void copy_out(struct text text, char *room, struct text *out_text)
{
	memcpy(room, text.bytes, text.length);
	*out_text = (struct text){ room, text.length };
}

bool policy_store_get(
    struct policy_store *store, struct text domain, char room[POLICY_STORE_VALUE_MAX], struct text *out_value)
{
	char lower_room[POLICY_STORE_DOMAIN_MAX];
	struct text key;

	if (!lower(domain, lower_room, &key))
		return false;
	pthread_mutex_lock(&store->lock);
	const struct entry *entry = find(store, key);

	if (entry != NULL)
		copy_out(value_of(entry), room, out_value);
	pthread_mutex_unlock(&store->lock);
	return entry != NULL;
}

void policy_store_put(struct policy_store *store, struct text domain, const struct policy_entry *entry)
{
	char lower_room[POLICY_STORE_DOMAIN_MAX];
	struct text key;

	must(entry->value.length <= POLICY_STORE_VALUE_MAX);
	if (!lower(domain, lower_room, &key))
		return;
	pthread_mutex_lock(&store->lock);
	struct entry *place = place_for(store, key);

	place->checksum = 0; /* Who dies before the end leaves a free entry. */
	place->used_ms = entry->used_ms;
	place->holds = entry->holds;
	place->domain_length = (uint8_t)key.length;
	place->value_length = (uint16_t)entry->value.length;
	memcpy(place->room, key.bytes, key.length);
	memcpy(place->room + key.length, entry->value.bytes, entry->value.length);
	place->checksum = checksum_of(store, place);
	pthread_mutex_unlock(&store->lock);
}

void policy_store_erase(struct policy_store *store, struct text domain)
{
	char lower_room[POLICY_STORE_DOMAIN_MAX];
	struct text key;

	if (!lower(domain, lower_room, &key))
		return;
	pthread_mutex_lock(&store->lock);
	struct entry *entry = find(store, key);

	if (entry != NULL)
		entry->checksum = 0;
	pthread_mutex_unlock(&store->lock);
}

bool policy_store_next(struct policy_store *store, uint32_t *position, char domain_room[POLICY_STORE_DOMAIN_MAX],
    struct text *out_domain, char room[POLICY_STORE_VALUE_MAX], struct text *out_value)
{
	bool found = false;

	pthread_mutex_lock(&store->lock);
	while (!found && *position < POLICY_STORE_ENTRIES) {
		const struct entry *entry = &store->file->entries[(*position)++];

		found = is_taken(store, entry);
		if (!found)
			continue;
		copy_out(domain_of(entry), domain_room, out_domain);
		copy_out(value_of(entry), room, out_value);
	}
	pthread_mutex_unlock(&store->lock);
	return found;
}
