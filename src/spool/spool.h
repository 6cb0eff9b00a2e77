/* The spool: where messages live between their 250 and their end.
 *
 * One contract, several engines (memory: the reference; lmdb: the embedded default). Writers hand
 * in changes; many changes share one flush (group commit). Readers see committed state.
 *
 *   P1  A change is applied as a whole or not at all; its `done` is called once, on the thread
 *       of its port, inside spool_port_poll. OK means: durable, it survives a power cut.
 *   P2  Changes of one port are applied in the order of submission.
 *   P3  A change that names a message or recipient that is no longer there fails with ERR_GONE and has no effect;
 *       so does one that puts a message whose body has a hole. An ID is used once: putting a message, or
 *       a chunk, of an ID that has a message is ERR_EXISTS, without effect. Operations of a change see those before them.
 *   P4  A failed write or flush fails every change of its batch (ERR_NO_SPACE, ERR_IO) and nothing of
 *       the batch is visible or durable. It is not retried here. A spool that is full refuses new mail
 *       (ERR_NO_SPACE) change by change and keeps a reserve for settling what it has.
 *   P5  When its last recipient is retired a message leaves the spool with its body, in the same change.
 *   P6  Body chunks without an envelope are no message: readers never list them, opening sweeps them.
 *   P7  Each chunk carries a checksum; a damaged chunk reads as ERR_CORRUPT, never as other bytes.
 *   P8  No read transaction outlives a call of this header. */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include "base/arena.h"
#include "base/error.h"
#include "mail/envelope.h"

struct spool;
struct spool_port;
struct spool_change;

/* No chunk is longer, none is empty, and an empty body has none. The first and the last may be shorter: what a body
 * begins with may be known only when the rest of it was put. */
enum { SPOOL_CHUNK_SIZE = 32736, SPOOL_START_SIZE = 2 * SPOOL_CHUNK_SIZE };

/* Recipient domains are spread over shards, so that each lane looks for due mail in its own. */
enum { SPOOL_SHARD_COUNT = 16 };
unsigned spool_shard_of(struct text domain); /* Without case. < SPOOL_SHARD_COUNT */

/* -- Opening ---------------------------------------------------------------- */

/* The reference model, for tests and simulation. */
[[nodiscard]] enum error spool_memory_open(struct spool **out_spool);

struct spool_lmdb_settings {
	const char *path;          /* Folder; made (0700) when missing, its parent must exist. */
	uint64_t size_bytes_max;   /* Of the map; 0: a large default. */
	uint32_t history_max;      /* Messages that left the spool whose history is kept; the oldest go first. */
	bool read_only;            /* The CLI while the server may run or not: no ports, no sweep. */
};
/* Starts the writer thread. ERR_BUSY: another process writes here. */
[[nodiscard]] enum error spool_lmdb_open(const struct spool_lmdb_settings *settings, struct spool **out_spool);

/* Every port must be closed before. What was submitted is finished first. */
void spool_close(struct spool *spool);

/* -- Changes ---------------------------------------------------------------- */

/* Gives an empty change; NULL: no memory. The builders copy what they are given;
 * when one runs out of memory, or the change exceeds 64 MiB, it is marked and fails with ERR_NO_MEMORY on submission. */
[[nodiscard]] struct spool_change *spool_change_new(void);
void spool_change_free(struct spool_change *change);

/* Bytes of a body; number counts from 0. */
void spool_change_put_chunk(struct spool_change *change, queue_id id, uint32_t number, struct text bytes);
/* The same for bytes in two parts, one of which may be empty. */
void spool_change_put_joined_chunk(
    struct spool_change *change, queue_id id, uint32_t number, struct text front, struct text back);

/* Envelope and recipients (at least one, indexes ascending) of a message whose chunks are in this or earlier changes. */
void spool_change_put_message(struct spool_change *change, const struct message *message);

/* Throw away the chunks of a body that never became a message. */
void spool_change_discard(struct spool_change *change, queue_id id);

/* The recipient is done, whatever became of it. */
void spool_change_retire(struct spool_change *change, queue_id id, uint32_t index);

/* New delivery state (flags, attempt_count, due_ms, last) of a recipient, by the queue. Whether it is held
 * stays as it is when the change is applied: an attempt under way does not undo what an operator decided meanwhile. */
