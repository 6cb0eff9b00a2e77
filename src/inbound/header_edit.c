#include "inbound/header_edit.h"

#include "base/must.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* -- One item of a list ---------------------------------------------------------------- */

/* A byte of a word was held. */
static void take_word(struct header_edit *edit)
{
	struct header_edit_item *item = &edit->item;

	if (item->angle == ANGLE_CLOSED)
		item->spoiled = true;
	if (item->word_count == 0 || item->gap) {
		item->word_count++;
		item->word_start = edit->held_length - 1;
	}
	item->gap = false;
	item->word_end = edit->held_length;
}

/* Inside of quotes, comments and literals most signs mean nothing. False: we are in none. */
static bool take_enclosed(struct header_edit *edit, char c)
{
	struct header_edit_item *item = &edit->item;

	if (!item->quoted && !item->literal && item->comment_depth == 0)
		return false;
	if (item->quoted)
		item->word_end = edit->held_length;
	if (item->escaped)
		item->escaped = false;
	else if (c == '\\')
		item->escaped = true;
	else if (item->quoted)
		item->quoted = c != '"';
	else if (item->literal)
		item->literal = c != ']';
	else if (c == '(' || c == ')')
		item->comment_depth += c == '(' ? 1 : -1U;
	return true;
}

static void open_angle(struct header_edit *edit)
{
	const bool twice = edit->item.angle != ANGLE_NONE;

	edit->item = (struct header_edit_item){ .angle = ANGLE_OPEN, .spoiled = edit->item.spoiled || twice };
}

/* A byte that was held, outside of everything. */
static void take_sign(struct header_edit *edit, char c)
{
	struct header_edit_item *item = &edit->item;

	switch (c) {
	case '(':
		item->comment_depth = 1;
		item->gap = true;
		break;
	case '"':
		take_word(edit);
		item->quoted = true;
		break;
	case '[':
		item->literal = item->qualified = true;
		break;
	case '<':
		open_angle(edit);
		break;
	case '>':
		item->angle = ANGLE_CLOSED;
		break;
	case '@':
	case ':': /* Of a route; that of a group ends the item. */
		item->qualified = true;
		break;
	default:
		if (is_blank(c))
			item->gap = true;
		else
			take_word(edit);
		break;
	}
}

/* Does `c`, not yet held, end the item? */
static bool ends_item(const struct header_edit_item *item, char c)
{
	return !item->quoted && !item->literal && item->comment_depth == 0 && item->angle != ANGLE_OPEN &&
	    (c == ',' || c == ';' || c == ':');
}

/* Nothing but a local part: no name of a group, no words of a phrase, nothing encoded (RFC 2047). */
static bool wants_domain(const struct header_edit *edit)
{
	const struct header_edit_item *item = &edit->item;
	const struct text word = { edit->held + item->word_start, item->word_end - item->word_start };

	return item->word_count == 1 && !item->qualified && !item->spoiled && item->angle != ANGLE_OPEN && !item->quoted &&
	    item->comment_depth == 0 && !text_starts(word, TEXT("=?")) && edit->domain.length > 0 &&
	    edit->added + edit->domain.length < HEADER_EDIT_ADDED_MAX;
}

static bool flush(struct header_edit *edit, size_t from, struct buffer *out)
{
	const struct text held = { edit->held + from, edit->held_length - from };

	edit->held_length = 0;
	return buffer_append(out, held);
}

static bool finish_item(struct header_edit *edit, bool is_address, struct buffer *out)
{
	const size_t end = edit->item.word_end;
	const bool completes = is_address && wants_domain(edit);

	edit->item = (struct header_edit_item){ 0 };
	if (!completes)
		return flush(edit, 0, out);
	edit->added += edit->domain.length + 1;
	return buffer_append(out, (struct text){ edit->held, end }) && buffer_append(out, TEXT("@")) &&
	    buffer_append(out, edit->domain) && flush(edit, end, out);
}

static bool take_byte(struct header_edit *edit, char c, struct buffer *out)
{
	if (ends_item(&edit->item, c))
		return finish_item(edit, c != ':', out) && buffer_append(out, (struct text){ &c, 1 });
	if (edit->held_length == HEADER_EDIT_HELD_MAX) {
		edit->item.spoiled = true; /* E3 */
		if (!flush(edit, 0, out))
			return false;
	}
	edit->held[edit->held_length++] = c;
	if (!take_enclosed(edit, c))
		take_sign(edit, c);
	return true;
}

