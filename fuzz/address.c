#include "target.h"

#include "mail/address.h"

void target(struct text input, unsigned choice, struct arena *arena)
{
	struct address address, again;
	struct text printed, ascii;

	if (address_parse(input, choice & 1, arena, &address) == OK &&
	    address_print(&address, arena, &printed)) {
		must(address_parse(printed, choice & 1, arena, &again) == OK);
		must(address_equal(&address, &again));
		if (address.domain.length > 0 && address_domain_to_ascii(address.domain, arena, &ascii) == OK)
			must(address_domain_valid(ascii, false));
	}
}
