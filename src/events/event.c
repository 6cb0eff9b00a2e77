/* Stored form: kind (1 byte), time (8 bytes, big-endian), then for each field present its
 * position (1 byte), length (4 bytes, big-endian) and bytes. */
#include "events/event.h"

#include "base/must.h"
#include "mail/date.h"

enum { HEAD_BYTES = 9, FIELD_HEAD_BYTES = 5 };

struct words {
	const char *word, *prose;
};

static const struct words kinds[EVENT_KIND_COUNT] = {
#define EVENT(name, word_, prose_) [EVENT_##name] = { .word = #word_, .prose = prose_ },
#include "events/events.def"
#undef EVENT
};

static const struct words fields[EVENT_FIELD_COUNT] = {
#define FIELD(name, word_, prose_) [EVENT_FIELD_##name] = { .word = #word_, .prose = prose_ },
#include "events/fields.def"
#undef FIELD
};

/* One byte of the stored form holds either. */
_Static_assert(EVENT_KIND_COUNT <= UINT8_MAX && EVENT_FIELD_COUNT <= UINT8_MAX);

const char *event_kind_word(enum event_kind kind)
{
	must(kind < EVENT_KIND_COUNT);
	return kinds[kind].word;
}

const char *event_kind_prose(enum event_kind kind)
{
	must(kind < EVENT_KIND_COUNT);
	return kinds[kind].prose;
}

const char *event_field_word(enum event_field field)
{
	must(field < EVENT_FIELD_COUNT);
	return fields[field].word;
}

const char *event_field_prose(enum event_field field)
{
	must(field < EVENT_FIELD_COUNT);
	return fields[field].prose;
}

/* E2: take back what was appended behind `length`. */
static bool kept_whole(struct buffer *out, size_t length, bool ok)
{
	if (!ok)
		out->length = length;
	return ok;
}

/* -- stored ------------------------------------------------------------------ */

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

static bool encode(const struct event *event, struct buffer *out)
{
	if (!append_number(out, event->kind, 1) || !append_number(out, (uint64_t)event->time_ms, 8))
		return false;
	for (unsigned i = 0; i < EVENT_FIELD_COUNT; i++) {
		const struct text value = event->fields[i];

		must(value.length <= UINT32_MAX);
		if (value.bytes != NULL &&
		    (!append_number(out, i, 1) || !append_number(out, value.length, 4) || !buffer_append(out, value)))
			return false;
	}
	return true;
}

bool event_encode(const struct event *event, struct buffer *out)
{
	must(event->kind < EVENT_KIND_COUNT);
	const size_t before = out->length;

	return kept_whole(out, before, encode(event, out));
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

/* Bytes of the UTF-8 character at the start; 0 if there is none. */
static size_t character_length(struct text rest)
{
	for (size_t length = 1; length <= 4 && length <= rest.length; length++)
		if (text_is_utf8(text_part(rest, 0, length)))
			return length;
	return 0;
}

/* The code of a character that must not be printed as it is: control characters of ASCII and Latin 1 (U+0080 to
 * U+009F, U+009B begins a terminal's command), and the separators that end a line for some readers. 0: it may. */
static unsigned dangerous_code(struct text character)
{
	const unsigned char *c = (const unsigned char *)character.bytes;

	if (character.length == 1)
		return c[0] < ' ' || c[0] == 0x7f || c[0] == '"' || c[0] == '\\' ? c[0] : 0;
	if (character.length == 2 && c[0] == 0xc2 && c[1] < 0xa0)
		return c[1];
	if (character.length == 3 && c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9))
		return 0x2000u + c[2] - 0x80u;
	return 0;
}

