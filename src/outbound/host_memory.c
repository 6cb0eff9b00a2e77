#include "outbound/host_memory.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((void)(element))
#include <uthash.h>
#include <utlist.h>

#include "base/backoff.h"
#include "base/must.h"

enum {
	REST_MS_FIRST = 30'000,
	REST_MS_MAX = 300'000,
	HEARD_LATELY_MS = 60'000,
	OFFER_MS_MAX = 3'600'000
};

struct remembered {
	UT_hash_handle hh;
	struct remembered *prev, *next;  /* In memory->all; the first was met longest ago. */
	struct host_known known;
	char trouble[HOST_TROUBLE_MAX];
	size_t key_length;
	char key[];                      /* "192.0.2.1:25 pool" */
};

struct host_memory {
	struct remembered *table, *all;
	uint32_t count;
};

struct host_memory *host_memory_new(void)
{
	return calloc(1, sizeof(struct host_memory));
}

static void forget(struct host_memory *memory, struct remembered *host)
{
	HASH_DELETE(hh, memory->table, host);
	DL_DELETE(memory->all, host);
	memory->count--;
	free(host);
}

void host_memory_free(struct host_memory *memory)
{
	if (memory == NULL)
		return;
	while (memory->all != NULL)
		forget(memory, memory->all);
	free(memory);
}

/* -- The table ---------------------------------------------------------------------- */

/* Long names of pools are cut, which only makes two of them one. */
struct key {
	char room[ENDPOINT_TEXT_MAX + 65];
	size_t length;
};

static struct key key_of(const struct endpoint *host, struct text pool)
{
	struct key key;
	char room[ENDPOINT_TEXT_MAX];
	const struct text address = endpoint_print(host, room), name = text_part(pool, 0, 64);

	memcpy(key.room, address.bytes, address.length);
	key.length = address.length;
	if (name.length > 0) {
		key.room[key.length++] = ' ';
		memcpy(key.room + key.length, name.bytes, name.length);
		key.length += name.length;
	}
	return key;
}

static struct remembered *find(const struct host_memory *memory, const struct key *key)
{
	struct remembered *host;

	HASH_FIND(hh, memory->table, key->room, key->length, host);
	return host;
}

/* NULL: no memory. */
static struct remembered *remembered_new(struct host_memory *memory, const struct key *key)
{
	struct remembered *host = calloc(1, sizeof *host + key->length);

	if (host == NULL)
		return NULL;
	host->key_length = key->length;
	memcpy(host->key, key->room, key->length);
	HASH_ADD_KEYPTR(hh, memory->table, host->key, host->key_length, host);
	if (host->hh.tbl == NULL) {
		free(host);
		return NULL;
	}
	DL_APPEND(memory->all, host);
	memory->count++;
	return host;
}

/* It is met. H4 */
static struct remembered *meet(struct host_memory *memory, const struct endpoint *endpoint, struct text pool)
{
	const struct key key = key_of(endpoint, pool);
	struct remembered *host = find(memory, &key);

	if (host == NULL) {
		if (memory->count == HOSTS_REMEMBERED_MAX)
			forget(memory, memory->all);
		return remembered_new(memory, &key);
	}
	DL_DELETE(memory->all, host);
	DL_APPEND(memory->all, host);
	return host;
}

const struct host_known *host_memory_find(const struct host_memory *memory, const struct endpoint *endpoint, struct text pool)
{
	const struct key key = key_of(endpoint, pool);
	const struct remembered *host = find(memory, &key);

	return host != NULL ? &host->known : NULL;
}

/* -- What is learned ---------------------------------------------------------------- */

void host_memory_heard(struct host_memory *memory, const struct endpoint *endpoint, struct text pool,
    const struct capabilities *capabilities, bool tls, int64_t now_ms)
{
	struct remembered *host = meet(memory, endpoint, pool);

	if (host != NULL)
		host->known = (struct host_known){ .heard_ms = now_ms, .capabilities = *capabilities, .tls = tls };
}

bool host_memory_lost_tls(struct host_memory *memory, const struct endpoint *endpoint, struct text pool)
{
	const struct key key = key_of(endpoint, pool);
	struct remembered *host = find(memory, &key);
	const bool had = host != NULL && host->known.tls;

	if (had)
		host->known.tls = false;
	return had;
}

void host_memory_failed(
    struct host_memory *memory, const struct endpoint *endpoint, struct text pool, struct text trouble, int64_t now_ms)
{
	struct remembered *host = meet(memory, endpoint, pool);

	if (host == NULL || (host->known.heard_ms > 0 && now_ms - host->known.heard_ms < HEARD_LATELY_MS))
		return;

	const struct text kept = text_part(trouble, 0, HOST_TROUBLE_MAX);

	if (kept.length > 0)
		memcpy(host->trouble, kept.bytes, kept.length);
	host->known.trouble = (struct text){ host->trouble, kept.length };
	host->known.rests_until_ms = now_ms + backoff_ms(REST_MS_FIRST, REST_MS_MAX, ++host->known.failures); /* H3 */
}

void host_memory_dialled(
    struct host_memory *memory, const struct endpoint *endpoint, struct text pool, int64_t probe_ms, int64_t now_ms)
{
	const struct key key = key_of(endpoint, pool);
	struct remembered *host = find(memory, &key);

	if (host != NULL && host->known.failures > 0 && host->known.rests_until_ms < now_ms + probe_ms)
		host->known.rests_until_ms = now_ms + probe_ms;
}

void host_memory_forgive(struct host_memory *memory)
{
	struct remembered *host;

	DL_FOREACH(memory->all, host) {
		host->known.failures = 0;
		host->known.rests_until_ms = 0;
	}
}

/* -- What it is good for ------------------------------------------------------------ */

bool host_known_rests(const struct host_known *known, int64_t now_ms)
{
	return known != NULL && known->rests_until_ms > now_ms;
}

bool host_known_unsuitable(
    const struct host_known *known, const struct envelope *envelope, bool whole_way, int64_t now_ms)
{
	if (known == NULL || known->heard_ms == 0 || now_ms - known->heard_ms > OFFER_MS_MAX)
		return false;

	const struct capabilities *offer = &known->capabilities;

	return ((envelope->flags & ENVELOPE_SMTPUTF8) && !capabilities_offer(offer, CAPABILITY_SMTPUTF8)) ||
	    ((envelope->flags & ENVELOPE_8BIT) && !capabilities_offer(offer, CAPABILITY_8BITMIME)) ||
	    (whole_way && !capabilities_offer(offer, CAPABILITY_REQUIRETLS)) ||
	    (offer->size_max > 0 && envelope->body_size > offer->size_max);
}