/* -- Fields -------------------------------------------------------------------------------- */

static bool is_list(enum header_field field)
{
	return field == HEADER_FROM || field == HEADER_SENDER || field == HEADER_ADDRESSES;
}

/* How long the field's name is in this piece, with its colon. */
static size_t name_length(struct header_edit *edit, struct text piece)
{
	const size_t colon = text_find_byte(piece, ':');

	if (!edit->in_name)
		return 0;
	edit->in_name = colon == piece.length;
	return edit->in_name ? colon : colon + 1;
}

static void keep_authors(struct header_edit *edit, struct text value)
{
	const struct text kept = text_part(value, 0, HEADER_EDIT_AUTHORS_MAX - edit->authors_length);

	if (edit->author_field_count != 1 || edit->authors_length > HEADER_EDIT_AUTHORS_MAX)
		return;
	if (kept.length > 0)
		memcpy(edit->authors + edit->authors_length, kept.bytes, kept.length);
	edit->authors_length += kept.length + (kept.length < value.length);
}

/* Sender does not go out, if it is held back. */
static void hold_sender(struct header_edit *edit, size_t before, struct buffer *out)
{
	const struct text part = text_from(buffer_text(out), before);
	const struct text kept = text_part(part, 0, HEADER_EDIT_SENDER_MAX - edit->sender_length);

	if (edit->field != HEADER_SENDER || !edit->holds_sender)
		return;
	if (edit->sender_field_count == 1 && edit->sender_length <= HEADER_EDIT_SENDER_MAX) {
		if (kept.length > 0)
			memcpy(edit->sender + edit->sender_length, kept.bytes, kept.length);
		edit->sender_length += kept.length + (kept.length < part.length);
	}
	out->length = before;
}

static bool edit_value(struct header_edit *edit, struct text value, struct buffer *out)
{
	const size_t before = out->length;

	for (size_t i = 0; i < value.length; i++)
		if (!take_byte(edit, value.bytes[i], out))
			return false;
	if (edit->field == HEADER_FROM)
		keep_authors(edit, text_from(buffer_text(out), before));
	return true;
}

void header_edit_init(struct header_edit *edit, struct text domain)
{
	*edit = (struct header_edit){ .domain = domain };
}

bool header_edit_piece(
    struct header_edit *edit, const struct header_scan *scan, struct text piece, struct buffer *out)
{
	if (scan->piece_begins) {
		if (!header_edit_end(edit, out))
			return false;
		edit->in_name = true;
		edit->author_field_count += scan->piece_field == HEADER_FROM;
		edit->sender_field_count += scan->piece_field == HEADER_SENDER;
	}
	edit->field = scan->piece_field;
	if (edit->field == HEADER_BCC)
		return true;
	if (!is_list(edit->field))
		return buffer_append(out, piece);

	const size_t name = name_length(edit, piece), before = out->length;
	const bool fits = buffer_append(out, text_part(piece, 0, name)) && edit_value(edit, text_from(piece, name), out);

	hold_sender(edit, before, out);
	return fits;
}

bool header_edit_end(struct header_edit *edit, struct buffer *out)
{
	const size_t before = out->length;
	const bool fits = !is_list(edit->field) || finish_item(edit, true, out);

	if (edit->field == HEADER_FROM)
		keep_authors(edit, text_from(buffer_text(out), before));
	hold_sender(edit, before, out);
	edit->field = HEADER_OTHER;
	return fits;
}

bool header_edit_authors(const struct header_edit *edit, struct text *out_value)
{
	if (edit->author_field_count > 1 || edit->authors_length > HEADER_EDIT_AUTHORS_MAX)
		return false;
	*out_value = (struct text){ edit->authors, edit->authors_length };
	return true;
}

struct text header_edit_sender(const struct header_edit *edit)
{
	return edit->sender_length > HEADER_EDIT_SENDER_MAX ? TEXT_EMPTY : (struct text){ edit->sender, edit->sender_length };
}