/* What nearly every value consists of. */
static bool is_harmless_ascii(char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

/* How many bytes at the start may be printed as they are; NUL may not. */
static size_t harmless_length(struct text value)
{
	size_t length = 0;

	while (length < value.length && value.bytes[length] != '\0') {
		if (is_harmless_ascii(value.bytes[length])) {
			length++;
			continue;
		}
		const size_t character = character_length(text_from(value, length));

		if (character == 0 || dangerous_code(text_part(value, length, character)) != 0)
			break;
		length += character;
	}
	return length;
}

/* The character at the start, which is not harmless; *out_length: its bytes. NUL is shown as U+FFFD, since many
 * readers of JSON refuse the whole line for its escape. */
static bool append_escaped(struct buffer *out, struct text value, size_t *out_length)
{
	const size_t length = character_length(value);
	const unsigned code = length > 0 ? dangerous_code(text_part(value, 0, length)) : 0;

	*out_length = length > 0 ? length : 1;
	if (length == 0 || value.bytes[0] == '\0')
		return buffer_append(out, TEXT("\xef\xbf\xbd"));
	return code == '"' || code == '\\' ? buffer_print(out, "\\%c", (int)code) : buffer_print(out, "\\u%04x", code);
}

/* Between quotes, as JSON wants it; the text form borrows the same rules. */
static bool append_quoted(struct buffer *out, struct text value)
{
	bool ok = buffer_append(out, TEXT("\""));

	while (ok && value.length > 0) {
		size_t length = harmless_length(value);

		ok = length > 0 ? buffer_append(out, text_part(value, 0, length)) : append_escaped(out, value, &length);
		value = text_from(value, length);
	}
	return ok && buffer_append(out, TEXT("\""));
}

static bool is_plain(struct text value)
{
	return value.length > 0 && text_find_byte(value, ' ') == value.length && harmless_length(value) == value.length;
}

static bool print_text(const struct event *event, struct buffer *out)
{
	char time[DATE_TEXT_SIZE], id[QUEUE_ID_TEXT_SIZE];

	if (!buffer_append(out, date_print_rfc3339(event->time_ms, time)) || !buffer_append(out, TEXT(" ")) ||
	    !buffer_append(out, event->id ? queue_id_print(event->id, id) : TEXT("-")) ||
	    !buffer_append(out, TEXT(" ")) || !buffer_append(out, text_of(event_kind_word(event->kind))))
		return false;
	for (unsigned i = 0; i < EVENT_FIELD_COUNT; i++) {
		const struct text value = event->fields[i];

		if (value.bytes == NULL)
			continue;
		if (!buffer_append(out, TEXT(" ")) || !buffer_append(out, text_of(fields[i].word)) ||
		    !buffer_append(out, TEXT("=")) ||
		    !(is_plain(value) ? buffer_append(out, value) : append_quoted(out, value)))
			return false;
	}
	return true;
}

bool event_print_text(const struct event *event, struct buffer *out)
{
	const size_t before = out->length;

	return kept_whole(out, before, print_text(event, out));
}

static bool print_json_field(enum event_field field, struct text value, struct buffer *out)
{
	uint64_t number;

	if (!buffer_append(out, TEXT(",\"")) || !buffer_append(out, text_of(fields[field].word)) ||
	    !buffer_append(out, TEXT("\":")))
		return false;
	if (field_is_number(field) && text_to_u64(value, &number))
		return buffer_append_number(out, number, 1);
	return append_quoted(out, value);
}

static bool print_json(const struct event *event, struct buffer *out)
{
	char time[DATE_TEXT_SIZE], id[QUEUE_ID_TEXT_SIZE];

	if (!buffer_append(out, TEXT("{\"time\":\"")) || !buffer_append(out, date_print_rfc3339(event->time_ms, time)) ||
	    !buffer_append(out, TEXT("\",\"event\":\"")) || !buffer_append(out, text_of(event_kind_word(event->kind))) ||
	    !buffer_append(out, TEXT("\"")))
		return false;
	if (event->id != 0 &&
	    (!buffer_append(out, TEXT(",\"id\":\"")) || !buffer_append(out, queue_id_print(event->id, id)) ||
		!buffer_append(out, TEXT("\""))))
		return false;
	for (unsigned i = 0; i < EVENT_FIELD_COUNT; i++)
		if (event->fields[i].bytes != NULL && !print_json_field((enum event_field)i, event->fields[i], out))
			return false;
	return buffer_append(out, TEXT("}"));
}

bool event_print_json(const struct event *event, struct buffer *out)
{
	const size_t before = out->length;

	return kept_whole(out, before, print_json(event, out));
}
