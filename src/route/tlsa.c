#include "route/tlsa.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/must.h"

enum { FULL, SHA2_256, SHA2_512 };
enum { CERTIFICATE, PUBLIC_KEY, HEADER_BYTES = 3, NAME_LENGTH_MAX = 253 };

/* -- What is usable ------------------------------------------------------------------- */

/* One SEQUENCE of DER that fills the bytes, as certificates and keys are. Whether it is one of them is seen when it is used. */
static bool is_der(struct text bytes)
{
	const uint8_t *der = (const uint8_t *)bytes.bytes;

	if (bytes.length < 2 || der[0] != 0x30)
		return false;
	if (der[1] < 0x80)
		return bytes.length == 2u + der[1];

	const size_t length_bytes = der[1] & 0x7f;
	size_t length = 0;

	if (length_bytes == 0 || length_bytes > 2 || bytes.length < 2 + length_bytes)
		return false;
	for (size_t i = 0; i < length_bytes; i++)
		length = length << 8 | der[2 + i];
	return bytes.length == 2 + length_bytes + length;
}

bool tlsa_is_usable(struct text rdata)
{
	if (rdata.length <= HEADER_BYTES)
		return false;

	const uint8_t *header = (const uint8_t *)rdata.bytes;
	const struct text data = text_from(rdata, HEADER_BYTES);

	if ((header[0] != TLSA_DANE_TA && header[0] != TLSA_DANE_EE) || header[1] > PUBLIC_KEY)
		return false;
	switch (header[2]) {
	case FULL:
		return is_der(data);
	case SHA2_256:
		return data.length == 32;
	case SHA2_512:
		return data.length == 64;
	default:
		return false;
	}
}

/* -- Sets --------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct text *left = a, *right = b;
	const bool left_full = left->bytes[2] == FULL, right_full = right->bytes[2] == FULL;

	return left_full != right_full ? left_full - right_full : text_compare(*left, *right); /* A2 */
}

bool tlsa_choose(const struct dns_record *records, size_t count, struct arena *arena, struct tlsa_set *out_set)
{
	struct text usable[DNS_RECORD_MAX];
	size_t usable_count = 0, kept_count = 0, bytes = 0;

	must(count <= DNS_RECORD_MAX);
	for (size_t i = 0; i < count; i++)
		if (tlsa_is_usable(records[i].data))
			usable[usable_count++] = records[i].data;
	qsort(usable, usable_count, sizeof *usable, compare);
	for (size_t i = 0; i < usable_count; i++) {
		if (kept_count > 0 && text_equal(usable[kept_count - 1], usable[i]))
			continue;
		if (kept_count == TLSA_USABLE_MAX || bytes + usable[i].length > TLSA_BYTES_MAX)
			break; /* A3 */
		bytes += usable[i].length;
		usable[kept_count++] = usable[i];
	}
	return tlsa_copy(&(struct tlsa_set){ usable, kept_count }, arena, out_set);
}

bool tlsa_copy(const struct tlsa_set *set, struct arena *arena, struct tlsa_set *out_set)
{
	struct text *records = arena_array(arena, set->count, sizeof *records);

	if (set->count > 0 && records == NULL)
		return false;
	for (size_t i = 0; i < set->count; i++)
		if (!arena_copy(arena, set->records[i], &records[i]))
			return false;
	*out_set = (struct tlsa_set){ records, set->count };
	return true;
}

bool tlsa_equal(const struct tlsa_set *a, const struct tlsa_set *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!text_equal(a->records[i], b->records[i]))
			return false;
	return true;
}

/* -- In words --------------------------------------------------------------------------------- */

bool tlsa_name(struct text base, uint16_t port, char room[TLSA_NAME_SIZE], struct text *out_name)
{
	if (base.length == 0 || base.length > NAME_LENGTH_MAX)
		return false;

	const int length = snprintf(room, TLSA_NAME_SIZE, "_%u._tcp.%.*s", (unsigned)port, TEXT_FORMAT(base));

	if (length > NAME_LENGTH_MAX)
		return false;
	*out_name = (struct text){ room, (size_t)length };
	return true;
}

struct text tlsa_print(struct text rdata, char room[TLSA_PRINTED_SIZE])
{
	const uint8_t *bytes = (const uint8_t *)rdata.bytes;
	const size_t room_for = (TLSA_PRINTED_SIZE - sizeof "255 255 255 ...") / 2;
	int used;

	must(rdata.length >= HEADER_BYTES);
	const size_t data = rdata.length - HEADER_BYTES, shown = data < room_for ? data : room_for;

	used = snprintf(room, TLSA_PRINTED_SIZE, "%u %u %u ", bytes[0], bytes[1], bytes[2]);
	hex_print(bytes + HEADER_BYTES, shown, room + used);
	used += (int)(2 * shown);
	if (data > shown)
		used += snprintf(room + used, TLSA_PRINTED_SIZE - (size_t)used, "...");
	return (struct text){ room, (size_t)used };
}