void spool_change_update(struct spool_change *change, queue_id id, const struct recipient *state);

/* What an operator wants of a recipient. */
struct spool_steering {
	/* A held recipient is not due in any scan. STEER_NOT_HELD ends a quarantine, and a pause, too. */
	enum { STEER_NOT_HELD, STEER_HELD, STEER_PAUSED, STEER_AS_IT_WAS } held;
	int64_t due_ms; /* < 0: as it was. */
	enum { STEER_ON, STEER_EXPIRED, STEER_BOUNCED } end; /* Not ON: the queue tells its sender, without another attempt. */
	struct text via; /* bytes NULL: as it was. */
};

/* Steer a recipient. All else of its state stays as it is when the change is applied: a settlement meanwhile is kept. */
void spool_change_steer(struct spool_change *change, queue_id id, uint32_t index, const struct spool_steering *steering);

/* Add a recipient to a message; its index is set by the engine (returned nowhere, above all others). Its flow is that of
 * the others. */
void spool_change_add_recipient(struct spool_change *change, queue_id id, const struct recipient *recipient);

/* A step in the life of a message: `stored` as encoded by events. `addresses` (sender, recipients)
 * become findable; case of ASCII letters does not matter. */
void spool_change_record(struct spool_change *change, queue_id id, struct text stored,
    const struct text *addresses, size_t address_count);

/* A note: a fact that belongs to no message, like a pause. An empty value takes it away. */
enum { SPOOL_NOTE_MAX = 400, SPOOL_NOTES_MAX = 10000 }; /* Bytes of a key, and of a value; notes of one reading. */
void spool_change_note(struct spool_change *change, struct text key, struct text value);

/* A claim: its sender's own key for what he hands in, so that handing it in again, since the answer was lost, changes nothing.
 * `day` (since 1970) is today. The change fails with ERR_EXISTS if the key was claimed today or yesterday. What was claimed before
 * goes: two for each new one, so that there is never much of it. */
enum { SPOOL_CLAIM_MAX = 128 }; /* Bytes of a key, and of a value; not 0. */
void spool_change_claim(struct spool_change *change, uint32_t day, struct text key, struct text value);

/* -- Ports ------------------------------------------------------------------ */

/* A thread's door. `wake` may be called from any thread when there is something to poll. `shards`: bit s
 * set when this port wants to hear of mail becoming due in shard s. */
[[nodiscard]] enum error spool_port_open(struct spool *spool, uint32_t shards,
    void (*wake)(void *context), void *context, struct spool_port **out_port);
void spool_port_close(struct spool_port *port); /* Waits for its changes; their done is not called. */

typedef void spool_done(void *context, enum error result);

/* Takes the change. `done` may be NULL. */
void spool_submit(struct spool_port *port, struct spool_change *change, spool_done *done, void *context);

/* From now on submitted changes gather in the port until spool_port_hand_in, which the owner calls at the end of
 * its round: many changes then cost one exchange between threads, and meet in one flush. `gathered` is called,
 * on the port's thread, when the first of them waits. Without this each change is handed in at once. */
void spool_port_gather(struct spool_port *port, void (*gathered)(void *context));
void spool_port_hand_in(struct spool_port *port);

/* Call the `done` of what is finished. Returns how many. */
size_t spool_port_poll(struct spool_port *port); /* A done may submit and read; it must not close the port. */

/* Since the last call: the earliest due time that a committed change gave to a recipient in `shard`
 * (one of this port's); INT64_MAX if none. Any port's changes are heard by the port that owns the shard. */
int64_t spool_port_news(struct spool_port *port, unsigned shard);

/* -- Reading (any thread; results are copied into the arena) ------------------ */

/* ERR_NOT_FOUND, ERR_CORRUPT, ERR_NO_MEMORY, ERR_IO as everywhere below. */
[[nodiscard]] enum error spool_read_message(struct spool *spool, queue_id id, struct arena *arena, struct message *out_message);

/* Envelope and only the recipients with these indexes (in this order). ERR_NOT_FOUND when any is missing. */
[[nodiscard]] enum error spool_read_recipients(struct spool *spool, queue_id id, const uint32_t *indexes,
    size_t index_count, struct arena *arena, struct message *out_message);

