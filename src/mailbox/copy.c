#include "mailbox/copy.h"

#include <errno.h>
#include <unistd.h>

#include "base/must.h"

void copy_start(struct copy *copy, int fd)
{
	copy->fd = fd;
	copy->failure = OK;
	copy->after_cr = false;
	copy->length = 0;
}

static void write_out(struct copy *copy)
{
	struct text rest = { copy->room, copy->length };

	while (copy->failure == OK && rest.length > 0) {
		const ssize_t written = write(copy->fd, rest.bytes, rest.length);

		if (written >= 0)
			rest = text_from(rest, (size_t)written);
		else if (errno != EINTR)
			copy->failure = error_from_errno(errno);
	}
	copy->length = 0;
}

void copy_put(struct copy *copy, struct text bytes)
{
	while (bytes.length > 0) {
		if (copy->length == COPY_ROOM)
			write_out(copy);

		const size_t room = COPY_ROOM - copy->length;
		const struct text part = text_part(bytes, 0, room);

		memcpy(copy->room + copy->length, part.bytes, part.length);
		copy->length += part.length;
		bytes = text_from(bytes, part.length);
	}
}

void copy_put_lines(struct copy *copy, struct text bytes)
{
	while (bytes.length > 0) {
		if (copy->after_cr && bytes.bytes[0] != '\n')
			copy_put(copy, TEXT("\r"));
		copy->after_cr = false;

		const size_t cr = text_find_byte(bytes, '\r');

		copy_put(copy, text_part(bytes, 0, cr));
		copy->after_cr = cr < bytes.length;
		bytes = text_from(bytes, cr + 1);
	}
}

enum error copy_body(struct copy *copy, int from_fd, uint64_t size)
{
	uint64_t done = 0;

	while (done < size && copy->failure == OK) {
		const size_t want = size - done < COPY_ROOM ? (size_t)(size - done) : COPY_ROOM;
		const ssize_t length = pread(from_fd, copy->read_room, want, (off_t)done);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return error_from_errno(errno);
		if (length == 0)
			return ERR_CORRUPT;
		copy_put_lines(copy, (struct text){ copy->read_room, (size_t)length });
		done += (uint64_t)length;
	}
	return copy->failure;
}

enum error copy_end(struct copy *copy)
{
	if (copy->after_cr)
		copy_put(copy, TEXT("\r"));
	copy->after_cr = false;
	write_out(copy);
	return copy->failure;
}
