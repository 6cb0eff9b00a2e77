#include "dns/name.h"

#include <stdio.h>

#include "base/must.h"

static bool is_plain(char c)
{
	return c > ' ' && c < 0x7f && c != '\\';
}

static bool label_copy(struct text label, char *room)
{
	if (label.length == 0 || label.length > DNS_LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.length; i++) {
		if (!is_plain(label.bytes[i]) && label.bytes[i] != ' ')
			return false;
		room[i] = byte_lower(label.bytes[i]);
	}
	return true;
}

bool dns_name_normalise(struct text name, char room[DNS_NAME_SIZE], struct text *out_name)
{
	size_t used = 0;
	struct text label;

	if (name.length > 0 && name.bytes[name.length - 1] == '.')
		name.length--;
	if (name.length == 0 || name.length > DNS_NAME_MAX)
		return false;
	for (struct text rest = name; text_cut(&rest, '.', &label);) {
		if (used > 0)
			room[used++] = '.';
		if (!label_copy(label, room + used))
			return false;
		used += label.length;
	}
	/* A second trailing dot leaves an empty last label, which text_cut does not show. */
	if (used != name.length)
		return false;
	room[used] = '\0';
	*out_name = (struct text){ room, used };
	return true;
}

/* Append one label; returns how many bytes it took. */
static size_t label_print(struct text label, char *room)
{
	size_t used = 0;

	for (size_t i = 0; i < label.length; i++) {
		const char c = label.bytes[i];

		if (is_plain(c) && c != '.') {
			room[used++] = byte_lower(c);
		} else {
			snprintf(room + used, 5, "\\%03u", (unsigned)(unsigned char)c);
			used += 4;
		}
	}
	return used;
}

bool dns_name_from_wire(struct text wire, char room[DNS_NAME_PRINTED_SIZE], struct text *out_name)
{
	size_t used = 0, at = 0;

	if (wire.length == 0 || wire.length > DNS_NAME_WIRE_MAX)
		return false;
	while (at < wire.length && wire.bytes[at] != 0) {
		const size_t length = (unsigned char)wire.bytes[at];

		/* Longer lengths are compression pointers, which have no place here. */
		if (length > DNS_LABEL_MAX || length >= wire.length - at)
			return false;
		if (used > 0)
			room[used++] = '.';
		used += label_print(text_part(wire, at + 1, length), room + used);
		at += 1 + length;
	}
	if (at + 1 != wire.length) /* The root label ends it, and the record. */
		return false;
	must(used < DNS_NAME_PRINTED_SIZE);
	room[used] = '\0';
	*out_name = (struct text){ room, used };
	return true;
}
