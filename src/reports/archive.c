/* Zip (APPNOTE.TXT 4.3): the directory at the end says where the entries are. Only those that are stored or deflated, without
 * encryption and in one file of less than 4 GiB: reports are no others. */
#include "reports/unpack_private.h"

enum {
	END_SIZE = 22,
	COMMENT_MAX = 65535,
	ENTRY_SIZE = 46,
	LOCAL_SIZE = 30,
	FLAG_ENCRYPTED = 1,
	STORED = 0,
	DEFLATED = 8
};

static uint32_t number(struct text bytes, size_t at, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)(unsigned char)bytes.bytes[at + i] << (8 * i);
	return value;
}

/* Where the last record stands; the length of the whole if there is none. */
static size_t find_end(struct text bytes)
{
	size_t least = bytes.length > END_SIZE + COMMENT_MAX ? bytes.length - END_SIZE - COMMENT_MAX : 0;

	for (size_t at = bytes.length >= END_SIZE ? bytes.length - END_SIZE + 1 : 0; at > least; at--)
		if (text_starts(text_from(bytes, at - 1), TEXT("PK\x05\x06")))
			return at - 1;
	return bytes.length;
}

/* The bytes of an entry, as they are packed. False: it is not there. */
static bool entry_bytes(struct text archive, struct text entry, struct text *out_bytes)
{
	const size_t size = number(entry, 20, 4), at = number(entry, 42, 4);
	const struct text local = text_from(archive, at);

	if (local.length < LOCAL_SIZE || !text_starts(local, TEXT("PK\x03\x04")))
		return false;

	const size_t head = LOCAL_SIZE + number(local, 26, 2) + number(local, 28, 2);

	if (local.length < head || local.length - head < size)
		return false;
	*out_bytes = text_part(local, head, size);
	return true;
}

static void take_entry(struct unpacker *unpacker, struct text archive, struct text entry)
{
	const uint32_t method = number(entry, 10, 2);
	struct text bytes;

	if (number(entry, 8, 2) & FLAG_ENCRYPTED)
		unpack_broken(unpacker, "an entry of the archive is encrypted");
	else if (method != STORED && method != DEFLATED)
		unpack_broken(unpacker, "an entry of the archive is packed in an unusual way");
	else if (!entry_bytes(archive, entry, &bytes))
		unpack_broken(unpacker, "the archive is damaged");
	else if (method == DEFLATED)
		unpack_inflate(unpacker, bytes, INFLATE_RAW);
	else
		(void)unpack_document(unpacker, bytes);
}

void unpack_archive(struct unpacker *unpacker, struct text bytes)
{
	const size_t end = find_end(bytes);
	struct text directory;

	if (end == bytes.length) {
		unpack_broken(unpacker, "the archive has no end");
		return;
	}
	directory = text_part(text_part(bytes, 0, end), number(bytes, end + 16, 4), number(bytes, end + 12, 4));
	while (directory.length >= ENTRY_SIZE && text_starts(directory, TEXT("PK\x01\x02"))) {
		const size_t size = ENTRY_SIZE + number(directory, 28, 2) + number(directory, 30, 2) + number(directory, 32, 2);

		if (unpacker->entries++ == UNPACK_ENTRIES_MAX) {
			unpack_broken(unpacker, "the archive has too many entries");
			return;
		}
		take_entry(unpacker, bytes, directory);
		directory = text_from(directory, size);
	}
}
