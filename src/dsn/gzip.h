/* Bytes as a gzip file (RFC 1952), as reports are sent. */
#ifndef DSN_GZIP_H
#define DSN_GZIP_H

#include "base/buffer.h"

/* Append the file to `out`. False: no memory, or the limit of `out`, which is as before then. */
[[nodiscard]] bool gzip_pack(struct text bytes, struct buffer *out);

#endif
