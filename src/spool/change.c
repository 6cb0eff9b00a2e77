#include "spool/change.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/must.h"
#include "spool/codec.h"
#include "spool/flow.h"
#include "spool/records.h"

enum {
	OP_HEADER_SIZE = 1 + 4 + 8 + 4,
	HASH_SIZE = 8,
	STEERING_SIZE = 3 + 8,
	LOWER_ROOM = 320 /* An address by RFC 5321 §4.5.3.1 has at most 320 bytes; longer ones are found by these. */
};

struct spool_change *spool_change_new(void)
{
	struct spool_change *change = calloc(1, sizeof *change);

	if (change == NULL)
		return NULL;
	buffer_init(&change->ops, CHANGE_BYTES_MAX);
	change->ascending = true;
	return change;
}

void spool_change_free(struct spool_change *change)
{
	if (change == NULL)
		return;
	buffer_done(&change->ops);
	free(change);
}

char *change_add_op(struct spool_change *change, enum op_kind kind, queue_id id, uint32_t number, size_t size)
{
	must(change->port == NULL); /* Not submitted yet. */
	must(id != 0 || kind >= OP_NOTE); /* Those are of no message. */

	char *room = change->failed || size > CHANGE_BYTES_MAX ? NULL : buffer_reserve(&change->ops, OP_HEADER_SIZE + size);

	if (room == NULL) {
		change->failed = true;
		return NULL;
	}
	buffer_added(&change->ops, OP_HEADER_SIZE + size);
	room = put_u8(room, (uint8_t)kind);
	room = put_u32(room, number);
	room = put_u64(room, id);
	return put_u32(room, (uint32_t)size);
}

bool change_next(const struct spool_change *change, size_t *offset, struct op *out_op)
{
	const struct text ops = buffer_text(&change->ops);
	uint8_t kind;
	uint32_t length;

	if (*offset == ops.length)
		return false;

	const char *at = get_u8(ops.bytes + *offset, &kind);

	at = get_u32(at, &out_op->number);
	at = get_u64(at, &out_op->id);
	at = get_u32(at, &length);
	out_op->kind = (enum op_kind)kind;
	out_op->bytes = (struct text){ at, length };
	*offset += OP_HEADER_SIZE + length;
	must(*offset <= ops.length);
	return true;
}

enum chunk_source change_chunk_source(
    const struct spool_change *change, size_t offset, queue_id id, uint32_t number)
{
	enum chunk_source source = CHUNK_IN_STORE;
	struct op op;

	for (size_t at = 0; at < offset && change_next(change, &at, &op);) {
		if (op.id != id)
			continue;
		if (op.kind == OP_DISCARD)
			source = CHUNK_DISCARDED;
		else if (op.kind == OP_CHUNK && op.number == number)
			source = CHUNK_IN_CHANGE;
	}
	return source;
}

uint64_t chunk_checksum(queue_id id, uint32_t number, struct text bytes)
{
	return XXH3_64bits_withSeed(bytes.bytes, bytes.length, id ^ ((uint64_t)number << 40));
}

uint64_t address_hash(struct text address)
{
	char lower[LOWER_ROOM];
	const size_t length = address.length < LOWER_ROOM ? address.length : LOWER_ROOM;

	for (size_t i = 0; i < length; i++)
		lower[i] = byte_lower(address.bytes[i]);
	return XXH3_64bits(lower, length);
}

/* A recipient in a new state: fixed part of `old`, delivery state of `state`. */
static struct recipient recipient_in_state(const struct recipient *old, const struct recipient *state)
{
	struct recipient recipient = *old;

	recipient.flags = state->flags;
	recipient.attempt_count = state->attempt_count;
	recipient.due_ms = state->due_ms;
	recipient.last = state->last;
	return recipient;
}

static struct recipient recipient_steered(const struct recipient *old, struct text steering)
{
	struct recipient recipient = *old;
	uint64_t due_ms;
	uint8_t held, end, with_via;

