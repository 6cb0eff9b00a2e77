/* Queue IDs: the name of a message in the log, in Received and on the command line.
 *
 * 64 bits that grow with time: milliseconds since 2020 (42 bits), lane (6), counter (16).
 * Printed as 13 digits of Crockford's base 32 in lower case, which sort as the numbers do. */
#ifndef MAIL_QUEUE_ID_H
#define MAIL_QUEUE_ID_H

#include "base/text.h"

typedef uint64_t queue_id;

enum { QUEUE_ID_TEXT_LENGTH = 13, QUEUE_ID_TEXT_SIZE = QUEUE_ID_TEXT_LENGTH + 1, QUEUE_ID_LANE_MAX = 63 };

/* Makes the IDs of one lane. A value. */
struct queue_id_source {
	queue_id last;
	uint8_t lane;
};

/* `floor`: an ID that all new ones must exceed, 0 if none (the newest in the spool). */
void queue_id_source_init(struct queue_id_source *source, uint8_t lane, queue_id floor);

/* The next ID: above every earlier one of this source, even if the clock steps back. */
queue_id queue_id_next(struct queue_id_source *source, int64_t unix_ms);

/* When it was made, to the millisecond. */
int64_t queue_id_time_ms(queue_id id);

/* The 13 digits, NUL-terminated in `room`. */
struct text queue_id_print(queue_id id, char room[QUEUE_ID_TEXT_SIZE]);

/* Back again, in either case; false for anything but 13 digits of a 64-bit number. */
[[nodiscard]] bool queue_id_parse(struct text text, queue_id *out_id);

#endif
