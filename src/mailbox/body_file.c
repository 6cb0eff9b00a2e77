#include "mailbox/body_file.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/write_all.h"

static enum error fill(struct spool *spool, const struct envelope *envelope, int fd)
{
	char room[SPOOL_CHUNK_SIZE];
	uint64_t size = 0;

	for (uint32_t number = 0; number < envelope->chunk_count; number++) {
		size_t length = 0;
		enum error error = spool_read_chunk(spool, envelope->id, number, room, &length);

		if (error == OK && !write_all(fd, (struct text){ room, length }))
			error = error_from_errno(errno);
		if (error != OK)
			return error;
		size += length;
	}
	return size == envelope->body_size ? OK : ERR_CORRUPT;
}

enum error body_file_make(struct spool *spool, const struct envelope *envelope, int *out_fd)
{
	const int fd = memfd_create("postroad body", MFD_CLOEXEC);

	if (fd < 0)
		return error_from_errno(errno);
	const enum error error = fill(spool, envelope, fd);

	if (error != OK) {
		close(fd);
		return error;
	}
	*out_fd = fd;
	return OK;
}

enum error body_read(
    struct spool *spool, const struct envelope *envelope, char room[MAILBOX_BODY_MAX], struct text *out_body)
{
	char chunk[SPOOL_CHUNK_SIZE];
	size_t size = 0;

	for (uint32_t number = 0; number < envelope->chunk_count; number++) {
		size_t length = 0;
		const enum error error = spool_read_chunk(spool, envelope->id, number, chunk, &length);

		if (error != OK)
			return error;
		if (length > MAILBOX_BODY_MAX - size)
			return ERR_CORRUPT;
		memcpy(room + size, chunk, length);
		size += length;
	}
	*out_body = (struct text){ room, size };
	return size == envelope->body_size ? OK : ERR_CORRUPT;
}
