/* Bytes that grow at the end, leave at the front, and know their limit.
 *
 * A value with an owner: buffer_init, then buffer_done. After a failed append
 * (limit or memory) the buffer is as before and stays usable. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdarg.h>

#include "base/text.h"

struct buffer {
	char *bytes; /* `length` of them from `start` on are in use. */
	size_t start, length, capacity;
	size_t limit; /* On length; the memory may be a power of two more. */
	bool secret;
};

void buffer_init(struct buffer *buffer, size_t limit_bytes);

/* For what may hold passwords: bytes are wiped when they leave the buffer, or the buffer their place. */
void buffer_init_secret(struct buffer *buffer, size_t limit_bytes);
void buffer_done(struct buffer *buffer);

/* Forget the contents; _clear keeps the memory, _release gives it back. */
void buffer_clear(struct buffer *buffer);
void buffer_release(struct buffer *buffer);

/* What is in it. Borrows: valid until the next change. */
struct text buffer_text(const struct buffer *buffer);

/* Add bytes, a number in digits (with zeros in front, to `width`), or what printf would write, at the end; false at
 * the limit or without memory. What is printed for every message is put together of the first two: printf
 * costs more than all the rest of a reply. */
[[nodiscard]] bool buffer_append(struct buffer *buffer, struct text text);
[[nodiscard]] bool buffer_append_number(struct buffer *buffer, uint64_t number, unsigned width);
[[nodiscard, gnu::format(printf, 2, 3)]] bool buffer_print(struct buffer *buffer, const char *format, ...);
[[nodiscard, gnu::format(printf, 2, 0)]] bool buffer_print_list(struct buffer *buffer, const char *format, va_list list);

/* Room for `size` bytes at the end, to be filled and then counted by
 * buffer_added; NULL at the limit. */
[[nodiscard]] char *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_added(struct buffer *buffer, size_t size);

/* Drop `size` bytes at the front; size <= length. */
void buffer_consume(struct buffer *buffer, size_t size);

#endif
