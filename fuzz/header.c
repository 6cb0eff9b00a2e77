#include "target.h"

#include "mail/header.h"

void target(struct text input, unsigned choice, struct arena *arena)
{
	struct header_field field;
	struct text rest = input, unfolded;
	size_t sum = 0;

	while (header_next(&rest, &field)) {
		must(field.whole.length > 0 && field.whole.bytes == input.bytes + sum);
		sum += field.whole.length;
		if (header_unfold(field.value, arena, &unfolded))
			must(text_find_byte(unfolded, '\n') == unfolded.length);
	}
	must(header_length(input) >= sum && header_count(input, TEXT("received")) <= input.length + choice);
}
