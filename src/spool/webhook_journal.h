/* Events that wait for webhooks, for all lanes to write and one thread to read.
 *
 * A ring in a mapped file beside the database, not flushed, like policy_store.h: it survives the process, and a power cut may
 * lose what is in it. So an event is for whoever looks on; what a message's life was stands in its history.
 *
 *   J1  journal_add never waits for a reader: what is new takes the place of what is oldest.
 *   J2  Events are numbered without a gap, so a reader knows how many it has missed.
 *   J3  A reader has a place of its own by its name, which survives. There are JOURNAL_READERS; the one that was not used
 *       for longest gives way.
 *   J4  What the file holds is not believed: a record that is torn makes the ring empty.
 *
 * A lock of its own, held for no longer than a copy takes. */
#ifndef SPOOL_WEBHOOK_JOURNAL_H
#define SPOOL_WEBHOOK_JOURNAL_H

#include "base/error.h"
#include "base/text.h"
#include "mail/queue_id.h"

enum {
	JOURNAL_BYTES = 8 << 20,
	JOURNAL_READERS = 32, /* Twice as many as there may be webhooks. */
	JOURNAL_RECORD_MAX = 16 << 10
};

struct webhook_journal;

struct journal_place {
	uint64_t at;     /* Of the next event, in bytes since the first there ever was. */
	uint64_t number; /* Of that event. */
};

/* path NULL: kept in memory only. */
[[nodiscard]] enum error journal_open(const char *path, struct webhook_journal **out_journal);
void journal_close(struct webhook_journal *journal); /* NULL is fine. */

/* `stored`: as event_encode makes it. What is larger than JOURNAL_RECORD_MAX is left out. */
void journal_add(struct webhook_journal *journal, queue_id id, struct text stored);

/* Where the next event will be; and where the oldest is that there still is (the same when there is none). */
struct journal_place journal_end(struct webhook_journal *journal);
struct journal_place journal_start(struct webhook_journal *journal);

/* The place of a reader; of one that is new, the end. Moved on first when what was there is gone: past *out_missed events. */
struct journal_place journal_place_get(struct webhook_journal *journal, struct text reader, uint64_t *out_missed);
void journal_place_put(struct webhook_journal *journal, struct text reader, struct journal_place place);

/* The same to look at: nothing is moved, what was there may be gone. False: no such reader is known. */
[[nodiscard]] bool journal_place_look(struct webhook_journal *journal, struct text reader, struct journal_place *out_place);

/* Copy the event at the place into the room, and move the place behind it. False: there is none, or it is gone. */
[[nodiscard]] bool journal_read(struct webhook_journal *journal, struct journal_place *place, char room[JOURNAL_RECORD_MAX],
    queue_id *out_id, struct text *out_stored);

#endif
