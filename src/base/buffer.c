#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

enum { SMALLEST_CAPACITY = 256 };

void buffer_init(struct buffer *buffer, size_t limit_bytes)
{
	must(limit_bytes <= SIZE_MAX / 8); /* So that no sum below can wrap. */
	*buffer = (struct buffer){ .limit = limit_bytes };
}

void buffer_init_secret(struct buffer *buffer, size_t limit_bytes)
{
	buffer_init(buffer, limit_bytes);
	buffer->secret = true;
}

/* Before `start` there is nothing: it was wiped when it left. */
static void wipe(struct buffer *buffer, size_t size)
{
	if (buffer->secret && size > 0)
		explicit_bzero(buffer->bytes + buffer->start, size);
}

void buffer_done(struct buffer *buffer)
{
	wipe(buffer, buffer->length);
	free(buffer->bytes);
	*buffer = (struct buffer){ 0 };
}

void buffer_clear(struct buffer *buffer)
{
	wipe(buffer, buffer->length);
	buffer->start = buffer->length = 0;
}

void buffer_release(struct buffer *buffer)
{
	wipe(buffer, buffer->length);
	free(buffer->bytes);
	*buffer = (struct buffer){ .limit = buffer->limit, .secret = buffer->secret };
}

struct text buffer_text(const struct buffer *buffer)
{
	return (struct text){ buffer->bytes ? buffer->bytes + buffer->start : NULL, buffer->length };
}

/* realloc leaves behind what it moved from. */
static char *move_secret(const struct buffer *buffer, size_t capacity)
{
	char *bytes = malloc(capacity);

	if (bytes != NULL && buffer->bytes != NULL) {
		memcpy(bytes, buffer->bytes, buffer->start + buffer->length);
		explicit_bzero(buffer->bytes, buffer->start + buffer->length);
		free(buffer->bytes);
	}
	return bytes;
}

static bool grow(struct buffer *buffer, size_t needed)
{
	size_t capacity = buffer->capacity < SMALLEST_CAPACITY ? SMALLEST_CAPACITY : buffer->capacity;

	while (capacity < needed)
		capacity *= 2;

	char *bytes = buffer->secret ? move_secret(buffer, capacity) : realloc(buffer->bytes, capacity);

	if (bytes == NULL)
		return false;
	buffer->bytes = bytes;
	buffer->capacity = capacity;
	return true;
}

/* Room for `size` bytes at the end, whatever the limit says; NULL: no memory. */
static char *make_room(struct buffer *buffer, size_t size)
{
	if (buffer->start > 0 && buffer->start + buffer->length + size > buffer->capacity) {
		const size_t end = buffer->start + buffer->length;

		memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->length);
		if (buffer->secret)
			explicit_bzero(buffer->bytes + buffer->length, end - buffer->length);
		buffer->start = 0;
	}
	/* Without bytes even room for nothing needs some: NULL means failure. */
	if ((buffer->bytes == NULL || buffer->length + size > buffer->capacity) &&
	    !grow(buffer, buffer->length + size))
		return NULL;
	return buffer->bytes + buffer->start + buffer->length;
}

char *buffer_reserve(struct buffer *buffer, size_t size)
{
	must(buffer->length <= buffer->limit);
	return size > buffer->limit - buffer->length ? NULL : make_room(buffer, size);
}

void buffer_added(struct buffer *buffer, size_t size)
{
	must(buffer->start + buffer->length + size <= buffer->capacity);
	must(buffer->length + size <= buffer->limit);
	buffer->length += size;
}

bool buffer_append(struct buffer *buffer, struct text text)
{
	if (text.length == 0)
		return true;

	char *room = buffer_reserve(buffer, text.length);

	if (room == NULL)
		return false;
	memcpy(room, text.bytes, text.length);
	buffer_added(buffer, text.length);
	return true;
}

bool buffer_append_number(struct buffer *buffer, uint64_t number, unsigned width)
{
	enum { DIGITS_MAX = 20 };
	char digits[DIGITS_MAX];
	size_t at = sizeof digits;

	must(width <= DIGITS_MAX);
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0 || sizeof digits - at < width);
	return buffer_append(buffer, (struct text){ digits + at, sizeof digits - at });
}

/* Printed into what room there is, and once more only when that was too little: formatting twice to
 * learn the length first is most of what a short line costs. */
bool buffer_print_list(struct buffer *buffer, const char *format, va_list list)
{
	char *room = make_room(buffer, 1);
	const size_t size = room ? buffer->capacity - buffer->start - buffer->length : 0;
	va_list again;

	if (room == NULL)
		return false;
	va_copy(again, list);
	const int length = vsnprintf(room, size, format, list);
	const bool fits = length >= 0 && (size_t)length <= buffer->limit - buffer->length;

	/* vsnprintf wants a byte for its NUL, which is not counted. */
	if (fits && (size_t)length >= size) {
		room = make_room(buffer, (size_t)length + 1);
		if (room != NULL)
			vsnprintf(room, (size_t)length + 1, format, again);
	}
	va_end(again);
	if (!fits || room == NULL)
		return false;
	buffer_added(buffer, (size_t)length);
	return true;
}

bool buffer_print(struct buffer *buffer, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	const bool printed = buffer_print_list(buffer, format, list);

	va_end(list);
	return printed;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
	must(size <= buffer->length);
	must(buffer->start + buffer->length <= buffer->capacity);
	wipe(buffer, size);
	buffer->length -= size;
	buffer->start = buffer->length > 0 ? buffer->start + size : 0;
}
