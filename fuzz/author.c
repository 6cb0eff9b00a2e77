#include "target.h"

#include "auth/author.h"
#include "auth/domain.h"

/* The input is a header. Whoever is found as its author has a name that DNS can be asked about. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	struct header_index index;
	struct text domain;
	const char *reason = NULL;

	(void)choice;
	if (header_index_make(input, arena, &index) != OK)
		return;

	const enum error error = author_domain(&index, arena, &domain, &reason);

	must(error == OK || error == ERR_NO_MEMORY || reason != NULL);
	must(error != OK || (header_index_count(&index, TEXT("From")) == 1 && domain.length > 0 && text_is_ascii(domain)));
}