	get_u64(get_u8(get_u8(get_u8(steering.bytes, &held), &end), &with_via), &due_ms);
	if (held != STEER_AS_IT_WAS)
		recipient.flags &= (uint8_t)~RECIPIENT_PAUSED;
	if (held == STEER_HELD || held == STEER_PAUSED)
		recipient.flags |= RECIPIENT_HELD;
	if (held == STEER_PAUSED)
		recipient.flags |= RECIPIENT_PAUSED;
	if (held == STEER_NOT_HELD)
		recipient.flags &= (uint8_t)~(RECIPIENT_HELD | RECIPIENT_QUARANTINED);
	if (end != STEER_ON)
		recipient.flags |= end == STEER_EXPIRED ? RECIPIENT_EXPIRED : RECIPIENT_BOUNCED;
	if ((int64_t)due_ms >= 0)
		recipient.due_ms = (int64_t)due_ms;
	if (with_via)
		recipient.via = text_from(steering, STEERING_SIZE);
	return recipient;
}

enum error recipient_changed(const struct recipient *old, const struct op *op, struct recipient *out_new)
{
	struct recipient state;

	if (op->kind == OP_STEER) {
		*out_new = recipient_steered(old, op->bytes);
		return OK;
	}
	must(op->kind == OP_UPDATE);

	const enum error error = recipient_record_view(op->bytes, &state);

	if (error != OK)
		return error;
	state.flags = (uint8_t)((state.flags & ~RECIPIENT_STEERED) | (old->flags & RECIPIENT_STEERED));
	*out_new = recipient_in_state(old, &state);
	return OK;
}

void spool_change_put_joined_chunk(
    struct spool_change *change, queue_id id, uint32_t number, struct text front, struct text back)
{
	const size_t length = front.length + back.length;

	must(length > 0 && length <= SPOOL_CHUNK_SIZE);

	char *room = change_add_op(change, OP_CHUNK, id, number, CHUNK_CHECKSUM_SIZE + length);

	change->grows = true;
	if (room == NULL)
		return;
	put_text(put_text(room + CHUNK_CHECKSUM_SIZE, front), back);
	put_u64(room, chunk_checksum(id, number, (struct text){ room + CHUNK_CHECKSUM_SIZE, length }));
}

void spool_change_put_chunk(struct spool_change *change, queue_id id, uint32_t number, struct text bytes)
{
	spool_change_put_joined_chunk(change, id, number, bytes, TEXT_EMPTY);
}

static void add_recipient_op(
    struct spool_change *change, enum op_kind kind, queue_id id, uint32_t number, const struct recipient *recipient)
{
	must(recipient->due_ms >= 0); /* Positions begin at 0. */
	must(recipient->address.domain.length <= ADDRESS_DOMAIN_MAX);

	char *room = change_add_op(change, kind, id, number, recipient_record_size(recipient));

	if (room != NULL)
		recipient_record_write(recipient, room);
}

void spool_change_put_message(struct spool_change *change, const struct message *message)
{
	const struct envelope *envelope = &message->envelope;
	const struct recipient *recipients = message->recipients;
	const uint32_t count = message->recipient_count;

	must(count > 0);
	for (uint32_t i = 1; i < count; i++)
		must(recipients[i].index > recipients[i - 1].index);
	must(recipients[count - 1].index < UINT32_MAX);

	char *room = change_add_op(change, OP_MESSAGE, envelope->id, count, envelope_record_size(envelope));

	change->grows = change->whole = true;
	change->message_id = envelope->id;
	if (room == NULL)
		return;
	envelope_record_write(envelope, recipients[count - 1].index + 1, room);
	for (uint32_t i = 0; i < count; i++) {
		struct recipient recipient = recipients[i];

		recipient.flow = flow_of(envelope);
		add_recipient_op(change, OP_RECIPIENT, envelope->id, recipient.index, &recipient);
	}
}

void spool_change_discard(struct spool_change *change, queue_id id)
{
	change_add_op(change, OP_DISCARD, id, 0, 0);
}

/* This change is about a recipient that is here already. */
static void settle(struct spool_change *change, queue_id id, uint32_t index)
{
	change->settles = true;
	if (id < change->last_id || (id == change->last_id && index <= change->last_index))
		change->ascending = false;
	change->last_id = id;
	change->last_index = index;
}

