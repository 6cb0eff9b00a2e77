#include "inbound/claim_filter.h"

#include "auth/auth_results.h"
#include "base/must.h"

#define NAME TEXT("authentication-results")

enum { SOON = 512 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct text held(const struct claim_filter *filter)
{
	return (struct text){ filter->held, filter->held_length };
}

/* An authserv-id that begins among the first SOON bytes has ended where the held ones do, unless it is longer than ours; one
 * that begins behind them is not waited for. Reading the value cut there, too, tells which. */
static bool is_claim(const struct claim_filter *filter)
{
	const struct text value = text_from(held(filter), filter->name_length);

	return auth_results_claims(value, filter->ours) || auth_results_claims(text_part(value, 0, SOON), filter->ours);
}
_Static_assert(SOON + 2 * 255 + 2 <= CLAIM_HELD_MAX - CLAIM_NAME_MAX, "also of a quoted one with a backslash before each byte");

/* The held field's fate is decided. Gives it, if it stays. */
static struct text decide(struct claim_filter *filter, bool goes)
{
	const struct text whole = held(filter);

	filter->held_length = 0;
	filter->field = goes ? CLAIM_GONE : CLAIM_KEPT;
	return goes ? TEXT_EMPTY : whole;
}

/* One byte more of what may become the name. */
static void hold_name(struct claim_filter *filter, char c)
{
	filter->held[filter->held_length++] = c;
	const size_t length = filter->held_length;

	if (length <= NAME.length) {
		if (byte_lower(c) != NAME.bytes[length - 1])
			filter->position = CLAIM_KEPT;
	} else if (c == ':') {
		filter->name_length = length;
		filter->position = filter->field = CLAIM_VALUE;
	} else if (!is_blank(c)) {
		filter->position = CLAIM_KEPT;
	} else if (length == CLAIM_NAME_MAX) {
		filter->position = CLAIM_GONE; /* Nobody writes that many blanks there but to hide it. */
	}
}

/* Bytes up to the end of the line. */
static struct text take_line(struct claim_filter *filter, struct text *input)
{
	const size_t end = text_find_byte(*input, '\n');
	const struct text line = text_part(*input, 0, end + 1);

	if (end < input->length)
		filter->position = CLAIM_LINE_START;
	*input = text_from(*input, line.length);
	return line;
}

/* The same of a value that is held, as far as there is room. */
static struct text take_value(struct claim_filter *filter, struct text *input)
{
	struct text room = text_part(*input, 0, CLAIM_HELD_MAX - filter->held_length);
	const size_t before = room.length;
	const struct text line = take_line(filter, &room);

	memcpy(filter->held + filter->held_length, line.bytes, line.length);
	filter->held_length += line.length;
	*input = text_from(*input, before - room.length);
	if (filter->held_length < CLAIM_HELD_MAX)
		return TEXT_EMPTY;
	const struct text kept = decide(filter, is_claim(filter));

	if (filter->position == CLAIM_VALUE)
		filter->position = filter->field;
	return kept;
}

/* The first byte of a line tells what line that is. */
static struct text take_start(struct claim_filter *filter, char c)
{
	if (is_blank(c) && filter->field != CLAIM_LINE_START) {
		filter->position = filter->field;
		return TEXT_EMPTY;
	}
	const struct text kept = filter->field == CLAIM_VALUE ? decide(filter, is_claim(filter)) : TEXT_EMPTY;

	filter->field = CLAIM_KEPT;
	if (c == '\r')
		filter->position = CLAIM_RETURN;
	else
		filter->position = byte_lower(c) == NAME.bytes[0] ? CLAIM_NAME : CLAIM_KEPT;
	return kept;
}

static struct text take_name(struct claim_filter *filter, struct text *input)
{
	hold_name(filter, input->bytes[0]);
	*input = text_from(*input, 1);
	if (filter->position == CLAIM_NAME || filter->position == CLAIM_VALUE)
		return TEXT_EMPTY;
	const struct text kept = decide(filter, filter->position == CLAIM_GONE);

	if (text_ends(kept, TEXT("\n")))
		filter->position = CLAIM_LINE_START;
	return kept;
}

/* Takes something of the input, or decides where we are. */
static struct text step(struct claim_filter *filter, struct text *input)
{
	struct text rest = *input;

	switch (filter->position) {
	case CLAIM_LINE_START:
		return take_start(filter, input->bytes[0]);
	case CLAIM_NAME:
		return take_name(filter, input);
	case CLAIM_VALUE:
		return take_value(filter, input);
	case CLAIM_KEPT:
		return take_line(filter, input);
	case CLAIM_GONE:
		(void)take_line(filter, input);
		return TEXT_EMPTY;
	case CLAIM_RETURN:
		filter->position = CLAIM_FEED;
		*input = text_from(*input, 1);
		return text_part(rest, 0, 1);
	case CLAIM_FEED:
		filter->position = input->bytes[0] == '\n' ? CLAIM_OVER : CLAIM_KEPT;
		return TEXT_EMPTY;
	case CLAIM_OVER:
		*input = TEXT_EMPTY;
		return rest;
	}
	must(false);
	return rest;
}

struct text claim_filter_next(struct claim_filter *filter, struct text *input)
{
	struct text kept = TEXT_EMPTY;

	while (input->length > 0 && kept.length == 0)
		kept = step(filter, input);
	return kept;
}

struct text claim_filter_end(struct claim_filter *filter)
{
	if (filter->held_length == 0)
		return TEXT_EMPTY;
	return decide(filter, filter->field == CLAIM_VALUE && is_claim(filter));
}
