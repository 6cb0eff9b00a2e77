/* Events: the facts of a message's life, once for log, trace and counters.
 *
 * Pure. An event is a value whose text borrows. Stored form: opaque bytes that
 * survive a change of the field list (unknown fields are skipped).
 *
 *   E1  What strangers said may stand in any field. A printed event is one line of well-formed UTF-8 all the same,
 *       without a byte that a terminal would act upon: such ones are escaped; NUL and what is no UTF-8 are
 *       shown as U+FFFD.
 *   E2  After an append that fails, the buffer is as before. */
#ifndef EVENTS_EVENT_H
#define EVENTS_EVENT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "mail/queue_id.h"

enum event_kind {
#define EVENT(name, word, prose) EVENT_##name,
#include "events/events.def"
#undef EVENT
	EVENT_KIND_COUNT
};

enum event_field {
#define FIELD(name, word, prose) EVENT_FIELD_##name,
#include "events/fields.def"
#undef FIELD
	EVENT_FIELD_COUNT
};

struct event {
	enum event_kind kind;
	int64_t time_ms; /* Unix time. */
	queue_id id;     /* 0 when no message exists (a rejected recipient). */
	struct text fields[EVENT_FIELD_COUNT]; /* bytes == NULL: absent. */
};

/* The words of the tables. Static. */
/* As log, trace and JSON name them, and what they mean. Static. */
const char *event_kind_word(enum event_kind kind);
const char *event_kind_prose(enum event_kind kind);
const char *event_field_word(enum event_field field);
const char *event_field_prose(enum event_field field);

/* Append the stored form (without the id, which is the key) to `out`. False at its limit. */
[[nodiscard]] bool event_encode(const struct event *event, struct buffer *out);

/* Fields borrow from `stored`. ERR_CORRUPT when it is not one. */
[[nodiscard]] enum error event_decode(queue_id id, struct text stored, struct event *out_event);

/* One line without newline: `2026-11-24T04:28:01.123Z id received from=<a@b> size=12 ...`;
 * values with spaces, quotes, control or non-UTF-8 bytes are quoted and escaped. */
[[nodiscard]] bool event_print_text(const struct event *event, struct buffer *out);

/* One JSON object without newline: {"time":"...","event":"received","id":"...", ...};
 * size, recipients, code, attempts, delay-ms are numbers. Always valid UTF-8. The same escapes
 * serve the text form. */
[[nodiscard]] bool event_print_json(const struct event *event, struct buffer *out);

#endif
