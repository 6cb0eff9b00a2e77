/* All of it, where write(2) may take a part. */
#ifndef BASE_WRITE_ALL_H
#define BASE_WRITE_ALL_H

#include "base/text.h"

/* For files and for sockets that block. False: errno tells; what was written before stays. */
[[nodiscard]] bool write_all(int fd, struct text bytes);

#endif
