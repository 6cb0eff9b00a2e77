#include "base/must.h"
#include "spool/codec.h"
#include "spool/lmdb_engine.h"

static char *put_position(char *at, const struct spool_position *position)
{
	must(position->due_ms >= 0);
	at = put_u64_ordered(at, (uint64_t)position->due_ms);
	at = put_u64_ordered(at, position->id);
	return put_u32_ordered(at, position->index);
}

void key_id(struct key *key, queue_id id)
{
	key->length = (size_t)(put_u64_ordered(key->bytes, id) - key->bytes);
}

void key_numbered(struct key *key, queue_id id, uint32_t number)
{
	char *at = put_u64_ordered(key->bytes, id);

	key->length = (size_t)(put_u32_ordered(at, number) - key->bytes);
}

void key_due(struct key *key, unsigned shard, const struct spool_position *position)
{
	char *at = put_u8(key->bytes, (uint8_t)shard);

	key->length = (size_t)(put_position(at, position) - key->bytes);
}

void key_domain_start(struct key *key, struct text domain, uint64_t period)
{
	must(domain.length <= ADDRESS_DOMAIN_MAX);

	char *at = put_u64_ordered(key->bytes, period);

	at = put_text(at, domain);
	at = put_u8(at, 0);
	key->length = (size_t)(at - key->bytes);
}

void key_domain(struct key *key, struct text domain, const struct flow *flow, const struct spool_position *position)
{
	key_domain_start(key, domain, (uint64_t)position->due_ms >> DUE_PERIOD_SHIFT);

	char *at = put_u8(key->bytes + key->length, (uint8_t)flow->priority);

	at = put_u32_ordered(at, flow->sender);
	key->length = (size_t)(put_position(at, position) - key->bytes);
}

bool key_read_due(struct text value, struct text *out_domain, struct flow *out_flow)
{
	uint8_t priority;

	if (value.length < KEY_FLOW + 1 || value.length > ADDRESS_DOMAIN_MAX + 1 + KEY_FLOW)
		return false;
	*out_domain = text_part(value, 0, value.length - KEY_FLOW - 1);
	get_u32_ordered(get_u8(value.bytes + value.length - KEY_FLOW, &priority), &out_flow->sender);
	out_flow->priority = (int8_t)priority;
	return out_flow->priority >= PRIORITY_MIN && out_flow->priority <= PRIORITY_MAX;
}

void key_period(struct key *key, uint64_t period)
{
	key->length = (size_t)(put_u64_ordered(key->bytes, period) - key->bytes);
}

bool key_read_period(MDB_val key, uint64_t *out_period)
{
	return key_read_id(key, out_period); /* Both are the first eight bytes. */
}

bool key_read_id(MDB_val key, queue_id *out_id)
{
	if (key.mv_size < sizeof *out_id)
		return false;
	get_u64_ordered(key.mv_data, out_id);
	return true;
}

bool key_read_numbered(MDB_val key, queue_id *out_id, uint32_t *out_number)
{
	if (key.mv_size != KEY_NUMBERED)
		return false;
	get_u32_ordered(get_u64_ordered(key.mv_data, out_id), out_number);
	return true;
}

bool key_read_position(MDB_val key, struct spool_position *out_position)
{
	uint64_t due;

	if (key.mv_size < KEY_POSITION)
		return false;

	const char *at = (const char *)key.mv_data + key.mv_size - KEY_POSITION;

	at = get_u64_ordered(at, &due);
	at = get_u64_ordered(at, &out_position->id);
	get_u32_ordered(at, &out_position->index);
	out_position->due_ms = (int64_t)due;
	return due <= INT64_MAX;
}

void key_note(struct key *key, struct text note)
{
	must(note.length <= SPOOL_NOTE_MAX);
	key->length = (size_t)(put_text(put_text(key->bytes, TEXT("note ")), note) - key->bytes);
}