void spool_change_retire(struct spool_change *change, queue_id id, uint32_t index)
{
	change_add_op(change, OP_RETIRE, id, index, 0);
	settle(change, id, index);
}

void spool_change_update(struct spool_change *change, queue_id id, const struct recipient *state)
{
	const struct recipient none = { 0 };
	const struct recipient bare = recipient_in_state(&none, state);

	add_recipient_op(change, OP_UPDATE, id, state->index, &bare);
	settle(change, id, state->index);
}

void spool_change_steer(struct spool_change *change, queue_id id, uint32_t index, const struct spool_steering *steering)
{
	char *room = change_add_op(change, OP_STEER, id, index, STEERING_SIZE + steering->via.length);

	if (room != NULL) {
		room = put_u8(put_u8(room, (uint8_t)steering->held), (uint8_t)steering->end);
		room = put_u64(put_u8(room, steering->via.bytes != NULL), (uint64_t)steering->due_ms);
		put_text(room, steering->via);
	}
	settle(change, id, index);
}

void spool_change_note(struct spool_change *change, struct text key, struct text value)
{
	must(key.length > 0 && key.length <= SPOOL_NOTE_MAX && value.length <= SPOOL_NOTE_MAX);

	char *room = change_add_op(change, OP_NOTE, 0, (uint32_t)key.length, key.length + value.length);

	if (room != NULL)
		put_text(put_text(room, key), value);
	change->notes = true;
}

void spool_change_claim(struct spool_change *change, uint32_t day, struct text key, struct text value)
{
	must(key.length > 0 && key.length <= SPOOL_CLAIM_MAX && value.length > 0 && value.length <= SPOOL_CLAIM_MAX);

	char *room = change_add_op(change, OP_CLAIM, 0, day, 1 + key.length + value.length);

	if (room != NULL)
		put_text(put_text(put_u8(room, (uint8_t)key.length), key), value);
}

void op_read_claim(const struct op *op, struct text *out_key, struct text *out_value)
{
	uint8_t length;
	const struct text rest = text_from(op->bytes, (size_t)(get_u8(op->bytes.bytes, &length) - op->bytes.bytes));

	*out_key = text_part(rest, 0, length);
	*out_value = text_from(rest, length);
}

struct text claim_note(uint32_t day, struct text key, char room[CLAIM_NOTE_MAX])
{
	const int length = snprintf(room, CLAIM_NOTE_MAX, "claim %06u %.*s", day % 1000000, TEXT_FORMAT(key));

	return (struct text){ room, (size_t)length };
}

void spool_change_add_recipient(struct spool_change *change, queue_id id, const struct recipient *recipient)
{
	add_recipient_op(change, OP_ADD, id, 0, recipient);
	change->settles = true;
}

void spool_change_record(struct spool_change *change, queue_id id, struct text stored,
    const struct text *addresses, size_t address_count)
{
	uint32_t count = 0;

	for (size_t i = 0; i < address_count; i++)
		count += addresses[i].length > 0; /* Nobody looks for the null sender. */

	char *room = change_add_op(change, OP_RECORD, id, count, (size_t)count * HASH_SIZE + stored.length);

	if (room == NULL)
		return;
	for (size_t i = 0; i < address_count; i++) {
		if (addresses[i].length > 0)
			room = put_u64(room, address_hash(addresses[i]));
	}
	put_text(room, stored);
}

void change_list_append(struct change_list *list, struct spool_change *change)
{
	change->next = NULL;
	if (list->last != NULL)
		list->last->next = change;
	else
		list->first = change;
	list->last = change;
}

void change_list_join(struct change_list *list, struct change_list *tail)
{
	if (tail->first == NULL)
		return;
	if (list->last != NULL)
		list->last->next = tail->first;
	else
		list->first = tail->first;
	list->last = tail->last;
	*tail = (struct change_list){ 0 };
}

struct spool_change *change_list_pop(struct change_list *list)
{
	struct spool_change *change = list->first;

	if (change != NULL) {
		list->first = change->next;
		if (list->first == NULL)
			list->last = NULL;
		change->next = NULL;
	}
	return change;
}
