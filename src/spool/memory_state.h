/* What the memory engine holds, and how a change becomes part of it.
 *
 * The reference model: simple before fast. Everything is a row in a table sorted by ID; indexes
 * are computed when somebody asks. It is for tests and simulation, where lack of memory is our
 * own mistake: it ends the process.
 *
 * Not thread-safe: memory.c holds the mutex. */
#ifndef SPOOL_MEMORY_STATE_H
#define SPOOL_MEMORY_STATE_H

#include "spool/engine.h"

/* Rows begin with their queue_id and are sorted by it. */
struct table {
	void **rows;
	size_t count, capacity;
};

struct memory_recipient {
	char *record;
	struct recipient view; /* Borrows from record. */
	struct text record_text;
};

struct memory_message {
	queue_id id;
	struct text envelope;  /* Owned. */
	uint32_t next_index;
	uint32_t chunk_count;
	struct memory_recipient *recipients; /* By index, ascending. */
	size_t count;
};

struct memory_body {
	queue_id id;
	struct text *chunks;   /* Owned; as in the change: checksum, bytes. Empty: not put. */
	uint32_t count;
};

struct memory_history {
	queue_id id;
	struct text *steps;    /* Owned. */
	size_t step_count;
	uint64_t *hashes;      /* Of addresses. */
	size_t hash_count;
};

struct memory_note {
	struct text key, value; /* Owned. */
};

struct memory_tally_row {
	uint64_t key, count;
	struct text bytes; /* Owned. */
};

struct memory_tally_set {
	struct tally_set set; /* Owns the domain. Empty: the account of its day, without rows. */
	struct tally_sum sum;
	struct memory_tally_row *rows; /* By key, ascending. */
	size_t count, capacity;
};

struct memory_tallies {
	struct memory_tally_set **sets; /* By kind, day, domain, ascending. */
	size_t count, capacity;
};

struct memory_state {
	struct table messages, bodies, histories;
	struct memory_note *notes; /* Sorted by key. */
	size_t note_count;
	struct memory_tallies tallies;
	uint64_t recipient_count;
	uint64_t change_count;
	uint32_t history_max;
};

/* Index of the first row whose ID is at or above `id`. */
size_t table_place(const struct table *table, queue_id id);

/* The row, or NULL. */
void *table_find(const struct table *table, queue_id id);

/* All of `change` or nothing: ERR_GONE, ERR_EXISTS. `news` hears of recipients becoming due. */
[[nodiscard]] enum error memory_state_apply(
    struct memory_state *state, const struct spool_change *change, struct due_news *news);

/* -- Tallies (memory_tally.c) ------------------------------------------------- */

[[nodiscard]] enum error memory_tally_try_drop(
    const struct memory_tallies *tallies, const struct spool_change *change, size_t start, const struct op *op);
void memory_tally_count(struct memory_tallies *tallies, const struct op *op);
void memory_tally_drop(struct memory_tallies *tallies, const struct op *op);
void memory_tally_clear(struct memory_tallies *tallies);

[[nodiscard]] enum error memory_tally_list(const struct memory_tallies *tallies, const struct tally_query *query,
    struct arena *arena, struct tally_listed **out_sets, size_t *out_count);
[[nodiscard]] enum error memory_tally_read(const struct memory_tallies *tallies, const struct tally_set *set,
    uint64_t from, size_t max, struct arena *arena, struct tally_row **out_rows, size_t *out_count);

void memory_state_clear(struct memory_state *state);

#endif
