#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

void must_fail(const char *truth, const char *file, int line)
{
	fprintf(stderr, "postroad: broken truth at %s:%d: %s\n", file, line, truth);
	abort();
}
