#include "spool/records.h"

#include "base/must.h"
#include "spool/codec.h"

enum {
	ENVELOPE_FORM = 3,
	ENVELOPE_TEXT_COUNT = 5,
	ENVELOPE_NEXT_INDEX_AT = 1,
	ENVELOPE_CHUNK_COUNT_AT = 5,
	ENVELOPE_FIXED_SIZE = 1 + 4 + 4 + 4 * 8 + 2 + 1 + 1 + 8 + 4 * ENVELOPE_TEXT_COUNT,

	RECIPIENT_FORM = 3,
	RECIPIENT_TEXT_COUNT = 6,
	RECIPIENT_FIXED_SIZE = 1 + 1 + 1 + 1 + 4 + 4 + 8 + 2 + 3 * 2 + 4 * RECIPIENT_TEXT_COUNT
};

static size_t texts_size(const struct text *texts, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++) {
		must(texts[i].length <= UINT32_MAX);
		size += texts[i].length;
	}
	return size;
}

/* Lengths first, then the bytes, so that the fixed part has one size. */
static char *texts_write(char *at, const struct text *texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		at = put_u32(at, (uint32_t)texts[i].length);
	for (size_t i = 0; i < count; i++)
		at = put_text(at, texts[i]);
	return at;
}

/* False unless the lengths add up to exactly what is there. */
static bool texts_read(const char *at, const char *end, struct text *out_texts, size_t count)
{
	const char *bytes = at + 4 * count;

	for (size_t i = 0; i < count; i++) {
		uint32_t length;

		at = get_u32(at, &length);
		if (length > (size_t)(end - bytes))
			return false;
		out_texts[i] = (struct text){ bytes, length };
		bytes += length;
	}
	return bytes == end;
}

static bool is_form(struct text record, size_t fixed_size, uint8_t form)
{
	return record.length >= fixed_size && (uint8_t)record.bytes[0] == form;
}

static void envelope_texts(const struct envelope *envelope, struct text texts[ENVELOPE_TEXT_COUNT])
{
	texts[0] = envelope->reverse_path.local;
	texts[1] = envelope->reverse_path.domain;
	texts[2] = envelope->envelope_id;
	texts[3] = envelope->client;
	texts[4] = envelope->user;
}

size_t envelope_record_size(const struct envelope *envelope)
{
	struct text texts[ENVELOPE_TEXT_COUNT];

	envelope_texts(envelope, texts);
	return ENVELOPE_FIXED_SIZE + texts_size(texts, ENVELOPE_TEXT_COUNT);
}

void envelope_record_write(const struct envelope *envelope, uint32_t next_index, char *room)
{
	struct text texts[ENVELOPE_TEXT_COUNT];
	char *at = put_u8(room, ENVELOPE_FORM);

	at = put_u32(at, next_index);
	at = put_u32(at, envelope->chunk_count);
	at = put_u64(at, (uint64_t)envelope->arrived_ms);
	at = put_u64(at, (uint64_t)envelope->expires_ms);
	at = put_u64(at, (uint64_t)envelope->held_until_ms);
	at = put_u64(at, (uint64_t)envelope->deliver_by_ms);
	at = put_u16(at, envelope->flags);
	at = put_u8(at, (uint8_t)envelope->priority);
	at = put_u8(at, (uint8_t)envelope->dsn_return);
	at = put_u64(at, envelope->body_size);
	envelope_texts(envelope, texts);
	texts_write(at, texts, ENVELOPE_TEXT_COUNT);
}

enum error envelope_record_next_index(struct text record, uint32_t *out_next_index)
{
	if (!is_form(record, ENVELOPE_FIXED_SIZE, ENVELOPE_FORM))
		return ERR_CORRUPT;
	get_u32(record.bytes + ENVELOPE_NEXT_INDEX_AT, out_next_index);
	return OK;
}

void envelope_record_set_next_index(char *record, uint32_t next_index)
{
	put_u32(record + ENVELOPE_NEXT_INDEX_AT, next_index);
}

enum error envelope_record_chunk_count(struct text record, uint32_t *out_chunk_count)
{
	if (!is_form(record, ENVELOPE_FIXED_SIZE, ENVELOPE_FORM))
		return ERR_CORRUPT;
	get_u32(record.bytes + ENVELOPE_CHUNK_COUNT_AT, out_chunk_count);
	return OK;
}

