#include "auth/header_index.h"

enum error header_index_make(struct text header, struct arena *arena, struct header_index *out_index)
{
	struct text rest = header;
	struct header_field field, *fields;
	size_t count = 0;

	while (count <= HEADER_FIELDS_MAX && header_next(&rest, &field))
		count++;
	if (count > HEADER_FIELDS_MAX)
		return ERR_TOO_LARGE;
	fields = arena_array(arena, count, sizeof *fields);
	if (fields == NULL && count > 0)
		return ERR_NO_MEMORY;
	rest = header;
	for (size_t i = 0; i < count && header_next(&rest, &fields[i]); i++)
		;
	*out_index = (struct header_index){ fields, count };
	return OK;
}

size_t header_index_count(const struct header_index *index, struct text name)
{
	size_t count = 0;

	for (size_t i = 0; i < index->count; i++)
		count += text_equal_nocase(index->fields[i].name, name);
	return count;
}
