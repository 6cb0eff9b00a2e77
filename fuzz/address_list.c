#include "target.h"

#include "mail/address_list.h"

void target(struct text input, unsigned choice, struct arena *arena)
{
	struct address list[16], again;
	struct text printed;
	size_t count = 0;

	if (address_list_parse(input, TEXT("home.test"), arena, list, 1 + choice % 16, &count) != OK)
		must(count == 0);
	must(count <= 1 + choice % 16);
	for (size_t i = 0; i < count; i++)
		if (address_print(&list[i], arena, &printed))
			must(address_parse(printed, true, arena, &again) == OK &&
			    address_equal(&list[i], &again));
}
