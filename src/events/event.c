/* Stored form: kind (1 byte), time (8 bytes, big-endian), then for each field present its
 * position (1 byte), length (4 bytes, big-endian) and bytes. */
#include "events/event.h"

#include "base/must.h"
#include "mail/date.h"

enum { HEAD_BYTES = 9, FIELD_HEAD_BYTES = 5 };

static const char *const kind_words[EVENT_KIND_COUNT] = {
#define EVENT(name, word, prose) [EVENT_##name] = #word,
#include "events/events.def"
#undef EVENT
};

static const char *const field_words[EVENT_FIELD_COUNT] = {
#define FIELD(name, word, prose) [EVENT_FIELD_##name] = #word,
#include "events/fields.def"
#undef FIELD
};

const char *event_kind_word(enum event_kind kind)
{
	must(kind < EVENT_KIND_COUNT);
	return kind_words[kind];
}

const char *event_field_word(enum event_field field)
{
	must(field < EVENT_FIELD_COUNT);
	return field_words[field];
}

static bool append_number(struct buffer *out, uint64_t value, unsigned bytes)
{
	char room[8];

	for (unsigned i = 0; i < bytes; i++)
		room[i] = (char)(unsigned char)(value >> 8 * (bytes - 1 - i));
	return buffer_append(out, (struct text){ room, bytes });
}

static uint64_t number_of(struct text bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes.length; i++)
		value = value << 8 | (unsigned char)bytes.bytes[i];
	return value;
}

bool event_encode(const struct event *event, struct buffer *out)
{
	if (!append_number(out, event->kind, 1) || !append_number(out, (uint64_t)event->time_ms, 8))
		return false;
	for (unsigned i = 0; i < EVENT_FIELD_COUNT; i++) {
		const struct text value = event->fields[i];

		if (value.bytes != NULL &&
		    (!append_number(out, i, 1) || !append_number(out, value.length, 4) || !buffer_append(out, value)))
			return false;
	}
	return true;
}

enum error event_decode(queue_id id, struct text stored, struct event *out_event)
{
	struct event event = { .id = id };

	if (stored.length < HEAD_BYTES || (unsigned char)stored.bytes[0] >= EVENT_KIND_COUNT)
		return ERR_CORRUPT;
	event.kind = (enum event_kind)(unsigned char)stored.bytes[0];
	event.time_ms = (int64_t)number_of(text_part(stored, 1, 8));
	stored = text_from(stored, HEAD_BYTES);
	while (stored.length > 0) {
		if (stored.length < FIELD_HEAD_BYTES)
			return ERR_CORRUPT;
		const unsigned field = (unsigned char)stored.bytes[0];
		const uint64_t length = number_of(text_part(stored, 1, 4));

		stored = text_from(stored, FIELD_HEAD_BYTES);
		if (length > stored.length)
			return ERR_CORRUPT;
		if (field < EVENT_FIELD_COUNT)
			event.fields[field] = text_part(stored, 0, length);
		stored = text_from(stored, length);
	}
	*out_event = event;
	return OK;
}

/* -- printing ---------------------------------------------------------------- */

static bool field_is_number(enum event_field field)
{
	return field == EVENT_FIELD_SIZE || field == EVENT_FIELD_RECIPIENTS || field == EVENT_FIELD_CODE ||
	    field == EVENT_FIELD_ATTEMPTS || field == EVENT_FIELD_DELAY;
}

/* Length of the longest well-formed UTF-8 sequence at the start; 0 if there is none. */
static size_t sequence_length(struct text rest)
{
	for (size_t length = 1; length <= 4 && length <= rest.length; length++)
		if (text_is_utf8(text_part(rest, 0, length)))
			return length;
	return 0;
}

/* Between quotes, as JSON wants it; the text form borrows the same rules. */
static bool append_quoted(struct buffer *out, struct text value)
{
	bool ok = buffer_append(out, TEXT("\""));

	while (ok && value.length > 0) {
		const unsigned char c = (unsigned char)value.bytes[0];
		const size_t length = sequence_length(value);

		if (c == '"' || c == '\\')
			ok = buffer_print(out, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			ok = buffer_print(out, "\\u%04x", c);
		else if (length == 0)
			ok = buffer_append(out, TEXT("\xef\xbf\xbd"));
		else
			ok = buffer_append(out, text_part(value, 0, length));
		value = text_from(value, length > 0 ? length : 1);
	}
	return ok && buffer_append(out, TEXT("\""));
}

static bool is_plain(struct text value)
{
	for (size_t i = 0; i < value.length; i++)
		if ((unsigned char)value.bytes[i] <= ' ' || value.bytes[i] == '"' || value.bytes[i] == '\\' ||
		    value.bytes[i] == 0x7f)
			return false;
	return value.length > 0 && text_is_utf8(value);
}

bool event_print_text(const struct event *event, struct buffer *out)
{
	char time[DATE_TEXT_SIZE], id[QUEUE_ID_TEXT_SIZE];

	if (!buffer_print(out, "%s %s %s", date_print_rfc3339(event->time_ms, time).bytes,
	        event->id ? queue_id_print(event->id, id).bytes : "-", event_kind_word(event->kind)))
		return false;
	for (unsigned i = 0; i < EVENT_FIELD_COUNT; i++) {
		const struct text value = event->fields[i];

		if (value.bytes == NULL)
			continue;
		if (!buffer_print(out, " %s=", field_words[i]) ||
		    !(is_plain(value) ? buffer_append(out, value) : append_quoted(out, value)))
			return false;
	}
	return true;
}

bool event_print_json(const struct event *event, struct buffer *out)
{
	char time[DATE_TEXT_SIZE], id[QUEUE_ID_TEXT_SIZE];
	uint64_t number;

	if (!buffer_print(out, "{\"time\":\"%s\",\"event\":\"%s\"", date_print_rfc3339(event->time_ms, time).bytes,
	        event_kind_word(event->kind)))
		return false;
	if (event->id != 0 && !buffer_print(out, ",\"id\":\"%s\"", queue_id_print(event->id, id).bytes))
		return false;
	for (unsigned i = 0; i < EVENT_FIELD_COUNT; i++) {
		const struct text value = event->fields[i];
		bool ok;

		if (value.bytes == NULL)
			continue;
		if (!buffer_print(out, ",\"%s\":", field_words[i]))
			return false;
		if (field_is_number((enum event_field)i) && text_to_u64(value, &number))
			ok = buffer_print(out, "%llu", (unsigned long long)number);
		else
			ok = append_quoted(out, value);
		if (!ok)
			return false;
	}
	return buffer_append(out, TEXT("}"));
}
