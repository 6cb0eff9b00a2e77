#include "inbound/header_scan.h"

#include "base/must.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 5322 §2.2 */
static bool is_name_byte(char c)
{
	return c >= '!' && c <= '~' && c != ':';
}

enum name_verdict { NAME_UNDECIDED, NAME_FIELD, NAME_NONE };

/* Is `line` the begin of a field? *out_length: how many bytes decide it, colon included. */
static enum name_verdict judge_name(struct text line, size_t *out_length)
{
	size_t at = 0;

	while (at < line.length && is_name_byte(line.bytes[at]))
		at++;
	const size_t name = at;

	while (at < line.length && is_blank(line.bytes[at])) /* RFC 5322 §4.5: obsolete, still seen. */
		at++;
	if (name == 0 || at >= HEADER_NAME_MAX)
		return line.length == 0 ? NAME_UNDECIDED : NAME_NONE;
	*out_length = at + 1;
	if (at == line.length)
		return NAME_UNDECIDED;
	return line.bytes[at] == ':' ? NAME_FIELD : NAME_NONE;
}

static enum header_field field_of(struct text name)
{
	static const struct {
		struct text name;
		enum header_field field;
	} known[] = { { TEXT("received"), HEADER_RECEIVED }, { TEXT("date"), HEADER_DATE },
		{ TEXT("message-id"), HEADER_MESSAGE_ID }, { TEXT("from"), HEADER_FROM }, { TEXT("sender"), HEADER_SENDER },
		{ TEXT("reply-to"), HEADER_ADDRESSES }, { TEXT("to"), HEADER_ADDRESSES }, { TEXT("cc"), HEADER_ADDRESSES },
		{ TEXT("bcc"), HEADER_BCC }, { TEXT("mt-priority"), HEADER_PRIORITY }, { TEXT("tls-required"), HEADER_TLS_REQUIRED }, { TEXT("resent-from"), HEADER_ADDRESSES },
		{ TEXT("resent-sender"), HEADER_ADDRESSES }, { TEXT("resent-to"), HEADER_ADDRESSES },
		{ TEXT("resent-cc"), HEADER_ADDRESSES }, { TEXT("resent-bcc"), HEADER_BCC } };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (text_equal_nocase(name, known[i].name))
			return known[i].field;
	return HEADER_OTHER;
}

static void field_starts(struct header_scan *scan, struct text name)
{
	name = text_trim(text_part(name, 0, name.length - 1));
	scan->started = true;
	scan->position = HEADER_VALUE;
	scan->field = field_of(name);
	scan->field_count++;
	if (scan->field == HEADER_MESSAGE_ID && scan->has_message_id)
		scan->field = HEADER_OTHER; /* The log wants the first. */
	if (scan->field == HEADER_PRIORITY && scan->has_priority)
		scan->field = HEADER_OTHER;
	scan->received_count += scan->field == HEADER_RECEIVED;
	scan->has_date |= scan->field == HEADER_DATE;
	scan->has_message_id |= scan->field == HEADER_MESSAGE_ID;
	scan->has_from |= scan->field == HEADER_FROM;
	scan->has_sender |= scan->field == HEADER_SENDER;
	scan->has_priority |= scan->field == HEADER_PRIORITY;
}

/* Returns how many bytes of `part` found room. */
static uint32_t keep(struct text part, char *at, size_t room)
{
	const struct text kept = text_part(part, 0, room);

	if (kept.length > 0)
		memcpy(at, kept.bytes, kept.length);
	return (uint32_t)kept.length;
}

/* Bytes of a value up to its line end. Returns how many. */
static size_t take_value(struct header_scan *scan, struct text rest)
{
	const size_t end = text_find_byte(rest, '\n');
	const struct text part = text_part(rest, 0, end);

	if (scan->field == HEADER_MESSAGE_ID) {
		scan->message_id_length +=
		    keep(part, scan->message_id + scan->message_id_length, HEADER_MESSAGE_ID_MAX - scan->message_id_length);
	} else if (scan->field == HEADER_PRIORITY) {
		scan->priority_length = (uint8_t)(scan->priority_length +
		    keep(part, scan->priority + scan->priority_length, HEADER_PRIORITY_MAX - scan->priority_length));
	} else if (scan->field == HEADER_TLS_REQUIRED) {
		scan->tls_required_length = (uint8_t)(scan->tls_required_length +
		    keep(part, scan->tls_required + scan->tls_required_length, HEADER_TLS_REQUIRED_MAX - scan->tls_required_length));
	}
	if (end == rest.length)
		return end;
	scan->position = HEADER_LINE_START;
	return end + 1;
}

