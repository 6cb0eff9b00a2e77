#include "dns/rdata.h"

#include "dns/name.h"

int rdata_type_number(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return 1;
	case DNS_PTR:
		return 12;
	case DNS_MX:
		return 15;
	case DNS_TXT:
		return 16;
	case DNS_AAAA:
		return 28;
	case DNS_TLSA:
		return 52;
	}
	return 0;
}

static enum error parse_address(struct text rdata, enum endpoint_family family, struct dns_record *record)
{
	if (rdata.length != (family == ENDPOINT_IP4 ? 4 : 16))
		return ERR_SYNTAX;
	record->address.family = family;
	memcpy(record->address.ip, rdata.bytes, rdata.length);
	return OK;
}

static enum error parse_name(struct text wire, struct arena *arena, struct dns_record *record)
{
	char room[DNS_NAME_PRINTED_SIZE];
	struct text name;

	if (!dns_name_from_wire(wire, room, &name))
		return ERR_SYNTAX;
	return arena_copy(arena, name, &record->name) ? OK : ERR_NO_MEMORY;
}

static enum error parse_mx(struct text rdata, struct arena *arena, struct dns_record *record)
{
	if (rdata.length < 3)
		return ERR_SYNTAX;
	record->preference = (uint16_t)((uint8_t)rdata.bytes[0] << 8 | (uint8_t)rdata.bytes[1]);
	return parse_name(text_from(rdata, 2), arena, record);
}

/* One or more character-strings, joined without anything between (RFC 7208 §3.3). */
static enum error parse_txt(struct text rdata, struct arena *arena, struct dns_record *record)
{
	char *joined = arena_alloc(arena, rdata.length);
	size_t used = 0;

	if (joined == NULL)
		return ERR_NO_MEMORY;
	if (rdata.length == 0)
		return ERR_SYNTAX;
	while (rdata.length > 0) {
		const size_t length = (uint8_t)rdata.bytes[0];

		if (length >= rdata.length)
			return ERR_SYNTAX;
		memcpy(joined + used, rdata.bytes + 1, length);
		used += length;
		rdata = text_from(rdata, 1 + length);
	}
	record->data = (struct text){ joined, used };
	return OK;
}

static enum error parse_tlsa(struct text rdata, struct arena *arena, struct dns_record *record)
{
	if (rdata.length < 4) /* Usage, selector, matching type, and something to match. */
		return ERR_SYNTAX;
	return arena_copy(arena, rdata, &record->data) ? OK : ERR_NO_MEMORY;
}

enum error rdata_parse(
    enum dns_type type, struct text rdata, struct arena *arena, struct dns_record *out_record)
{
	struct dns_record record = { 0 };
	enum error error = ERR_SYNTAX;

	switch (type) {
	case DNS_A:
		error = parse_address(rdata, ENDPOINT_IP4, &record);
		break;
	case DNS_AAAA:
		error = parse_address(rdata, ENDPOINT_IP6, &record);
		break;
	case DNS_MX:
		error = parse_mx(rdata, arena, &record);
		break;
	case DNS_PTR:
		error = parse_name(rdata, arena, &record);
		break;
	case DNS_TXT:
		error = parse_txt(rdata, arena, &record);
		break;
	case DNS_TLSA:
		error = parse_tlsa(rdata, arena, &record);
		break;
	}
	if (error == OK)
		*out_record = record;
	return error;
}
