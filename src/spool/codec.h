/* Integers in bytes, free of alignment and of the machine's order.
 *
 * Little-endian inside records; big-endian in keys, where the order of the bytes must be that of
 * the numbers. Each function returns the place behind what it wrote or read. */
#ifndef SPOOL_CODEC_H
#define SPOOL_CODEC_H

#include <endian.h>

#include "base/text.h"

static inline char *put_u8(char *at, uint8_t value)
{
	*at = (char)value;
	return at + 1;
}

static inline char *put_u16(char *at, uint16_t value)
{
	value = htole16(value);
	memcpy(at, &value, sizeof value);
	return at + sizeof value;
}

static inline char *put_u32(char *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof value);
	return at + sizeof value;
}

static inline char *put_u64(char *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof value);
	return at + sizeof value;
}

static inline char *put_text(char *at, struct text text)
{
	if (text.length > 0)
		memcpy(at, text.bytes, text.length);
	return at + text.length;
}

static inline const char *get_u8(const char *at, uint8_t *out_value)
{
	*out_value = (uint8_t)*at;
	return at + 1;
}

static inline const char *get_u16(const char *at, uint16_t *out_value)
{
	memcpy(out_value, at, sizeof *out_value);
	*out_value = le16toh(*out_value);
	return at + sizeof *out_value;
}

static inline const char *get_u32(const char *at, uint32_t *out_value)
{
	memcpy(out_value, at, sizeof *out_value);
	*out_value = le32toh(*out_value);
	return at + sizeof *out_value;
}

static inline const char *get_u64(const char *at, uint64_t *out_value)
{
	memcpy(out_value, at, sizeof *out_value);
	*out_value = le64toh(*out_value);
	return at + sizeof *out_value;
}

static inline char *put_u32_ordered(char *at, uint32_t value)
{
	value = htobe32(value);
	memcpy(at, &value, sizeof value);
	return at + sizeof value;
}

static inline char *put_u64_ordered(char *at, uint64_t value)
{
	value = htobe64(value);
	memcpy(at, &value, sizeof value);
	return at + sizeof value;
}

static inline const char *get_u32_ordered(const char *at, uint32_t *out_value)
{
	memcpy(out_value, at, sizeof *out_value);
	*out_value = be32toh(*out_value);
	return at + sizeof *out_value;
}

static inline const char *get_u64_ordered(const char *at, uint64_t *out_value)
{
	memcpy(out_value, at, sizeof *out_value);
	*out_value = be64toh(*out_value);
	return at + sizeof *out_value;
}

#endif
