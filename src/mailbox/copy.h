/* Copying a message to a file, with CR LF made LF, through buffers of a fixed size. */
#ifndef MAILBOX_COPY_H
#define MAILBOX_COPY_H

#include "base/error.h"
#include "base/text.h"

enum { COPY_ROOM = 64 << 10 };

struct copy { /* Large: keep one, start it again for each file. */
	int fd;
	enum error failure; /* The first; later bytes are dropped. */
	bool after_cr;      /* A CR was held back: the next byte decides. */
	size_t length;
	char room[COPY_ROOM], read_room[COPY_ROOM];
};

/* Borrows fd. */
void copy_start(struct copy *copy, int fd);

/* Bytes as they are. */
void copy_put(struct copy *copy, struct text bytes);

/* Bytes with CR LF made LF, also when it lies across two calls. */
void copy_put_lines(struct copy *copy, struct text bytes);

/* `size` bytes of a descriptor from offset 0, converted. ERR_CORRUPT: it has fewer. */
[[nodiscard]] enum error copy_body(struct copy *copy, int from_fd, uint64_t size);

/* Write what is left. Gives the first failure of all. */
[[nodiscard]] enum error copy_end(struct copy *copy);

#endif
