/* The stored form of envelopes and recipients.
 *
 * Both engines keep these bytes; a change carries them from the lane that encodes to the writer
 * that only copies. Decoding never trusts a length: bytes that are no record are ERR_CORRUPT.
 *
 *   R1  Decoding what was encoded gives the same values; absent texts come back empty.
 *   R2  A record begins with its form's number, so that a later form can be told from this one. */
#ifndef SPOOL_RECORDS_H
#define SPOOL_RECORDS_H

#include "base/arena.h"
#include "base/error.h"
#include "mail/envelope.h"

/* An envelope; next_index is the first recipient index never used. */
size_t envelope_record_size(const struct envelope *envelope);
void envelope_record_write(const struct envelope *envelope, uint32_t next_index, char *room);

/* The copy lives in `arena`. ERR_CORRUPT, ERR_NO_MEMORY. */
[[nodiscard]] enum error envelope_record_read(
    queue_id id, struct text record, struct arena *arena, struct envelope *out_envelope);

/* What an engine itself looks at. ERR_CORRUPT. */
[[nodiscard]] enum error envelope_record_next_index(struct text record, uint32_t *out_next_index);
void envelope_record_set_next_index(char *record, uint32_t next_index);
[[nodiscard]] enum error envelope_record_chunk_count(struct text record, uint32_t *out_chunk_count);

/* A recipient without its index, which is its key. */
size_t recipient_record_size(const struct recipient *recipient);
void recipient_record_write(const struct recipient *recipient, char *room);
[[nodiscard]] enum error recipient_record_read(
    uint32_t index, struct text record, struct arena *arena, struct recipient *out_recipient);

/* The same without a copy: the texts borrow from `record`. */
[[nodiscard]] enum error recipient_record_view(struct text record, struct recipient *out_recipient);

#endif