/* One chunk into `room`. */
[[nodiscard]] enum error spool_read_chunk(struct spool *spool, queue_id id, uint32_t number,
    char room[SPOOL_CHUNK_SIZE], size_t *out_length);

/* How a body begins: its first two chunks. A short body may be all there (*out_complete). */
[[nodiscard]] enum error spool_read_start(struct spool *spool, const struct envelope *envelope,
    char room[SPOOL_START_SIZE], size_t *out_length, bool *out_complete);

/* Where a recipient stands in an index ordered by (due time, id, index). All 0: before every one. */
struct spool_position {
	int64_t due_ms;
	queue_id id;
	uint32_t index;
};

struct spool_due {
	struct spool_position position;
	struct text domain; /* Of the recipient, lower case. */
	struct flow flow;
};

/* Recipients of one shard after `after` and due at or before until_ms, in order, at most `max`. Held ones are left out. */
[[nodiscard]] enum error spool_scan_due(struct spool *spool, unsigned shard, struct spool_position after,
    int64_t until_ms, size_t max, struct arena *arena, struct spool_due **out_due, size_t *out_count);

/* The same for one flow of one recipient domain. */
[[nodiscard]] enum error spool_scan_flow(struct spool *spool, struct text domain, struct flow flow,
    struct spool_position after, int64_t until_ms, size_t max, struct arena *arena,
    struct spool_position **out_positions, size_t *out_count);

/* For one recipient domain, all flows of it, in any order: at most `max` of what is due at or before until_ms. */
[[nodiscard]] enum error spool_scan_domain(struct spool *spool, struct text domain, int64_t until_ms, size_t max,
    struct arena *arena, struct spool_position **out_positions, size_t *out_count);

/* The due time of the first recipient after `after` in a shard; INT64_MAX if none. */
[[nodiscard]] enum error spool_next_due(struct spool *spool, unsigned shard, struct spool_position after, int64_t *out_due_ms);

/* IDs of messages above `after`, in order, at most `max`. */
[[nodiscard]] enum error spool_list(struct spool *spool, queue_id after, size_t max, struct arena *arena,
    queue_id **out_ids, size_t *out_count);

/* IDs of messages with a history, which those in the spool have, too: newest first, at most `max`. */
[[nodiscard]] enum error spool_list_newest(
    struct spool *spool, size_t max, struct arena *arena, queue_id **out_ids, size_t *out_count);

/* The newest ID in the spool or its history, 0 if there was none ever. */
[[nodiscard]] enum error spool_newest_id(struct spool *spool, queue_id *out_id);

struct spool_note {
	struct text key, value;
};

/* The notes whose keys begin with `prefix`, in their order. */
[[nodiscard]] enum error spool_read_notes(struct spool *spool, struct text prefix, struct arena *arena,
    struct spool_note **out_notes, size_t *out_count);

/* What was claimed by this key today or yesterday. */
[[nodiscard]] enum error spool_read_claim(
    struct spool *spool, uint32_t day, struct text key, struct arena *arena, struct text *out_value);

/* Another number after each change with a note in it, from before its `done` on. Any thread. */
uint64_t spool_notes_version(const struct spool *spool);

/* OK, or why the spool takes no new mail: the last batch failed, or the last new mail found no room. It is OK again
 * when a write succeeds, of new mail if it was full. Any thread; set before the changes concerned are answered. */
enum error spool_trouble(const struct spool *spool);

struct spool_totals {
	uint64_t messages, recipients, history_messages;
	uint64_t commits, changes;   /* Since opening: flushes made, and changes in them. */
};
/* Sizes and counts, cheap. */
[[nodiscard]] enum error spool_totals(struct spool *spool, struct spool_totals *out_totals);

/* The recorded steps of a message, oldest first (stored form); of a long life the first 100 and the
 * newest 100. ERR_NOT_FOUND: not in the history. */
[[nodiscard]] enum error spool_read_history(struct spool *spool, queue_id id, struct arena *arena,
    struct text **out_steps, size_t *out_count);

/* Messages whose history names this address, newest first, at most `max`. May name some whose
 * history does not hold it (a hash met by chance): the reader checks. */
[[nodiscard]] enum error spool_find_address(struct spool *spool, struct text address, size_t max,
    struct arena *arena, queue_id **out_ids, size_t *out_count);

#endif
