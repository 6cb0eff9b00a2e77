#include "base/pack.h"

#include "base/must.h"

void pack_number(struct pack *pack, uint64_t value, size_t size)
{
	must(size >= 1 && size <= sizeof value);
	must(pack->length + size <= pack->room_size);
	for (size_t i = 0; i < size; i++)
		pack->room[pack->length++] = (char)(value >> 8 * i);
}

void pack_text(struct pack *pack, struct text text, size_t length_max)
{
	must(length_max <= UINT16_MAX);
	if (text.length > length_max) {
		pack->failed = true;
		return;
	}
	pack_number(pack, text.length, 2);
	must(pack->length + text.length <= pack->room_size);
	if (text.length > 0)
		memcpy(pack->room + pack->length, text.bytes, text.length);
	pack->length += text.length;
}

uint64_t unpack_number(struct unpack *unpack, size_t size)
{
	uint64_t value = 0;

	if (unpack->failed || unpack->rest.length < size) {
		unpack->failed = true;
		return 0;
	}
	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)(unsigned char)unpack->rest.bytes[i] << 8 * i;
	unpack->rest = text_from(unpack->rest, size);
	return value;
}

struct text unpack_text(struct unpack *unpack, size_t length_max)
{
	const uint64_t length = unpack_number(unpack, 2);

	if (unpack->failed || length > length_max || length > unpack->rest.length) {
		unpack->failed = true;
		return TEXT_EMPTY;
	}
	const struct text text = text_part(unpack->rest, 0, (size_t)length);

	unpack->rest = text_from(unpack->rest, (size_t)length);
	return text;
}

struct text unpack_line(struct unpack *unpack, size_t length_max)
{
	const struct text text = unpack_text(unpack, length_max);

	for (size_t i = 0; i < text.length; i++)
		if (text.bytes[i] == '\r' || text.bytes[i] == '\n' || text.bytes[i] == '\0')
			unpack->failed = true;
	return text;
}

bool unpack_end(const struct unpack *unpack)
{
	return !unpack->failed && unpack->rest.length == 0;
}
