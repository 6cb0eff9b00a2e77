#include "route/via.h"

#include "mail/address.h"

bool via_parse(struct text item, uint16_t default_port, struct via *out_via)
{
	struct via via = { .port = default_port };

	if (endpoint_parse(item, default_port, &via.endpoint)) {
		via.is_endpoint = true;
		*out_via = via;
		return true;
	}

	const size_t colon = text_find_byte(item, ':');

	via.name = text_part(item, 0, colon);
	if (colon < item.length) {
		uint64_t port;

		if (!text_to_u64(text_from(item, colon + 1), &port) || port == 0 || port > UINT16_MAX)
			return false;
		via.port = (uint16_t)port;
	}
	/* An address literal that is no endpoint has nothing to look up. */
	if (via.name.length == 0 || via.name.bytes[0] == '[' || !address_domain_valid(via.name, false))
		return false;
	*out_via = via;
	return true;
}
