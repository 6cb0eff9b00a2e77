/* A file of fixed size in memory, shared with whoever maps it next: the kernel keeps what was written when
 * the process dies. Nothing is flushed, for a power cut is not what it is for. */
#ifndef SPOOL_MAP_FILE_H
#define SPOOL_MAP_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Gives `size` bytes, to be released by munmap(2): zeroes if the file is new or had another size. path NULL: memory
 * of this process. */
[[nodiscard]] enum error map_file(const char *path, size_t size, void **out_map);

/* How a file of hashed entries begins. */
struct map_header {
	uint64_t magic, seed;
};

/* The same for such a file: one that begins otherwise than with `magic` is emptied, and gets this magic and seed. */
[[nodiscard]] enum error map_hashed_file(
    const char *path, size_t size, const struct map_header *fresh, struct map_header **out_map);

#endif
