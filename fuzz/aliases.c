#include "target.h"

#include "route/aliases.h"

void target(struct text input, [[maybe_unused]] unsigned choice, struct arena *arena)
{
	struct aliases aliases = { 0 };
	struct text complaint = TEXT_EMPTY;
	const enum error error = aliases_parse(input, TEXT("aliases"), arena, &aliases, &complaint);

	must(error != ERR_SYNTAX || complaint.length > 0);
	for (size_t i = 0; i < aliases.count; i++)
		must(aliases_find(&aliases, aliases.entries[i].local, aliases.entries[i].domain) ==
		    &aliases.entries[i]);
}
