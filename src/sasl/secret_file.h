/* A password, or another secret that we share with somebody: the first line of a file. */
#ifndef SASL_SECRET_FILE_H
#define SASL_SECRET_FILE_H

#include "sasl/login.h"

/* Of the longest, with its line's end, and one byte that is too much. */
#define SECRET_ROOM_BYTES ((size_t)SASL_PASSWORD_MAX + 3)

/* The room holds it in the end, and is to be wiped. What is wrong, or NULL. `private`: it must be kept from others. */
[[nodiscard]] const char *secret_file_read(
    const char *path, bool private, char room[SECRET_ROOM_BYTES], struct text *out_secret);

#endif
