/* The door: each question goes to the engine of this spool. */
#include "spool/spool.h"

#include <xxhash.h>

#include "base/must.h"
#include "spool/engine.h"

void spool_init(struct spool *spool, const struct engine *engine)
{
	*spool = (struct spool){ .engine = engine };
	pthread_mutex_init(&spool->mutex, NULL);
	pthread_cond_init(&spool->port_idle, NULL);
}

void spool_done_with(struct spool *spool)
{
	pthread_mutex_destroy(&spool->mutex);
	pthread_cond_destroy(&spool->port_idle);
}

struct text domain_lower(struct text domain, char *room)
{
	const size_t length = domain.length < ADDRESS_DOMAIN_MAX ? domain.length : ADDRESS_DOMAIN_MAX;

	for (size_t i = 0; i < length; i++)
		room[i] = byte_lower(domain.bytes[i]);
	return (struct text){ room, length };
}

unsigned shard_of_lower(struct text domain)
{
	return (unsigned)(XXH3_64bits(domain.bytes, domain.length) % SPOOL_SHARD_COUNT);
}

unsigned spool_shard_of(struct text domain)
{
	char room[ADDRESS_DOMAIN_MAX];

	return shard_of_lower(domain_lower(domain, room));
}

void spool_close(struct spool *spool)
{
	if (spool == NULL)
		return;
	must(spool->ports == NULL);
	spool->engine->close(spool);
}

enum error spool_read_message(struct spool *spool, queue_id id, struct arena *arena, struct message *out_message)
{
	return spool->engine->read_message(spool, id, NULL, 0, arena, out_message);
}

enum error spool_read_recipients(struct spool *spool, queue_id id, const uint32_t *indexes,
    size_t index_count, struct arena *arena, struct message *out_message)
{
	static const uint32_t none;

	return spool->engine->read_message(spool, id, indexes ? indexes : &none, index_count, arena, out_message);
}

enum error spool_read_chunk(struct spool *spool, queue_id id, uint32_t number,
    char room[SPOOL_CHUNK_SIZE], size_t *out_length)
{
	return spool->engine->read_chunk(spool, id, number, room, out_length);
}

enum error spool_read_start(struct spool *spool, const struct envelope *envelope, char room[SPOOL_START_SIZE],
    size_t *out_length, bool *out_complete)
{
	size_t total = 0;

	for (uint32_t number = 0; number < envelope->chunk_count && number < 2; number++) {
		size_t length = 0;
		const enum error error = spool_read_chunk(spool, envelope->id, number, room + total, &length);

		if (error != OK)
			return error;
		total += length;
	}
	*out_length = total;
	*out_complete = envelope->chunk_count <= 2;
	return OK;
}

enum error spool_scan_due(struct spool *spool, unsigned shard, struct spool_position after,
    int64_t until_ms, size_t max, struct arena *arena, struct spool_due **out_due, size_t *out_count)
{
	const struct due_query query = { .shard = shard, .after = after, .until_ms = until_ms, .max = max };

	must(shard < SPOOL_SHARD_COUNT);
	return spool->engine->scan_due(spool, &query, arena, out_due, out_count);
}

static enum error scan_domain(struct spool *spool, struct text domain, const struct flow *flow, struct due_query query,
    struct arena *arena, struct spool_position **out_positions, size_t *out_count)
{
	char room[ADDRESS_DOMAIN_MAX];
	const struct text lower = domain_lower(domain, room);

	if (domain.length > ADDRESS_DOMAIN_MAX) {
		*out_positions = NULL;
		*out_count = 0;
		return OK;
	}
	query.shard = shard_of_lower(lower);
	return spool->engine->scan_domain(spool, lower, flow, &query, arena, out_positions, out_count);
}

enum error spool_scan_flow(struct spool *spool, struct text domain, struct flow flow, struct spool_position after,
    int64_t until_ms, size_t max, struct arena *arena, struct spool_position **out_positions, size_t *out_count)
{
	const struct due_query query = { .after = after, .until_ms = until_ms, .max = max };

	return scan_domain(spool, domain, &flow, query, arena, out_positions, out_count);
}

enum error spool_scan_domain(struct spool *spool, struct text domain, int64_t until_ms, size_t max,
    struct arena *arena, struct spool_position **out_positions, size_t *out_count)
{
	const struct due_query query = { .until_ms = until_ms, .max = max };

	return scan_domain(spool, domain, NULL, query, arena, out_positions, out_count);
}

enum error spool_next_due(struct spool *spool, unsigned shard, struct spool_position after, int64_t *out_due_ms)
{
	must(shard < SPOOL_SHARD_COUNT);
	return spool->engine->next_due(spool, shard, after, out_due_ms);
}

enum error spool_list(struct spool *spool, queue_id after, size_t max, struct arena *arena,
    queue_id **out_ids, size_t *out_count)
{
	return spool->engine->list(spool, after, max, arena, out_ids, out_count);
}

enum error spool_list_newest(
    struct spool *spool, size_t max, struct arena *arena, queue_id **out_ids, size_t *out_count)
{
	return spool->engine->list_newest(spool, max, arena, out_ids, out_count);
}

enum error spool_newest_id(struct spool *spool, queue_id *out_id)
{
	return spool->engine->newest_id(spool, out_id);
}

enum error spool_trouble(const struct spool *spool)
{
	return (enum error)spool->trouble;
}

enum error spool_totals(struct spool *spool, struct spool_totals *out_totals)
{
	return spool->engine->totals(spool, out_totals);
}

enum error spool_read_history(struct spool *spool, queue_id id, struct arena *arena,
    struct text **out_steps, size_t *out_count)
{
	return spool->engine->read_history(spool, id, arena, out_steps, out_count);
}

enum error spool_find_address(struct spool *spool, struct text address, size_t max,
    struct arena *arena, queue_id **out_ids, size_t *out_count)
{
	return spool->engine->find_address(spool, address_hash(address), max, arena, out_ids, out_count);
}

enum error spool_read_notes(struct spool *spool, struct text prefix, struct arena *arena,
    struct spool_note **out_notes, size_t *out_count)
{
	return spool->engine->read_notes(spool, prefix, arena, out_notes, out_count);
}

enum error spool_read_claim(struct spool *spool, uint32_t day, struct text key, struct arena *arena, struct text *out_value)
{
	if (key.length == 0 || key.length > SPOOL_CLAIM_MAX)
		return ERR_NOT_FOUND;
	for (uint32_t back = 0; back < 2; back++) {
		char room[CLAIM_NOTE_MAX];
		const struct text claimed = claim_note(day - back, key, room);
		struct spool_note *notes;
		size_t count;
		const enum error error = spool_read_notes(spool, claimed, arena, &notes, &count);

		if (error != OK)
			return error;
		if (count > 0 && text_equal(notes[0].key, claimed)) {
			*out_value = notes[0].value;
			return OK;
		}
	}
	return ERR_NOT_FOUND;
}

uint64_t spool_notes_version(const struct spool *spool)
{
	return spool->notes_version;
}
