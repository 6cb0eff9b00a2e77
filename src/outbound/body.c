#include "outbound/body.h"

/* A slice grows to less than twice its length, so that much is reserved: not too much at once. */
enum { SLICE_SIZE = 4096 };

void body_writer_init(struct body_writer *writer, bool dots)
{
	*writer = (struct body_writer){ .dots = dots, .line_start = true };
}

/* Copy up to the next CR or LF; returns how many bytes. */
static size_t copy_run(char *to, struct text from)
{
	const size_t length = text_find_line_end(from);

	if (length > 0)
		memcpy(to, from.bytes, length);
	return length;
}

static char *put_line_end(struct body_writer *writer, char *to)
{
	*to++ = '\r';
	*to++ = '\n';
	writer->line_start = true;
	writer->carriage = false;
	return to;
}

/* What a CR and the byte after it, or a lone LF, become. Takes one byte of line end off *from. */
static char *write_line_end(struct body_writer *writer, struct text *from, char *to)
{
	if (from->bytes[0] == '\n')
		to = put_line_end(writer, to);
	else
		writer->carriage = true;
	*from = text_from(*from, 1);
	return to;
}

static char *write_slice(struct body_writer *writer, struct text from, char *to)
{
	while (from.length > 0) {
		if (writer->carriage && from.bytes[0] != '\n') {
			*to++ = ' ';
			writer->carriage = writer->line_start = false;
		}
		if (writer->dots && writer->line_start && from.bytes[0] == '.')
			*to++ = '.';

		const size_t run = copy_run(to, from);

		to += run;
		from = text_from(from, run);
		if (run > 0)
			writer->line_start = false;
		if (from.length > 0)
			to = write_line_end(writer, &from, to);
	}
	return to;
}

bool body_write(struct body_writer *writer, struct text piece, struct buffer *out)
{
	while (piece.length > 0) {
		const struct text slice = text_part(piece, 0, SLICE_SIZE);
		/* Each byte adds at most one; a CR or a line start from before adds one more. */
		char *room = buffer_reserve(out, 2 * slice.length + 1);

		if (room == NULL)
			return false;
		buffer_added(out, (size_t)(write_slice(writer, slice, room) - room));
		piece = text_from(piece, slice.length);
	}
	return true;
}

bool body_finish(struct body_writer *writer, struct buffer *out)
{
	char end[5], *to = end;

	if (writer->carriage || !writer->line_start)
		to = put_line_end(writer, to);
	if (writer->dots) {
		*to++ = '.';
		to = put_line_end(writer, to);
	}
	return buffer_append(out, (struct text){ end, (size_t)(to - end) });
}
