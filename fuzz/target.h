/* What every fuzz target is: a function that libFuzzer calls with one input after another. A broken must() or
 * a sanitizer's word is what must not happen. */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include "base/arena.h"
#include "base/must.h"

enum { TARGET_ARENA_BYTES = 4 << 20 };

/* `input` is the input but for its first byte, which is `choice`, for what the target may vary. It lies on the
 * heap in exactly its size, so that the address sanitizer sees the first byte too far. */
void target(struct text input, unsigned choice, struct arena *arena);

#endif
