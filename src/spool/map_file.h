/* A file of fixed size in memory, shared with whoever maps it next: the kernel keeps what was written when
 * the process dies. Nothing is flushed, for a power cut is not what it is for. */
#ifndef SPOOL_MAP_FILE_H
#define SPOOL_MAP_FILE_H

#include <stddef.h>

#include "base/error.h"

/* Gives `size` bytes, to be released by munmap(2): zeroes if the file is new or had another size. path NULL: memory
 * of this process. */
[[nodiscard]] enum error map_file(const char *path, size_t size, void **out_map);

#endif
