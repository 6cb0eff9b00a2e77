/* Numbers and texts in a message between our own processes: little-endian, a text behind two bytes of length.
 *
 * Both sides keep their failure to the end, so that a message is written, or read, in one go and looked at once. */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include "base/text.h"

struct pack {
	char *room;       /* Borrows. */
	size_t room_size; /* Enough for the largest message: more is our mistake. */
	size_t length;
	bool failed;      /* A text was too long. */
};

/* In `size` bytes, 1 to 8. */
void pack_number(struct pack *pack, uint64_t value, size_t size);

/* length_max <= UINT16_MAX. A longer text fails and leaves nothing. */
void pack_text(struct pack *pack, struct text text, size_t length_max);

struct unpack {
	struct text rest; /* Borrows. */
	bool failed;      /* It ended too early, or held what must not be. All further answers are 0 or empty. */
};

/* The number in the next `size` bytes, 1 to 8. */
uint64_t unpack_number(struct unpack *unpack, size_t size);
/* Borrows from the message. A longer one fails. */
struct text unpack_text(struct unpack *unpack, size_t length_max);

/* The same; one that holds CR, LF or NUL fails, too. */
struct text unpack_line(struct unpack *unpack, size_t length_max);

/* All went well, and nothing is left. */
bool unpack_end(const struct unpack *unpack);

#endif