static void end_header(struct header_scan *scan, bool empty_line)
{
	scan->position = HEADER_OVER;
	scan->empty_line = empty_line;
}

/* The start of a line that is here. Returns how many bytes were taken as part of the header;
 * an undecided rest is held. */
static size_t take_line_start(struct header_scan *scan, struct text rest)
{
	size_t length = 0;

	if (is_blank(rest.bytes[0]) && scan->started) {
		scan->position = HEADER_VALUE; /* A folded line (RFC 5322 §2.2.3). */
		return 1;
	}
	switch (judge_name(rest, &length)) {
	case NAME_FIELD:
		field_starts(scan, text_part(rest, 0, length));
		return length;
	case NAME_NONE:
		end_header(scan, rest.bytes[0] == '\r');
		return 0;
	case NAME_UNDECIDED:
		break;
	}
	must(rest.length < HEADER_NAME_MAX);
	memcpy(scan->held, rest.bytes, rest.length);
	scan->held_length = (uint32_t)rest.length;
	scan->position = HEADER_NAME;
	return 0;
}

/* Go on with a name whose begin is held. */
static enum header_event take_held_name(struct header_scan *scan, struct text *input, struct text *out_piece)
{
	while (input->length > 0) {
		size_t length;

		scan->held[scan->held_length++] = input->bytes[0];
		const struct text held = header_scan_held(scan);

		switch (judge_name(held, &length)) {
		case NAME_FIELD:
			*input = text_from(*input, 1);
			field_starts(scan, held);
			scan->piece_begins = true;
			scan->piece_field = scan->field;
			*out_piece = held;
			scan->held_length = 0;
			return HEADER_HELD;
		case NAME_NONE:
			scan->held_length--;
			end_header(scan, false);
			return HEADER_END;
		case NAME_UNDECIDED:
			*input = text_from(*input, 1);
			break;
		}
	}
	return HEADER_MORE;
}

enum header_event header_scan_next(struct header_scan *scan, struct text *input, struct text *out_piece)
{
	size_t at = scan->ahead;

	if (scan->position == HEADER_NAME)
		return take_held_name(scan, input, out_piece);
	scan->piece_begins = at > 0;
	scan->piece_field = scan->field;
	scan->ahead = 0;
	while (at < input->length && (scan->position == HEADER_LINE_START || scan->position == HEADER_VALUE)) {
		const struct text rest = text_from(*input, at);
		const uint32_t fields_before = scan->field_count;
		const size_t taken = scan->position == HEADER_VALUE ? take_value(scan, rest) : take_line_start(scan, rest);

		if (scan->field_count != fields_before && scan->split && at > 0) {
			scan->ahead = (uint32_t)taken; /* H4: at most a name. */
			break;
		}
		if (scan->field_count != fields_before && at == 0) {
			scan->piece_begins = true;
			scan->piece_field = scan->field;
		}
		at += taken;
	}
	const size_t held = scan->position == HEADER_NAME ? scan->held_length : 0;

	*out_piece = text_part(*input, 0, at);
	*input = text_from(*input, at + held);
	if (at > 0)
		return HEADER_PIECE;
	return scan->position == HEADER_OVER ? HEADER_END : HEADER_MORE;
}

void header_scan_finish(struct header_scan *scan)
{
	if (scan->position != HEADER_OVER)
		end_header(scan, false);
}

struct text header_scan_held(const struct header_scan *scan)
{
	return (struct text){ scan->held, scan->held_length };
}

struct text header_scan_message_id(const struct header_scan *scan)
{
	return text_trim((struct text){ scan->message_id, scan->message_id_length });
}

struct text header_scan_priority(const struct header_scan *scan)
{
	return text_trim((struct text){ scan->priority, scan->priority_length });
}

bool header_scan_waives_tls(const struct header_scan *scan)
{
	return text_equal_nocase(text_trim((struct text){ scan->tls_required, scan->tls_required_length }), TEXT("No"));
}
