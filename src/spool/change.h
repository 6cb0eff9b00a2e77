/* A change: what a writer wants done, as operations in one growing piece of memory.
 *
 * The builders of spool.h write it on the thread that has the facts: records are encoded and
 * chunks get their checksum there, so the one writer thread of an engine only copies.
 *
 *   C1  The bytes given to a builder are copied once.
 *   C2  A change holds at most CHANGE_BYTES_MAX; beyond that it is marked like one without memory. */
#ifndef SPOOL_CHANGE_H
#define SPOOL_CHANGE_H

#include "base/buffer.h"
#include "spool/spool.h"

enum {
	CHANGE_BYTES_MAX = 64 << 20, /* A whole body of the default message-size limit (50M) fits. */
	CHUNK_CHECKSUM_SIZE = 8
};

enum op_kind {
	OP_CHUNK,     /* number: of the chunk; bytes: checksum, body bytes */
	OP_MESSAGE,   /* number: its recipients, which follow as OP_RECIPIENT; bytes: envelope record */
	OP_RECIPIENT, /* number: index; bytes: recipient record */
	OP_DISCARD,
	OP_RETIRE,    /* number: index */
	OP_UPDATE,    /* number: index; bytes: recipient record whose fixed texts are empty */
	OP_STEER,     /* number: index; bytes: held, end, with via (u8 each), due time (u64), via */
	OP_ADD,       /* bytes: recipient record */
	OP_RECORD,    /* number: addresses; bytes: their hashes (u64 each), the stored step */
	OP_NOTE,      /* number: length of the key; bytes: key, value */
	OP_CLAIM,     /* number: the day; bytes: length of the key (u8), key, value */
	OP_TALLY,     /* number: added; bytes: the set, the row (tally_op.h) */
	OP_TALLY_DROP /* bytes: the set, its total */
};

/* A claim is a note: "claim ", the day in six digits, a space, the key. An empty key: what comes before all of the day. */
enum { CLAIM_NOTE_MAX = sizeof "claim 123456 " + SPOOL_CLAIM_MAX, CLAIMS_DROPPED_MAX = 2 };
#define CLAIM_PREFIX TEXT("claim ")
struct text claim_note(uint32_t day, struct text key, char room[CLAIM_NOTE_MAX]);

struct op {
	enum op_kind kind;
	uint32_t number;
	queue_id id;
	struct text bytes; /* Borrows from the change. */
};

/* Key and value of an OP_CLAIM. */
void op_read_claim(const struct op *op, struct text *out_key, struct text *out_value);

struct spool_change {
	struct buffer ops;
	bool failed;  /* A builder had no memory. */
	bool whole;   /* Brings a message, not chunks alone. */
	bool grows;   /* Brings chunks or messages ... */
	bool notes;   /* Brings or takes a note. */
	bool settles; /* ... and this one is about mail that is here already. */

	queue_id message_id; /* The last message put; 0: none. */

	/* Retirements, updates and steering name recipients in ascending order, none twice. */
	bool ascending;
	queue_id last_id;
	uint32_t last_index;

	/* Since its submission. */
	struct spool_port *port;
	struct spool_change *next;
	spool_done *done;
	void *context;
	enum error result;
};

/* Room for the bytes of an operation, its header written; NULL marks the change. For the builders. */
char *change_add_op(struct spool_change *change, enum op_kind kind, queue_id id, uint32_t number, size_t size);

/* The operation at *offset (0: the first), which moves on to the next; false behind the last. */
bool change_next(const struct spool_change *change, size_t *offset, struct op *out_op);

/* Where a chunk comes from that an operation before `offset` may have put or discarded. */
enum chunk_source { CHUNK_IN_STORE, CHUNK_IN_CHANGE, CHUNK_DISCARDED };
enum chunk_source change_chunk_source(
    const struct spool_change *change, size_t offset, queue_id id, uint32_t number);

/* The checksum of a chunk knows its place, so that a chunk in another's place is damage, too. */
uint64_t chunk_checksum(queue_id id, uint32_t number, struct text bytes);

/* By what an address is found: without ASCII case. */
uint64_t address_hash(struct text address);

/* What an OP_UPDATE or OP_STEER makes of a recipient. Borrows from both. ERR_CORRUPT: the operation is damaged. */
enum error recipient_changed(const struct recipient *old, const struct op *op, struct recipient *out_new);

/* Changes in order of submission. */
struct change_list {
	struct spool_change *first, *last;
};
void change_list_append(struct change_list *list, struct spool_change *change);
void change_list_join(struct change_list *list, struct change_list *tail); /* Leaves `tail` empty. */
struct spool_change *change_list_pop(struct change_list *list); /* NULL when empty. */

#endif