enum error envelope_record_read(
    queue_id id, struct text record, struct arena *arena, struct envelope *out_envelope)
{
	struct text copy, texts[ENVELOPE_TEXT_COUNT];
	uint32_t chunk_count;
	uint64_t arrived, expires, held_until, deliver_by, body_size;
	uint16_t flags;
	uint8_t priority, dsn_return;

	if (!is_form(record, ENVELOPE_FIXED_SIZE, ENVELOPE_FORM))
		return ERR_CORRUPT;
	if (!arena_copy(arena, record, &copy))
		return ERR_NO_MEMORY;

	const char *at = get_u32(copy.bytes + ENVELOPE_CHUNK_COUNT_AT, &chunk_count);

	at = get_u64(at, &arrived);
	at = get_u64(at, &expires);
	at = get_u64(at, &held_until);
	at = get_u64(at, &deliver_by);
	at = get_u16(at, &flags);
	at = get_u8(at, &priority);
	at = get_u8(at, &dsn_return);
	at = get_u64(at, &body_size);
	if (dsn_return > DSN_RETURN_HEADERS || (int8_t)priority < PRIORITY_MIN || (int8_t)priority > PRIORITY_MAX ||
	    !texts_read(at, copy.bytes + copy.length, texts, ENVELOPE_TEXT_COUNT))
		return ERR_CORRUPT;
	*out_envelope = (struct envelope){
		.id = id,
		.arrived_ms = (int64_t)arrived,
		.expires_ms = (int64_t)expires,
		.held_until_ms = (int64_t)held_until,
		.deliver_by_ms = (int64_t)deliver_by,
		.flags = flags,
		.priority = (int8_t)priority,
		.dsn_return = (enum dsn_return)dsn_return,
		.reverse_path = { .local = texts[0], .domain = texts[1] },
		.envelope_id = texts[2],
		.client = texts[3],
		.user = texts[4],
		.body_size = body_size,
		.chunk_count = chunk_count,
	};
	return OK;
}

static void recipient_texts(const struct recipient *recipient, struct text texts[RECIPIENT_TEXT_COUNT])
{
	texts[0] = recipient->address.local;
	texts[1] = recipient->address.domain;
	texts[2] = recipient->original;
	texts[3] = recipient->last.text;
	texts[4] = recipient->last.host;
	texts[5] = recipient->via;
}

size_t recipient_record_size(const struct recipient *recipient)
{
	struct text texts[RECIPIENT_TEXT_COUNT];

	recipient_texts(recipient, texts);
	return RECIPIENT_FIXED_SIZE + texts_size(texts, RECIPIENT_TEXT_COUNT);
}

void recipient_record_write(const struct recipient *recipient, char *room)
{
	const struct verdict *last = &recipient->last;
	struct text texts[RECIPIENT_TEXT_COUNT];
	char *at = put_u8(room, RECIPIENT_FORM);

	at = put_u8(at, recipient->notify);
	at = put_u8(at, recipient->flags);
	at = put_u8(at, (uint8_t)recipient->flow.priority);
	at = put_u32(at, recipient->flow.sender);
	at = put_u32(at, recipient->attempt_count);
	at = put_u64(at, (uint64_t)recipient->due_ms);
	at = put_u16(at, last->code);
	at = put_u16(at, last->enhanced.class);
	at = put_u16(at, last->enhanced.subject);
	at = put_u16(at, last->enhanced.detail);
	recipient_texts(recipient, texts);
	texts_write(at, texts, RECIPIENT_TEXT_COUNT);
}

enum error recipient_record_view(struct text record, struct recipient *out_recipient)
{
	struct text texts[RECIPIENT_TEXT_COUNT];
	struct recipient recipient = { 0 };
	uint8_t priority;
	uint64_t due;

	if (!is_form(record, RECIPIENT_FIXED_SIZE, RECIPIENT_FORM))
		return ERR_CORRUPT;

	const char *at = get_u8(record.bytes + 1, &recipient.notify);

	at = get_u8(at, &recipient.flags);
	at = get_u8(at, &priority);
	at = get_u32(at, &recipient.flow.sender);
	at = get_u32(at, &recipient.attempt_count);
	at = get_u64(at, &due);
	at = get_u16(at, &recipient.last.code);
	at = get_u16(at, &recipient.last.enhanced.class);
	at = get_u16(at, &recipient.last.enhanced.subject);
	at = get_u16(at, &recipient.last.enhanced.detail);
	if ((int8_t)priority < PRIORITY_MIN || (int8_t)priority > PRIORITY_MAX ||
	    !texts_read(at, record.bytes + record.length, texts, RECIPIENT_TEXT_COUNT))
		return ERR_CORRUPT;
	recipient.flow.priority = (int8_t)priority;
	recipient.due_ms = (int64_t)due;
	recipient.address = (struct address){ .local = texts[0], .domain = texts[1] };
	recipient.original = texts[2];
	recipient.last.text = texts[3];
	recipient.last.host = texts[4];
	recipient.via = texts[5];
	*out_recipient = recipient;
	return OK;
}

enum error recipient_record_read(
    uint32_t index, struct text record, struct arena *arena, struct recipient *out_recipient)
{
	struct text copy;

	if (!arena_copy(arena, record, &copy))
		return ERR_NO_MEMORY;

	const enum error error = recipient_record_view(copy, out_recipient);

	if (error == OK)
		out_recipient->index = index;
	return error;
}
