#include "mail/queue_id.h"

#include "base/must.h"

enum { COUNTER_BITS = 16, LANE_BITS = 6, TIME_SHIFT = COUNTER_BITS + LANE_BITS, DIGIT_BITS = 5 };

static const int64_t epoch_ms = 1577836800000; /* 2020-01-01T00:00:00Z */
static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

void queue_id_source_init(struct queue_id_source *source, uint8_t lane, queue_id floor)
{
	must(lane <= QUEUE_ID_LANE_MAX);
	source->lane = lane;
	source->last = floor;
}

queue_id queue_id_next(struct queue_id_source *source, int64_t unix_ms)
{
	const uint64_t last_time = source->last >> TIME_SHIFT;
	const uint64_t lane = (uint64_t)source->lane << COUNTER_BITS;
	const uint64_t lane_mask = ((uint64_t)1 << TIME_SHIFT) - 1;
	uint64_t time = unix_ms > epoch_ms ? (uint64_t)(unix_ms - epoch_ms) : 0;

	/* The clock may stand still or step back: then count on, and borrow from
	 * the future when a millisecond is used up. */
	if (time <= last_time) {
		const uint64_t low = source->last & lane_mask;

		time = last_time;
		if (low < lane)
			source->last = time << TIME_SHIFT | lane;
		else if (low < (lane | (((uint64_t)1 << COUNTER_BITS) - 1)))
			source->last++;
		else
			source->last = (time + 1) << TIME_SHIFT | lane;
	} else {
		source->last = time << TIME_SHIFT | lane;
	}
	return source->last;
}

int64_t queue_id_time_ms(queue_id id)
{
	return (int64_t)(id >> TIME_SHIFT) + epoch_ms;
}

struct text queue_id_print(queue_id id, char room[QUEUE_ID_TEXT_SIZE])
{
	for (int i = QUEUE_ID_TEXT_LENGTH - 1; i >= 0; i--) {
		room[i] = digits[id & ((1 << DIGIT_BITS) - 1)];
		id >>= DIGIT_BITS;
	}
	room[QUEUE_ID_TEXT_LENGTH] = '\0';
	return (struct text){ room, QUEUE_ID_TEXT_LENGTH };
}

bool queue_id_parse(struct text text, queue_id *out_id)
{
	queue_id id = 0;

	if (text.length != QUEUE_ID_TEXT_LENGTH)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		const char *digit = memchr(digits, byte_lower(text.bytes[i]), sizeof digits - 1);

		if (digit == NULL || (i == 0 && digit - digits > 15))
			return false; /* 13 digits hold 65 bits: the first one has only four. */
		id = id << DIGIT_BITS | (queue_id)(digit - digits);
	}
	*out_id = id;
	return true;
}
