/* What `postroad top` shows: from answers of the server to the lines of a screen.
 *
 * Pure: knows no terminal and no clock.
 *
 *   T1  A frame has at most `rows` lines, and none is wider than `columns`. */
#ifndef CTL_TOP_FRAME_H
#define CTL_TOP_FRAME_H

#include <jansson.h>
#include <stdint.h>

#include "base/buffer.h"

enum { TOP_RATES = 6, TOP_LANES_MAX = 64, TOP_TIMES = 2, TOP_PLACES_MAX = 32, TOP_FRAME_BYTES = 256 << 10 };

/* The counts of one moment, of which differences are shown. */
struct top_sample {
	int64_t uptime_ms;              /* Of the server. */
	uint64_t counts[TOP_RATES];
	unsigned lane_count;
	uint64_t lanes[TOP_LANES_MAX][2]; /* Messages in, and attempts out. */
	uint64_t times[TOP_TIMES][TOP_PLACES_MAX];
};

/* Of what `stats` answers. */
struct top_sample top_sample_of(const json_t *stats);

struct top_view {                       /* Borrows all. */
	const json_t *stats, *destinations; /* As answered, and printable. */
	const struct top_sample *now;
	const struct top_sample *before; /* The one before; NULL: none. */
	const struct top_sample *minute; /* Of about a minute ago; NULL: none. */
	const char *trouble;            /* Why the answers are old; NULL: they are not. */
	int64_t unix_ms;
	unsigned rows, columns;         /* 0: without a limit. */
	bool styled;                    /* With ANSI attributes, and each line clears what was behind it. */
};

/* False: no memory. */
[[nodiscard]] bool top_frame(const struct top_view *view, struct buffer *out);

/* The same for programs: rates a second since the start, and (null without `before`) since then; of times the bounds that half and 95
 * percent stayed below (null: none was measured, or there is no such bound); the rest as it was answered. Gives. */
json_t *top_frame_json(const struct top_view *view);

#endif
