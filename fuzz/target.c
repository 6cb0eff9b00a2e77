#include "target.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct arena *arena = arena_new(TARGET_ARENA_BYTES);
	const size_t size = length > 0 ? length - 1 : 0;
	char *copy = malloc(size > 0 ? size : 1);

	must(arena != NULL && copy != NULL);
	if (size > 0)
		memcpy(copy, bytes + 1, size);
	target((struct text){ copy, size }, length > 0 ? bytes[0] : 0, arena);
	free(copy);
	arena_free(arena);
	return 0;
}
